//! `sessiond import`

use std::fs;

use serde_json::json;

use super::{
    run,
    run::{run_on, text},
    telethon::{USER, write_v1, write_v2},
};
use crate::harness::{Daemon, key};

#[tokio::test]
async fn a_file_of_telethon_1_is_imported_under_its_own_name_and_not_changed() {
    let daemon = Daemon::start().await;
    for version in [7, 8] {
        let name = format!("alice-v{version}");
        let file = daemon.home().join(format!("{name}.session"));
        let key = key();
        write_v1(&file, version, &key);
        let before = fs::read(&file).expect("there");

        let imported = run(&daemon, &["import", text(&file), "--json"]).await.object();
        let session = json!({
            "version": 1,
            "dcs": [{ "id": 4, "ipv4_addr": "149.154.167.91:443", "ipv6_addr": null, "has_auth": true }],
            "user": { "id": USER, "dc": 4, "bot": null, "username": "alice" },
            "state": {
                "pts": 1_195_809, "qts": 3, "date": 1_700_000_000, "seq": 7,
                "channels": [{ "id": 133_423_158_963_i64, "pts": 1329 }],
            },
            "home_dc": 4,
            "test_mode": null,
        });
        assert_eq!((&imported["name"], &imported["session"]), (&json!(name), &session));
        assert_eq!(imported["format"], json!(format!("Telethon v1 file, version {version}")));
        assert_eq!((&imported["left_behind"], &imported["peers"]), (&json!([]), &json!(1)), "{imported}");

        let held = daemon.client().await.hold(&name).await;
        assert_eq!(imported["revision"], json!(held.revision));
        let stored = held.session.expect("imported");
        assert_eq!(stored.dcs[0].auth, Some(key));
        let names: Vec<_> =
            fs::read_dir(daemon.home()).expect("there").flatten().map(|e| e.file_name()).collect();
        assert!(fs::read(&file).expect("there") == before, "the file is not changed");
        assert!(!names.iter().any(|name| name.to_string_lossy().contains("session-")), "{names:?}");
    }
}

#[tokio::test]
async fn a_file_of_telethon_2_is_imported_from_the_standard_input() {
    let daemon = Daemon::start().await;
    let file = daemon.home().join("x.session");
    let key = key();
    write_v2(&file, &key);
    let bytes = fs::read(&file).expect("there");

    let unnamed = run_on(&daemon, &["import", "-"], &bytes).await.refusal(64);
    assert!(unnamed.contains("--name"), "{unnamed}");
    let told = run_on(&daemon, &["import", "-", "--name", "alice"], &bytes).await.text();
    let expected = "imported alice from a Telethon v2 file, version 10: user 868231286072 @alice (bot), home DC 4, \
                    keys of DC 4, pts 1195809, channels: 2\n";
    assert_eq!(told, expected);
    let stored = daemon.client().await.hold("alice").await.session.expect("imported");
    assert_eq!(stored.dcs.len(), 2);
    assert_eq!(stored.dcs[1].auth, Some(key));
    assert_eq!(stored.user.expect("logged in").bot, Some(true));
}

#[tokio::test]
async fn without_a_user_the_only_data_center_with_a_key_is_the_home() {
    let daemon = Daemon::start().await;
    let file = daemon.home().join("x.session");
    write_v2(&file, &key());
    let rows = rusqlite::Connection::open(&file).expect("there");
    rows.execute("delete from user", ()).expect("gone");
    let args = ["import", text(&file), "--name", "alice"];
    let told = run(&daemon, &args).await.text();
    assert!(told.contains("home DC 4, keys of DC 4"), "{told}");
    assert!(told.contains("home DC 4 is taken from its key"), "{told}");
    let client = daemon.client().await;
    assert_eq!(client.load("alice").await.session.expect("there").home_dc, Some(4));

    // Two keys tell nothing.
    rows.execute("update datacenter set auth = zeroblob(256) where id = 2", ()).expect("changed");
    let told = run(&daemon, &[&args[..], &["--force"]].concat()).await.text();
    assert!(!told.contains("is taken from"), "{told}");
    assert_eq!(client.load("alice").await.session.expect("there").home_dc, None);
}

#[tokio::test]
async fn a_session_that_is_there_is_replaced_only_with_force() {
    let daemon = Daemon::start().await;
    let (old, new) = (daemon.home().join("old.session"), daemon.home().join("new.session"));
    write_v1(&old, 8, &key());
    let key = key();
    write_v2(&new, &key);
    run(&daemon, &["import", text(&old), "--name", "alice"]).await.text();

    let args = ["import", text(&new), "--name", "alice"];
    let refused = run(&daemon, &args).await.refusal(73);
    assert!(refused.contains("user 868231286072") && refused.contains("--force"), "{refused}");
    let client = daemon.client().await;
    assert_eq!(client.load("alice").await.session.expect("there").dcs.len(), 1, "nothing was changed");

    run(&daemon, &[&args[..], &["--force"]].concat()).await.text();
    let held = client.hold("alice").await;
    assert_eq!(held.session.as_ref().expect("there").dcs[1].auth, Some(key));
    let refused = run(&daemon, &[&args[..], &["--force"]].concat()).await.refusal(75);
    assert!(refused.contains("test (process "), "who holds it is told: {refused}");
}

#[tokio::test]
async fn what_is_no_session_file_is_refused_and_what_is_one_is_told() {
    let daemon = Daemon::start().await;
    let file = daemon.home().join("x.session");
    let other = rusqlite::Connection::open(daemon.home().join("other.db")).expect("made");
    other.execute_batch("create table notes(text)").expect("made");
    let other = fs::read(daemon.home().join("other.db")).expect("there");
    for garbage in [b"" as &[u8], b"hello", &[0xA5; 5000], &other] {
        fs::write(&file, garbage).expect("written");
        let named = run(&daemon, &["import", text(&file)]).await.refusal(65);
        assert!(
            named.contains(text(&file)) && named.contains("`sessiond import --help` lists the formats"),
            "{named}"
        );
        let piped = run_on(&daemon, &["import", "-", "--name", "x"], garbage).await.refusal(65);
        assert!(piped.starts_with("sessiond: the standard input cannot be imported"), "{piped}");
        assert_eq!(fs::read(&file).expect("there"), garbage);
    }
    // Telethon 1 before 1.3: its own program brings it up to date.
    let old = daemon.home().join("old.session");
    write_v1(&old, 6, &key());
    let refused = run(&daemon, &["import", text(&old)]).await.refusal(65);
    assert!(refused.contains("open it once with Telethon"), "{refused}");
    assert_eq!(run(&daemon, &["ls"]).await.text(), "", "nothing was imported");
}

#[tokio::test]
async fn a_file_that_is_missing_is_said_to_be() {
    let daemon = Daemon::start().await;
    let missing = daemon.home().join("missing.session");
    let refused = run(&daemon, &["import", text(&missing)]).await.refusal(66);
    assert!(refused.contains(text(&missing)), "{refused}");
    let refused = run(&daemon, &["import", "alice"]).await.refusal(66);
    assert_eq!(refused, "sessiond: there is no file alice\n");
}

#[tokio::test]
async fn a_file_that_is_missing_may_be_a_sessions_own_where_there_is_one() {
    let daemon = Daemon::start().await;
    let file = daemon.home().join("x.session");
    write_v1(&file, 8, &key());
    run(&daemon, &["import", text(&file), "--name", "alice"]).await.text();
    let refused = run(&daemon, &["import", "alice"]).await.refusal(66);
    assert!(refused.contains("there is no file alice; with --force"), "{refused}");
}

#[tokio::test]
async fn a_file_whose_name_is_no_sessions_needs_another() {
    let daemon = Daemon::start().await;
    let file = daemon.home().join("my bot.session");
    write_v1(&file, 8, &key());
    let refused = run(&daemon, &["import", text(&file)]).await.refusal(64);
    assert!(refused.contains("--name"), "{refused}");
    run(&daemon, &["import", text(&file), "--name", "my.bot"]).await.text();
    assert!(daemon.client().await.load("my.bot").await.session.is_some());
}
