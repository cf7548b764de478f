//! `sessiond peers` and `sessiond attrs`

use serde_json::json;
use sessiond_proto::v1;

use super::run;
use crate::harness::{Daemon, attribute, peer};

#[tokio::test]
async fn peers_are_listed_and_found_and_their_hashes_stay_hidden() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let anna = v1::Peer {
        access_hash: Some(987_654_321),
        usernames: Some(v1::Usernames { names: vec!["Anna".into()] }),
        phone: Some("49123".into()),
        name: Some("Anna A.".into()),
        extra: [("a.b".to_owned(), b"hush".to_vec())].into(),
        ..peer(7)
    };
    held.put_peers(vec![anna, peer(-8)]).await;
    let refused = run(&daemon, &["peers", "alice"]).await.refusal(75);
    assert!(refused.contains("test (process "), "{refused}");
    held.release().await;

    let told = run(&daemon, &["peers", "alice"]).await.text();
    for part in ["Anna A.", "@Anna", "49123", "user", "1970-01-01T00:16:40Z", "-8"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("987654321") && !told.contains("hush"), "{told}");
    for who in ["7", "@ANNA", "anna", "+49123", "Anna A."] {
        let found = run(&daemon, &["peers", "alice", "--find", who, "--json"]).await.object();
        let expected = (&json!(7), &json!(null), &json!(true), &json!({ "a.b": null }));
        assert_eq!(
            (&found["id"], &found["access_hash"], &found["has_access_hash"], &found["extra"]),
            expected
        );
    }
    assert_eq!(run(&daemon, &["peers", "alice", "--find", "-8", "--json"]).await.object()["id"], json!(-8));
    let shown = run(&daemon, &["peers", "alice", "--find", "7", "--json", "--show-secret"]).await.object();
    assert_eq!((&shown["access_hash"], &shown["extra"]["a.b"]), (&json!(987_654_321), &json!("aHVzaA==")));
    let refused = run(&daemon, &["peers", "alice", "--find", "nobody"]).await.refusal(66);
    assert!(refused.contains("sessiond peers alice"), "{refused}");
    assert_eq!(run(&daemon, &["peers", "bob"]).await.text(), "");
    assert_eq!(daemon.client().await.load("alice").await.holder, None);
}

#[tokio::test]
async fn attributes_are_listed_and_secret_ones_stay_hidden() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let secret = v1::Attribute { secret: true, ..attribute("m.temp/2", b"hush") };
    held.put_attributes(vec![attribute("api_id", &[57, 48, 0, 0]), attribute("gotd.config", b"{}"), secret])
        .await;
    run(&daemon, &["attrs", "alice"]).await.refusal(75);
    held.release().await;

    let told = run(&daemon, &["attrs", "alice"]).await.text();
    for part in ["api_id", "0x39300000", "gotd.config", "{}", "m.temp/2", "(secret)"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("hush"));
    let told = run(&daemon, &["attrs", "alice", "m.", "--json"]).await.object();
    assert_eq!(told, json!({ "key": "m.temp/2", "value": null, "secret": true, "has_value": true }));
    let told = run(&daemon, &["attrs", "alice", "m.", "--json", "--show-secret"]).await.object();
    assert_eq!(told["value"], json!("aHVzaA=="));
    assert_eq!(run(&daemon, &["attrs", "alice", "none"]).await.text(), "");
}

#[tokio::test]
async fn who_runs_under_a_hold_works_by_it() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    held.put_peers(vec![peer(7)]).await;
    held.release().await;
    let program = env!("CARGO_BIN_EXE_sessiond");
    let told = run(&daemon, &["hold", "alice", "--", program, "peers", "alice", "--json"]).await.object();
    assert_eq!(told["id"], json!(7));
}
