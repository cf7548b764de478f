use std::{
    path::Path,
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::harness::{Daemon, within};

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// A command that runs on. Dropping it kills it.
pub(super) struct Running {
    process: Child,
    pub(super) stdin: Option<ChildStdin>,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
    stderr: Lines<BufReader<tokio::process::ChildStderr>>,
}

/// Runs `sessiond` with these arguments to its end.
pub(crate) async fn run(daemon: &Daemon, args: &[&str]) -> Ran {
    Ran::of(&mut daemon.command(args)).await
}

/// The same, with this on its standard input.
pub(super) async fn run_on(daemon: &Daemon, args: &[&str], input: &[u8]) -> Ran {
    let mut running = Running::start(&mut daemon.command(args));
    let mut stdin = running.stdin.take().expect("piped");
    stdin.write_all(input).await.expect("it reads");
    drop(stdin);
    running.end().await
}

impl Ran {
    /// Runs a command to its end, with nothing on its standard input.
    pub(super) async fn of(command: &mut Command) -> Self {
        let output = within(command.stdin(Stdio::null()).kill_on_drop(true).output()).await.expect("started");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What it printed; it has to have succeeded.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        assert!(self.status.success(), "{self:?}");
        self.stdout
    }

    /// The objects that it printed, one a line; it has to have succeeded.
    #[track_caller]
    pub(super) fn objects(self) -> Vec<Value> {
        self.text().lines().map(object).collect()
    }

    /// The one object that it printed; it has to have succeeded.
    #[track_caller]
    pub(crate) fn object(self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{objects:?}");
        objects.remove(0)
    }

    /// Why it refused, with this exit code: in one line, with the program's name, and nothing on its standard output.
    #[track_caller]
    pub(crate) fn refusal(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        assert_eq!((self.stdout.as_str(), self.stderr.lines().count()), ("", 1), "{}", self.stderr);
        assert!(self.stderr.starts_with("sessiond: "), "{}", self.stderr);
        self.stderr
    }
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("started");
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        let stderr = BufReader::new(process.stderr.take().expect("piped")).lines();
        Self { process, stdin, stdout, stderr }
    }

    /// The next line that it prints.
    pub(super) async fn line(&mut self) -> String {
        let stdout = self.stdout.as_mut().expect("it is read");
        within(stdout.next_line()).await.expect("readable").expect("it goes on")
    }

    /// The next line, as an object.
    pub(super) async fn object(&mut self) -> Value {
        object(&self.line().await)
    }

    /// The next line that has this in it.
    pub(super) async fn line_with(&mut self, part: &str) -> String {
        loop {
            let line = self.line().await;
            if line.contains(part) {
                return line;
            }
        }
    }

    /// The next line that it tells on its standard error.
    pub(super) async fn note(&mut self) -> String {
        within(self.stderr.next_line()).await.expect("readable").expect("it goes on")
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).expect("a pid"), signal).expect("it runs");
    }

    /// Reads no more of what it prints.
    pub(super) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Waits for its end, and that of all that write where it wrote. The rest of what it said.
    pub(super) async fn end(mut self) -> Ran {
        let stdout = match &mut self.stdout {
            Some(stdout) => rest(stdout).await,
            None => String::new(),
        };
        let stderr = rest(&mut self.stderr).await;
        let status = within(self.process.wait()).await.expect("its end is seen");
        Ran { status, stdout, stderr }
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[track_caller]
fn object(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).expect(line);
    assert!(value.is_object(), "{line}");
    value
}

async fn rest<R: AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>) -> String {
    let mut text = String::new();
    while let Some(line) = within(lines.next_line()).await.expect("readable") {
        text += &line;
        text.push('\n');
    }
    text
}
