//! The store, `sessiond.db`: what is in it after a kill, a copy, damage, and a rebuild.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use sessiond_proto::{Reason, v1};
use tonic::Code;

use crate::harness::{Daemon, channel, expect_reason, pts, random_session, stock};

/// How far the revision of a copy is from that of its original, at the least.
const JUMP: i64 = 1 << 32;

/// Every file of a directory, but for the lock, which has the pid of whoever tried last.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("readable").map(|entry| entry.expect("readable"));
    let named = entries.map(|entry| (entry.file_name().into_string().expect("text"), entry.path()));
    let content = |path| fs::read(path).expect("readable");
    named.filter(|(name, _)| name != "sessiond.lock").map(|(name, path)| (name, content(path))).collect()
}

/// A stopped daemon with a session, and what is in it.
async fn stopped_with_a_session() -> (Daemon, v1::Session) {
    let mut daemon = Daemon::unsealed().await;
    let held = daemon.client().await.hold("alice").await;
    held.save(random_session()).await;
    let change = v1::StateChange { channels: vec![channel(5, 6)], ..pts(4_321) };
    held.advance(change).await;
    let (session, _) = held.load().await;
    held.release().await;
    assert!(daemon.stop().await.success());
    (daemon, session.expect("just saved"))
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let mut daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.save(random_session()).await;
    held.advance(pts(7)).await;
    let gone = client.hold("gone").await;
    gone.advance(pts(1)).await;
    gone.delete().await;
    let (before, revision) = held.load().await;

    daemon.kill().await;
    daemon.start_again().await;

    let client = daemon.client().await;
    let again = client.try_load("alice", &held.token).await.expect("the hold goes on");
    assert_eq!((again.session, again.revision), (before, revision));
    assert_eq!(client.load("gone").await.session, None);
}

#[tokio::test]
async fn a_copied_directory_has_an_identity_of_its_own_and_no_holds() {
    let mut original = Daemon::unsealed().await;
    let client = original.client().await;
    let held = client.hold("alice").await;
    held.save(random_session()).await;
    let info = client.info().await;
    assert!(original.stop().await.success());

    let mut copy = Daemon::builder().unsealed().prepare();
    let status = Command::new("cp").arg("-r").arg(original.dir()).arg(copy.dir()).status();
    assert!(status.expect("cp is there").success());
    copy.start_again().await;

    let client = copy.client().await;
    assert_ne!(client.info().await.store_id, info.store_id);
    assert!(copy.log().contains("a copy or was restored"), "it says so");
    let copied = client.load("alice").await;
    assert_eq!(copied.holder, None, "the original's hold is not the copy's");
    let again = client.hold("alice").await;
    assert!(again.fence > info.figures.expect("there are some").revision + JUMP);
    original.start_again().await;
    let there =
        original.client().await.try_load("alice", &held.token).await.expect("the original's hold goes on");
    assert_eq!(again.session, there.session, "its sessions, and their files, are the copy's own");
    let store_id = client.info().await.store_id;
    copy.restart().await;
    assert_eq!(copy.client().await.info().await.store_id, store_id, "it is new only once");
}

#[tokio::test]
async fn a_damaged_store_refuses_to_start_and_touches_nothing() {
    for spoil in SPOILERS {
        let (daemon, _) = stopped_with_a_session().await;
        is_refused_untouched(&daemon, spoil).await;
    }
}

#[tokio::test]
async fn a_store_damaged_after_a_kill_refuses_to_start_and_touches_nothing() {
    let mut daemon = Daemon::unsealed().await;
    let held = daemon.client().await.hold("alice").await;
    held.save(random_session()).await;
    // More than the write-ahead log has, so that some of it is in the database alone.
    held.advance_through(1..=200_000).await;
    daemon.kill().await;
    let store = daemon.dir().join("sessiond.db");
    let bytes = fs::read(&store).expect("readable");
    assert!(fs::metadata(daemon.dir().join("sessiond.db-wal")).expect("there").len() > 0);
    // Where the log has the first page, the header in the database means nothing.
    for spoil in &SPOILERS[1..] {
        fs::write(&store, &bytes).expect("written");
        is_refused_untouched(&daemon, *spoil).await;
    }
    fs::remove_file(&store).expect("removed");
    is_refused(&daemon).await;

    // As it was, all is well.
    fs::write(&store, &bytes).expect("written");
    daemon.start_again().await;
    let loaded = daemon.client().await.load("alice").await.session.and_then(|session| session.state);
    assert_eq!(loaded.map(|state| state.pts), Some(200_000));
}

#[tokio::test]
async fn a_store_with_any_page_damaged_refuses_to_start() {
    const PAGE: usize = 4_096;
    let mut daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    for number in 0..10 {
        let held = client.hold(&format!("session-{number}")).await;
        held.save(random_session()).await;
    }
    daemon.stop().await;
    let store = daemon.dir().join("sessiond.db");
    let bytes = fs::read(&store).expect("readable");
    let used = (0..bytes.len() / PAGE).filter(|at| bytes[at * PAGE..][..PAGE].iter().any(|byte| *byte != 0));
    let used: Vec<_> = used.collect();
    assert!(used.len() > 8, "{used:?}");
    for page in used {
        let mut spoilt = bytes.clone();
        spoilt[page * PAGE..][..PAGE].fill(0xa5);
        fs::write(&store, spoilt).expect("written");
        is_refused(&daemon).await;
    }
}

/// What happens to a store's bytes.
const SPOILERS: [fn(&mut Vec<u8>); 5] = [
    |bytes| bytes[..64].fill(0xa5),
    // Every page but the first, so that whatever is read first is damaged.
    |bytes| bytes[4_096..].fill(0xa5),
    |bytes| bytes.truncate(4_096),
    |bytes| bytes.truncate(1_000),
    Vec::clear,
];

async fn is_refused_untouched(daemon: &Daemon, spoil: fn(&mut Vec<u8>)) {
    let store = daemon.dir().join("sessiond.db");
    let mut bytes = fs::read(&store).expect("readable");
    spoil(&mut bytes);
    fs::write(&store, bytes).expect("written");
    is_refused(daemon).await;
}

async fn is_refused(daemon: &Daemon) {
    let before = files(&daemon.dir());
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(65), "{said}");
    assert!(said.contains("--rebuild"), "{said}");
    let after = files(&daemon.dir());
    assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
    assert!(before == after, "no byte of any file is changed");
}

#[tokio::test]
async fn what_cannot_be_read_is_not_written_over() {
    let mut daemon = Daemon::unsealed().await;
    let held = daemon.client().await.hold("alice").await;
    let session = random_session();
    held.save(session.clone()).await;
    daemon.stop().await;
    let store = rusqlite::Connection::open(daemon.dir().join("sessiond.db")).expect("it opens");
    store.execute("update session set image = x'ff'", ()).expect("spoilt");
    store.close().expect("closed");
    daemon.start_again().await;

    let client = daemon.client().await;
    let damaged = |status| expect_reason(&status, Code::DataLoss, Reason::SessionDamaged);
    damaged(client.try_load("alice", &held.token).await.expect_err("it cannot be read"));
    damaged(client.advance(held.advance_request(pts(5))).await.expect_err("nor added to"));
    let merge = v1::SaveRequest { mode: v1::SaveMode::Merge.into(), ..held.save_request(random_session()) };
    damaged(client.save(merge).await.expect_err("nor merged into"));
    client.release("alice", &held.token).await.expect("it can be let go");

    // Its file has it all.
    client.settle_mirror("alice", v1::MirrorAction::Take).await.expect("taken");
    let again = client.hold("alice").await;
    assert_eq!(again.session.map(stock::as_in_file), Some(stock::as_in_file(session)));
}

#[tokio::test]
async fn a_store_that_is_whole_is_not_made_anew() {
    let (mut daemon, session) = stopped_with_a_session().await;
    daemon.start_again_with("--rebuild").await;
    assert!(daemon.log().contains("the store is whole"));
    let held = daemon.client().await.hold("alice").await;
    assert_eq!(held.session, Some(session), "with what no file has");
}

#[tokio::test]
async fn a_rebuilt_store_has_the_sessions_of_the_files_and_keeps_the_old_store() {
    let (mut daemon, session) = stopped_with_a_session().await;
    let store = daemon.dir().join("sessiond.db");
    let damaged = vec![0xa5; 10_000];
    fs::write(&store, &damaged).expect("written");
    fs::write(daemon.dir().join("other.session"), "no session").expect("written");

    daemon.start_again_with("--rebuild").await;

    let client = daemon.client().await;
    let held = client.hold("alice").await;
    // Telethon's file has no place for these.
    let expected = v1::Session { home_dc: None, test_mode: None, ..session };
    assert_eq!(held.session, Some(expected));
    assert_eq!(fs::read(daemon.dir().join("sessiond.db.kept-1")).expect("kept"), damaged);
    assert_eq!(fs::read(daemon.dir().join("other.session")).expect("there"), b"no session");
    held.advance(pts(5_000)).await;
    held.release().await;
    daemon.restart().await;
    let loaded = daemon.client().await.load("alice").await.session.and_then(|session| session.state);
    assert_eq!(loaded.map(|state| state.pts), Some(5_000));
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_not_touched() {
    let (daemon, _) = stopped_with_a_session().await;
    let store = rusqlite::Connection::open(daemon.dir().join("sessiond.db")).expect("it opens");
    store.execute("update meta set value = 99 where key = 'format'", ()).expect("written");
    store.close().expect("closed");
    let before = files(&daemon.dir());
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(65), "{said}");
    assert!(said.contains("format 99"), "{said}");
    assert!(before == files(&daemon.dir()), "no byte of any file is changed");
}
