use std::{process::Stdio, time::Duration};

use anyhow::Context as _;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{
    load::{GO, Job},
    process::Process,
};

/// Longest that a generator is waited for, whatever it does.
const HEAR_WITHIN: Duration = Duration::from_secs(180);

/// A load generator: this program once more, in a process of its own. It prepares, says that it is ready, waits to be told to
/// go, and says what it measured. Dropping it kills it, and it ends by itself when this process does.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Process,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts one, and waits until it is ready.
    pub(crate) async fn start(job: &Job) -> anyhow::Result<Self> {
        let mut worker = Self::begin(job).await?;
        let () = worker.hear().await?;
        Ok(worker)
    }

    /// Starts one that says something else when it is ready.
    pub(crate) async fn begin(job: &Job) -> anyhow::Result<Self> {
        // Also when the file has been built anew in the meantime.
        let mut command = Command::new("/proc/self/exe");
        command.arg("load");
        let mut worker = Self::program(command)?;
        worker.tell(job).await?;
        Ok(worker)
    }

    /// Another program that speaks as a generator does, from being ready on.
    pub(crate) fn program(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start("the load generator", command)?;
        let stdin = process.child().stdin.take().context("it was piped")?;
        let stdout = process.child().stdout.take().context("it was piped")?;
        Ok(Self { process, stdin, stdout: BufReader::new(stdout).lines() })
    }

    pub(crate) async fn go(&mut self) -> anyhow::Result<()> {
        self.tell(&GO).await
    }

    /// The next thing that it says.
    pub(crate) async fn hear<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = timeout(HEAR_WITHIN, self.stdout.next_line()).await;
        let line = line.context("the load generator hangs")??.context("the load generator has ended")?;
        serde_json::from_str(&line).with_context(|| format!("the load generator said: {line}"))
    }

    /// Lets it end.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        let Self { mut process, stdin, .. } = self;
        drop(stdin);
        let status =
            timeout(HEAR_WITHIN, process.child().wait()).await.context("the load generator hangs")??;
        anyhow::ensure!(status.success(), "the load generator ended with {status}");
        Ok(())
    }

    /// Kills it with SIGKILL, and does not wait for its end.
    pub(crate) fn shoot(&self) -> anyhow::Result<()> {
        self.process.signal(rustix::process::Signal::KILL)
    }

    pub(crate) async fn kill(self) -> anyhow::Result<()> {
        self.process.kill().await
    }

    async fn tell(&mut self, what: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.stdin.write_all(&line).await.context("the load generator has ended")?;
        Ok(self.stdin.flush().await?)
    }
}
