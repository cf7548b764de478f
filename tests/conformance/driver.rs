//! A driver: a program in some language that does what it is told.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};

use super::Language;

/// Longest that an answer is waited for: a deadline of a client, and more than any machine takes beside it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(45);

/// A process of its own, which is killed when this is dropped.
pub(crate) struct Driver {
    process: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: PathBuf,
    calls: i64,
    /// What came and was not asked for yet, by the ids of the calls.
    events: HashMap<i64, VecDeque<Value>>,
    answers: HashMap<i64, Answer>,
}

/// What a call is answered: a value, or an error.
pub(crate) type Answer = Result<Value, Value>;

/// What a driver says.
pub(crate) enum Said {
    Event(i64, Value),
    Answer(i64, Answer),
}

impl Driver {
    /// Starts one. It finds its daemon at `socket`; what it says about itself goes into the file `stderr`.
    pub(crate) fn start(language: &Language, socket: &Path, stderr: PathBuf) -> Result<Self, String> {
        let mut command = language.command();
        command.env("SESSIOND_SOCKET", socket).kill_on_drop(true);
        let said = File::options().create(true).append(true).open(&stderr).expect("a file of ours");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said);
        let started = command.spawn();
        let mut process = started.map_err(|e| format!("the driver of {language} cannot be started: {e}"))?;
        let stdin = process.stdin.take().expect("it was piped");
        let stdout = BufReader::new(process.stdout.take().expect("it was piped")).lines();
        let (events, answers) = (HashMap::new(), HashMap::new());
        Ok(Self { process, stdin, stdout, stderr, calls: 0, events, answers })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Kills it, and waits for its end.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.expect("killed");
    }

    /// Makes a call, and gives its id.
    pub(crate) async fn begin(&mut self, call: &str, arguments: &Map<String, Value>) -> Result<i64, String> {
        self.calls += 1;
        let mut line = json!({ "id": self.calls, "call": call });
        line.as_object_mut().expect("it is one").extend(arguments.clone());
        let written = self.stdin.write_all(format!("{line}\n").as_bytes()).await;
        match written {
            Ok(()) => Ok(self.calls),
            Err(_) => Err(self.ended()),
        }
    }

    /// The answer to a call.
    pub(crate) async fn answer(&mut self, call: i64) -> Result<Answer, String> {
        loop {
            if let Some(answer) = self.answers.remove(&call) {
                return Ok(answer);
            }
            self.listen().await?;
        }
    }

    /// The next event of a call.
    pub(crate) async fn event(&mut self, call: i64) -> Result<Value, String> {
        loop {
            if let Some(event) = self.events.get_mut(&call).and_then(VecDeque::pop_front) {
                return Ok(event);
            }
            if let Some(answer) = self.answers.get(&call) {
                return Err(format!("there is no event, but an answer: {answer:?}"));
            }
            self.listen().await?;
        }
    }

    async fn listen(&mut self) -> Result<(), String> {
        let said = timeout(ANSWERS_WITHIN, self.next()).await;
        match said.map_err(|_| format!("no answer in {ANSWERS_WITHIN:?}{}", self.said_beside()))?? {
            Said::Event(call, event) => self.events.entry(call).or_default().push_back(event),
            Said::Answer(call, answer) => {
                self.answers.insert(call, answer);
            }
        }
        Ok(())
    }

    /// What it says next, of whichever call. To drop the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Said, String> {
        loop {
            let Ok(Some(line)) = self.stdout.next_line().await else { return Err(self.ended()) };
            let Ok(Value::Object(mut said)) = serde_json::from_str(&line) else { continue };
            let Some(call) = said.get("id").and_then(Value::as_i64) else { continue };
            if let Some(event) = said.remove("event") {
                return Ok(Said::Event(call, event));
            }
            return match (said.remove("ok"), said.remove("error")) {
                (Some(answer), None) => Ok(Said::Answer(call, Ok(answer))),
                (None, Some(error)) => Ok(Said::Answer(call, Err(error))),
                _ => Err(format!("neither answer nor error: {line}")),
            };
        }
    }

    fn ended(&self) -> String {
        format!("the driver has ended{}", self.said_beside())
    }

    /// The end of what it wrote on its standard error.
    fn said_beside(&self) -> String {
        let said = fs::read(&self.stderr).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let last: Vec<_> = said.lines().rev().take(20).collect();
        last.iter().rev().map(|line| format!("\n      | {line}")).collect()
    }
}
