//! Load, Save and Delete: what is in a session, what stays and what goes.

use sessiond_proto::v1;

use crate::harness::{Actor, Client, Daemon, Held, channel, key, pts, random_session, session_of};

on_both_engines! {
    what_was_saved_is_loaded_in_every_field
    a_session_that_does_not_exist_is_no_error
    load_and_save_work_after_delete
    deleting_nothing_is_ok_and_no_commit
    a_replacing_save_leaves_exactly_this
    a_merging_save_keeps_keys_and_never_writes_zeros
    a_merging_save_adds_what_it_mentions
    another_users_id_clears_what_was_the_old_ones
    another_users_id_is_another_one_after_a_clear_of_the_user
    clear_logs_out
    clear_forgets_what_it_names_and_nothing_else
    a_write_that_changes_nothing_is_no_commit
    without_the_token_no_key_is_told_only_that_there_is_one
    the_token_works_from_another_process_of_the_same_user
    answers_are_in_the_order_of_ids
}

/// Sessions with everything, with nothing, and with numbers as large as they can be.
fn sessions() -> Vec<v1::Session> {
    let empty = v1::Session { version: 1, ..Default::default() };
    let dc = |id| v1::DataCenter { id, ..Default::default() };
    let user = |id, dc, bot, username: Option<&str>| {
        Some(v1::User { id, dc, bot, username: username.map(Into::into) })
    };
    let ipv4 = v1::DataCenter { ipv4_addr: Some("149.154.175.50:80".into()), ..dc(1) };
    let ipv6 = v1::DataCenter { ipv6_addr: Some("2001:b28:f23d:f001::a:443".into()), ..dc(2) };
    let zeros = v1::DataCenter { auth: Some(vec![0; 256]), has_auth: true, ..dc(3) };
    let largest = v1::UpdateState {
        pts: i32::MAX,
        qts: i32::MAX,
        date: i64::MAX,
        seq: i32::MAX,
        channels: vec![channel(1, 0), channel(i64::MAX, i32::MAX)],
    };
    let with_keys = |id| v1::DataCenter { auth: Some(key()), has_auth: true, ..dc(id) };
    vec![
        random_session(),
        v1::Session { dcs: vec![ipv4, ipv6, zeros, dc(i32::MAX)], ..empty.clone() },
        v1::Session { dcs: (1..=64).map(with_keys).collect(), ..empty.clone() },
        v1::Session { user: user(1, 5, None, None), home_dc: Some(5), ..empty.clone() },
        v1::Session { user: user(i64::MAX, i32::MAX, Some(true), Some("")), ..empty.clone() },
        v1::Session { state: Some(largest), test_mode: Some(true), ..empty.clone() },
        v1::Session { state: Some(v1::UpdateState::default()), ..empty.clone() },
        v1::Session { home_dc: Some(i32::MAX), ..empty.clone() },
        v1::Session { test_mode: Some(false), ..empty.clone() },
        empty,
    ]
}

async fn what_was_saved_is_loaded_in_every_field(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    for (number, session) in sessions().into_iter().enumerate() {
        let name = format!("session{number}");
        let held = client.hold(&name).await;
        let revision = held.save(session.clone()).await;
        assert_eq!(held.load().await, (Some(session.clone()), revision));
        held.release().await;
        let next = client.hold(&name).await;
        assert_eq!((next.session.clone(), next.revision), (Some(session), revision), "as granted");
    }
}

#[tokio::test]
async fn a_saved_session_survives_a_stop_and_a_kill() {
    let mut daemon = Daemon::start().await;
    let mut saved = Vec::new();
    let client = daemon.client().await;
    for (number, session) in sessions().into_iter().enumerate() {
        let held = client.hold(&format!("session{number}")).await;
        saved.push((held.save(session.clone()).await, session));
        held.release().await;
    }
    daemon.restart().await;
    expect_all(&daemon, &saved).await;
    daemon.kill().await;
    daemon.start_again().await;
    expect_all(&daemon, &saved).await;
}

async fn expect_all(daemon: &Daemon, saved: &[(i64, v1::Session)]) {
    let client = daemon.client().await;
    for (number, (revision, session)) in saved.iter().enumerate() {
        let held = client.hold(&format!("session{number}")).await;
        assert_eq!((held.session.as_ref(), held.revision), (Some(session), *revision));
        held.release().await;
    }
}

async fn a_session_that_does_not_exist_is_no_error(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    assert_eq!(client.load("alice").await, v1::LoadResponse::default());
    let held = client.hold("alice").await;
    assert_eq!((held.session.clone(), held.revision), (None, 0));
    assert_eq!(held.load().await, (None, 0));
}

async fn load_and_save_work_after_delete(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let saved = held.save(random_session()).await;
    let deleted = held.delete().await;
    assert!(deleted > saved);
    assert_eq!(held.load().await, (None, 0));
    assert_eq!(client.load("alice").await.session, None);

    let session = random_session();
    let again = held.save(session.clone()).await;
    assert!(again > deleted);
    assert_eq!(held.load().await, (Some(session), again));
}

async fn deleting_nothing_is_ok_and_no_commit(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let before = head(&client).await;
    assert_eq!(held.delete().await, 0);
    assert_eq!(head(&client).await, before);
}

async fn a_replacing_save_leaves_exactly_this(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let user = Some(v1::User { id: 7, dc: 3, bot: None, username: None });
    let less = v1::Session { version: 1, user, ..Default::default() };
    let revision = held.save(less.clone()).await;
    assert_eq!(held.load().await, (Some(less), revision));
    let request = v1::SaveRequest {
        mode: v1::SaveMode::Replace.into(),
        ..held.save_request(v1::Session { version: 1, ..Default::default() })
    };
    let revision = held.client.save(request).await.expect("saved");
    assert_eq!(held.load().await, (Some(v1::Session { version: 1, ..Default::default() }), revision));
}

async fn a_merging_save_keeps_keys_and_never_writes_zeros(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let (stored, revision) = held.load().await;
    let stored = stored.expect("saved");
    // What a stock library writes: one data center alone, keys that it forgot, and zeros where it saw nothing.
    let dc = |id, auth| v1::DataCenter { id, auth, ..Default::default() };
    let user = stored.user.clone().map(|user| v1::User { bot: None, username: None, ..user });
    let channels = vec![channel(1_234_567_890, 0)];
    let forgetful = v1::Session {
        dcs: vec![dc(2, None), dc(4, Some(Vec::new()))],
        user,
        state: Some(v1::UpdateState { channels, ..Default::default() }),
        ..Default::default()
    };
    assert_eq!(held.merge(forgetful).await, revision);
    assert_eq!(held.merge(v1::Session::default()).await, revision);
    assert_eq!(held.load().await, (Some(stored), revision));
}

async fn a_merging_save_adds_what_it_mentions(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let mut expected = held.load().await.0.expect("saved");
    let (new_key, changed_key) = (key(), key());
    let dc = |id, auth: &Vec<u8>| v1::DataCenter { id, auth: Some(auth.clone()), ..Default::default() };
    let more = v1::Session {
        dcs: vec![dc(5, &new_key), dc(2, &changed_key)],
        user: expected.user.clone().map(|user| v1::User { bot: Some(true), username: None, ..user }),
        state: Some(v1::UpdateState {
            pts: 1001,
            channels: vec![channel(3, 33), channel(1_234_567_890, 78)],
            ..Default::default()
        }),
        ..Default::default()
    };
    held.merge(more).await;

    expected.dcs[1].auth = Some(changed_key);
    expected.dcs.push(v1::DataCenter { has_auth: true, ..dc(5, &new_key) });
    expected.user.as_mut().expect("there").bot = Some(true);
    let state = expected.state.as_mut().expect("there");
    state.pts = 1001;
    state.channels = vec![channel(3, 33), channel(1_234_567_890, 78), channel(2_222_222_222, 88)];
    assert_eq!(held.load().await.0, Some(expected));
}

async fn another_users_id_clears_what_was_the_old_ones(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let before = held.load().await.0.expect("saved");
    let new_key = key();
    let dc = v1::DataCenter { id: 4, auth: Some(new_key.clone()), ..Default::default() };
    let user = v1::User { id: 99, dc: 4, bot: None, username: None };
    held.merge(v1::Session { dcs: vec![dc], user: Some(user.clone()), ..Default::default() }).await;

    let after = held.load().await.0.expect("saved");
    assert_eq!((after.user, after.state), (Some(user), None));
    let keys: Vec<_> = after.dcs.iter().map(|dc| (dc.id, dc.auth.clone())).collect();
    assert_eq!(keys, [(1, None), (2, None), (4, Some(new_key))]);
    let addresses = |session: &[v1::DataCenter]| -> Vec<_> {
        session.iter().map(|dc| (dc.ipv4_addr.clone(), dc.ipv6_addr.clone())).collect()
    };
    assert_eq!(addresses(&after.dcs), addresses(&before.dcs), "data centers are nobody's");
}

async fn another_users_id_is_another_one_after_a_clear_of_the_user(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let user = v1::User { id: 99, dc: 4, bot: None, username: None };
    let given = v1::Session { user: Some(user.clone()), ..Default::default() };
    merge_clearing(&held, given, v1::SaveClear { user: true, ..Default::default() }).await;
    let after = held.load().await.0.expect("saved");
    assert_eq!((after.user, after.state), (Some(user), None));
    assert!(after.dcs.iter().all(|dc| dc.auth.is_none()), "no key of the old account is left");
}

async fn clear_logs_out(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let clear = v1::SaveClear { all_auth: true, user: true, state: true, ..Default::default() };
    merge_clearing(&held, v1::Session::default(), clear).await;
    let after = held.load().await.0.expect("a session is left");
    assert_eq!((after.user, after.state), (None, None));
    assert!(after.dcs.iter().all(|dc| dc.auth.is_none() && !dc.has_auth && dc.ipv4_addr.is_some()));
    assert_eq!(after.home_dc, Some(2), "where the next login begins");
}

async fn clear_forgets_what_it_names_and_nothing_else(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let mut expected = held.load().await.0.expect("saved");
    let clear = v1::SaveClear { auth_dcs: vec![2], channels: true, ..Default::default() };
    // It forgets first and writes then, in one commit.
    let state = Some(v1::UpdateState { channels: vec![channel(9, 90)], ..Default::default() });
    merge_clearing(&held, v1::Session { state, ..Default::default() }, clear).await;
    expected.dcs[1].auth = None;
    expected.dcs[1].has_auth = false;
    expected.state.as_mut().expect("there").channels = vec![channel(9, 90)];
    assert_eq!(held.load().await.0, Some(expected));
}

async fn a_write_that_changes_nothing_is_no_commit(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let (session, revision) = held.load().await;
    let session = session.expect("saved");
    let before = head(&held.client).await;
    assert_eq!(held.save(session.clone()).await, revision);
    assert_eq!(held.merge(session).await, revision);
    assert_eq!(held.advance(pts(1000)).await, revision);
    let change = v1::StateChange { channels: vec![channel(1_234_567_890, 77)], ..Default::default() };
    assert_eq!(held.advance(change).await, revision);
    let change = v1::StateChange { removed_channels: vec![5], ..Default::default() };
    assert_eq!(held.advance(change).await, revision);
    assert_eq!(head(&held.client).await, before);
}

async fn without_the_token_no_key_is_told_only_that_there_is_one(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let (with_keys, revision) = held.load().await;
    let loaded = daemon.client().await.load("alice").await;
    let mut without = with_keys.expect("saved");
    without.dcs.iter_mut().for_each(|dc| dc.auth = None);
    assert_eq!(without.dcs.iter().map(|dc| dc.has_auth).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!((loaded.session, loaded.revision), (Some(without), revision));
}

async fn the_token_works_from_another_process_of_the_same_user(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let mut worker = Actor::start(&daemon);
    assert_eq!(worker.keys("alice", &held.token).await, Ok(2));
    let revision = worker.advance("alice", &held.token, 2000).await.expect("advanced");
    assert_eq!(held.load().await.1, revision);
}

async fn answers_are_in_the_order_of_ids(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let mut session = session_of(5);
    let expected = session.clone();
    session.dcs.reverse();
    session.state.as_mut().expect("there").channels.reverse();
    held.save(session).await;
    assert_eq!(held.load().await.0, Some(expected));
}

#[tokio::test]
async fn what_a_client_says_of_has_auth_is_ignored() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let claimed = v1::DataCenter { id: 1, has_auth: true, ..Default::default() };
    let there = v1::DataCenter { id: 2, auth: Some(key()), has_auth: false, ..Default::default() };
    held.save(v1::Session { dcs: vec![claimed, there], ..Default::default() }).await;
    let dcs = held.load().await.0.expect("saved").dcs;
    assert_eq!(dcs.iter().map(|dc| dc.has_auth).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn an_ipv6_address_in_brackets_is_kept_as_telethon_writes_it() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let ipv6_addr = Some("[2001:067c:04e8:f002::a]:443".into());
    let dc = v1::DataCenter { id: 2, ipv6_addr, ..Default::default() };
    held.save(v1::Session { dcs: vec![dc], ..Default::default() }).await;
    let loaded = held.load().await.0.expect("saved");
    assert_eq!(loaded.dcs[0].ipv6_addr.as_deref(), Some("2001:67c:4e8:f002::a:443"));
}

/// `alice` with everything in it, held.
async fn full(daemon: &Daemon) -> Held {
    let held = daemon.client().await.hold("alice").await;
    held.save(random_session()).await;
    held
}

async fn merge_clearing(held: &Held, session: v1::Session, clear: v1::SaveClear) -> i64 {
    let mode = v1::SaveMode::Merge.into();
    let request = v1::SaveRequest { mode, clear: Some(clear), ..held.save_request(session) };
    held.client.save(request).await.expect("merged")
}

/// Revision of the store.
async fn head(client: &Client) -> i64 {
    client.list(v1::ListRequest::default()).await.expect("listed").revision
}
