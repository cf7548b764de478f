//! `sessiond run`: a command and its daemon.

use std::{fs, path::PathBuf};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use sessiond_client::StateChange;

use super::{
    PROGRAM, Running,
    run::{Ran, text},
};
use crate::harness::{Daemon, eventually, pts};

/// Says that it runs, and does so until a signal or the end of its input.
const STAYS: &str = "echo running; exec cat";

/// A place for a daemon that nobody has started.
fn nobody() -> Daemon {
    Daemon::builder().prepare()
}

/// `sessiond run` there, with the command.
fn runs(place: &Daemon, command: &[&str]) -> tokio::process::Command {
    let directory = place.dir();
    place.command(&[&["run", "--dir", text(&directory), "--"], command].concat())
}

/// Starts a command that stays, and waits until it runs.
async fn stays(place: &Daemon) -> Running {
    let mut running = Running::start(runs(place, &["sh", "-c", STAYS]).process_group(0));
    assert_eq!(running.line().await, "running");
    running
}

/// The daemon's log.
fn log(place: &Daemon) -> String {
    fs::read_to_string(place.dir().join("sessiond.log")).expect("written")
}

/// Pid of the daemon that uses the directory. None: none does.
fn pid(place: &Daemon) -> Option<u32> {
    fs::read_to_string(place.dir().join("sessiond.lock")).ok()?.trim().parse().ok()
}

fn is_gone(place: &Daemon) -> bool {
    let beside: PathBuf = format!("{}.run", text(&place.socket())).into();
    !place.socket().exists() && !beside.exists() && pid(place).is_none()
}

#[tokio::test]
async fn a_command_has_a_daemon_while_it_runs_and_only_then() {
    let place = nobody();
    let script = r#""$0" hold alice -- "$0" advance alice --pts 5; echo "$SESSIOND_SOCKET""#;
    let told = Ran::of(&mut runs(&place, &["sh", "-c", script, PROGRAM])).await.text();
    assert_eq!(told.lines().last(), Some(text(&place.socket())), "{told}");
    assert!(is_gone(&place) && log(&place).contains("stopped"), "{}", log(&place));

    // What was written is there the next time.
    let shown = Ran::of(&mut runs(&place, &[PROGRAM, "show", "alice", "--json"])).await.object();
    assert_eq!(shown["session"]["state"]["pts"], 5, "{shown}");
}

#[tokio::test]
async fn it_exits_as_its_command_does() {
    let place = nobody();
    for (command, code) in [
        (&["sh", "-c", "exit 7"][..], 7),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["no-such-command-at-all"], 127),
    ] {
        let ran = Ran::of(&mut runs(&place, command)).await;
        assert_eq!(ran.status.code(), Some(code), "{command:?}: {ran:?}");
        assert!(is_gone(&place), "{command:?}");
    }
}

#[tokio::test]
async fn signals_are_for_the_command_and_never_for_the_daemon() {
    let place = nobody();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1] {
        let running = stays(&place).await;
        running.signal(signal);
        assert_eq!(running.end().await.status.code(), Some(128 + signal.as_raw()));
        assert!(is_gone(&place), "{signal:?}");
    }
    // As a terminal does, which tells its whole group.
    let running = stays(&place).await;
    let group = Pid::from_raw(running.pid().cast_signed()).expect("a pid");
    kill_process_group(group, Signal::INT).expect("there");
    assert_eq!(running.end().await.status.code(), Some(130));
    assert!(log(&place).contains("the last command has ended"), "{}", log(&place));
}

#[tokio::test]
async fn commands_share_a_daemon_and_the_last_takes_it_along() {
    let place = nobody();
    let mut first = stays(&place).await;
    let daemon = pid(&place).expect("it runs");
    let mut second = stays(&place).await;
    first.stdin = None;
    first.end().await.text();
    let third = stays(&place).await;
    // Whoever started it, and however it ends.
    third.signal(Signal::KILL);
    assert!(!third.end().await.status.success());
    let client = place.client().await;
    client.hold("alice").await.advance(pts(5)).await;
    assert_eq!(pid(&place), Some(daemon));
    drop(client);
    second.stdin = None;
    second.end().await.text();
    assert!(is_gone(&place));
}

#[tokio::test]
async fn a_command_that_is_killed_takes_its_daemon_along() {
    let place = nobody();
    let mut running = stays(&place).await;
    // The command itself has our end of its standard input to wait for: only its death ends its output.
    let stdin = running.stdin.take();
    running.signal(Signal::KILL);
    running.end().await;
    eventually(|| is_gone(&place).then_some(())).await;
    drop(stdin);
    assert!(log(&place).contains("stopped"), "{}", log(&place));
}

#[tokio::test]
async fn a_daemon_that_ends_too_soon_is_started_again_for_all_commands_and_holds_go_on() {
    let place = nobody();
    let (mut first, mut second) = (stays(&place).await, stays(&place).await);
    let held = place.sessiond_client().await.hold("alice").await.expect("granted");
    let mut killed = Vec::new();
    for counter in 1..=3 {
        let daemon = eventually(|| pid(&place).filter(|pid| !killed.contains(pid))).await;
        let change = StateChange { pts: Some(counter), ..StateChange::default() };
        held.advance(change).await.expect("a daemon is there again");
        kill_process(Pid::from_raw(daemon.cast_signed()).expect("a pid"), Signal::KILL).expect("it runs");
        killed.push(daemon);
    }
    held.release().await.expect("held until now");
    assert_eq!(log(&place).matches("serving").count(), 4, "{}", log(&place));
    for running in [&mut first, &mut second] {
        running.stdin = None;
    }
    first.end().await.text();
    second.end().await.text();
    assert!(is_gone(&place));
}

#[tokio::test]
async fn a_daemon_that_was_there_before_is_left_alone() {
    let daemon = Daemon::start().await;
    let mut command = daemon.command(&["run", "--", PROGRAM, "hold", "alice", "--", "true"]);
    Ran::of(&mut command).await.text();
    let mut command = daemon.command(&["run", "--", "false"]);
    assert_eq!(Ran::of(&mut command).await.status.code(), Some(1));
    daemon.client().await.hold("alice").await.advance(pts(5)).await;
}

#[tokio::test]
async fn commands_that_come_and_go_at_the_same_moment_all_have_a_daemon() {
    let place = nobody();
    let round = async |name: String| {
        for pts in 1..=3 {
            let pts = pts.to_string();
            let mut command = runs(&place, &[PROGRAM, "advance", &name, "--pts", &pts]);
            Ran::of(&mut command).await.text();
        }
    };
    futures_util::future::join_all((0..6).map(|number| round(format!("session-{number}")))).await;
    assert!(is_gone(&place));
}

#[tokio::test]
async fn a_daemon_that_does_not_start_says_why() {
    let daemon = Daemon::start().await;
    let other = daemon.home().join("other.sock");
    let directory = daemon.dir();
    let args = ["run", "--dir", text(&directory), "--socket", text(&other), "--", "echo", "never"];
    let refused = Ran::of(&mut daemon.command(&args)).await.refusal(75);
    let pid = daemon.pid();
    assert!(refused.contains(&format!("in use by the daemon with pid {pid}")), "{refused}");
    assert!(refused.contains("its log is ") && refused.contains("sessiond.log"), "{refused}");
}
