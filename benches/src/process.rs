use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// Longest that a process is waited for that was asked to stop, before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// A process that this program started. Dropping it kills it; it never outlives this program's end in order.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    what: &'static str,
}

impl Process {
    /// Starts it. What of its streams was not set is nothing.
    pub(crate) fn start(what: &'static str, mut command: Command) -> anyhow::Result<Self> {
        command.kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("{what} cannot be started"))?;
        Ok(Self { child, what })
    }

    /// A command that has no streams of ours.
    pub(crate) fn quiet(program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// # Errors
    /// It has ended.
    pub(crate) fn pid(&self) -> anyhow::Result<Pid> {
        let id = self.child.id().with_context(|| format!("{} has ended", self.what))?;
        Pid::from_raw(id.cast_signed()).context("0 is nobody's pid")
    }

    /// Asks it to stop, waits for its end, and kills it if that takes too long.
    pub(crate) async fn stop(mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        match timeout(STOP_WITHIN, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => {
                self.child.kill().await?;
                anyhow::bail!("{} did not stop within {STOP_WITHIN:?}, and was killed", self.what)
            }
        }
    }

    /// Kills it with SIGKILL, and waits for its end.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("{} cannot be killed", self.what))
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(self.pid()?, signal).map_err(io::Error::from)?)
    }
}
