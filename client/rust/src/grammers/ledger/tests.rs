use sessiond_session::{
    Auth, AuthKey, ChannelState, DataCenter, Peer, Session, StateChange, UpdateState, User,
};

use super::{Ledger, MOST_PEERS, Part};
use crate::Error;

fn key(byte: u8) -> Auth {
    Auth::Key(AuthKey::try_from([byte; 256].as_slice()).expect("a key"))
}

fn dc(id: i32, auth: Auth) -> DataCenter {
    DataCenter { id, auth, ..DataCenter::default() }
}

fn user(id: i64) -> User {
    User { id, dc: 2, bot: None, username: None }
}

fn channels(pts: &[(i64, i32)]) -> Vec<ChannelState> {
    pts.iter().map(|&(id, pts)| ChannelState { id, pts }).collect()
}

/// Everything that is unwritten, joined.
fn written(ledger: &mut Ledger) -> (Session, StateChange, Vec<Peer>) {
    let (mut session, mut state, mut peers) = (Session::default(), StateChange::default(), Vec::new());
    while let Some(part) = ledger.next() {
        ledger.settle(&part);
        match part {
            Part::Session(part) => session.merge(part),
            Part::State(part) => state.followed_by(part),
            Part::Peers(part) => peers.extend(part),
        }
    }
    peers.sort_by_key(|peer| peer.id);
    (session, state, peers)
}

#[test]
fn what_is_known_is_not_written() {
    let dcs = vec![dc(2, key(2))];
    let state = UpdateState { pts: 7, channels: channels(&[(5, 50)]), ..UpdateState::default() };
    let mut ledger =
        Ledger::new(Session { dcs, user: Some(user(1)), state: Some(state), ..Session::default() });
    ledger.set_home_dc(2);
    ledger.set_dc(ledger.session().dc_with_addresses(2).expect("known"));
    ledger.set_dc(ledger.session().dc_with_addresses(4).expect("known"));
    ledger.set_dc(dc(2, Auth::Absent));
    ledger.set_user(1, None);
    ledger.advance(StateChange { pts: Some(7), channels: channels(&[(5, 50)]), ..StateChange::default() });
    ledger.advance(StateChange { removed_channels: vec![6], ..StateChange::default() });
    assert!(ledger.next().is_none());
}

#[test]
fn a_counter_of_zero_changes_nothing() {
    let state = UpdateState { pts: 7, qts: 8, date: 9, seq: 10, channels: channels(&[(5, 50)]) };
    let mut ledger = Ledger::new(Session { state: Some(state.clone()), ..Session::default() });
    let (pts, qts, seq) = (Some(0), Some(0), Some(0));
    ledger.advance(StateChange {
        pts,
        qts,
        date: Some(0),
        seq,
        channels: channels(&[(5, 0)]),
        ..StateChange::default()
    });
    assert_eq!(ledger.state(), Some(&state));
    assert!(ledger.next().is_none());
}

#[test]
fn what_is_told_while_it_waits_is_written_together() {
    let mut ledger = Ledger::default();
    ledger.set_dc(dc(4, key(4)));
    ledger.set_home_dc(4);
    ledger.set_user(1, Some(true));
    for pts in 1..=9 {
        ledger.advance(StateChange {
            pts: Some(pts),
            channels: channels(&[(5, 10 * pts)]),
            ..StateChange::default()
        });
        ledger.note_peer(Peer { id: pts.into(), access_hash: Some(17), ..Peer::default() });
    }
    let (session, state, peers) = written(&mut ledger);
    assert_eq!(session.dcs, [dc(4, key(4))]);
    assert_eq!(session.home_dc, Some(4));
    assert_eq!(session.user, Some(User { dc: 4, bot: Some(true), ..user(1) }));
    assert_eq!(state, StateChange { pts: Some(9), channels: channels(&[(5, 90)]), ..StateChange::default() });
    assert_eq!(peers.len(), 9);
}

#[test]
fn a_peer_is_known_until_it_is_written() {
    let mut ledger = Ledger::default();
    ledger.note_peer(Peer { id: 5, access_hash: Some(17), ..Peer::default() });
    let part = ledger.next().expect("it is unwritten");
    ledger.note_peer(Peer { id: 5, bot: Some(true), ..Peer::default() });
    let known = Peer { id: 5, access_hash: Some(17), bot: Some(true), ..Peer::default() };
    assert_eq!(ledger.peer(5), Some(known.clone()), "on its way, and newer");
    ledger.put_back(part);
    assert_eq!(ledger.peer(5), Some(known.clone()), "not answered");
    assert_eq!(written(&mut ledger).2, [known]);
    assert_eq!(ledger.peer(5), None, "it is the daemon's");
}

#[test]
fn peers_are_written_before_the_state_and_do_not_keep_it_waiting() {
    let mut ledger = Ledger::default();
    let meet = |ledger: &mut Ledger| ledger.note_peer(Peer { id: 5, ..Peer::default() });
    meet(&mut ledger);
    ledger.advance(StateChange { pts: Some(1), ..StateChange::default() });
    assert!(matches!(ledger.next(), Some(Part::Peers(_))));
    meet(&mut ledger);
    assert!(matches!(ledger.next(), Some(Part::State(_))));
    assert!(matches!(ledger.next(), Some(Part::Peers(_))));
    assert!(ledger.next().is_none());
}

#[test]
fn what_was_not_answered_is_written_under_what_is_newer() {
    let mut ledger = Ledger::default();
    ledger.set_dc(dc(2, key(2)));
    let session = ledger.next().expect("a key");
    ledger.advance(StateChange { pts: Some(1), qts: Some(1), ..StateChange::default() });
    let state = ledger.next().expect("counters");
    ledger.set_dc(dc(2, key(3)));
    ledger.advance(StateChange { pts: Some(2), ..StateChange::default() });
    ledger.put_back(state);
    ledger.put_back(session);
    let (session, state, _) = written(&mut ledger);
    assert_eq!(session.dcs, [dc(2, key(3))]);
    assert_eq!(state, StateChange { pts: Some(2), qts: Some(1), ..StateChange::default() });
}

#[test]
fn another_account_keeps_the_keys_and_nothing_else() {
    let dcs = vec![dc(2, key(2)), dc(4, key(4))];
    let state = Some(UpdateState { pts: 7, ..UpdateState::default() });
    let here = Session { dcs: dcs.clone(), user: Some(user(1)), state, ..Session::default() };
    let mut ledger = Ledger::new(here.clone());
    ledger.advance(StateChange { pts: Some(8), ..StateChange::default() });
    ledger.set_user(2, None);
    assert_eq!(ledger.state(), None);
    let (session, state, _) = written(&mut ledger);
    let mut stored = here;
    stored.merge(session);
    assert_eq!((stored.dcs, stored.user, stored.state), (dcs, Some(user(2)), None));
    assert!(state.is_empty(), "it is the first account's");
}

#[test]
fn there_is_an_end_to_what_waits() {
    let mut ledger = Ledger::default();
    for id in 1..=MOST_PEERS {
        assert!(ledger.has_room());
        ledger.note_peer(Peer { id: id.try_into().expect("small"), ..Peer::default() });
    }
    assert!(!ledger.has_room());
    let part = ledger.next().expect("they are unwritten");
    assert!(!ledger.has_room(), "they are on their way");
    ledger.settle(&part);
    assert!(ledger.has_room());
}

#[test]
fn a_refusal_is_told_once() {
    let mut ledger = Ledger::default();
    ledger.refuse(Error::Fenced);
    assert!(matches!(ledger.refusal(), Err(Error::Fenced)));
    assert!(ledger.refusal().is_ok());
}
