use super::{Peer, PeerKind};

fn full() -> Peer {
    Peer {
        id: 5,
        access_hash: Some(1),
        kind: Some(PeerKind::User),
        min: Some(false),
        usernames: Some(vec!["anna".into()]),
        phone: Some("1".into()),
        name: Some("Anna".into()),
        seen: Some(1_000),
        extra: [("a.b".into(), vec![1]), ("c.d".into(), vec![2])].into(),
        ..Peer::default()
    }
}

fn seen(seen: i64) -> Peer {
    Peer { id: 5, seen: Some(seen), ..Peer::default() }
}

#[test]
fn what_is_absent_keeps_what_is_known() {
    let mut peer = full();
    assert!(!peer.merge(Peer { id: 5, ..Peer::default() }));
    assert!(peer == full());
    assert!(!peer.merge(full()), "nor does the same again change anything");
}

#[test]
fn what_is_empty_forgets_what_is_known_once() {
    let nothing = || Peer {
        usernames: Some(Vec::new()),
        phone: Some(String::new()),
        name: Some(String::new()),
        extra: [("a.b".into(), Vec::new())].into(),
        ..Peer { id: 5, ..Peer::default() }
    };
    let mut peer = full();
    assert!(peer.merge(nothing()));
    assert!(peer.usernames.is_none() && peer.phone.is_none() && peer.name.is_none());
    assert_eq!(peer.extra.keys().collect::<Vec<_>>(), ["c.d"]);
    assert!(!peer.merge(nothing()));
    assert!(Peer::new(nothing()) == Peer { id: 5, ..Peer::default() });
}

#[test]
fn an_access_hash_of_zero_is_one() {
    let mut peer = full();
    assert!(peer.merge(Peer { id: 5, access_hash: Some(0), ..Peer::default() }));
    assert_eq!(peer.access_hash, Some(0));
}

#[test]
fn what_was_met_as_min_never_changes_what_is_known_in_full() {
    let min = Peer {
        access_hash: Some(9),
        min: Some(true),
        usernames: Some(Vec::new()),
        phone: Some("9".into()),
        name: Some("A.".into()),
        extra: [("a.b".into(), Vec::new())].into(),
        ..Peer { id: 5, ..Peer::default() }
    };
    for known in [full(), Peer { min: None, ..full() }] {
        let mut peer = known.clone();
        assert!(!peer.merge(min.clone()));
        assert!(peer == known);
        assert!(peer.merge(Peer { bot: Some(true), ..min.clone() }), "what is no name is taken");
        assert!(peer == Peer { bot: Some(true), ..known });
    }
    let mut first = Peer::new(min);
    assert_eq!((first.access_hash, first.name.as_deref(), first.min), (Some(9), Some("A."), Some(true)));
    assert!(first.merge(full()));
    assert!(first == full());
}

#[test]
fn seen_alone_is_a_change_once_it_is_ten_minutes_newer_and_never_goes_back() {
    let mut peer = full();
    assert!(!peer.merge(seen(1_599)) && !peer.merge(seen(5)));
    assert_eq!(peer.seen, Some(1_000));
    assert!(peer.merge(seen(1_600)));
    assert_eq!(peer.seen, Some(1_600));
    assert!(peer.merge(Peer { name: Some("B".into()), ..seen(1_601) }));
    assert_eq!(peer.seen, Some(1_601), "it goes along with what is new");
    assert!(peer.merge(Peer { name: Some("C".into()), ..seen(7) }));
    assert_eq!(peer.seen, Some(1_601));
}

#[test]
fn a_marked_id_tells_what_it_is() {
    let channel = Peer { id: Peer::channel(7), ..Peer::default() };
    assert_eq!((channel.id, channel.bare_id()), (-1_000_000_000_007, 7));
    assert_eq!(Peer::kind_of(channel.id), PeerKind::ChannelUnknown);
    assert_eq!(Peer::kind_of(-7), PeerKind::Group);
    assert_eq!(Peer::kind_of(7), PeerKind::User);
}
