//! `sessiond inspect`

use serde_json::json;

use super::{
    media::{FIXTURE_KEY_ID, fixture, image, string},
    run,
    run::{run_on, text},
    telethon::write_v1,
};
use crate::harness::Daemon;

#[tokio::test]
async fn a_source_is_shown_without_a_daemon_and_without_its_keys() {
    let daemon = Daemon::builder().prepare();
    let file = daemon.home().join("alice.session");
    // A canary: as text, in hexadecimal and in base64 it is easily found.
    let key = b"canary!!".repeat(32);
    write_v1(&file, 8, &key);
    let before = image(&file);
    for args in [&["inspect", text(&file)][..], &["inspect", text(&file), "--json"]] {
        let shown = run(&daemon, args).await.text();
        for secret in ["canary", "63616e617279", "Y2FuYXJ5"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        // Nor who the peers are.
        assert!(!shown.contains("Alice") && shown.contains("868231286072"), "{shown}");
    }
    let shown = run(&daemon, &["inspect", text(&file), "--json"]).await.object();
    assert_eq!(
        (&shown["from"], &shown["version"], &shown["peers"]),
        (&json!("telethon-v1"), &json!(8), &json!(1))
    );
    assert_eq!(shown["keys"][0]["dc"], json!(4));
    assert_eq!(image(&file), before);
    let refused = run(&daemon, &["inspect", text(&file), "--from", "pyrogram"]).await.refusal(65);
    assert!(refused.contains("as a Pyrogram file"), "{refused}");
}

#[tokio::test]
async fn a_key_is_known_by_its_id() {
    let daemon = Daemon::builder().prepare();
    let secret = string("mtcute-media");
    let shown = run_on(&daemon, &["inspect", "-"], secret.as_bytes()).await.text();
    assert!(shown.contains("mtcute string") && shown.contains(FIXTURE_KEY_ID), "{shown}");
    let shown = run(&daemon, &["inspect", text(&fixture("gotd.json")), "--json"]).await.object();
    assert_eq!(shown["keys"], json!([{ "dc": 2, "auth_key_id": FIXTURE_KEY_ID }]));
}

#[tokio::test]
async fn what_is_no_session_is_refused() {
    let daemon = Daemon::builder().prepare();
    let refused = run_on(&daemon, &["inspect", "-"], b"hello").await.refusal(65);
    assert!(refused.contains("sessiond import --help"), "{refused}");
    run(&daemon, &["inspect", text(&daemon.home().join("missing"))]).await.refusal(66);
}
