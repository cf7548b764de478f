use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest},
    sample::select,
};

use super::{PIECE, Peers};
use crate::{Peer, PeerKind};

fn peer(id: i64) -> Peer {
    Peer { id, ..Peer::default() }
}

/// A peer of any field's any value.
fn any_peer() -> impl Strategy<Value = Peer> {
    let kinds = [
        PeerKind::User,
        PeerKind::Group,
        PeerKind::Channel,
        PeerKind::Supergroup,
        PeerKind::Gigagroup,
        PeerKind::Forum,
        PeerKind::Direct,
        PeerKind::Community,
        PeerKind::ChannelUnknown,
    ];
    let flag = || option::of(any::<bool>());
    let numbers = (any::<i64>(), option::of(any::<i64>()), option::of(any::<i64>()));
    let flags = (option::of(select(kinds.to_vec())), flag(), flag(), flag());
    let texts = (
        option::of(vec(".{0,9}", 0..4)),
        option::of(".{0,9}"),
        option::of(".{0,200}"),
        btree_map(".{0,9}", vec(any::<u8>(), 0..300), 0..3),
    );
    (numbers, flags, texts).prop_map(|(numbers, flags, texts)| {
        let ((id, access_hash, seen), (kind, bot, is_self, min)) = (numbers, flags);
        let (usernames, phone, name, extra) = texts;
        Peer { id, access_hash, kind, bot, is_self, min, usernames, phone, name, seen, extra }
    })
}

proptest! {
    #[test]
    fn peers_come_out_as_they_went_in_sorted_and_the_last_of_each_id(given in vec(any_peer(), 0..40)) {
        let mut sorted: Vec<Peer> = given.clone();
        sorted.sort_by_key(|peer| peer.id);
        let peers: Peers = given.into_iter().collect();
        prop_assert_eq!(peers.len(), sorted.len());
        prop_assert!(peers.iter().eq(sorted.clone()));
        for peer in &sorted {
            prop_assert_eq!(peers.find(peer.id), Some(peer.clone()));
        }
        let again: Peers = sorted.iter().cloned().collect();
        prop_assert!(peers == again, "whatever order they came in");
        prop_assert!(peers.into_iter().eq(sorted));
    }
}

#[test]
fn of_several_with_the_same_id_the_last_one_stays() {
    let named = |id, name: &str| Peer { name: Some(name.into()), ..peer(id) };
    let peers: Peers = [named(2, "a"), named(1, "b"), named(2, "c"), named(1, "d")].into_iter().collect();
    assert!(peers.iter().eq([named(1, "d"), named(2, "c")]));
    assert_eq!((peers.find(0), peers.find(3)), (None, None));
}

#[test]
fn a_peer_takes_no_more_than_its_row_and_pieces_are_full() {
    let count = 100_000;
    let met = |id| Peer {
        access_hash: Some(i64::MIN + id),
        kind: Some(PeerKind::User),
        bot: Some(false),
        seen: Some(0),
        ..peer(5_000_000_000 + id)
    };
    let peers: Peers = (0..count).map(met).collect();
    assert_eq!(peers.len() as i64, count);
    assert!(peers.bytes() <= 17 * peers.len(), "{}", peers.bytes());
    let large = Peer { name: Some("x".repeat(2 * PIECE)), ..peer(1) };
    let peers: Peers = [peer(0), large.clone(), peer(2)].into_iter().collect();
    assert!(peers.iter().eq([peer(0), large, peer(2)]));
}
