use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout},
    sync::mpsc,
    time::{interval, timeout},
};

use super::{
    evidence::Evidence,
    fact::Fact,
    sandbox::{PATIENCE, Sandbox, send},
    screen::Screen,
};

/// Workers that want the session: one has it, the others wait.
const WORKERS: usize = 3;
/// Facts that were told and not yet read: so many that nobody waits for a screen that is drawn.
const FACTS: usize = 4096;
/// How often the screen is drawn anew.
const FRAME: Duration = Duration::from_millis(100);

/// The demo's processes, and what they tell.
pub(super) struct Trial<'a> {
    sandbox: &'a Sandbox,
    screen: &'a mut Screen,
    pub(super) evidence: Evidence,
    pub(super) workers: Vec<Worker>,
    watcher: Option<Child>,
    watching: bool,
    /// How many processes have not told everything yet.
    telling: usize,
    facts: mpsc::Receiver<(i32, Option<Fact>)>,
    teller: mpsc::Sender<(i32, Option<Fact>)>,
    /// Times from a kill to the next grant.
    pub(super) hand_overs: Vec<Duration>,
    killed: Option<Instant>,
}

/// A process that wants the session.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) label: String,
    pub(super) pid: i32,
    pub(super) stands: Stands,
    process: Child,
}

/// How a worker stands with the session, as far as it has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// It was started.
    Coming,
    /// It waits at this place in line.
    Waiting(i32),
    /// It has the session, since then; the pts that was acknowledged to it last, if one was.
    Holding(Instant, Option<i32>),
    /// It let go, or was killed.
    Gone,
}

impl<'a> Trial<'a> {
    /// Starts the watcher and waits until it follows; then the workers, and waits until one holds and the others wait.
    pub(super) async fn begin(sandbox: &'a Sandbox, screen: &'a mut Screen) -> anyhow::Result<Self> {
        let (teller, facts) = mpsc::channel(FACTS);
        let mut trial = Self {
            sandbox,
            screen,
            evidence: Evidence::default(),
            workers: Vec::new(),
            watcher: None,
            watching: false,
            telling: 0,
            facts,
            teller,
            hand_overs: Vec::new(),
            killed: None,
        };
        trial.watcher = Some(trial.start(&["demo-watcher", sandbox.name().as_str()])?.1);
        trial.until("the watcher to follow", |trial| trial.watching).await?;
        for n in 1..=WORKERS {
            let worker = trial.worker(format!("worker-{n}"))?;
            trial.workers.push(worker);
            // One after the other, so that who comes first is first.
            trial
                .until("a worker to stand in line", |trial| trial.all(|stands| stands != Stands::Coming))
                .await?;
        }
        Ok(trial)
    }

    /// Lets the holder work for so long, and until something was acknowledged to it and somebody waits.
    pub(super) async fn work(&mut self, time: Duration) -> anyhow::Result<()> {
        let ready =
            |stands: Stands| matches!(stands, Stands::Holding(since, Some(_)) if since.elapsed() >= time);
        self.within(time + PATIENCE, "the holder to write", |trial| {
            let waits = trial.workers.iter().any(|worker| matches!(worker.stands, Stands::Waiting(_)));
            waits && trial.workers.iter().any(|worker| ready(worker.stands))
        })
        .await
    }

    /// Kills the holder, waits for the next one, and starts the one that was killed again, at the end of the line.
    pub(super) async fn kill_holder(&mut self) -> anyhow::Result<()> {
        let at = self.holder().context("nobody holds the session")?;
        let acknowledged = self.evidence.acknowledged_pts();
        let holder = &mut self.workers[at];
        let killed_at = Instant::now();
        send(&holder.process, Signal::KILL);
        holder.process.wait().await?;
        holder.stands = Stands::Gone;
        let (label, pid) = (holder.label.clone(), holder.pid);
        self.killed = Some(killed_at);
        self.screen.killed(&label, pid, acknowledged)?;
        self.until("the next holder", |trial| trial.killed.is_none()).await?;
        self.workers[at] = self.worker(label)?;
        Ok(())
    }

    /// Sends everybody home: those who wait, the holder, who lets go in order, and the watcher when it has seen that.
    pub(super) async fn end(mut self) -> anyhow::Result<(Evidence, Vec<Duration>)> {
        let holder = self.holder().context("nobody holds the session")?;
        for at in (0..self.workers.len()).filter(|at| *at != holder) {
            let worker = &mut self.workers[at];
            worker.stands = Stands::Gone;
            send(&worker.process, Signal::TERM);
            timeout(PATIENCE, worker.process.wait()).await.context("a worker does not end")??;
        }
        send(&self.workers[holder].process, Signal::TERM);
        self.until("the holder to let go", |trial| trial.all(|stands| stands == Stands::Gone)).await?;
        self.until("the watcher to see it", |trial| trial.telling <= 1 && trial.evidence.is_free()).await?;
        if let Some(watcher) = &self.watcher {
            send(watcher, Signal::TERM);
        }
        self.until("the watcher to end", |trial| trial.telling == 0).await?;
        self.screen.settle()?;
        Ok((self.evidence, self.hand_overs))
    }

    fn holder(&self) -> Option<usize> {
        self.workers.iter().position(|worker| matches!(worker.stands, Stands::Holding(..)))
    }

    fn all(&self, so: impl Fn(Stands) -> bool) -> bool {
        self.workers.iter().all(|worker| so(worker.stands))
    }

    fn worker(&mut self, label: String) -> anyhow::Result<Worker> {
        let (pid, process) = self.start(&["demo-worker", self.sandbox.name().as_str(), "--label", &label])?;
        Ok(Worker { label, pid, stands: Stands::Coming, process })
    }

    /// Starts a process, and somebody who listens to it.
    fn start(&mut self, args: &[&str]) -> anyhow::Result<(i32, Child)> {
        let mut child = self.sandbox.command(args).stdout(Stdio::piped()).spawn()?;
        let pid = child.id().context("it has not ended yet")?.cast_signed();
        let stdout = child.stdout.take().context("it was piped")?;
        tokio::spawn(listen(pid, stdout, self.teller.clone()));
        self.telling += 1;
        Ok((pid, child))
    }

    /// Takes facts until it is so.
    async fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        self.within(PATIENCE, what, so).await
    }

    async fn within(
        &mut self,
        patience: Duration,
        what: &str,
        so: impl Fn(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut frames = interval(FRAME);
        while !so(self) {
            tokio::select! {
                told = self.facts.recv() => {
                    let (pid, fact) = told.context("this end has a teller")?;
                    self.take(pid, fact)?;
                }
                _ = frames.tick() => self.screen.draw(&self.workers, &self.evidence)?,
            }
            if begun.elapsed() > patience {
                bail!("waited {} s in vain for {what}", patience.as_secs());
            }
        }
        Ok(())
    }

    fn take(&mut self, pid: i32, fact: Option<Fact>) -> anyhow::Result<()> {
        let Some(fact) = fact else {
            self.telling -= 1;
            let early = self.workers.iter().find(|worker| worker.pid == pid && worker.stands != Stands::Gone);
            return early.map_or(Ok(()), |worker| bail!("{} has ended before its time", worker.label));
        };
        self.watching |= fact == Fact::Synced;
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.pid == pid) {
            worker.stands = match (&fact, worker.stands) {
                (_, Stands::Gone) => Stands::Gone,
                (Fact::Waiting { position }, _) => Stands::Waiting(*position),
                (Fact::Granted { .. }, _) => Stands::Holding(Instant::now(), None),
                (Fact::Acknowledged { pts, .. }, Stands::Holding(since, _)) => {
                    Stands::Holding(since, Some(*pts))
                }
                (Fact::Released, _) => Stands::Gone,
                (_, stands) => stands,
            };
            if let Fact::Granted { pts, .. } = fact {
                let after = self.killed.take().map(|killed| killed.elapsed());
                self.hand_overs.extend(after);
                self.screen.granted(&worker.label, pid, pts, after)?;
            }
        }
        self.evidence.take(pid, fact);
        Ok(())
    }
}

/// Reads what a process tells, until it has ended.
async fn listen(pid: i32, stdout: ChildStdout, teller: mpsc::Sender<(i32, Option<Fact>)>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let fact = serde_json::from_str(&line).unwrap_or_else(|error| Fact::Unexpected {
            event: format!("process {pid} tells {line:?}: {error}"),
        });
        if teller.send((pid, Some(fact))).await.is_err() {
            return;
        }
    }
    // Nobody listens any more where that fails.
    let _ = teller.send((pid, None)).await;
}
