//! A process that holds, writes and lets go, and watches meanwhile. It is killed and started again.

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::{
    SESSIONS, life,
    record::{Record, View},
};
use crate::{
    conformance::{Answer, Driver, Language, Said},
    harness::{Daemon, Random},
};

/// States that a process writes before it lets go.
const STATES: usize = 6;

/// Longest that an answer is waited for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(50);

/// Events that are asked for at once. Bookmarks count, so that these come whatever happens.
const EVENTS: usize = 20;

pub(super) struct Worker {
    number: usize,
    language: Language,
    socket: PathBuf,
    stderr: PathBuf,
    record: Arc<Record>,
    random: Random,
    pub(super) view: View,
    life: Option<Life>,
}

/// A process, while it lives.
struct Life {
    driver: Driver,
    /// The call by which it tells what its watch tells.
    events: i64,
}

impl Worker {
    pub(super) fn new(number: usize, language: Language, daemon: &Daemon, record: &Arc<Record>) -> Self {
        Self {
            number,
            language,
            socket: daemon.socket(),
            stderr: daemon.home().join(format!("process-{number}")),
            record: Arc::clone(record),
            random: Random::new(),
            view: View::default(),
            life: None,
        }
    }

    /// Goes on until the time is over. It is alive then, and holds nothing.
    ///
    /// # Errors
    /// Anything that went wrong: a call that failed, or an answer that does not fit the others.
    pub(super) async fn work(mut self, until: Instant) -> Result<Self, String> {
        loop {
            let life = life(&mut self.random);
            match timeout(life, self.live(until)).await {
                Ok(Ok(())) => return Ok(self),
                Ok(Err(error)) => return Err(format!("{self}: {error}")),
                // In the middle of whatever it did.
                Err(_) if Instant::now() < until => {
                    self.record.let_go(self.number);
                    if let Some(Life { driver, .. }) = self.life.take() {
                        driver.kill().await;
                        self.record.note_kill();
                    }
                }
                Err(_) => {
                    self.record.let_go(self.number);
                    if let Some(Life { driver, .. }) = self.life.take() {
                        driver.kill().await;
                    }
                    self.begin().await.map_err(|error| format!("{self}: {error}"))?;
                    return Ok(self);
                }
            }
        }
    }

    /// Reads on what its watch tells, until everything up to a revision was told.
    pub(super) async fn follow_to(&mut self, revision: i64) -> Result<(), String> {
        while self.view.position.as_ref().is_none_or(|(reached, _)| *reached < revision) {
            self.listen().await?;
        }
        Ok(())
    }

    async fn live(&mut self, until: Instant) -> Result<(), String> {
        self.begin().await?;
        while Instant::now() < until {
            self.turn().await?;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), String> {
        let mut driver = Driver::start(&self.language, &self.socket, self.stderr.clone())?;
        let mut watch = json!({ "as": "w", "names": SESSIONS, "bookmark_interval_ms": 100 });
        if let Some((revision, store_id)) = &self.view.position {
            watch["after"] = json!({ "revision": revision.to_string(), "store_id": store_id });
        }
        let watch = driver.begin("watch", object(&watch)).await?;
        driver.answer(watch).await?.map_err(|error| error.to_string())?;
        let events = more(&mut driver).await?;
        self.life = Some(Life { driver, events });
        Ok(())
    }

    /// Holds one of the sessions, adds to its state, and lets go.
    async fn turn(&mut self) -> Result<(), String> {
        let name = SESSIONS[self.random.below(SESSIONS.len())];
        let granted = self.call("hold", &json!({ "as": "h", "name": name, "wait": true })).await?;
        let fence = number(&granted["fence"])?;
        let mut pts =
            i32::try_from(granted["session"]["state"]["pts"].as_i64().unwrap_or(0)).expect("few enough");
        self.record.granted(self.number, name, fence, pts)?;
        for _ in 0..STATES {
            pts += 1;
            let advanced = self.call("advance", &json!({ "hold": "h", "change": { "pts": pts } })).await?;
            self.record.advanced(name, fence, pts, number(&advanced["revision"])?);
        }
        self.record.let_go(self.number);
        self.call("release", &json!({ "hold": "h" })).await.map(drop)
    }

    async fn call(&mut self, call: &str, arguments: &Value) -> Result<Value, String> {
        let id = self.alive().driver.begin(call, object(arguments)).await?;
        loop {
            if let Some((answered, answer)) = self.listen().await?
                && answered == id
            {
                return answer.map_err(|error| format!("{call} failed: {error}"));
            }
        }
    }

    /// Takes what the process says next: an answer, or something that its watch told.
    async fn listen(&mut self) -> Result<Option<(i64, Answer)>, String> {
        let life = self.alive();
        let said = timeout(ANSWERS_WITHIN, life.driver.next()).await;
        match said.map_err(|_| format!("no answer in {ANSWERS_WITHIN:?}"))?? {
            Said::Event(..) => Ok(None),
            Said::Answer(call, answer) if call == life.events => {
                let told = answer.map_err(|error| format!("its watch failed: {error}"))?;
                life.events = more(&mut life.driver).await?;
                for event in told["events"].as_array().ok_or("no events")? {
                    self.view.take(event)?;
                }
                Ok(None)
            }
            Said::Answer(call, answer) => Ok(Some((call, answer))),
        }
    }

    fn alive(&mut self) -> &mut Life {
        self.life.as_mut().expect("it was started")
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} in {}", self.number, self.language)
    }
}

async fn more(driver: &mut Driver) -> Result<i64, String> {
    driver.begin("events", object(&json!({ "watch": "w", "count": EVENTS, "bookmarks": true }))).await
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("it is one")
}

fn number(value: &Value) -> Result<i64, String> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| format!("{value} is no number"))
}
