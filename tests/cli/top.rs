//! `sessiond top`: what it shows of a known state, and how it treats a terminal.

use std::{fs, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdout, Command},
};

use super::{PROGRAM, Running, run};
use crate::harness::{Daemon, Held, pts, session_of, within};

/// Three sessions: one that somebody holds, somebody waits for and somebody watches, and two at rest.
struct State {
    daemon: Daemon,
    _alice: Held,
    _waiting: Running,
    _watching: Running,
}

impl State {
    async fn set() -> Self {
        let daemon = Daemon::start().await;
        let client = daemon.client().await;
        let alice = client.hold("bot.alice").await;
        alice.save(session_of(5_000_000_001)).await;
        at_rest(&daemon, "bot.bob", 7).await;
        at_rest(&daemon, "zoe", 2_000_000).await;
        let hold = ["hold", "bot.alice", "--wait", "--label", "next", "--", "true"];
        let mut waiting = Running::start(&mut daemon.command(&hold));
        waiting.note().await;
        let mut watching = Running::start(&mut daemon.command(&["watch", "bot.alice"]));
        watching.line_with("in step").await;
        Self { daemon, _alice: alice, _waiting: waiting, _watching: watching }
    }
}

/// Leaves a session that nobody holds, with this pts.
async fn at_rest(daemon: &Daemon, name: &str, to: i32) {
    let held = daemon.client().await.hold(name).await;
    held.advance(pts(to)).await;
    held.release().await;
}

fn names(frame: &str) -> Vec<&str> {
    frame.lines().skip(5).filter_map(|line| line.split_whitespace().next()).collect()
}

#[tokio::test]
async fn top_once_prints_a_plain_frame_of_80_columns() {
    let State { daemon, .. } = &State::set().await;
    let frame = run(daemon, &["top", "--once"]).await.text();
    assert!(!frame.contains('\u{1b}'), "{frame}");
    assert!(frame.lines().all(|line| line.chars().count() <= 80), "{frame}");
    let lines: Vec<Vec<&str>> = frame.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..3], ["sessiond", "0.1.0,", "sqlite,"]);
    assert_eq!(lines[1][..8], ["sessions", "3", "held", "1", "waiting", "1", "watchers", "1"]);
    assert_eq!(lines[2][..2], ["commits", "0/s"]);
    assert_eq!(lines[4][..6], ["NAMEv", "USER", "DC", "HELD", "BY", "PID"]);
    let pid = std::process::id().to_string();
    assert_eq!((lines[5][0], &lines[5][2..5]), ("bot.alice", &["2", "test", &*pid][..]));
    assert_eq!((lines[5][6..9].to_vec(), lines[5][10]), (vec!["1", "1000", "0"], "1"), "{frame}");
    assert!(lines[5][1].starts_with("@user"), "{frame}");
    assert_eq!(lines[6][..8], ["bot.bob", "-", "2", "-", "-", "-", "0", "7"]);
    assert_eq!((names(&frame), lines.len()), (vec!["bot.alice", "bot.bob", "zoe"], 8));
}

#[tokio::test]
async fn top_is_sorted_and_filtered_as_it_is_told() {
    let State { daemon, .. } = &State::set().await;
    let frame = run(daemon, &["top", "--once", "--sort", "pts"]).await.text();
    assert_eq!(names(&frame), ["zoe", "bot.alice", "bot.bob"]);
    let frame = run(daemon, &["top", "--once", "bot."]).await.text();
    assert_eq!(names(&frame), ["bot.alice", "bot.bob"]);
}

#[tokio::test]
async fn top_tells_programs_the_daemon_and_then_each_session() {
    let State { daemon, .. } = &State::set().await;
    let objects = run(daemon, &["top", "--json"]).await.objects();
    assert_eq!((objects.len(), &objects[0]["figures"]["sessions"]), (4, &json!(3)));
    assert_eq!(objects[0]["commits_per_second"], json!(0.0));
    let alice = &objects[1];
    let told = ["name", "home_dc", "pts", "pts_per_second", "waiting", "watchers"].map(|field| &alice[field]);
    assert_eq!(told, [&json!("bot.alice"), &json!(2), &json!(1000), &json!(0), &json!(1), &json!(1)]);
    assert_eq!(alice["holder"]["pid"], json!(std::process::id()));
    assert!(alice["changed"].as_str().is_some_and(|time| time.ends_with('Z')), "{alice}");
}

#[tokio::test]
async fn top_without_a_terminal_says_what_there_is_instead() {
    let daemon = Daemon::start().await;
    let refused = run(&daemon, &["top"]).await.refusal(64);
    assert!(refused.contains("sessiond top --once"), "{refused}");
}

/// `top` on a terminal of its own.
struct OnTerminal {
    process: Child,
    screen: ChildStdout,
    shown: String,
    pid_file: std::path::PathBuf,
}

impl OnTerminal {
    fn start(daemon: &Daemon) -> Self {
        let pid_file = daemon.home().join("pid");
        let terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let shell = "stty cols 80 rows 24; echo $$ > \"$1\"; exec \"$0\" top";
        let mut command: Command = daemon.command(&[]);
        let environment: Vec<_> = command
            .as_std()
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command = Command::new("python3");
        command.args(["-c", terminal, "sh", "-c", shell, PROGRAM]).arg(&pid_file);
        command.env_clear().envs(environment).env("TERM", "xterm");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("python is there");
        let screen = process.stdout.take().expect("piped");
        Self { process, screen, shown: String::new(), pid_file }
    }

    /// Waits until this is written to the terminal.
    async fn shows(&mut self, text: &str) {
        within(async {
            while !self.shown.contains(text) {
                let mut bytes = [0; 4096];
                let count = self.screen.read(&mut bytes).await.expect("readable");
                assert!(count > 0, "{text:?} was never shown: {:?}", self.shown);
                self.shown += &String::from_utf8_lossy(&bytes[..count]);
            }
        })
        .await;
        self.shown.clear();
    }

    async fn press(&mut self, keys: &str) {
        let stdin = self.process.stdin.as_mut().expect("piped");
        stdin.write_all(keys.as_bytes()).await.expect("it reads");
    }

    fn signal(&self, signal: Signal) {
        let pid = fs::read_to_string(&self.pid_file).expect("written");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }

    /// Waits for its end. The exit code, and whether the terminal was given back.
    async fn end(mut self) -> (Option<i32>, bool) {
        let mut rest = Vec::new();
        within(self.screen.read_to_end(&mut rest)).await.expect("readable");
        let shown = self.shown + &String::from_utf8_lossy(&rest);
        let status = within(self.process.wait()).await.expect("its end is seen");
        // Out of the alternate screen, and with a cursor.
        (status.code(), shown.contains("\u{1b}[?1049l") && shown.contains("\u{1b}[?25h"))
    }
}

#[tokio::test]
async fn top_gives_the_terminal_back_by_key_and_by_signal() {
    let daemon = Daemon::start().await;
    at_rest(&daemon, "alice", 1_111_111).await;
    let mut top = OnTerminal::start(&daemon);
    top.shows("1111111").await;
    top.press("q").await;
    assert_eq!(top.end().await, (Some(0), true));

    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let mut top = OnTerminal::start(&daemon);
        top.shows("1111111").await;
        top.signal(signal);
        assert_eq!(top.end().await, (Some(code), true), "{signal:?}");
    }
}

#[tokio::test]
async fn top_goes_on_after_the_daemon_was_restarted() {
    let mut daemon = Daemon::start().await;
    at_rest(&daemon, "alice", 1_111_111).await;
    let mut top = OnTerminal::start(&daemon);
    top.shows("1111111").await;
    daemon.restart().await;
    // No digit is at its place already, so that all of them are written.
    at_rest(&daemon, "alice", 2_345_678).await;
    top.shows("2345678").await;
    top.press("q").await;
    assert_eq!(top.end().await, (Some(0), true));
}
