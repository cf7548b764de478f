//! `sessiond export`

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::json;

use super::{
    run,
    run::text,
    telethon::{Stock, write_v2},
};
use crate::harness::{Daemon, key, session_of};

#[tokio::test]
async fn an_exported_file_is_telethons_and_has_every_value() {
    let daemon = Daemon::start().await;
    let folder = tempfile::tempdir().expect("a directory");
    let (original, out) = (daemon.home().join("alice.session"), folder.path().join("out.session"));
    write_v2(&original, &key());
    let imported = run(&daemon, &["import", text(&original), "--json"]).await.object();

    let exported = run(&daemon, &["export", "alice", "--out", text(&out), "--json"]).await.object();
    let expected = json!({
        "name": "alice",
        "revision": imported["revision"],
        "format": "telethon-v2",
        "file": text(&out),
        "left_behind": [],
    });
    assert_eq!(exported, expected);
    assert_eq!(Stock::read(&out), Stock::read(&original));
    assert_eq!(*Stock::read(&out).version(), 10.into());
    assert_eq!(fs::metadata(&out).expect("there").permissions().mode() & 0o7777, 0o600);
    let names: Vec<_> =
        fs::read_dir(folder.path()).expect("there").flatten().map(|e| e.file_name()).collect();
    assert_eq!(names, ["out.session"], "nothing else is left");
    assert_eq!(daemon.client().await.load("alice").await.holder, None);
}

#[tokio::test]
async fn a_file_that_is_there_is_replaced_only_with_force() {
    let daemon = Daemon::start().await;
    let folder = tempfile::tempdir().expect("a directory");
    let out = folder.path().join("out.session");
    fs::write(&out, "precious").expect("written");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o644)).expect("ours");
    let held = daemon.client().await.hold("alice").await;
    held.save(session_of(5)).await;

    let args = ["export", "alice", "--out", text(&out)];
    let forced = ["export", "alice", "--out", text(&out), "--force"];
    let refused = run(&daemon, &args).await.refusal(73);
    assert!(refused.contains(text(&out)) && refused.contains("--force"), "{refused}");
    let refused = run(&daemon, &forced).await.refusal(75);
    assert!(refused.contains("test (process "), "{refused}");
    held.release().await;
    assert_eq!(fs::read(&out).expect("there"), b"precious");

    let told = run(&daemon, &forced).await.text();
    let expected = format!("exported alice to {}, a Telethon v2 file: user 5 @user5", text(&out));
    assert!(told.starts_with(&expected), "{told}");
    assert_eq!(*Stock::read(&out).user_id(), 5.into());
    assert_eq!(fs::metadata(&out).expect("there").permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1, "nothing else is left");
}

#[tokio::test]
async fn an_export_that_cannot_be_leaves_nothing_and_says_why() {
    let daemon = Daemon::start().await;
    let folder = tempfile::tempdir().expect("a directory");
    let (out, nowhere) = (folder.path().join("out.session"), folder.path().join("none/out.session"));
    let refused = run(&daemon, &["export", "nobody", "--out", text(&out)]).await.refusal(66);
    assert!(refused.contains("sessiond ls"), "{refused}");
    let refused = run(&daemon, &["export", "nobody", "--out", text(&nowhere)]).await.refusal(73);
    assert!(refused.contains("none is no directory"), "{refused}");
    let held = daemon.client().await.hold("alice").await;
    held.save(session_of(5)).await;
    held.release().await;
    // A directory is no file to replace.
    run(&daemon, &["export", "alice", "--out", text(folder.path()), "--force"]).await.refusal(73);
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0);
}
