//! `NAME.session`: what people know of a session, and what every stock program reads.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;
use sessiond_proto::{Reason, v1};
use sessiond_session::formats::telethon_v2;
use tonic::Code;

use crate::harness::{Daemon, Held, channel, eventually, expect_reason, key, pts, random_session, stock};

#[tokio::test]
async fn a_released_session_is_in_its_file_as_it_was_left() {
    let daemon = Daemon::unsealed().await;
    let held = daemon.client().await.hold("alice").await;
    let mut session = random_session();
    held.save(session.clone()).await;
    for counter in 1..=50 {
        held.advance(pts(counter)).await;
    }
    held.release().await;
    session.state.as_mut().expect("there").pts = 50;
    in_file(&daemon, "alice", &session).await;
}

#[tokio::test]
async fn while_a_session_is_held_its_file_gets_keys_at_once_and_counters_once_it_is_quiet() {
    let daemon = Daemon::unsealed().await;
    let held = daemon.client().await.hold("alice").await;
    let mut session = random_session();
    held.save(session.clone()).await;
    in_locked_file(&daemon, "alice", &session).await;
    session.dcs[0].auth = Some(key());
    session.dcs[0].has_auth = true;
    held.save(session.clone()).await;
    in_locked_file(&daemon, "alice", &session).await;
    held.advance(pts(7)).await;
    session.state.as_mut().expect("there").pts = 7;
    in_locked_file(&daemon, "alice", &session).await;
}

#[tokio::test]
async fn after_a_stop_every_file_is_whole_and_has_the_newest_state() {
    let mut daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    let mut sessions = Vec::new();
    let mut holds = Vec::new();
    for number in 0..20 {
        let name = format!("session-{number}");
        let held = client.hold(&name).await;
        let mut session = random_session();
        held.save(session.clone()).await;
        let change = v1::StateChange { channels: vec![channel(1, number)], ..pts(number) };
        held.advance(change).await;
        let state = session.state.as_mut().expect("there");
        state.pts = number;
        state.channels.insert(0, channel(1, number));
        sessions.push((name, session));
        match number % 3 {
            0 => held.release().await,
            _ => holds.push(held),
        }
    }
    assert!(daemon.stop().await.success());

    let mut expected: Vec<_> = sessions.iter().map(|(name, _)| format!("{name}.session")).collect();
    for (name, session) in sessions {
        let path = file(&daemon, &name);
        assert_eq!(stock::integrity(&path).expect("readable"), "ok", "{name}");
        assert_eq!(stock::read(&path).expect("readable"), stock::as_in_file(session), "{name}");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o7777, 0o600);
    }
    assert_eq!(stock::integrity(&daemon.dir().join("sessiond.db")).expect("readable"), "ok");
    expected.extend(["audit.jsonl", "sessiond.db", "sessiond.lock", "sessiond.reserve"].map(str::to_owned));
    expected.sort_unstable();
    let entries = fs::read_dir(daemon.dir()).expect("readable").map(|entry| entry.expect("readable"));
    let mut there: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
    there.sort_unstable();
    assert_eq!(there, expected, "nothing is left beside them");
}

#[tokio::test]
async fn a_file_has_exactly_telethons_tables_and_one_of_the_daemons() {
    let mut daemon = Daemon::unsealed().await;
    let held = daemon.client().await.hold("alice").await;
    held.save(random_session()).await;
    daemon.stop().await;
    let file = stock::open(&file(&daemon, "alice")).expect("it opens");
    let schema = "select type, name, sql from sqlite_schema order by rowid";
    let there = stock::rows(&file, schema, |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    });
    let (ours, theirs): (Vec<_>, Vec<_>) =
        there.expect("readable").into_iter().partition(|(_, name, _)| name.starts_with("sessiond"));
    let telethons = telethon_v2::DDL.split(';').map(str::trim).filter(|sql| !sql.is_empty());
    let telethons: Vec<_> = telethons.map(|sql| sql.replacen("create table", "CREATE TABLE", 1)).collect();
    assert_eq!(theirs.into_iter().map(|(_, _, sql)| sql).collect::<Vec<_>>(), telethons);
    let [(kind, name, _)] = &ours[..] else { panic!("one table of ours: {ours:?}") };
    assert_eq!(kind, "table");
    // Telethon's migration takes no other names.
    let fits = |c: char| c.is_ascii_lowercase() || c == '_';
    assert!(name.len() <= 20 && name.chars().all(fits), "{name}");
    assert_eq!(
        file.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)),
        Ok("delete".into())
    );
}

#[tokio::test]
async fn while_a_session_is_held_its_file_is_locked_against_every_other_program() {
    let daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let session = random_session();
    held.save(session.clone()).await;
    held.release().await;
    in_file(&daemon, "alice", &session).await;

    let held = client.hold("alice").await;
    let path = file(&daemon, "alice");
    is_locked(&path);
    held.save(random_session()).await;
    is_locked(&path);
    let session = random_session();
    held.save(session.clone()).await;
    held.release().await;
    in_file(&daemon, "alice", &session).await;
    let lock = || stock::open(&path).and_then(|file| file.execute_batch("begin exclusive; rollback"));
    eventually(|| lock().ok()).await;
}

#[tokio::test]
async fn the_file_of_a_session_that_goes_on_being_held_is_locked_again_after_a_restart() {
    let mut daemon = Daemon::unsealed().await;
    let held = daemon.client().await.hold("alice").await;
    held.save(random_session()).await;
    for restart in 0..2 {
        if restart == 0 {
            daemon.restart().await;
        } else {
            daemon.kill().await;
            daemon.start_again().await;
        }
        let path = file(&daemon, "alice");
        eventually(|| stock::read(&path).err()).await;
        is_locked(&path);
    }
    daemon.client().await.resume("alice", &held.token).await.expect("it goes on");
}

#[tokio::test]
async fn a_file_that_is_missing_is_written_again() {
    let mut daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let mut session = random_session();
    held.save(session.clone()).await;
    held.release().await;
    in_file(&daemon, "alice", &session).await;

    // While the daemon runs,
    fs::remove_file(file(&daemon, "alice")).expect("there");
    let held = client.hold("alice").await;
    held.advance(pts(5)).await;
    session.state.as_mut().expect("there").pts = 5;
    held.release().await;
    in_file(&daemon, "alice", &session).await;
    // and while it does not.
    daemon.stop().await;
    fs::remove_file(file(&daemon, "alice")).expect("there");
    daemon.start_again().await;
    in_file(&daemon, "alice", &session).await;
}

#[tokio::test]
async fn deleting_a_session_removes_its_file() {
    let daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let session = random_session();
    held.save(session.clone()).await;
    held.release().await;
    in_file(&daemon, "alice", &session).await;
    held.delete().await;
    eventually(|| (!file(&daemon, "alice").exists()).then_some(())).await;

    let held = client.hold("alice").await;
    held.save(session.clone()).await;
    held.delete().await;
    held.save(session.clone()).await;
    held.release().await;
    in_file(&daemon, "alice", &session).await;
}

#[tokio::test]
async fn the_file_of_a_session_deleted_just_before_a_crash_is_removed_at_the_next_start() {
    let mut daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    let (alice, bob) = (client.hold("alice").await, client.hold("bob").await);
    let session = random_session();
    alice.save(session.clone()).await;
    bob.save(session.clone()).await;
    alice.release().await;
    in_file(&daemon, "alice", &session).await;
    // So that it cannot be removed before the crash.
    let program = stock::open(&file(&daemon, "alice")).expect("it opens");
    program.execute_batch("begin exclusive").expect("nobody holds the session");
    alice.delete().await;
    daemon.kill().await;
    drop(program);
    assert!(file(&daemon, "alice").exists());

    daemon.start_again().await;
    eventually(|| (!file(&daemon, "alice").exists()).then_some(())).await;
    assert_eq!(daemon.client().await.load("alice").await, v1::LoadResponse::default());
    daemon.stop().await;
    assert_eq!(stock::read(&file(&daemon, "bob")).expect("there"), stock::as_in_file(session));
}

#[tokio::test]
async fn the_file_of_a_deleted_session_that_a_program_reads_is_removed_when_it_has_done() {
    let daemon = Daemon::unsealed().await;
    let (held, _) = released(&daemon, "alice").await;
    let program = stock::open(&file(&daemon, "alice")).expect("it opens");
    program.execute_batch("begin; select * from version").expect("nobody holds the session");
    held.delete().await;
    eventually(|| daemon.log().contains("stays behind for now").then_some(())).await;
    assert!(file(&daemon, "alice").exists());
    drop(program);
    eventually(|| (!file(&daemon, "alice").exists()).then_some(())).await;
}

#[tokio::test]
async fn a_file_that_was_put_back_from_a_copy_is_not_written_over() {
    let daemon = Daemon::unsealed().await;
    released(&daemon, "alice").await;
    let copy = fs::read(file(&daemon, "alice")).expect("there");
    let (held, newer) = released(&daemon, "alice").await;
    let client = held.client;

    fs::write(file(&daemon, "alice"), &copy).expect("written");

    let refused = client.try_hold("alice").await.err().expect("it is not the one that was left");
    expect_reason(&refused, Code::FailedPrecondition, Reason::ForeignFile);
    assert!(fs::read(file(&daemon, "alice")).expect("there") == copy);
    let settled = client.settle_mirror("alice", v1::MirrorAction::Replace).await.expect("written");
    assert!(fs::read(daemon.dir().join(settled.kept_as)).expect("kept") == copy);
    in_file(&daemon, "alice", &newer).await;
}

#[tokio::test]
async fn a_file_written_into_in_spite_of_the_lock_is_not_written_over() {
    let daemon = Daemon::builder().unsealed().arg("--log=debug").start().await;
    let alice = daemon.client().await.hold("alice").await;
    let revision = alice.save(random_session()).await;
    let other = random_session();
    let path = file(&daemon, "other");
    stock::make(&path, &other);
    let content = fs::read(&path).expect("there");
    fs::remove_file(&path).expect("removed");
    let written = format!("brought up to date session=alice revision={revision}");
    eventually(|| daemon.log().contains(&written).then_some(())).await;

    // As `cp` does: into the same file.
    fs::write(file(&daemon, "alice"), &content).expect("written");

    let newest = random_session();
    alice.save(newest.clone()).await;
    eventually(|| daemon.log().contains("is not touched").then_some(())).await;
    assert!(fs::read(file(&daemon, "alice")).expect("there") == content);
    assert_eq!(alice.load().await.0, Some(newest), "the holder's writes go on");
}

#[tokio::test]
async fn what_a_crash_left_half_made_is_removed_and_nothing_else() {
    let mut daemon = Daemon::unsealed().await;
    daemon.stop().await;
    let [left, mine] = [".alice.session.Ab3dE9.sessiond-new", ".alice.session.backup.new"]
        .map(|name| daemon.dir().join(name));
    fs::write(&left, "half").expect("written");
    fs::write(&mine, "mine").expect("written");
    daemon.start_again().await;
    eventually(|| (!left.exists()).then_some(())).await;
    assert!(mine.exists());
}

#[tokio::test]
async fn a_file_newer_than_a_store_that_was_restored_is_neither_removed_nor_used_unasked() {
    let mut daemon = Daemon::unsealed().await;
    let held = daemon.client().await.hold("alice").await;
    held.save(random_session()).await;
    held.release().await;
    daemon.stop().await;
    let store = daemon.dir().join("sessiond.db");
    let old_store = fs::read(&store).expect("there");
    daemon.start_again().await;
    let session = random_session();
    let held = daemon.client().await.hold("bob").await;
    held.save(session.clone()).await;
    held.release().await;
    daemon.stop().await;
    let newer = fs::read(file(&daemon, "bob")).expect("there");

    // In its place, so that the daemon does not see that it was restored.
    fs::write(&store, old_store).expect("written");

    for other in ["carol", "dave"] {
        daemon.start_again().await;
        let client = daemon.client().await;
        // Past the revision of the file.
        client.hold(other).await.save(random_session()).await;
        let refused = client.try_hold("bob").await.err().expect("it is not known");
        expect_reason(&refused, Code::FailedPrecondition, Reason::ForeignFile);
        daemon.stop().await;
        assert!(fs::read(file(&daemon, "bob")).expect("it is not removed") == newer);
    }
    daemon.start_again().await;
    let client = daemon.client().await;
    client.settle_mirror("bob", v1::MirrorAction::Take).await.expect("taken");
    let held = client.hold("bob").await;
    assert_eq!(held.session.map(stock::as_in_file), Some(stock::as_in_file(session)));
}

/// A hold that was released, and the session that it left, once that is in its file.
async fn released(daemon: &Daemon, name: &str) -> (Held, v1::Session) {
    let held = daemon.client().await.hold(name).await;
    let session = random_session();
    held.save(session.clone()).await;
    held.release().await;
    in_file(daemon, name, &session).await;
    (held, session)
}

fn file(daemon: &Daemon, name: &str) -> PathBuf {
    daemon.dir().join(format!("{name}.session"))
}

/// Waits until a stock program reads this.
async fn in_file(daemon: &Daemon, name: &str, session: &v1::Session) {
    let expected = stock::as_in_file(session.clone());
    let path = file(daemon, name);
    eventually(|| stock::read(&path).ok().filter(|read| *read == expected)).await;
    // The daemon may look at it once more.
    assert_eq!(eventually(|| stock::integrity(&path).ok()).await, "ok");
}

/// Waits until the file has this, as a copy of it tells.
async fn in_locked_file(daemon: &Daemon, name: &str, session: &v1::Session) {
    let expected = stock::as_in_file(session.clone());
    let (path, copy) = (file(daemon, name), daemon.home().join("copy"));
    eventually(|| {
        fs::copy(&path, &copy).ok()?;
        stock::read(&copy).ok().filter(|read| *read == expected)
    })
    .await;
}

fn is_locked(path: &Path) {
    for sql in ["select * from version", "begin immediate", "begin exclusive", "delete from version"] {
        let refused = stock::open(path).and_then(|file| file.execute_batch(sql)).expect_err("it is locked");
        assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::DatabaseBusy), "{sql}: {refused}");
    }
}
