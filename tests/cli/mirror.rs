//! `sessiond mirror`, and `sessiond import --force NAME`: a session's own file, and what another program left in it.

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use serde_json::json;

use super::{
    run,
    run::text,
    telethon::{Stock, write_v1},
};
use crate::harness::{Daemon, key};

/// A daemon with a session whose file another program has changed to pts 777, and that file.
async fn with_foreign_file() -> (Daemon, PathBuf) {
    let daemon = Daemon::start().await;
    let file = daemon.home().join("alice.session");
    write_v1(&file, 8, &key());
    run(&daemon, &["import", text(&file)]).await.text();
    let told = run(&daemon, &["mirror", "alice"]).await.text();
    assert!(told.starts_with("alice.session is at revision "), "{told}");
    let mirror = daemon.dir().join("alice.session");
    let stock = rusqlite::Connection::open(&mirror).expect("there");
    stock.execute_batch("update state set pts = 777").expect("nobody holds it");
    (daemon, mirror)
}

fn pts_of(file: &Path) -> i64 {
    match Stock::read(file).pts() {
        Value::Integer(pts) => *pts,
        other => panic!("not a number: {other:?}"),
    }
}

fn kept(daemon: &Daemon, settled: &serde_json::Value) -> PathBuf {
    daemon.dir().join(settled["kept_as"].as_str().expect("the earlier file is kept"))
}

#[tokio::test]
async fn a_foreign_file_is_refused_with_both_ways_out() {
    let (daemon, mirror) = with_foreign_file().await;
    for args in [
        &["mirror", "alice"] as &[&str],
        &["hold", "alice", "--", "true"],
        &["advance", "alice", "--pts", "5"],
    ] {
        let refused = run(&daemon, args).await.refusal(65);
        assert!(
            refused.contains("sessiond import --force") && refused.contains("sessiond mirror --force"),
            "{refused}"
        );
    }
    let refused = run(&daemon, &["import", "alice"]).await.refusal(66);
    assert!(refused.contains("--force"), "{refused}");
    assert_eq!(pts_of(&mirror), 777, "it is not overwritten");
    assert!(run(&daemon, &["show", "alice"]).await.text().contains("pts 1195809"));
}

#[tokio::test]
async fn import_with_force_takes_what_is_in_a_foreign_file() {
    let (daemon, mirror) = with_foreign_file().await;
    let settled = run(&daemon, &["import", "--force", "alice", "--json"]).await.object();
    assert_eq!(settled["name"], json!("alice"));
    let loaded = daemon.client().await.load("alice").await;
    assert_eq!(settled["revision"], json!(loaded.revision));
    assert_eq!(loaded.session.expect("there").state.expect("there").pts, 777);
    assert_eq!((pts_of(&mirror), pts_of(&kept(&daemon, &settled))), (777, 777));
    run(&daemon, &["hold", "alice", "--", "true"]).await.text();
}

#[tokio::test]
async fn mirror_with_force_writes_over_a_foreign_file_and_keeps_it() {
    let (daemon, mirror) = with_foreign_file().await;
    let settled = run(&daemon, &["mirror", "--force", "alice", "--json"]).await.object();
    let loaded = daemon.client().await.load("alice").await;
    assert_eq!(settled["revision"], json!(loaded.revision));
    assert_eq!(loaded.session.expect("there").state.expect("there").pts, 1_195_809);
    assert_eq!((pts_of(&mirror), pts_of(&kept(&daemon, &settled))), (1_195_809, 777));
    run(&daemon, &["hold", "alice", "--", "true"]).await.text();
}

#[tokio::test]
async fn there_is_no_file_of_no_session() {
    let daemon = Daemon::start().await;
    let told = run(&daemon, &["mirror", "nobody"]).await.text();
    assert_eq!(told, "there is no session nobody, and no file of it\n");
    let told = run(&daemon, &["mirror", "nobody", "--json"]).await.object();
    assert_eq!(told, json!({ "name": "nobody", "revision": 0, "kept_as": null }));
}
