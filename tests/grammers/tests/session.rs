//! What grammers keeps, and finds again.

use std::{error::Error, sync::Arc};

use futures_util::FutureExt as _;
use grammers_client::session::{
    Session, SessionData,
    storages::{MemorySession, erase},
    types::{ChannelKind, ChannelState, DcOption, PeerAuth, PeerId, PeerInfo, UpdateState, UpdatesState},
};
use sessiond_client::DataCenter;

use crate::{
    daemon::{Daemon, own},
    within,
};

fn peers() -> Vec<PeerInfo> {
    let auth = |hash| Some(PeerAuth::from_hash(hash));
    let channel = |id, kind| PeerInfo::Channel { id, auth: auth(-id), kind };
    vec![
        own(),
        PeerInfo::User { id: 7, auth: auth(-7), bot: Some(false), is_self: Some(false) },
        PeerInfo::User { id: 8, auth: auth(0), bot: None, is_self: None },
        PeerInfo::Chat { id: 9 },
        channel(10, Some(ChannelKind::Broadcast)),
        channel(11, Some(ChannelKind::Megagroup)),
        channel(12, Some(ChannelKind::Gigagroup)),
        channel(13, Some(ChannelKind::Community)),
        channel(14, None),
    ]
}

fn channels(pts: &[(i64, i32)]) -> Vec<ChannelState> {
    pts.iter().map(|&(id, pts)| ChannelState { id, pts }).collect()
}

/// What a program tells while it logs in and works.
async fn log_in<S: Session<Error: Error>>(session: &S) {
    let all = UpdatesState {
        pts: 100,
        qts: 3,
        date: 1_700_000_000,
        seq: 1,
        channels: channels(&[(10, 5), (11, 6)]),
    };
    let mut home = session.dc_option(4).expect("held").expect("known");
    home.auth_key = Some([4; 256]);
    let told = async {
        session.set_home_dc_id(4).await?;
        session.set_dc_option(&home).await?;
        for peer in peers() {
            session.cache_peer(peer).await?;
        }
        session.set_update_state(UpdateState::All(all)).await?;
        session.set_update_state(UpdateState::Primary { pts: 101, date: 1_700_000_001, seq: 2 }).await?;
        session.set_update_state(UpdateState::Secondary { qts: 4 }).await?;
        session.set_update_state(UpdateState::Channel { id: 12, pts: 7 }).await
    };
    told.await.unwrap_or_else(|error: S::Error| panic!("{error}"));
}

/// Everything that grammers asks for.
async fn answers<S: Session<Error: Error>>(
    session: &S,
) -> (i32, Vec<Option<[u8; 256]>>, Vec<Option<PeerInfo>>, UpdatesState) {
    let known = [PeerId::self_user(), PeerId::user(999).expect("an id")];
    let mut found = Vec::new();
    for id in peers().iter().map(PeerInfo::id).chain(known) {
        found.push(session.peer(id).await.expect("asked"));
    }
    let key = |id| session.dc_option(id).expect("asked").expect("known").auth_key;
    let mut state = session.updates_state().await.expect("asked");
    state.channels.sort_by_key(|channel| channel.id);
    (session.home_dc_id().expect("asked"), (1..=5).map(key).collect(), found, state)
}

/// As grammers' own storage answers. That one does not find out who is logged in.
async fn expected() -> (i32, Vec<Option<[u8; 256]>>, Vec<Option<PeerInfo>>, UpdatesState) {
    let memory = MemorySession::from(SessionData::default());
    log_in(&memory).await;
    let mut expected = answers(&memory).await;
    assert_eq!(expected.2[peers().len()].replace(own()), None);
    expected
}

#[tokio::test]
async fn what_a_login_makes_is_what_the_next_process_goes_on_with() {
    let daemon = Daemon::start();
    let first = daemon.open().await;
    assert!(!first.is_logged_in());
    log_in(&first).await;
    assert_eq!(answers(&first).await, expected().await, "as it is told");
    first.close().await.expect("written");

    let second = daemon.open().await;
    assert!(second.is_logged_in());
    assert_eq!(answers(&second).await, expected().await, "as it is stored");
}

#[tokio::test]
async fn a_new_session_is_that_of_a_new_file() {
    let daemon = Daemon::start();
    let session = daemon.open().await;
    let memory = MemorySession::from(SessionData::default());
    assert_eq!(answers(&session).await, answers(&memory).await);
    assert_eq!(session.dc_option(77).expect("asked"), None);
    for id in 1..=5 {
        let ours = session.dc_option(id).expect("asked").expect("known");
        let theirs = memory.dc_option(id).expect("asked").expect("known");
        assert_eq!((ours.ipv4.port(), ours.ipv6), (443, theirs.ipv6), "data center {id}");
    }
}

#[tokio::test]
async fn what_is_told_again_is_not_written_again() {
    let daemon = Daemon::start();
    let session = daemon.open().await;
    log_in(&session).await;
    session.close().await.expect("written");
    let revision = daemon.alice().await.revision;

    let session = daemon.open().await;
    for id in (1..=5).chain(1..=5) {
        let dc = session.dc_option(id).expect("asked").expect("known");
        session.set_dc_option(&dc).await.expect("noted");
    }
    session.set_home_dc_id(4).await.expect("noted");
    session.cache_peer(own()).await.expect("noted");
    let state = session.updates_state().await.expect("asked");
    session.set_update_state(UpdateState::All(state)).await.expect("noted");
    session.close().await.expect("nothing to write");
    assert_eq!(daemon.alice().await.revision, revision);
}

#[tokio::test]
async fn a_data_center_of_one_address_is_found_as_it_was_told() {
    let daemon = Daemon::start();
    let told = DcOption {
        id: 203,
        ipv4: "91.105.192.100:443".parse().expect("an address"),
        ipv6: "[::ffff:91.105.192.100]:443".parse().expect("an address"),
        auth_key: None,
    };
    let session = daemon.open().await;
    session.set_dc_option(&told).await.expect("noted");
    assert_eq!(session.dc_option(203).expect("asked"), Some(told.clone()));
    let elsewhere = DcOption { id: 300, ipv4: "10.0.0.3:443".parse().expect("an address"), ..told };
    session.set_dc_option(&elsewhere).await.expect("noted");
    session.close().await.expect("written");

    let stored = daemon.alice().await.session.expect("there is one");
    let dc = DataCenter {
        id: 300,
        ipv4_addr: "10.0.0.3:443".parse().ok(),
        ipv6_addr: Some(elsewhere.ipv6),
        ..DataCenter::default()
    };
    assert_eq!(stored.dcs, [dc]);
}

#[tokio::test]
async fn a_library_that_forgets_does_not_make_the_daemon_forget() {
    let daemon = Daemon::start();
    let session = daemon.open().await;
    log_in(&session).await;
    // Without a key, and as a stream of updates that has seen nothing.
    let known = session.dc_option(4).expect("asked").expect("known");
    session.set_dc_option(&DcOption { auth_key: None, ..known.clone() }).await.expect("noted");
    let pristine = UpdatesState { date: 1, ..UpdatesState::default() };
    session.set_update_state(UpdateState::All(pristine)).await.expect("noted");
    assert_eq!(answers(&session).await, expected().await);
    session.close().await.expect("written");
    assert_eq!(answers(&daemon.open().await).await, expected().await);
}

#[tokio::test]
async fn a_channel_that_is_not_followed_any_more_is_forgotten() {
    let daemon = Daemon::start();
    let session = daemon.open().await;
    log_in(&session).await;
    let all = UpdatesState {
        pts: 102,
        qts: 4,
        date: 1_700_000_002,
        seq: 2,
        channels: channels(&[(11, 8), (13, 1)]),
    };
    session.set_update_state(UpdateState::All(all.clone())).await.expect("noted");
    session.close().await.expect("written");
    assert_eq!(daemon.open().await.updates_state().await.expect("asked"), all);
}

#[tokio::test]
async fn another_account_begins_with_the_key_it_logged_in_with_and_no_state() {
    let daemon = Daemon::start();
    let session = daemon.open().await;
    log_in(&session).await;
    let other = PeerInfo::User { id: 6001, auth: None, bot: None, is_self: Some(true) };
    session.cache_peer(other.clone()).await.expect("noted");
    session.close().await.expect("written");

    let session = daemon.open().await;
    assert_eq!(session.peer(PeerId::self_user()).await.expect("asked"), Some(other));
    assert_eq!(session.updates_state().await.expect("asked"), UpdatesState::default());
    assert_eq!(session.dc_option(4).expect("asked").expect("known").auth_key, Some([4; 256]));
}

#[tokio::test]
async fn a_daemon_that_is_away_is_no_error_and_nothing_is_lost() {
    let mut daemon = Daemon::start();
    let session = Arc::new(daemon.open().await);
    daemon.kill();
    let erased = erase(Arc::clone(&session));
    within(log_in(session.as_ref())).await;
    let many: Vec<PeerInfo> = (1..=3_000)
        .map(|id| PeerInfo::User { id, auth: Some(PeerAuth::from_hash(id)), bot: None, is_self: None })
        .collect();
    within(erased.cache_peers(many.clone())).await.expect("noted");
    for peer in &many {
        let found = within(erased.peer_ref(peer.id()))
            .await
            .expect("asked")
            .expect("it is known before it is written");
        assert_eq!(found.auth.hash(), found.id.bare_id().expect("a user"));
    }
    daemon.start_again();
    within(session.close()).await.expect("written");
    drop(erased);

    let next = daemon.open().await;
    assert_eq!(next.home_dc_id().expect("asked"), 4);
    assert_eq!(next.updates_state().await.expect("asked").pts, 101);
    for peer in many {
        assert_eq!(next.peer_ref(peer.id()).await.expect("asked").map(|found| found.auth), peer.auth());
    }
}

#[tokio::test]
async fn too_many_peers_wait_for_the_daemon() {
    let mut daemon = Daemon::start();
    let session = daemon.open().await;
    daemon.kill();
    let peer = |id| PeerInfo::User { id, auth: Some(PeerAuth::from_hash(id)), bot: None, is_self: None };
    let many =
        (1..).find(|id| session.cache_peer(peer(*id)).now_or_never().is_none()).expect("there is an end");
    assert!(many > 10_000, "{many}");
    daemon.start_again();
    within(session.cache_peer(peer(many))).await.expect("noted");
    within(session.close()).await.expect("written");
    let next = daemon.open().await;
    for id in [1, many] {
        assert_eq!(next.peer(peer(id).id()).await.expect("asked"), Some(peer(id)));
    }
}

#[tokio::test]
async fn a_restart_of_the_daemon_in_mid_use_is_not_noticed() {
    let mut daemon = Daemon::start();
    let session = daemon.open().await;
    for pts in 1..=60 {
        session.set_update_state(UpdateState::Primary { pts, date: pts, seq: 1 }).await.expect("noted");
        if pts % 20 == 0 {
            daemon.reaches(pts).await;
            daemon.kill();
            daemon.start_again();
        }
    }
    within(session.close()).await.expect("written");
    assert_eq!(daemon.open().await.updates_state().await.expect("asked").pts, 60);
}

#[tokio::test]
async fn no_key_or_access_hash_is_in_the_debug_output() {
    let daemon = Daemon::start();
    let session = daemon.open().await;
    log_in(&session).await;
    let shown = format!("{session:?}");
    assert_eq!(shown, r#"GrammersSession { held: HeldSession { name: "alice", standing: Held, .. }, .. }"#);
}
