//! `sessiond watch`

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;
use serde_json::json;

use super::{Running, run};
use crate::harness::{Daemon, channel, pts, session_of};

#[tokio::test]
async fn programs_are_told_one_object_a_line_in_order() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let saved = held.save(session_of(5)).await;
    let mut watch = Running::start(&mut daemon.command(&["watch", "--all", "--json"]));

    assert_eq!(watch.object().await, json!({ "revision": 0, "restarted": { "reason": "FIRST" } }));
    let snapshot = watch.object().await;
    assert_eq!((&snapshot["name"], &snapshot["revision"]), (&json!("alice"), &json!(saved)));
    assert_eq!(snapshot["snapshot"]["session"]["user"]["id"], json!(5));
    assert_eq!(snapshot["snapshot"]["session"]["dcs"][1]["has_auth"], json!(true));
    assert_eq!(snapshot["snapshot"]["holder"]["label"], json!("test"));
    let store_id = client.info().await.store_id;
    let synced = watch.object().await;
    assert_eq!(synced["synced"], json!({ "store_id": store_id }));

    let change = sessiond_proto::v1::StateChange {
        channels: vec![channel(7, 8)],
        removed_channels: vec![9],
        ..pts(6)
    };
    let advanced = held.advance(change).await;
    let replaced = held.save(session_of(6)).await;
    let deleted = held.delete().await;
    held.release().await;
    let expected =
        [(advanced, saved, "change"), (replaced, advanced, "saved"), (deleted, replaced, "deleted")];
    for (revision, previous, field) in expected {
        let commit = watch.object().await;
        assert_eq!((&commit["revision"], &commit["name"]), (&json!(revision), &json!("alice")));
        assert_eq!(commit["previous_revision"], json!(previous));
        assert!(commit["time"].is_string() && commit[field].is_object(), "{commit}");
        if field == "change" {
            let change = json!({
                "pts": 6, "qts": null, "date": null, "seq": null, "channels": [{ "id": 7, "pts": 8 }],
                "removed_channels": [9],
            });
            assert_eq!(commit["change"], change);
        }
    }
    assert_eq!(watch.object().await["hold_changed"], json!({ "holder": null, "reason": null }));
    let _next = client.hold("alice").await;
    assert_eq!(watch.object().await["hold_changed"]["holder"]["label"], json!("test"));
    client.end_hold("alice").await;
    let ended = json!({ "holder": null, "reason": "ENDED_BY_ADMIN" });
    assert_eq!(watch.object().await["hold_changed"], ended);
}

#[tokio::test]
async fn people_are_told_in_words() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let mut watch = Running::start(&mut daemon.command(&["watch", "alice"]));
    let first = watch.line().await;
    assert!(first.contains("alice") && first.contains("is nothing yet; held by test (pid "), "{first}");
    assert!(watch.line().await.starts_with("in step, at revision "));
    held.advance(pts(6)).await;
    assert!(watch.line().await.ends_with("alice         pts 6"));
    held.save(session_of(5)).await;
    assert!(
        watch
            .line()
            .await
            .contains("saved: user 5 @user5, home DC 2, keys of DC 2, 4, pts 1000, channels: 2")
    );
    held.delete().await;
    assert!(watch.line().await.ends_with("deleted"));
    daemon.client().await.end_hold("alice").await;
    assert!(watch.line().await.contains("held by nobody: "));
}

#[tokio::test]
async fn only_the_sessions_that_are_named_are_followed() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let [one, two, three] = [client.hold("one").await, client.hold("two").await, client.hold("three").await];
    let mut watch = Running::start(&mut daemon.command(&["watch", "one", "three", "--json"]));
    watch.line_with("synced").await;
    for (held, counter) in [(&one, 1), (&two, 2), (&three, 3)] {
        held.advance(pts(counter)).await;
    }
    for (name, counter) in [("one", 1), ("three", 3)] {
        let commit = watch.object().await;
        assert_eq!((&commit["name"], &commit["change"]["pts"]), (&json!(name), &json!(counter)));
    }
}

#[tokio::test]
async fn a_watch_goes_on_after_a_revision_without_snapshots() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let seen = held.advance(pts(1)).await;
    let missed = held.advance(pts(2)).await;
    let mut watch =
        Running::start(&mut daemon.command(&["watch", "--all", "--json", "--after", &seen.to_string()]));
    let commit = watch.object().await;
    assert_eq!((&commit["revision"], &commit["change"]["pts"]), (&json!(missed), &json!(2)));
}

#[tokio::test]
async fn a_watch_outlasts_the_daemon_and_misses_nothing() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let mut watch = Running::start(&mut daemon.command(&["watch", "alice", "--json"]));
    watch.line_with("synced").await;
    held.advance(pts(1)).await;
    watch.line_with("change").await;
    daemon.restart().await;
    let resumed = daemon.client().await.resume("alice", &held.token).await.expect("it is alive");
    resumed.advance(pts(2)).await;
    let commit: serde_json::Value =
        serde_json::from_str(&watch.line_with("\"change\"").await).expect("an object");
    assert_eq!(commit["change"]["pts"], json!(2));
}

#[tokio::test]
async fn a_watch_ends_quietly_when_it_is_interrupted() {
    let daemon = Daemon::start().await;
    for signal in [Signal::INT, Signal::TERM] {
        let mut watch = Running::start(&mut daemon.command(&["watch", "--all"]));
        watch.line_with("in step").await;
        watch.signal(signal);
        let ended = watch.end().await;
        assert_eq!(ended.status.signal(), Some(signal.as_raw()), "as shells expect: {ended:?}");
        assert_eq!(ended.stderr, "");
    }
}

#[tokio::test]
async fn a_watch_ends_quietly_when_nobody_reads_it() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let mut watch = Running::start(&mut daemon.command(&["watch", "--all"]));
    watch.line_with("in step").await;
    watch.close_stdout();
    held.advance(pts(1)).await;
    let ended = watch.end().await;
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[tokio::test]
async fn a_watch_is_of_names_or_of_all() {
    let daemon = Daemon::start().await;
    for args in [&["watch"] as &[&str], &["watch", "--all", "alice"], &["watch", "../x"]] {
        assert_eq!(run(&daemon, args).await.status.code(), Some(64), "{args:?}");
    }
}
