use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::{Client, within};

/// A daemon of one test: its directory, its socket and its process. Dropping it kills the process, and shows its log where
/// the test has failed.
pub(crate) struct Daemon {
    settings: Builder,
    home: TempDir,
    process: Option<Child>,
}

/// How a daemon is to be started. Unless told otherwise, a dead holder is followed at once, and a living one is waited for
/// longer than any test takes.
#[derive(Clone)]
pub(crate) struct Builder {
    engine: &'static str,
    seal: Seal,
    hand_over_delay: Duration,
    resume_window: Duration,
    args: Vec<String>,
    variables: Vec<(String, String)>,
}

/// Whether sessions are sealed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seal {
    /// With a key in the directory of the test.
    Key,
    None,
}

impl Builder {
    /// Leaves the sessions open, as those whose files other programs are to read.
    pub(crate) fn unsealed(mut self) -> Self {
        self.seal = Seal::None;
        self
    }

    pub(crate) fn engine(mut self, engine: &'static str) -> Self {
        self.engine = engine;
        self
    }

    pub(crate) fn hand_over_delay(mut self, delay: Duration) -> Self {
        self.hand_over_delay = delay;
        self
    }

    pub(crate) fn resume_window(mut self, window: Duration) -> Self {
        self.resume_window = window;
        self
    }

    /// One more argument of `serve`.
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// A variable of the daemon's environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Starts a daemon in a new directory and waits until it serves.
    pub(crate) async fn start(self) -> Daemon {
        let mut daemon = self.prepare();
        daemon.start_again().await;
        daemon
    }

    /// A daemon that is not started yet, in a new directory.
    pub(crate) fn prepare(self) -> Daemon {
        let home = tempfile::tempdir().expect("a directory");
        Daemon { settings: self, home, process: None }
    }
}

impl Daemon {
    /// Starts a daemon in a new directory and waits until it serves.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    /// Starts a daemon whose sessions live in this engine.
    pub(crate) async fn on(engine: &'static str) -> Self {
        Self::builder().engine(engine).start().await
    }

    /// Starts a daemon whose sessions' files have their keys in them.
    pub(crate) async fn unsealed() -> Self {
        Self::builder().unsealed().start().await
    }

    /// Seals its sessions from the next start on, or leaves them open.
    pub(crate) fn seal_from_now_on(&mut self, seal: bool) {
        self.settings.seal = if seal { Seal::Key } else { Seal::None };
    }

    pub(crate) fn builder() -> Builder {
        Builder {
            engine: "sqlite",
            seal: Seal::Key,
            hand_over_delay: Duration::ZERO,
            resume_window: Duration::from_mins(5),
            args: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Starts it once more, in the same directory and on the same socket, and waits until it serves.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let mut process = self.serve();
        let stdout = process.stdout.take().expect("it was piped");
        self.process = Some(process);
        let mut lines = BufReader::new(stdout).lines();
        let line = within(lines.next_line()).await.expect("readable");
        assert_eq!(line.as_deref(), Some("READY=1"), "the daemon serves");
    }

    /// More arguments of `serve`, from the next start on.
    pub(crate) fn add_args<A: ToString>(&mut self, args: impl IntoIterator<Item = A>) {
        self.settings.args.extend(args.into_iter().map(|arg| arg.to_string()));
    }

    /// The same, with one more argument this time.
    pub(crate) async fn start_again_with(&mut self, arg: &str) {
        self.settings.args.push(arg.into());
        self.start_again().await;
        self.settings.args.pop();
    }

    /// Starts it, and kills it after this time, wherever it is by then.
    pub(crate) async fn start_and_kill(&mut self, after: Duration) {
        let mut process = self.serve();
        let _ = tokio::time::timeout(after, process.wait()).await;
        process.start_kill().expect("it is ours");
        within(process.wait()).await.expect("its end is seen");
    }

    /// Starts it where it has to refuse, and waits for its end. Answers its status and what it said.
    pub(crate) async fn fail_to_start(&self) -> (ExitStatus, String) {
        let said_before = self.log().len();
        let status = within(self.serve().wait()).await.expect("its end is seen");
        (status, self.log().split_off(said_before))
    }

    /// Stops it as a supervisor does, and starts it again.
    pub(crate) async fn restart(&mut self) {
        assert!(self.stop().await.success(), "it stops without a fault");
        self.start_again().await;
    }

    /// Stops it as a supervisor does, by SIGTERM.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.end().await
    }

    /// Kills it, so that it can do nothing more.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.end().await;
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        within(process.wait()).await.expect("its end is seen")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).expect("a pid"), signal).expect("it runs");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().and_then(Child::id).expect("it runs")
    }

    /// A client of its own: nobody else uses its connection.
    pub(crate) async fn client(&self) -> Client {
        within(Client::connect(&self.socket())).await
    }

    /// A client as Rust programs have it.
    pub(crate) async fn sessiond_client(&self) -> sessiond_client::Client {
        let builder = sessiond_client::Client::builder().socket(self.socket());
        builder.connect().await.expect("valid settings")
    }

    /// Where sessions are kept.
    pub(crate) fn dir(&self) -> PathBuf {
        self.home().join("data")
    }

    /// Where the key is with which its sessions are sealed.
    pub(crate) fn master_key(&self) -> PathBuf {
        self.home().join("master-key")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home().join("run/sessiond.sock")
    }

    /// The directory of the test, in which everything is.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it has logged, in all its lives.
    pub(crate) fn log(&self) -> String {
        fs::read(self.log_file()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// The program with these arguments, in an environment that says where this daemon is.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sessiond"));
        command.args(args);
        self.set_environment(&mut command);
        command
    }

    fn serve(&self) -> Child {
        let Builder { engine, seal: _, hand_over_delay, resume_window, args, variables } = &self.settings;
        // The shell makes the pipe of our end descriptor 3 of the daemon, and of nobody else whom this process starts.
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$0" "$@" 3>&1 1>&2"#, env!("CARGO_BIN_EXE_sessiond")]);
        command.args(["serve", "--ready-fd", "3", "--engine", engine]);
        command.arg("--dir").arg(self.dir());
        command.arg(format!("--hand-over-delay={}ms", hand_over_delay.as_millis()));
        command.arg(format!("--resume-window={}ms", resume_window.as_millis()));
        command.args(args);
        self.set_environment(&mut command);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let log: File =
            OpenOptions::new().create(true).append(true).open(self.log_file()).expect("a file of ours");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        command.spawn().expect("started")
    }

    /// Nothing of the machine that the test runs on: neither its settings nor its directories.
    fn set_environment(&self, command: &mut Command) {
        command.env_clear().env("SESSIOND_CONFIG", "/dev/null").env("SESSIOND_SOCKET", self.socket());
        command.env("HOME", self.home());
        let key = match self.settings.seal {
            Seal::Key => format!("file:{}", self.master_key().display()),
            Seal::None => "none".to_owned(),
        };
        command.env("SESSIOND_SEAL", key);
        command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
    }

    fn log_file(&self) -> PathBuf {
        self.home().join("log")
    }
}

impl Drop for Daemon {
    #[expect(clippy::print_stderr, reason = "the test runner shows it where the test has failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}
