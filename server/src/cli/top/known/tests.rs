use sessiond_client::{Change, LostReason};

use super::{
    super::sample::{
        advanced, at, commit, holder, info, name, restarted, session, snapshot, summary, synced, three,
    },
    Known, Update, What,
};

fn names(known: &Known) -> Vec<String> {
    known.sessions().map(|(name, _)| name.to_string()).collect()
}

#[test]
fn a_session_is_as_the_watch_and_the_listing_tell() {
    let known = three();
    let alice = known.session(&name("alice")).expect("known");
    assert_eq!((alice.pts, alice.home_dc, alice.revision), (Some(1_196_809), Some(4), 19));
    assert_eq!((alice.waiting, alice.watchers), (2, 2), "this view is not counted");
    assert_eq!(alice.holder.as_ref().and_then(|holder| holder.pid), Some(13_906));
    assert_eq!(alice.pace.rate(10), 100);
    assert_eq!((alice.events.len(), alice.events[0].revision), (10, 19), "the newest first");
    assert!(known.session(&name("bot.shop")).expect("known").damaged);
}

#[test]
fn a_pts_that_goes_back_or_is_new_is_no_pace() {
    let mut known = Known::default();
    known.apply(advanced("alice", 1, 5_000), at(0));
    known.apply(advanced("alice", 2, 4_000), at(0));
    assert_eq!(known.session(&name("alice")).expect("known").pace.rate(1), 0);
    known.apply(advanced("alice", 3, 4_010), at(1));
    assert_eq!(known.session(&name("alice")).expect("known").pace.rate(2), 5);
}

#[test]
fn a_session_goes_when_it_is_neither_held_nor_has_data() {
    let mut known = three();
    let watched = |change| Update::Watched(commit("alice", 30, change));
    known.apply(watched(Change::Deleted), at(1));
    let alice = known.session(&name("alice")).expect("it is held");
    assert_eq!((alice.pts, alice.user.as_ref(), alice.revision), (None, None, 0));
    known.apply(watched(Change::HoldChanged { holder: None, reason: Some(LostReason::EndedByAdmin) }), at(1));
    assert_eq!(names(&known), ["bot.shop", "customer-1"]);
    known.apply(watched(Change::HoldChanged { holder: Some(holder("w", 1)), reason: None }), at(1));
    assert_eq!(names(&known), ["alice", "bot.shop", "customer-1"]);
}

#[test]
fn a_hold_does_not_move_the_revision_and_is_told_among_the_events() {
    let mut known = three();
    let change = Change::HoldChanged { holder: None, reason: None };
    known.apply(Update::Watched(commit("alice", 40, change)), at(11));
    let alice = known.session(&name("alice")).expect("known");
    assert_eq!((alice.revision, alice.holder.as_ref()), (19, None));
    assert!(matches!(&alice.events[0].what, What::Told(text) if text == "held by nobody"));
}

#[test]
fn a_watch_that_starts_over_forgets_what_has_no_snapshot() {
    let mut known = three();
    let generation = known.generation();
    known.apply(restarted(), at(11));
    assert_eq!((names(&known).len(), known.is_synced()), (3, false), "nothing flickers in between");
    known.apply(snapshot("alice", Some(session(9, None)), None), at(11));
    known.apply(synced(), at(11));
    assert_eq!(names(&known), ["alice"]);
    assert!(known.is_synced() && known.generation() != generation);
}

#[test]
fn everything_is_known_when_all_three_have_told() {
    let mut known = Known::default();
    let told = [
        snapshot("alice", Some(session(9, None)), None),
        synced(),
        info(0),
        Update::Listed(vec![summary("alice", 1, 1)]),
        Update::ListedAll,
    ];
    for update in told {
        assert!(!known.is_complete(), "before {update:?}");
        known.apply(update, at(0));
    }
    assert!(known.is_complete());
    assert_eq!(known.session(&name("alice")).expect("known").waiting, 1);
}

#[test]
fn a_daemon_is_away_until_it_is_heard_again() {
    let mut known = three();
    assert_eq!(known.away_for(at(11)), None);
    known.apply(Update::Away, at(11));
    known.apply(Update::Away, at(13));
    assert_eq!(known.away_for(at(14)).map(|away| away.as_secs()), Some(3));
    known.apply(info(10), at(15));
    assert_eq!(known.away_for(at(15)), None);
}
