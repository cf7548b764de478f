//! `sessiond ls`, `show` and `info`: what everyone may know.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use sessiond_proto::v1;

use super::{
    run,
    run::text,
    telethon::{write_v1, write_v2},
};
use crate::harness::{Daemon, channel, key, pts, session_of};

#[tokio::test]
async fn ls_tells_of_each_session_in_one_line() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let alice = client.hold("bot.alice").await;
    let revision = alice.save(session_of(5_000_000_001)).await;
    client.hold("bot.bob").await.advance(pts(7)).await;
    client.hold("user").await.advance(pts(8)).await;

    let listed = run(&daemon, &["ls", "bot.", "--json"]).await.objects();
    assert_eq!(listed.len(), 2);
    let mut first = listed[0].clone();
    let holder = first["holder"].take();
    let changed = first["changed"].take();
    let expected = json!({
        "name": "bot.alice", "revision": revision, "changed": null, "holder": null, "pts": 1000, "channel_count": 2,
        "user": { "id": 5_000_000_001_i64, "dc": 2, "bot": false, "username": "user5000000001" },
        "dcs_with_auth": [2, 4], "waiting": 0, "watchers": 0, "damaged": false, "test_mode": false,
    });
    assert_eq!(first, expected);
    assert_eq!((&holder["label"], &holder["pid"]), (&json!("test"), &json!(std::process::id())));
    let times = [&changed, &holder["since"]].map(time);
    assert!(times.iter().all(|time| *time <= Timestamp::now()), "{times:?}");
    assert_eq!((&listed[1]["name"], &listed[1]["pts"]), (&json!("bot.bob"), &json!(7)));

    let table = run(&daemon, &["ls"]).await.text();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["NAME", "USER", "KEYS", "PTS"]);
    assert_eq!(lines[1][..6], ["bot.alice", "5000000001", "@user5000000001", "2,4", "1000", "2"]);
    assert!(lines[1].contains(&"test"), "who holds it: {table}");
    assert_eq!((lines[3][0], lines.len()), ("user", 4));
}

#[tokio::test]
async fn ls_of_nothing_prints_nothing_and_tells_a_person_what_to_do() {
    let daemon = Daemon::start().await;
    let listed = run(&daemon, &["ls"]).await;
    assert!(listed.stderr.contains("sessiond import"), "{listed:?}");
    assert_eq!(listed.text(), "");
    let listed = run(&daemon, &["ls", "--json"]).await;
    assert_eq!((listed.stderr.as_str(), listed.stdout.as_str()), ("", ""));
}

#[tokio::test]
async fn show_tells_everything_but_keys() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let mut session = session_of(5_000_000_001);
    let channels = (1..=25).map(|id| channel(id, 7)).collect();
    session.state.as_mut().expect("there").channels = channels;
    let revision = held.save(session).await;

    let shown = run(&daemon, &["show", "alice", "--json"]).await.object();
    assert_eq!((&shown["name"], &shown["revision"]), (&json!("alice"), &json!(revision)));
    assert_eq!(shown["holder"]["label"], json!("test"));
    let session = &shown["session"];
    assert_eq!(
        session["dcs"][1],
        json!({ "id": 2, "ipv4_addr": "149.154.167.2:443", "ipv6_addr": "2001:67c:4e8:f002::2:443", "has_auth": true })
    );
    assert_eq!(session["dcs"][0]["has_auth"], json!(false));
    assert_eq!(session["state"]["channels"].as_array().map(Vec::len), Some(25));
    assert_eq!((&session["home_dc"], &session["test_mode"]), (&json!(2), &json!(false)));

    let shown = run(&daemon, &["show", "alice"]).await;
    assert!(shown.stderr.contains("5 more channels"), "{shown:?}");
    let shown = shown.text();
    for part in ["5000000001 @user5000000001", "test (pid ", "pts 1000, qts 20, date 1700000000, seq 300"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[tokio::test]
async fn show_of_no_session_says_where_to_look() {
    let daemon = Daemon::start().await;
    let refused = run(&daemon, &["show", "nobody"]).await.refusal(66);
    assert!(refused.contains("no session nobody") && refused.contains("sessiond ls"), "{refused}");
    // One that is held is known, though nothing is in it yet.
    let _held = daemon.client().await.hold("nobody").await;
    let shown = run(&daemon, &["show", "nobody", "--json"]).await.object();
    assert_eq!((&shown["session"], &shown["revision"]), (&Value::Null, &json!(0)));
    assert!(run(&daemon, &["show", "nobody"]).await.text().contains("nothing yet"));
}

#[tokio::test]
async fn info_tells_what_daemon_it_is_and_how_it_fares() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let revision = held.advance(pts(5)).await;
    let info = run(&daemon, &["info", "--json"]).await.object();
    assert_eq!((&info["version"], &info["engine"]), (&json!(env!("CARGO_PKG_VERSION")), &json!("sqlite")));
    assert_eq!(info["store_id"], json!(daemon.client().await.info().await.store_id));
    assert_eq!(info["features"], json!(["peers", "attributes", "import", "export", "sealing"]));
    let figures = &info["figures"];
    assert_eq!(
        (&figures["revision"], &figures["sessions"], &figures["held"]),
        (&json!(revision), &json!(1), &json!(1))
    );
    assert!(time(&figures["started"]) <= Timestamp::now());
    assert!(figures["commit_p50"].as_f64() > Some(0.0), "{figures}");

    let told = run(&daemon, &["info"]).await.text();
    let socket = daemon.socket();
    for part in ["sqlite", text(&socket), "1, 1 of them held, 0 waiting"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn no_command_prints_a_key() {
    let daemon = Daemon::start().await;
    let (one, other) = (daemon.home().join("one.session"), daemon.home().join("other.session"));
    let keys = [key(), key()];
    write_v1(&one, 8, &keys[0]);
    write_v2(&other, &keys[1]);
    let out = daemon.home().join("out.session");
    let commands: [&[&str]; 11] = [
        &["import", text(&one)],
        &["import", text(&other)],
        &["import", text(&one), "--name", "other"],
        &["import", text(&one), "--name", "other", "--force"],
        &["ls"],
        &["show", "one"],
        &["advance", "one", "--pts", "5"],
        &["mirror", "one"],
        &["export", "one", "--out", text(&out), "--force", "--lossy"],
        &["info"],
        &["rm", "other"],
    ];
    let mut said = String::new();
    for format in [&[] as &[&str], &["--json"]] {
        for command in commands {
            let ran = run(&daemon, &[command, format].concat()).await;
            said += &(ran.stdout + &ran.stderr);
        }
    }
    assert!(said.contains("exported one"), "they ran: {said}");
    for key in &keys {
        let hex: String = key[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let numbers = key[..8].iter().map(u8::to_string).collect::<Vec<_>>();
        let base64 = &STANDARD.encode(key)[..16];
        let url_base64 = base64.replace('+', "-").replace('/', "_");
        for text in [&hex, &hex.to_uppercase(), &numbers.join(","), &numbers.join(", "), base64, &url_base64]
        {
            assert!(!said.contains(text), "a key, as {text}");
        }
    }
}

#[tokio::test]
async fn a_name_from_someone_else_cannot_steer_the_terminal() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let user = v1::User { id: 5, dc: 2, bot: None, username: Some("a\u{1b}[2J".into()) };
    held.save(v1::Session { user: Some(user), ..Default::default() }).await;
    for args in [&["ls"] as &[&str], &["show", "alice"], &["show", "alice", "--json"]] {
        let printed = run(&daemon, args).await.text();
        assert!(!printed.contains('\u{1b}'), "{printed:?}");
    }
}

fn time(value: &Value) -> Timestamp {
    value.as_str().expect("a time").parse().expect("RFC 3339")
}
