//! Listing what is kept beside a session while it changes.

use sessiond_session::{Peer, PeerKind};

use super::{Subject, bearer, belongings::peer, name, write};
use crate::engine::{Error, Keep, Op, PeerFilter};

async fn peers_are_listed_by_id_and_by_what_is_asked_of_them(subject: Subject) {
    subject.hold("a", 1).await;
    assert!(subject.listed(PeerFilter::default()).await.is_empty());
    let all: Vec<i64> = (-1_000..1_000).filter(|id| *id != 0).chain([i64::MIN, i64::MAX]).collect();
    let of = |id: i64| Peer {
        kind: Some(PeerKind::User).filter(|_| id > 0),
        seen: Some(id.rem_euclid(5)),
        ..Peer { id, ..Peer::default() }
    };
    for ids in all.chunks(1_000) {
        subject.put(ids.iter().map(|id| of(*id))).await;
    }
    let mut sorted = all.clone();
    sorted.sort_unstable();
    assert_eq!(subject.ids(PeerFilter::default()).await, sorted);
    let after = PeerFilter { after_id: Some(990), ..PeerFilter::default() };
    assert_eq!(subject.ids(after).await, (991..1_000).chain([i64::MAX]).collect::<Vec<_>>());
    let none_after = PeerFilter { after_id: Some(i64::MAX), ..PeerFilter::default() };
    assert!(subject.ids(none_after).await.is_empty());
    let users = PeerFilter { kinds: vec![Some(PeerKind::User)], ..PeerFilter::default() };
    assert!(subject.ids(users).await.iter().all(|id| *id > 0));
    let unknown = PeerFilter { kinds: vec![None, Some(PeerKind::Forum)], ..PeerFilter::default() };
    assert!(subject.ids(unknown).await.iter().all(|id| *id < 0));
    let seen = PeerFilter { seen_after: Some(3), ..PeerFilter::default() };
    assert!(subject.ids(seen).await.iter().all(|id| id.rem_euclid(5) == 4));
}

async fn a_listing_tells_what_was_when_it_began(subject: Subject) {
    subject.hold("a", 1).await;
    subject.put((1..=990).map(peer)).await;
    subject.put((991..=1_800).map(|id| Peer { kind: Some(PeerKind::Group), ..peer(id) })).await;
    let before = subject.listed(PeerFilter::default()).await;
    let only_groups = PeerFilter { kinds: vec![Some(PeerKind::Group)], ..PeerFilter::default() };
    let groups: Vec<_> = before.iter().filter(|peer| peer.id > 990).cloned().collect();
    let begin = async |filter| subject.engine.list_peers(&name("a"), bearer(1), filter).await.expect("begun");
    let (all, some, after) = (
        begin(PeerFilter::default()).await,
        begin(only_groups).await,
        begin(PeerFilter { after_id: Some(1_790), ..PeerFilter::default() }).await,
    );
    let revision = all.revision;
    let (first, all) = subject.engine.next_peers(all).await.expect("told");
    assert!(first.len() < before.len(), "there is a rest");

    subject.put((2_000..2_100).map(peer)).await;
    subject
        .put([1_795, 2, 1_500].map(|id| Peer {
            name: Some("new".into()),
            kind: Some(PeerKind::User),
            ..peer(id)
        }))
        .await;
    subject.put([Peer { name: Some("newer".into()), ..peer(1_500) }]).await;
    subject.keep(Keep::DeletePeers(vec![1_000, 1_796, 2_050])).await.expect("deleted");

    let rest = subject.rest(all).await.expect("told");
    assert!([first, rest].concat() == before);
    assert!(subject.rest(Some(some)).await.expect("told") == groups);
    assert!(subject.rest(Some(after)).await.expect("told") == before[1_790..]);
    assert!(subject.head() > revision);
    assert_eq!(subject.ids(PeerFilter::default()).await.len(), 1_800 + 100 - 3);
}

async fn a_listing_takes_no_more_memory_however_large_the_peers(subject: Subject) {
    subject.hold("a", 1).await;
    let large = |id: i64, byte: u8| Peer { extra: [("k".into(), vec![byte; 60_000])].into(), ..peer(id) };
    subject.put((1..=100).map(|id| large(id, 1))).await;
    let begin = async || {
        let begun = subject.engine.list_peers(&name("a"), bearer(1), PeerFilter::default()).await;
        begun.expect("begun")
    };
    let (slow, lost) = (begin().await, begin().await);
    subject.put((1..=100).map(|id| large(id, 2))).await;
    let (mut told, mut rest) = (Vec::new(), Some(slow));
    while let Some(listing) = rest.take() {
        let (peers, next) = subject.engine.next_peers(listing).await.expect("told");
        assert!(peers.len() <= 10, "{}", peers.len());
        told.extend(peers);
        rest = next;
    }
    assert!(told == (1..=100).map(|id| large(id, 1)).collect::<Vec<_>>());
    subject.put((101..=150).map(|id| large(id, 2))).await;
    subject.keep(Keep::DeletePeers((1..=150).collect())).await.expect("deleted");
    assert!(matches!(subject.rest(Some(lost)).await, Err(Error::Limit(_))));
}

async fn a_listing_of_what_is_deleted_ends_as_does_one_without_its_hold(subject: Subject) {
    subject.hold("a", 1).await;
    for end in [Op::Keep(Keep::DeleteAllPeers), Op::Delete] {
        subject.put((1..=10).map(peer)).await;
        let listing =
            subject.engine.list_peers(&name("a"), bearer(1), PeerFilter::default()).await.expect("begun");
        subject.commit(write("a", 1, end)).await.expect("deleted");
        assert!(matches!(subject.rest(Some(listing)).await, Err(Error::Limit(_))));
    }
    subject.put((1..=10).map(peer)).await;
    let listing =
        subject.engine.list_peers(&name("a"), bearer(1), PeerFilter::default()).await.expect("begun");
    subject.commit(write("a", 1, Op::Release)).await.expect("released");
    assert!(matches!(subject.rest(Some(listing)).await, Err(Error::Fenced)));
}

/// What holds for every engine.
macro_rules! engine {
    ($engine:ident) => {
        rules! { $engine:
            peers_are_listed_by_id_and_by_what_is_asked_of_them,
            a_listing_tells_what_was_when_it_began,
            a_listing_takes_no_more_memory_however_large_the_peers,
            a_listing_of_what_is_deleted_ends_as_does_one_without_its_hold,
        }
    };
}

engine!(memory);
engine!(sqlite);
