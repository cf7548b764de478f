use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::Pid;
use sessiond_client::Client;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::timeout,
};

use crate::{memory, process::Process};

/// Longest that a daemon is waited for until it serves. A bar says how long it may take; this only ends a run that hangs.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A daemon, its directory and its socket. Dropping it kills it and removes the directory.
#[derive(Debug)]
pub(crate) struct Daemon {
    program: PathBuf,
    home: TempDir,
    /// With the socket. Apart, since a socket's path has to be short.
    run: TempDir,
    process: Option<Process>,
    /// Whether it encrypts keys.
    seals: bool,
    /// From its start until it served, the last time.
    pub(crate) ready_after: Duration,
}

impl Daemon {
    /// Starts one in a new directory below this folder, and waits until it serves.
    pub(crate) async fn start(program: &Path, below: &Path) -> anyhow::Result<Self> {
        Self::started(program, below, true).await
    }

    /// The same, but keys are written as they are.
    pub(crate) async fn start_unsealed(program: &Path, below: &Path) -> anyhow::Result<Self> {
        Self::started(program, below, false).await
    }

    async fn started(program: &Path, below: &Path, seals: bool) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("bench-").tempdir_in(below)?;
        let (program, run) = (program.to_owned(), tempfile::tempdir()?);
        let mut daemon = Self { program, home, run, process: None, seals, ready_after: Duration::ZERO };
        daemon.start_again().await?;
        Ok(daemon)
    }

    /// Starts it once more, after it was stopped or killed, and waits until it serves.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut process = Process::start("the daemon", self.command()?)?;
        let stdout = process.child().stdout.take().context("it was piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(READY_WITHIN, lines.next_line()).await.context("the daemon does not serve")??;
        self.ready_after = started.elapsed();
        self.process = Some(process);
        anyhow::ensure!(line.as_deref() == Some("READY=1"), "the daemon does not serve: {}", self.log());
        Ok(())
    }

    /// Stops it as a supervisor does.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let process = self.process.take().context("the daemon does not run")?;
        let status = process.stop().await?;
        anyhow::ensure!(status.success(), "the daemon ended with {status}: {}", self.log());
        Ok(())
    }

    /// Kills it, so that it can do nothing more.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the daemon does not run")?.kill().await
    }

    /// A client as Rust programs have it.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::builder().socket(self.socket()).connect().await?)
    }

    /// A command of the same program, to which arguments are added, for this daemon.
    pub(crate) fn cli(&self) -> Command {
        let mut command = Process::quiet(&self.program);
        command.env_clear().env("SESSIOND_CONFIG", "/dev/null").env("SESSIOND_SOCKET", self.socket());
        command
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run.path().join("sessiond.sock")
    }

    pub(crate) fn pid(&self) -> anyhow::Result<Pid> {
        self.process.as_ref().context("the daemon does not run")?.pid()
    }

    /// Its memory, in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<f64> {
        memory::resident(self.pid()?)
    }

    fn command(&self) -> anyhow::Result<Command> {
        // The shell makes the pipe of our end descriptor 3 of the daemon, and of nobody else whom this process starts.
        let mut command = Process::quiet("sh");
        command.args(["-c", r#"exec "$0" "$@" 3>&1 1>&2"#]).arg(&self.program);
        command.args(["serve", "--ready-fd", "3", "--hand-over-delay", "0s", "--dir"]);
        command.arg(self.home.path().join("data"));
        let key = format!("--seal=file:{}", self.home.path().join("key").display());
        command.arg(if self.seals { &key } else { "--seal=none" });
        // Nothing of whoever runs this: neither settings nor directories.
        command.env_clear().env("SESSIOND_CONFIG", "/dev/null").env("SESSIOND_SOCKET", self.socket());
        command.env("HOME", self.home.path());
        command.stdout(Stdio::piped());
        command.stderr(File::options().create(true).append(true).open(self.home.path().join("log"))?);
        Ok(command)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}
