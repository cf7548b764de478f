//! What goes wrong with grammers' own file, and how the same program fares on sessiond. The table of it is in docs/libraries.md.

use std::{path::PathBuf, process::Stdio};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{daemon::Daemon, within};

/// A process that keeps a session.
struct Keeper {
    process: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Keeper {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("it starts");
        let stdin = process.stdin.take().expect("it was piped");
        let stdout = BufReader::new(process.stdout.take().expect("it was piped")).lines();
        Self { process, stdin, stdout }
    }

    /// One on "alice" of a daemon.
    fn on(daemon: &Daemon) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keeper"));
        Self::start(command.arg("alice").env("SESSIOND_SOCKET", daemon.socket()))
    }

    /// Tells it to do something, and waits for what comes of it.
    async fn does(&mut self, what: &str) -> String {
        self.stdin.write_all(format!("{what}\n").as_bytes()).await.expect("it listens");
        self.answer().await
    }

    async fn answer(&mut self) -> String {
        within(self.stdout.next_line()).await.expect("readable").expect("it answers")
    }

    async fn kill(mut self) {
        self.process.kill().await.expect("it runs");
    }

    async fn ends_by_itself(mut self) {
        drop(self.stdin);
        assert!(within(self.process.wait()).await.expect("it ends").success());
    }
}

/// grammers' own file, and the program that keeps it.
struct File {
    program: PathBuf,
    folder: TempDir,
}

impl File {
    /// `None`: the program is not installed.
    fn new() -> Option<Self> {
        let libraries = PathBuf::from(std::env::var_os("SESSIOND_TEST_LIBRARIES").unwrap_or_default());
        let program = libraries.join("rust/grammers_keeper");
        if program.exists() {
            return Some(Self { program, folder: tempfile::tempdir().expect("a directory") });
        }
        assert!(std::env::var("CI").as_deref() != Ok("true"), "SESSIOND_TEST_LIBRARIES has no grammers");
        eprintln!("left out: grammers' own file; `make libraries` installs what keeps it");
        None
    }

    fn keeper(&self) -> Keeper {
        Keeper::start(Command::new(&self.program).arg(self.folder.path().join("alice.session")))
    }
}

/// What [`Keeper::does`] tells of counters that were all set.
fn are_set(told: &str) -> bool {
    told.split_once(' ').is_some_and(|(_, refused)| refused.starts_with("0 "))
}

#[tokio::test]
async fn two_processes_on_a_file_use_one_key_lock_each_other_out_and_set_counters_back() {
    let Some(file) = File::new() else { return };
    let mut first = file.keeper();
    assert_eq!((first.answer().await, first.does("login 42").await), ("0".into(), "logged in".into()));
    let mut second = file.keeper();
    // Telegram answers this with AUTH_KEY_DUPLICATED, and the key is gone.
    assert_eq!(second.answer().await, "42");

    let (one, other) = tokio::join!(first.does("see 1 300"), second.does("see 1 300"));
    assert!([&one, &other].iter().any(|told| told.ends_with("database is locked`")), "{one}; {other}");

    assert!(are_set(&first.does("see 301 500").await));
    assert!(are_set(&second.does("see 301 320").await));
    assert_eq!(first.does("pts").await, "320");
}

#[tokio::test]
async fn on_sessiond_the_second_waits_and_goes_on_from_the_counter_of_the_first() {
    let daemon = Daemon::start();
    let mut first = Keeper::on(&daemon);
    assert_eq!((first.answer().await, first.does("login 42").await), ("0".into(), "logged in".into()));
    let mut second = Keeper::on(&daemon);
    assert!(are_set(&first.does("see 1 500").await));
    first.ends_by_itself().await;
    assert_eq!((second.answer().await, second.does("pts").await), ("42".into(), "500".into()));
}

#[tokio::test]
async fn what_was_told_outlasts_a_kill_in_both() {
    let (Some(file), daemon) = (File::new(), Daemon::start()) else { return };
    for on_sessiond in [false, true] {
        let start = || if on_sessiond { Keeper::on(&daemon) } else { file.keeper() };
        let mut first = start();
        first.answer().await;
        first.does("meet 1001 1050").await;
        assert!(are_set(&first.does("see 1 500").await));
        if on_sessiond {
            daemon.reaches(500).await;
        }
        first.kill().await;
        let mut second = start();
        second.answer().await;
        assert_eq!(second.does("pts").await, "500");
        assert!(second.does("known 1001 1050").await.ends_with(" 50"));
    }
}
