//! Files that are not the daemon's, or not as it left them: never written to, never used, and only that session's trouble.

use std::{fs, path::PathBuf};

use sessiond_proto::{Reason, v1};
use tonic::{Code, Status};
use v1::MirrorAction;

use crate::harness::{
    Client, Daemon, eventually, expect_reason, metadata_of, pts, random_session, session_of, stock,
};

/// What another program does to a session's file, and why a hold of the session is refused from then on.
type Mishap = (&'static str, fn(&Daemon), Reason);

const MISHAPS: [Mishap; 8] = [
    ("a value changed", change_value, Reason::ForeignFile),
    ("a row added", add_row, Reason::ForeignFile),
    ("a table added", add_table, Reason::ForeignFile),
    ("a stock file in its place", replace_by_stock, Reason::ForeignFile),
    ("another session's file in its place", swap, Reason::ForeignFile),
    ("a Telethon 1 file in its place", downgrade, Reason::ForeignFile),
    ("garbage in its place", garbage, Reason::SessionDamaged),
    ("cut off in the middle", cut_off, Reason::SessionDamaged),
];

#[tokio::test]
async fn a_file_that_another_program_changed_is_never_touched_and_only_its_session_is_refused() {
    for (what, change, reason) in MISHAPS {
        let mut daemon = with_sessions(["alice", "bob", "carol"]).await;
        daemon.stop().await;
        change(&daemon);
        let changed = fs::read(file(&daemon, "alice")).expect("there");
        daemon.start_again().await;
        for _ in 0..2 {
            let client = daemon.client().await;
            let refused = client.try_hold("alice").await.err().expect(what);
            expect_refused(&refused, reason);
            assert!(listed(&client, "alice").await.damaged, "{what}");
            assert!(client.load("alice").await.session.is_some(), "{what}: everyone may still read it");
            let bob = client.hold("bob").await;
            bob.advance(pts(5)).await;
            bob.release().await;
            assert!(!listed(&client, "bob").await.damaged, "{what}");
            daemon.restart().await;
        }
        daemon.stop().await;
        assert!(fs::read(file(&daemon, "alice")).expect("there") == changed, "{what}: it was written to");
    }
}

#[tokio::test]
async fn a_file_changed_while_the_daemon_runs_is_refused_at_the_next_hold() {
    let daemon = with_sessions(["alice", "bob", "carol"]).await;
    let client = daemon.client().await;
    // Nobody holds it, so nothing is locked.
    change_value(&daemon);
    let changed = fs::read(file(&daemon, "alice")).expect("there");
    expect_refused(&refused(&client, "alice").await, Reason::ForeignFile);
    assert!(fs::read(file(&daemon, "alice")).expect("there") == changed);
}

#[tokio::test]
async fn a_file_that_another_program_changed_can_be_taken_as_it_is() {
    for change in [change_value as fn(&Daemon), add_row, replace_by_stock] {
        let daemon = with_sessions(["alice", "bob", "carol"]).await;
        let client = daemon.client().await;
        change(&daemon);
        let changed = fs::read(file(&daemon, "alice")).expect("there");
        let expected = stock::read(&file(&daemon, "alice")).expect("readable");
        expect_refused(&refused(&client, "alice").await, Reason::ForeignFile);

        let settled = settle(&client, MirrorAction::Take).await.expect("taken");
        assert!(fs::read(daemon.dir().join(&settled.kept_as)).expect("kept") == changed);
        assert!(!listed(&client, "alice").await.damaged);
        let held = client.hold("alice").await;
        assert_eq!(held.session.clone().map(stock::as_in_file), Some(expected.clone()));
        assert_eq!(held.revision, settled.revision);
        held.release().await;
        assert_eq!(read(&daemon, "alice").await, expected);
    }
}

#[tokio::test]
async fn a_file_that_is_not_as_it_was_left_can_be_replaced() {
    for (what, change, reason) in MISHAPS {
        let daemon = with_sessions(["alice", "bob", "carol"]).await;
        let client = daemon.client().await;
        let before = client.hold("alice").await;
        let expected = before.session.clone().map(stock::as_in_file).expect(what);
        before.release().await;
        read(&daemon, "alice").await;
        change(&daemon);
        let changed = fs::read(file(&daemon, "alice")).expect("there");
        expect_refused(&refused(&client, "alice").await, reason);
        let refusal = settle(&client, MirrorAction::Write).await.expect_err(what);
        expect_refused(&refusal, reason);

        let settled = settle(&client, MirrorAction::Replace).await.expect(what);
        assert!(fs::read(daemon.dir().join(&settled.kept_as)).expect("kept") == changed, "{what}");
        assert_eq!(read(&daemon, "alice").await, expected, "{what}");
        assert!(!listed(&client, "alice").await.damaged, "{what}");
        client.hold("alice").await.release().await;
    }
}

#[tokio::test]
async fn a_file_that_is_as_it_was_left_is_settled_without_a_trace() {
    let daemon = with_sessions(["alice", "bob", "carol"]).await;
    let client = daemon.client().await;
    let revision = client.load("alice").await.revision;
    for action in [MirrorAction::Write, MirrorAction::Replace] {
        let settled = settle(&client, action).await.expect("settled");
        assert_eq!(settled, v1::SettleMirrorResponse { revision, kept_as: String::new() });
    }
    let held = client.hold("alice").await;
    let refused = settle(&client, MirrorAction::Replace).await.expect_err("it is held");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    held.release().await;
}

#[tokio::test]
async fn a_file_swapped_while_its_session_is_held_is_left_alone_and_the_holders_writes_go_on() {
    let mut daemon = with_sessions(["alice", "bob", "carol"]).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let new = random_session();
    stock::make(&daemon.dir().join("new"), &new);
    fs::rename(daemon.dir().join("new"), file(&daemon, "alice")).expect("moved");
    let foreign = fs::read(file(&daemon, "alice")).expect("there");

    let session = random_session();
    held.save(session.clone()).await;
    held.advance(pts(5)).await;
    while !listed(&client, "alice").await.damaged {}
    held.advance(pts(6)).await;
    held.release().await;
    expect_refused(&refused(&client, "alice").await, Reason::ForeignFile);
    daemon.restart().await;
    let client = daemon.client().await;
    expect_refused(&refused(&client, "alice").await, Reason::ForeignFile);
    assert!(fs::read(file(&daemon, "alice")).expect("there") == foreign);
    let state = client.load("alice").await.session.expect("there").state.expect("there");
    assert_eq!(state.pts, 6, "what was acknowledged is there");
}

#[tokio::test]
async fn a_stock_file_whose_name_is_new_is_taken_in_at_its_first_use() {
    let daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    let (alice, bob) = (random_session(), session_of(7));
    stock::make(&file(&daemon, "alice"), &alice);
    stock::make(&file(&daemon, "bob"), &bob);

    let held = client.hold("alice").await;
    assert_eq!(held.session.clone().map(stock::as_in_file), Some(stock::as_in_file(alice.clone())));
    assert_eq!(held.load().await.1, held.revision);
    held.release().await;
    let loaded = client.load("bob").await.session.expect("taken in");
    assert_eq!(loaded.user, bob.user);
    assert!(loaded.dcs.iter().all(|dc| dc.auth.is_none()), "nobody holds it");
    assert_eq!(client.hold("bob").await.session.map(stock::as_in_file), Some(stock::as_in_file(bob)));
    assert_eq!(read(&daemon, "alice").await, stock::as_in_file(alice));
}

#[tokio::test]
async fn a_stock_file_is_taken_in_by_who_reads_a_session_that_was_only_held_before() {
    let daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    client.hold("alice").await.release().await;
    let session = random_session();
    stock::make(&file(&daemon, "alice"), &session);
    let loaded = client.load("alice").await.session.expect("taken in");
    assert_eq!(loaded.user, session.user);
}

#[tokio::test]
async fn a_stock_file_that_was_taken_in_stays_so_over_restarts_and_writes() {
    let mut daemon = Daemon::unsealed().await;
    let mut session = random_session();
    stock::make(&file(&daemon, "alice"), &session);
    let revision = daemon.client().await.load("alice").await.revision;
    daemon.restart().await;
    let held = daemon.client().await.hold("alice").await;
    assert_eq!(held.revision, revision);
    held.advance(pts(5)).await;
    session.state.as_mut().expect("there").pts = 5;
    held.release().await;
    daemon.stop().await;
    assert_eq!(stock::read(&file(&daemon, "alice")).expect("readable"), stock::as_in_file(session));
}

#[tokio::test]
async fn a_stock_file_taken_in_just_before_a_crash_is_the_daemons_after_it() {
    let mut daemon = Daemon::unsealed().await;
    let session = random_session();
    stock::make(&file(&daemon, "alice"), &session);
    let as_it_was = fs::read(file(&daemon, "alice")).expect("there");
    let revision = daemon.client().await.load("alice").await.revision;
    daemon.kill().await;
    // As it is where the crash came before the daemon's table was added.
    fs::write(file(&daemon, "alice"), as_it_was).expect("written");
    daemon.start_again().await;
    let held = daemon.client().await.hold("alice").await;
    assert_eq!(held.revision, revision);
    held.release().await;
    assert_eq!(read(&daemon, "alice").await, stock::as_in_file(session));
}

#[tokio::test]
async fn a_new_file_of_another_kind_is_refused_and_left_alone() {
    let kinds: [Mishap; 5] = [
        ("Telethon 1.42's", downgrade, Reason::ForeignFile),
        ("Telethon 1.43's", |daemon| stock::make_version_8(&file(daemon, "alice")), Reason::ForeignFile),
        ("empty", |daemon| fs::write(file(daemon, "alice"), "").expect("written"), Reason::ForeignFile),
        ("a directory", |daemon| fs::create_dir(file(daemon, "alice")).expect("made"), Reason::ForeignFile),
        ("garbage", garbage, Reason::SessionDamaged),
    ];
    for (what, make, reason) in kinds {
        let mut daemon = Daemon::unsealed().await;
        make(&daemon);
        let bytes = fs::read(file(&daemon, "alice")).ok();
        let client = daemon.client().await;
        expect_refused(&refused(&client, "alice").await, reason);
        let refused = client.try_load("alice", &[]).await.expect_err("refused");
        expect_refused(&refused, reason);
        client.hold("bob").await.save(random_session()).await;
        daemon.restart().await;
        let client = daemon.client().await;
        let refused = client.try_load("alice", &[]).await.expect_err("refused");
        expect_refused(&refused, reason);
        assert_eq!(fs::read(file(&daemon, "alice")).ok(), bytes, "{what}");
    }
}

#[tokio::test]
async fn a_file_that_another_program_has_locked_is_in_use_and_the_refusal_says_by_whom() {
    let daemon = with_sessions(["alice", "bob", "carol"]).await;
    let client = daemon.client().await;
    for lock in ["begin; select * from version", "begin immediate", "begin exclusive"] {
        let program = stock::open(&file(&daemon, "alice")).expect("it opens");
        program.execute_batch(lock).expect("nobody holds the session");
        let refused = refused(&client, "alice").await;
        expect_reason(&refused, Code::FailedPrecondition, Reason::FileInUse);
        assert_eq!(metadata_of(&refused)["pids"], std::process::id().to_string(), "{lock}");
        assert!(!listed(&client, "alice").await.damaged, "{lock}");
        program.execute_batch("rollback").expect("it lets go");
        drop(program);
        client.hold("alice").await.release().await;
        read(&daemon, "alice").await;
    }
}

#[tokio::test]
async fn a_file_trouble_ends_nobodys_watch() {
    let mut daemon = with_sessions(["alice", "bob", "carol"]).await;
    daemon.stop().await;
    garbage(&daemon);
    daemon.start_again().await;
    let client = daemon.client().await;
    let mut watch = client.watch_all().await;
    let mut view = watch.begin().await;
    assert_eq!(view.sessions.len(), 3);
    refused(&client, "alice").await;
    let revision = client.hold("bob").await.advance(pts(5)).await;
    view.follow_to(&mut watch, revision).await;
    let again = client.watch_all().await.begin().await;
    assert_eq!(again.sessions, view.sessions);
}

#[tokio::test]
async fn a_copy_of_a_sessions_file_is_no_session_of_its_own() {
    let daemon = with_sessions(["alice", "bob", "carol"]).await;
    fs::copy(file(&daemon, "alice"), file(&daemon, "copy")).expect("copied");
    let client = daemon.client().await;
    expect_refused(&refused(&client, "copy").await, Reason::ForeignFile);
    assert!(client.hold("alice").await.session.is_some());
    assert!(file(&daemon, "copy").exists());
}

/// A daemon with these sessions, each in its file, and nobody holding one.
async fn with_sessions<const N: usize>(names: [&str; N]) -> Daemon {
    let mut daemon = Daemon::unsealed().await;
    let client = daemon.client().await;
    for name in names {
        let held = client.hold(name).await;
        held.save(random_session()).await;
        held.release().await;
    }
    daemon.restart().await;
    daemon
}

async fn refused(client: &Client, name: &str) -> Status {
    client.try_hold(name).await.err().expect("refused")
}

#[track_caller]
fn expect_refused(refused: &Status, reason: Reason) {
    let damaged = reason == Reason::SessionDamaged;
    let code = if damaged { Code::DataLoss } else { Code::FailedPrecondition };
    expect_reason(refused, code, reason);
}

async fn settle(client: &Client, action: MirrorAction) -> Result<v1::SettleMirrorResponse, Status> {
    client.settle_mirror("alice", action).await
}

async fn listed(client: &Client, name: &str) -> v1::SessionSummary {
    let page = client.list(v1::ListRequest::default()).await.expect("listed");
    page.sessions.into_iter().find(|session| session.name == name).expect("there")
}

/// What a stock program reads as soon as the daemon lets it.
async fn read(daemon: &Daemon, name: &str) -> v1::Session {
    let path = file(daemon, name);
    eventually(|| stock::read(&path).ok()).await
}

fn file(daemon: &Daemon, name: &str) -> PathBuf {
    daemon.dir().join(format!("{name}.session"))
}

fn alter(daemon: &Daemon, sql: &str) {
    let file = stock::open(&file(daemon, "alice")).expect("it opens");
    file.execute_batch(sql).expect("nobody has it locked");
}

fn change_value(daemon: &Daemon) {
    alter(daemon, "update state set pts = pts + 1");
}

fn add_row(daemon: &Daemon) {
    alter(daemon, "insert into channelstate values (987654321, 1)");
}

fn add_table(daemon: &Daemon) {
    alter(daemon, "create table mine (a)");
}

fn replace_by_stock(daemon: &Daemon) {
    fs::remove_file(file(daemon, "alice")).expect("there");
    stock::make(&file(daemon, "alice"), &random_session());
}

fn swap(daemon: &Daemon) {
    fs::rename(file(daemon, "carol"), file(daemon, "alice")).expect("moved");
}

fn downgrade(daemon: &Daemon) {
    let _ = fs::remove_file(file(daemon, "alice"));
    stock::make_version_7(&file(daemon, "alice"));
}

fn garbage(daemon: &Daemon) {
    fs::write(file(daemon, "alice"), "no database ".repeat(1_000)).expect("written");
}

fn cut_off(daemon: &Daemon) {
    let bytes = fs::read(file(daemon, "alice")).expect("there");
    fs::write(file(daemon, "alice"), &bytes[..bytes.len() / 2]).expect("written");
}
