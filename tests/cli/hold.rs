//! `sessiond hold` and `end-hold`

use std::{fs, os::unix::fs::PermissionsExt as _};

use rustix::process::Signal;
use serde_json::json;

use super::{
    PROGRAM, Running, run,
    run::{Ran, text},
};
use crate::harness::{Daemon, pts};

/// Says that it runs, and does so until a signal.
const STAYS: &str = "echo running; exec cat";

#[tokio::test]
async fn the_command_finds_its_hold_in_its_environment() {
    let daemon = Daemon::start().await;
    let script = r#"echo "$SESSIOND_TOKEN"; echo "$SESSIOND_NAME"; echo "$SESSIOND_SOCKET""#;
    let socket = daemon.socket();
    // Relative to where the daemon's client runs, absolute for the command, which may go elsewhere.
    let mut command =
        daemon.command(&["--socket", "run/sessiond.sock", "hold", "alice", "--", "sh", "-c", script]);
    let printed = Ran::of(command.current_dir(daemon.home())).await.text();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 3, "{printed}");
    assert!(lines[0].len() == 64 && lines[0].bytes().all(|byte| byte.is_ascii_hexdigit()), "{printed}");
    assert_eq!(lines[1..], ["alice", text(&socket)]);
}

#[tokio::test]
async fn it_exits_as_its_command_does() {
    let daemon = Daemon::start().await;
    let file = daemon.home().join("not-a-program");
    fs::write(&file, "").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    let cases: [(&[&str], i32); 6] = [
        (&["true"], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["no-such-command-at-all"], 127),
        (&[text(&file)], 126),
    ];
    for (command, code) in cases {
        let ran = run(&daemon, &[&["hold", "alice", "--"], command].concat()).await;
        assert_eq!(ran.status.code(), Some(code), "{command:?}: {ran:?}");
        // The command's own ending is no clean end of a hold that others would have to wait for.
        assert_eq!(daemon.client().await.load("alice").await.holder, None, "{command:?}");
    }
}

#[tokio::test]
async fn a_held_session_is_refused_and_its_holder_told() {
    let daemon = Daemon::start().await;
    let mut holder = Running::start(
        &mut daemon.command(&["hold", "alice", "--label", "worker-1", "--", "sh", "-c", STAYS]),
    );
    holder.line().await;
    let refused = run(&daemon, &["hold", "alice", "--", "echo", "never"]).await.refusal(75);
    assert!(refused.contains("worker-1 (process ") && refused.contains("--wait"), "{refused}");
    let refused = run(&daemon, &["advance", "alice", "--pts", "5"]).await.refusal(75);
    assert!(refused.contains("worker-1"), "{refused}");
    holder.stdin = None;
    assert_eq!(holder.end().await.text(), "");
    run(&daemon, &["hold", "alice", "--", "true"]).await.text();
}

#[tokio::test]
async fn a_hold_is_called_after_its_command_unless_told_otherwise() {
    let daemon = Daemon::start().await;
    let mut holder = Running::start(&mut daemon.command(&["hold", "alice", "--", "/bin/sh", "-c", STAYS]));
    holder.line().await;
    assert_eq!(daemon.client().await.load("alice").await.holder.expect("held").label, "sh");
}

#[tokio::test]
async fn with_wait_it_says_who_holds_and_is_granted_next() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let mut next = Running::start(&mut daemon.command(&["hold", "alice", "--wait", "--", "echo", "granted"]));
    let note = next.note().await;
    assert!(note.starts_with("waiting for alice: held by test (pid "), "{note}");
    let mut third = Running::start(&mut daemon.command(&["hold", "alice", "--wait", "--", "true"]));
    let note = third.note().await;
    assert!(note.ends_with("place 2 in line"), "{note}");
    held.release().await;
    assert_eq!(next.end().await.text(), "granted\n");
    third.end().await.text();
}

#[tokio::test]
async fn when_the_hold_is_lost_the_command_is_told_to_stop() {
    let daemon = Daemon::start().await;
    let mut holder = Running::start(&mut daemon.command(&["hold", "alice", "--", "sh", "-c", STAYS]));
    holder.line().await;
    let ended = run(&daemon, &["end-hold", "alice"]).await.text();
    assert!(ended.starts_with("ended the hold of alice by sh (pid "), "{ended}");
    let note = holder.note().await;
    assert!(note.contains("alice: the hold was lost"), "{note}");
    assert_eq!(holder.end().await.status.code(), Some(143), "128 and SIGTERM");
    run(&daemon, &["hold", "alice", "--", "true"]).await.text();
}

#[tokio::test]
async fn end_hold_tells_programs_who_held() {
    let daemon = Daemon::start().await;
    let mut held = daemon.client().await.hold("alice").await;
    let ended = run(&daemon, &["end-hold", "alice", "--json"]).await.object();
    assert_eq!((&ended["name"], &ended["holder"]["label"]), (&json!("alice"), &json!("test")));
    held.stream.lost().await;
    let ended = run(&daemon, &["end-hold", "alice", "--json"]).await.object();
    assert_eq!(ended, json!({ "name": "alice", "holder": null }));
    assert_eq!(run(&daemon, &["end-hold", "alice"]).await.text(), "nobody held alice\n");
}

#[tokio::test]
async fn the_command_dies_with_its_wrapper_and_the_session_goes_on() {
    let daemon = Daemon::start().await;
    let mut holder = Running::start(&mut daemon.command(&["hold", "alice", "--", "sh", "-c", STAYS]));
    holder.line().await;
    let mut next = Running::start(&mut daemon.command(&["hold", "alice", "--wait", "--", "echo", "granted"]));
    next.note().await;
    // The command itself has our end of its standard input to wait for: only its death ends its output.
    holder.signal(Signal::KILL);
    let stdin = holder.stdin.take();
    assert_eq!(holder.end().await.stdout, "");
    drop(stdin);
    assert_eq!(next.end().await.text(), "granted\n");
}

#[tokio::test]
async fn signals_are_passed_on_to_the_command() {
    let daemon = Daemon::start().await;
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2] {
        // In a group of its own, because a terminal tells those of its group itself.
        let mut command = daemon.command(&["hold", "alice", "--", "sh", "-c", STAYS]);
        let mut holder = Running::start(command.process_group(0));
        holder.line().await;
        holder.signal(signal);
        let ended = holder.end().await;
        assert_eq!(ended.status.code(), Some(128 + signal.as_raw()), "{ended:?}");
        assert_eq!(daemon.client().await.load("alice").await.holder, None, "released at once");
    }
}

#[tokio::test]
async fn a_signal_that_the_command_has_a_use_for_ends_neither() {
    let daemon = Daemon::start().await;
    let script = "trap 'echo HUP' HUP; trap 'echo USR1' USR1; trap 'echo USR2' USR2; echo running; \
                  while :; do sleep 0.1; done";
    let mut command = daemon.command(&["hold", "alice", "--label", "worker-1", "--", "sh", "-c", script]);
    let mut holder = Running::start(command.process_group(0));
    assert_eq!(holder.line().await, "running");
    for (signal, name) in [(Signal::HUP, "HUP"), (Signal::USR1, "USR1"), (Signal::USR2, "USR2")] {
        holder.signal(signal);
        assert_eq!(holder.line().await, name);
    }
    assert_eq!(daemon.client().await.load("alice").await.holder.expect("held").label, "worker-1");
    holder.signal(Signal::TERM);
    assert_eq!(holder.end().await.status.code(), Some(143));
}

#[tokio::test]
async fn what_runs_in_a_hold_writes_by_it() {
    let daemon = Daemon::start().await;
    let out = daemon.home().join("out.session");
    let script = r#"set -e
        "$0" advance alice --pts 5
        "$0" export alice --out "$1"
        "$0" advance bob --pts 6
        "$0" rm alice
        "$0" advance alice --seq 7"#;
    let args = ["hold", "alice", "--", "sh", "-c", script, PROGRAM, text(&out)];
    let told = run(&daemon, &args).await.text();
    assert_eq!(told.lines().count(), 5, "{told}");
    let client = daemon.client().await;
    let state = client.load("alice").await.session.expect("there").state.expect("there");
    assert_eq!((state.pts, state.seq), (0, 7));
    assert_eq!(client.load("bob").await.holder, None, "held for a moment only");
    assert!(out.exists());
}

#[tokio::test]
async fn a_token_whose_hold_is_over_writes_nothing() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.advance(pts(1)).await;
    client.end_hold("alice").await;
    let hex: String = held.token.iter().map(|byte| format!("{byte:02x}")).collect();
    let args = ["advance", "alice", "--pts", "5"];
    for (token, code, says) in
        [(hex.as_str(), 77, "take a new hold"), ("abc", 64, "SESSIOND_TOKEN is not a token")]
    {
        let mut command = daemon.command(&args);
        let refused = Ran::of(command.env("SESSIOND_TOKEN", token).env("SESSIOND_NAME", "alice")).await;
        let refused = refused.refusal(code);
        assert!(refused.contains(says) && !refused.contains(&hex), "{refused}");
    }
    assert_eq!(client.load("alice").await.session.expect("there").state.expect("there").pts, 1);
}
