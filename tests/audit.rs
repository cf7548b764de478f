//! The audit record: what happens to sessions is in it, with who did it, and nothing secret.

use std::{fs, io::Write as _, path::PathBuf, process::id};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::{Signal, getegid, geteuid};
use serde_json::{Value, json};
use sessiond_proto::{Reason, v1};
use tonic::Code;

use crate::{
    cli::{media::fixture, run::run},
    harness::{
        Actor, Daemon, attribute, eventually, expect_reason, files_at, given, peer, pts, random_session,
    },
};

fn file(daemon: &Daemon) -> PathBuf {
    daemon.dir().join("audit.jsonl")
}

/// What is recorded, the oldest first.
fn records(daemon: &Daemon) -> Vec<Value> {
    let text = fs::read_to_string(file(daemon)).expect("there");
    text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

/// The same by what happened, and to which session.
fn events(records: &[Value]) -> Vec<(&str, &str)> {
    records.iter().map(|record| (text(record, "event"), text(record, "session"))).collect()
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or("")
}

/// The last record of an event.
#[track_caller]
fn last<'a>(records: &'a [Value], event: &str) -> &'a Value {
    records.iter().rfind(|record| record["event"] == event).expect("it is recorded")
}

async fn verified(daemon: &Daemon) -> Value {
    let dir = daemon.dir();
    run(daemon, &["audit", "verify", "--json", "--dir", dir.to_str().expect("UTF-8")]).await.object()
}

#[tokio::test]
async fn each_use_of_a_session_is_recorded_with_who_did_what_and_at_which_revision() {
    let mut daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let saved = held.save(random_session()).await;
    held.load().await;
    held.advance(pts(5)).await;
    client.load("alice").await;
    let resumed = client.resume("alice", &held.token).await.expect("resumed");
    let (exported, _) = resumed
        .try_export(v1::ExportRequest { lossy: true, ..resumed.export_request("telethon-string") })
        .await
        .expect("exported");
    let deleted = resumed.delete().await;
    resumed.release().await;
    let other = client.hold("bob").await;
    client.end_hold("bob").await;
    drop(other);
    assert!(daemon.stop().await.success());

    let records = records(&daemon);
    let expected = [
        ("started", ""),
        ("hold_granted", "alice"),
        ("saved", "alice"),
        ("keys_handed_out", "alice"),
        ("hold_resumed", "alice"),
        ("keys_handed_out", "alice"),
        ("exported", "alice"),
        ("deleted", "alice"),
        ("hold_released", "alice"),
        ("hold_granted", "bob"),
        ("hold_ended", "bob"),
        ("stopped", ""),
    ];
    assert_eq!(events(&records), expected);
    let caller = json!({
        "uid": geteuid().as_raw(), "gid": getegid().as_raw(), "pid": id(),
        "executable": fs::read_link("/proc/self/exe").expect("known").to_str(),
    });
    for record in &records[1..11] {
        assert_eq!(record["caller"], caller, "{record}");
    }
    let revisions: Vec<_> = records[1..11].iter().map(|record| record["revision"].as_i64()).collect();
    let fence = Some(held.fence);
    assert_eq!(revisions[..3], [fence, Some(saved), Some(saved)]);
    assert_eq!(revisions[3], fence);
    assert_eq!(revisions[4..8], [Some(resumed.revision), Some(exported.revision), Some(deleted), fence]);
    assert_eq!((&records[1]["label"], &records[2]["keys"]), (&json!("test"), &json!([2, 4])));
    assert_eq!((text(&records[3], "call"), &records[3]["keys"]), ("Load", &json!([2, 4])));
    assert_eq!((text(&records[5], "call"), text(&records[6], "format")), ("Hold", "telethon-string"));
    let time = text(&records[2], "time");
    assert!(time.ends_with('Z') && time.len() == "2026-11-24T12:00:00.000000Z".len(), "{time}");
    assert_eq!(verified(&daemon).await["records"], records.len());
}

#[tokio::test]
async fn a_session_that_is_taken_in_and_a_file_that_is_settled_are_recorded() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let files = files_at(&fixture("gotd.json"));
    let imported = held.try_import(held.import_request(), given(&files)).await.expect("imported");
    held.try_import(held.import_request(), given(&files)).await.expect_err("it is there");
    held.release().await;
    client.settle_mirror("alice", v1::MirrorAction::Write).await.expect("written");

    let records = records(&daemon);
    let record = last(&records, "imported");
    assert_eq!((record["revision"].as_i64(), text(record, "call")), (Some(imported.revision), "Import"));
    assert_eq!(text(record, "format"), imported.format);
    assert_eq!(records.iter().filter(|record| record["event"] == "imported").count(), 1);
    assert_eq!(text(last(&records, "mirror_settled"), "call"), "SettleMirror");
}

#[tokio::test]
async fn what_is_refused_for_want_of_rights_is_recorded_and_nothing_else_that_is_refused() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let refused = client.try_hold("alice").await.err().expect("held");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    let wrong = |token: Vec<u8>| v1::SaveRequest { token, ..held.save_request(random_session()) };
    client.save(wrong(vec![1; 32])).await.expect_err("another token");
    client.save(wrong(Vec::new())).await.expect_err("no token");
    let stale = v1::AdvanceRequest { token: vec![1; 32], ..held.advance_request(pts(5)) };
    client.advance(stale).await.expect_err("another token");
    client.try_load("alice", &[1; 32]).await.expect_err("another token");
    client.resume("alice", &[1; 32]).await.err().expect("another token");
    client.release("alice", &[1; 32]).await.expect_err("another token");

    let records = records(&daemon);
    let refusals = records.iter().filter(|record| record["event"] == "refused");
    let refusals: Vec<_> = refusals.map(|record| (text(record, "call"), text(record, "reason"))).collect();
    let fenced = ["Save", "Advance", "Load", "Hold", "Release"].map(|call| (call, "FENCED"));
    assert_eq!(refusals, [&[("Hold", "HELD_BY_ANOTHER")], &fenced[..]].concat());
    assert!(records.iter().all(|record| record["event"] != "saved"));
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "whoever runs the tests should know that one was not run")]
async fn another_user_who_is_refused_is_recorded() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can run a client as another user");
        return;
    }
    let daemon = Daemon::builder().arg("--abstract-socket=sessiond-test-audit").start().await;
    let mut stranger = Actor::start_as(65_534, "@sessiond-test-audit");
    assert_eq!(stranger.keys("alice", &[1; 32]).await, Err("NOT_PERMITTED".into()));
    let records = records(&daemon);
    let refusal = last(&records, "refused");
    assert_eq!((text(refusal, "reason"), refusal["caller"]["uid"].as_u64()), ("NOT_PERMITTED", Some(65_534)));
}

#[tokio::test]
async fn however_many_are_refused_the_record_does_not_grow_with_them() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let _held = client.hold("alice").await;
    for _ in 0..300 {
        client.try_load("alice", &[1; 32]).await.expect_err("another token");
    }
    let told = |daemon: &Daemon| {
        let records = records(daemon);
        let one_by_one = records.iter().filter(|record| record["event"] == "refused").count() as u64;
        let left_out = records.iter().filter(|record| record["event"] == "refusals_left_out");
        (one_by_one, left_out.filter_map(|record| record["count"].as_u64()).sum::<u64>())
    };
    let (one_by_one, _) =
        eventually(|| Some(told(&daemon)).filter(|(one, left_out)| one + left_out == 300)).await;
    assert!(one_by_one >= 100);
}

#[tokio::test]
async fn a_client_that_dies_loses_its_hold_on_the_record() {
    let daemon = Daemon::start().await;
    let mut actor = Actor::start(&daemon);
    let hold = actor.hold("alice").await;
    actor.kill().await;
    let lost =
        eventually(|| records(&daemon).into_iter().find(|record| record["event"] == "hold_lost")).await;
    assert_eq!((text(&lost, "session"), lost["revision"].as_i64()), ("alice", Some(hold.fence)));
    assert_eq!(lost["caller"], Value::Null);
}

#[tokio::test]
async fn nothing_secret_is_in_the_record() {
    let mut daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let session = random_session();
    held.save(session.clone()).await;
    held.put_peers(vec![v1::Peer {
        access_hash: Some(8_361_946_205_173_648_219),
        phone: Some("4912345678901".into()),
        name: Some("Anna Zweistein-Quux".into()),
        ..peer(5)
    }])
    .await;
    let key = session.dcs[1].auth.clone().expect("there");
    held.put_attributes(vec![v1::Attribute { secret: true, ..attribute("m.temp", &key) }]).await;
    client
        .save(v1::SaveRequest { token: vec![1; 32], ..held.save_request(session.clone()) })
        .await
        .expect_err("fenced");
    held.load().await;
    held.release().await;
    daemon.stop().await;
    let text = fs::read_to_string(file(&daemon)).expect("there");
    let username = session.user.and_then(|user| user.username).expect("there");
    for word in ["8361946205173648219", "4912345678901", "Zweistein", &username] {
        assert!(!text.contains(word), "{word} is in the record");
    }
    for secret in [&key, &held.token] {
        let part = &secret[9..24];
        let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
        for form in [hex, STANDARD.encode(part), format!("{part:?}").trim_matches(['[', ']']).to_owned()] {
            assert!(!text.contains(&form), "a secret is in the record, as {form}");
        }
    }
}

#[tokio::test]
async fn a_record_that_a_kill_tore_is_mended_and_that_is_recorded() {
    let mut daemon = Daemon::start().await;
    daemon.client().await.hold("alice").await.save(random_session()).await;
    daemon.kill().await;
    let torn = b"{\"number\":99,\"time\":\"2026";
    fs::File::options().append(true).open(file(&daemon)).expect("there").write_all(torn).expect("written");
    assert_eq!(verified(&daemon).await["torn"], torn.len());
    daemon.start_again().await;
    let records = records(&daemon);
    let mended = last(&records, "mended");
    assert_eq!(mended["count"], torn.len());
    assert_eq!(text(mended, "note").as_bytes(), torn);
    assert_eq!(verified(&daemon).await["torn"], 0);
}

#[tokio::test]
async fn the_record_is_whole_after_kills_under_load_and_has_what_was_answered() {
    let mut daemon = Daemon::start().await;
    let mut answered = Vec::new();
    for round in 0..5 {
        let client = daemon.client().await;
        let mut clients = tokio::task::JoinSet::new();
        for writer in 0..4 {
            let client = client.clone();
            clients.spawn(async move {
                let mut revisions = Vec::new();
                let Ok(held) = client.try_hold(&format!("session-{round}-{writer}")).await else {
                    return revisions;
                };
                while let Ok(revision) = client.save(held.save_request(random_session())).await {
                    revisions.push(revision);
                }
                revisions
            });
        }
        eventually(|| (records(&daemon).len() > 40 * (round + 1)).then_some(())).await;
        daemon.signal(Signal::KILL);
        daemon.end().await;
        while let Some(revisions) = clients.join_next().await {
            answered.extend(revisions.expect("no panic"));
        }
        daemon.start_again().await;
    }
    verified(&daemon).await;
    let records = records(&daemon);
    let saved: std::collections::HashSet<_> = records
        .iter()
        .filter(|record| record["event"] == "saved")
        .filter_map(|record| record["revision"].as_i64())
        .collect();
    assert!(answered.len() > 20);
    assert!(answered.iter().all(|revision| saved.contains(revision)), "what was answered is recorded");
}

#[tokio::test]
async fn without_a_directory_there_is_no_record_and_the_log_says_so() {
    let mut daemon = Daemon::on("memory").await;
    daemon.client().await.hold("alice").await.save(random_session()).await;
    daemon.stop().await;
    assert!(!file(&daemon).exists());
    assert!(daemon.log().contains("there is no audit record"));
}

#[tokio::test]
async fn the_newest_hash_is_logged_when_the_daemon_stops_and_is_known_when_it_goes_on() {
    let mut daemon = Daemon::start().await;
    daemon.client().await.hold("alice").await.release().await;
    daemon.stop().await;
    let newest = verified(&daemon).await["newest"].clone();
    let newest = newest.as_str().expect("a text").to_owned();
    assert!(daemon.log().contains(&newest));
    daemon.start_again().await;
    daemon.client().await.hold("alice").await;
    let dir = daemon.dir();
    run(&daemon, &["audit", "verify", "--expect", &newest, "--dir", dir.to_str().expect("UTF-8")])
        .await
        .text();
}
