//! `sessiond advance` and `rm`

use serde_json::json;

use super::run;
use crate::harness::{Daemon, channel, session_of};

#[tokio::test]
async fn advance_sets_what_it_mentions_and_holds_for_a_moment_only() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.save(session_of(5)).await;
    held.release().await;

    let args =
        ["advance", "alice", "--pts", "5000", "--channel", "7=8", "--channel", "1234567890=99", "--json"];
    let told = run(&daemon, &args).await.object();
    let loaded = client.load("alice").await;
    assert_eq!(told, json!({ "name": "alice", "revision": loaded.revision }));
    assert_eq!(loaded.holder, None);
    let state = loaded.session.expect("there").state.expect("there");
    assert_eq!((state.pts, state.qts, state.date, state.seq), (5000, 20, 1_700_000_000, 300));
    assert_eq!(state.channels, [channel(7, 8), channel(1_234_567_890, 99), channel(2_222_222_222, 88)]);

    let args = ["advance", "alice", "--qts", "1", "--date", "1800000000", "--seq", "2"];
    let told = run(&daemon, &args).await.text();
    let loaded = client.load("alice").await;
    assert_eq!(told, format!("alice is at revision {}\n", loaded.revision));
    let state = loaded.session.expect("there").state.expect("there");
    assert_eq!((state.pts, state.qts, state.date, state.seq), (5000, 1, 1_800_000_000, 2));
}

#[tokio::test]
async fn an_advance_that_sets_nothing_or_nonsense_is_refused() {
    let daemon = Daemon::start().await;
    let cases: [&[&str]; 6] = [
        &[],
        &["--pts", "many"],
        &["--pts", "2147483648"],
        &["--channel", "7"],
        &["--pts=-1"],
        &["--channel", "7=1", "--channel", "7=2"],
    ];
    for args in cases {
        let ran = run(&daemon, &[&["advance", "alice"], args].concat()).await;
        assert_eq!(ran.status.code(), Some(64), "{args:?}: {ran:?}");
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{args:?}: {ran:?}");
    }
    assert_eq!(daemon.client().await.load("alice").await.revision, 0);
}

#[tokio::test]
async fn rm_deletes_a_session_with_its_file() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.save(session_of(5)).await;
    let refused = run(&daemon, &["rm", "alice"]).await.refusal(75);
    assert!(refused.contains("test (process "), "{refused}");
    held.release().await;
    run(&daemon, &["mirror", "alice"]).await.text();
    assert!(daemon.dir().join("alice.session").exists());

    assert_eq!(run(&daemon, &["rm", "alice"]).await.text(), "deleted alice\n");
    assert_eq!(client.load("alice").await.session, None);
    assert_eq!(run(&daemon, &["rm", "alice"]).await.text(), "there was no session alice\n");
    let told = run(&daemon, &["rm", "alice", "--json"]).await.object();
    assert_eq!(told, json!({ "name": "alice", "revision": 0 }));
    run(&daemon, &["mirror", "alice"]).await.text();
    assert!(!daemon.dir().join("alice.session").exists());
}
