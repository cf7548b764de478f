//! What every command does where it can do nothing: without a daemon, or without sense.

use super::{
    run,
    run::{Ran, text},
};
use crate::harness::Daemon;

#[tokio::test]
async fn without_a_daemon_every_command_gives_up_at_its_deadline_and_says_what_to_do() {
    let daemon = Daemon::builder().prepare();
    let file = daemon.home().join("alice.session");
    super::telethon::write_v1(&file, 8, &crate::harness::key());
    let out = daemon.home().join("out.session");
    let commands: [&[&str]; 12] = [
        &["import", text(&file)],
        &["ls"],
        &["show", "alice"],
        &["watch", "--all"],
        &["hold", "alice", "--", "echo", "never"],
        &["advance", "alice", "--pts", "5"],
        &["set-user", "alice", "--id", "5"],
        &["rm", "alice"],
        &["export", "alice", "--out", text(&out)],
        &["mirror", "alice"],
        &["end-hold", "alice"],
        &["info"],
    ];
    let socket = daemon.socket();
    for command in commands {
        let refused = run(&daemon, &[&["--deadline", "0.05"], command].concat()).await.refusal(69);
        assert!(
            refused.contains(text(&socket)) && refused.contains("`sessiond serve`"),
            "{command:?}: {refused}"
        );
    }
    let refused = Ran::of(daemon.command(&["ls"]).env("SESSIOND_DEADLINE", "0.05")).await;
    refused.refusal(69);
    assert!(!out.exists());
}

#[tokio::test]
async fn a_command_waits_for_a_daemon_that_starts() {
    let mut daemon = Daemon::builder().prepare();
    let mut command = daemon.command(&["--deadline", "60", "info", "--json"]);
    let waiting = tokio::spawn(async move { Ran::of(&mut command).await });
    daemon.start_again().await;
    assert_eq!(waiting.await.expect("ran").object()["engine"], "sqlite");
}

#[tokio::test]
async fn a_wrong_command_line_is_refused_with_the_right_one() {
    let daemon = Daemon::builder().prepare();
    let lines: [&[&str]; 8] = [
        &["--no-such-option"],
        &["ls", "--no-such-option"],
        &["no-such-command"],
        &["show"],
        &["show", "../x"],
        &["hold", "alice"],
        &["ls", "--deadline", "soon"],
        &["completions", "tcl"],
    ];
    for line in lines {
        let ran = run(&daemon, line).await;
        assert_eq!(ran.status.code(), Some(64), "{line:?}: {ran:?}");
        assert!(ran.stdout.is_empty() && ran.stderr.contains("--help"), "{line:?}: {ran:?}");
        assert!(!ran.stderr.contains("exec-held"), "{line:?}: {ran:?}");
    }
}

#[tokio::test]
async fn help_is_of_every_command_and_no_mistake() {
    let daemon = Daemon::builder().prepare();
    let help = run(&daemon, &["--help"]).await.text();
    for command in ["serve", "import", "end-hold", "completions", "--socket", "SESSIOND_SOCKET"] {
        assert!(help.contains(command), "{command}: {help}");
    }
    assert!(!help.contains("exec-held"), "{help}");
    // Without a command it is shown too, as what is missing: whatever the environment says.
    let shown = run(&daemon, &[]).await;
    assert_eq!((shown.status.code(), shown.stdout.as_str()), (Some(64), ""));
    assert!(shown.stderr.contains("Commands:") && !shown.stderr.contains("exec-held"), "{shown:?}");
    assert!(run(&daemon, &["--version"]).await.text().contains(env!("CARGO_PKG_VERSION")));
}
