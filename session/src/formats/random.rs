//! Random sessions with everything that any format keeps, and when one has all that another has. Tests of formats share it.

use std::collections::BTreeMap;

use proptest::{
    collection, option,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::select,
    strategy::BoxedStrategy,
};

use super::{dc_table, place};
use crate::{
    Attribute, Auth, AuthKey, ChannelState, Contents, DataCenter, Peer, PeerKind, Session, UpdateState, User,
};

/// A key of one byte, over and over.
pub(super) fn key(byte: u8) -> AuthKey {
    AuthKey::try_from([byte; AuthKey::LEN].as_slice()).expect("256 bytes")
}

/// A session with something of everything.
pub(crate) fn rich() -> Contents {
    let dc = |id| DataCenter { id, auth: Auth::Key(key(id as u8)), ..DataCenter::default() };
    let mut home = dc(2);
    home.ipv4_addr = "149.154.167.51:443".parse().ok();
    let own = Peer { access_hash: Some(-8), ..user_peer(7, "alice") };
    let channel = Peer {
        id: Peer::channel(1234),
        access_hash: Some(i64::MIN),
        kind: Some(PeerKind::Supergroup),
        seen: Some(1_700_000_000),
        ..Peer::default()
    };
    let group = Peer { id: -55, access_hash: Some(0), kind: Some(PeerKind::Group), ..Peer::default() };
    let channels = vec![ChannelState { id: 1234, pts: 99 }];
    let state = UpdateState { pts: 10, qts: 20, date: 1_700_000_000, seq: 40, channels };
    Contents {
        session: Session {
            dcs: vec![home, dc(4)],
            user: Some(User { id: 7, dc: 2, bot: Some(true), username: Some("alice".into()) }),
            state: Some(state),
            home_dc: Some(2),
            test_mode: None,
        },
        peers: [channel, group, own].into_iter().collect(),
        attributes: vec![
            Attribute::number("api_id", 12_345),
            Attribute::number("created", 1_600_000_000),
            Attribute::number("takeout_id", 77),
        ],
    }
}

/// A session with one of its peers changed.
pub(crate) fn with_changed(mut contents: Contents, id: i64, change: impl Fn(&mut Peer)) -> Contents {
    let changed = contents.peers.iter().map(|mut peer| {
        if peer.id == id {
            change(&mut peer);
        }
        peer
    });
    contents.peers = changed.collect();
    contents
}

fn user_peer(id: i64, username: &str) -> Peer {
    Peer {
        id,
        kind: Some(PeerKind::User),
        usernames: Some(vec![username.into()]),
        phone: Some("34600123456".into()),
        name: Some("Alice".into()),
        seen: Some(1_700_000_000),
        ..Peer::default()
    }
}

/// Any session.
pub(super) fn contents() -> impl Strategy<Value = Contents> {
    let ids = || prop_oneof![Just(1), Just(2), Just(3), Just(4), Just(5), Just(203), Just(7)];
    let dcs = collection::btree_map(ids(), any_dc(), 0..4);
    let bot = option::of(any::<bool>());
    let user = option::weighted(0.8, (1..4_i64, bot, option::of("[a-zA-Z]{3,8}")));
    let test = option::of(any::<bool>());
    (dcs, ids(), user, test, option::of(state()), peers(), attributes()).prop_map(
        |(dcs, home, user, test_mode, state, peers, attributes)| {
            let dcs = dcs.into_iter().map(|(id, dc)| DataCenter { id, ..dc }).collect();
            let user = user.map(|(id, bot, username)| User { id, dc: home, bot, username });
            let session = Session { dcs, user, state, home_dc: Some(home), test_mode };
            Contents { session, peers: peers.into_iter().collect(), attributes }
        },
    )
}

fn any_dc() -> impl Strategy<Value = DataCenter> {
    let known4 = select(vec!["149.154.167.51:443", "149.154.167.40:80", "91.108.56.130:443", "9.8.7.6:1234"]);
    let known6 = select(vec!["[2001:67c:4e8:f002::a]:443", "[2001:67c:4e8:f002::e]:443", "[2001:db8::7]:9"]);
    let auth = option::weighted(0.8, 1..=255_u8);
    (option::of(known4), option::of(known6), auth).prop_map(|(ipv4, ipv6, auth)| DataCenter {
        id: 0,
        ipv4_addr: ipv4.and_then(|text| text.parse().ok()),
        ipv6_addr: ipv6.and_then(|text| text.parse().ok()),
        auth: auth.map_or(Auth::Absent, |byte| Auth::Key(key(byte))),
    })
}

fn state() -> impl Strategy<Value = UpdateState> {
    let counter = || prop_oneof![Just(0), 0..=i32::MAX];
    let date = prop_oneof![Just(0), 1..i64::from(i32::MAX)];
    let channels = collection::btree_map(1..999_999_999_999_i64, 0..=i32::MAX, 0..4);
    (counter(), counter(), date, counter(), channels).prop_map(|(pts, qts, date, seq, channels)| {
        let channels = channels.into_iter().map(|(id, pts)| ChannelState { id, pts }).collect();
        UpdateState { pts, qts, date, seq, channels }
    })
}

fn peers() -> impl Strategy<Value = Vec<Peer>> {
    let ids = prop_oneof![1..4_i64, 1..1_i64 << 39, -9..0_i64, (1..99_i64).prop_map(Peer::channel)];
    collection::btree_map(ids, any_peer(), 0..5).prop_map(|peers: BTreeMap<i64, Peer>| {
        let with_id = |(at, (id, peer)): (usize, (i64, Peer))| {
            // Usernames belong to one peer each.
            let unique = |name: String| format!("{name}{at}");
            let usernames = peer.usernames.map(|names| names.into_iter().map(unique).collect());
            let told = Peer::kind_of(id);
            let kind = peer.kind.map(|kind| if told == PeerKind::ChannelUnknown { kind } else { told });
            let bot = peer.bot.filter(|_| told == PeerKind::User);
            Peer { id, usernames, kind, bot, ..peer }
        };
        peers.into_iter().enumerate().map(with_id).collect()
    })
}

fn any_peer() -> BoxedStrategy<Peer> {
    let kind = select(vec![
        PeerKind::Channel,
        PeerKind::Supergroup,
        PeerKind::Gigagroup,
        PeerKind::Forum,
        PeerKind::Direct,
        PeerKind::Community,
        PeerKind::ChannelUnknown,
    ]);
    let hash = prop_oneof![Just(None), Just(Some(0)), any::<i64>().prop_map(Some)];
    let flags = (
        option::of(any::<bool>()),
        option::weighted(0.1, any::<bool>()),
        option::weighted(0.1, any::<bool>()),
    );
    let names = option::of(collection::vec("[a-zA-Z]{1,5}", 0..3));
    let phone = option::of(prop_oneof![Just(String::new()), "[1-9][0-9]{6,11}", "0[0-9]{6}"]);
    let text = (names, phone, option::of("[ -~é]{0,5}"), option::of(0..i64::from(i32::MAX)));
    let extra = collection::btree_map("mtcute\\.[a-z]{1,3}", collection::vec(any::<u8>(), 1..3), 0..2);
    (hash, option::of(kind), flags, text, option::weighted(0.1, extra))
        .prop_map(|(access_hash, kind, (bot, is_self, min), (usernames, phone, name, seen), extra)| Peer {
            id: 0,
            access_hash,
            kind,
            bot,
            is_self,
            min,
            usernames,
            phone,
            name,
            seen,
            extra: extra.unwrap_or_default(),
        })
        .boxed()
}

fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    let number = |key: &'static str| (1..i64::from(i32::MAX)).prop_map(move |n| Attribute::number(key, n));
    let file =
        (any::<u128>(), any::<u32>(), 0..2_u8, any::<[u8; 16]>()).prop_map(|(md5, size, kind, value)| {
            let key = format!("telethon.file/{md5:032x}.{size}.{kind}");
            Attribute { key, value: value.to_vec().into(), secret: false }
        });
    let all = (
        option::of(number("api_id")),
        option::of(number("created")),
        option::of(number("takeout_id")),
        option::weighted(0.3, file),
        option::weighted(0.1, number("mtcute.kv/x")),
    );
    all.prop_map(|(api_id, created, takeout, file, other)| {
        let mut all: Vec<_> = [api_id, created, takeout, file, other].into_iter().flatten().collect();
        all.sort_by(|one, other| one.key.cmp(&other.key));
        all
    })
}

/// What of one session is not in another, in words. Nothing: all of it is. What is not known is in every session; addresses
/// that every library knows are in every session, too.
pub(super) fn missing(all: &Contents, part: &Contents) -> Vec<String> {
    let mut missing = Vec::new();
    let mut check = |is_there: bool, what: String| {
        if !is_there {
            missing.push(what);
        }
    };
    let (session, there) = (&part.session, &all.session);
    let test = dc_table::test_mode(session);
    for dc in &session.dcs {
        let found = there.dc(dc.id);
        check(
            !dc.auth.is_present() || found.is_some_and(|found| found.auth == dc.auth),
            format!("key {}", dc.id),
        );
        for address in place::own_addresses(dc, test) {
            let kept = found.is_some_and(|found| place::own_addresses(found, test).contains(&address));
            check(kept, format!("address {address:?} of {}", dc.id));
        }
    }
    check(there.home_dc_id() == session.home_dc_id(), "home".into());
    check(!test || dc_table::test_mode(there), "test".into());
    if let Some(User { id, dc: _, bot, username }) = &session.user {
        let found = there.user.as_ref().filter(|user| user.id == *id);
        check(found.is_some(), "user".into());
        check(bot.is_none() || found.is_none_or(|user| user.bot == *bot), "bot".into());
        let lower = |name: &String| name.to_lowercase();
        let name = found.and_then(|user| user.username.as_ref()).map(lower);
        check(username.is_none() || name == username.as_ref().map(lower), "username".into());
    }
    let nothing = UpdateState::default();
    let (wanted, found) =
        (session.state.as_ref().unwrap_or(&nothing), there.state.as_ref().unwrap_or(&nothing));
    check(
        (wanted.pts, wanted.qts, wanted.date, wanted.seq) == (0, 0, 0, 0)
            || (wanted.pts, wanted.qts, wanted.date, wanted.seq)
                == (found.pts, found.qts, found.date, found.seq),
        "counters".into(),
    );
    for channel in &wanted.channels {
        check(found.channel(channel.id) == Some(channel.pts), format!("channel {}", channel.id));
    }
    for peer in part.peers.iter() {
        let found = all.peers.find(peer.id);
        check(found.is_some_and(|found| has_all(&found, &peer, session)), format!("peer {}", peer.id));
    }
    for attribute in &part.attributes {
        check(all.attribute(&attribute.key) == Some(&attribute.value), attribute.key.clone());
    }
    missing
}

fn has_all(found: &Peer, peer: &Peer, session: &Session) -> bool {
    let is_own = session.user.as_ref().is_some_and(|user| user.id == peer.id);
    let names = |peer: &Peer| -> Vec<String> {
        let names = peer.usernames.iter().flatten().filter(|name| !name.is_empty());
        names.map(|name| name.to_lowercase()).collect()
    };
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let known = |wanted: &Option<String>, found: &Option<String>| {
        said(wanted).is_none() || said(wanted) == said(found)
    };
    let there = names(found);
    peer.access_hash.is_none_or(|hash| place::is_group(peer) || found.access_hash == Some(hash))
        && peer.kind.is_none_or(|kind| kind == Peer::kind_of(peer.id) || found.kind == Some(kind))
        && (peer.bot != Some(true) || found.bot == Some(true))
        && (peer.is_self != Some(true) || is_own || found.is_self == Some(true))
        && (peer.min != Some(true) || found.min == Some(true))
        && names(peer).iter().all(|name| there.contains(name))
        && known(&peer.phone, &found.phone)
        && known(&peer.name, &found.name)
        && peer.seen.is_none_or(|seen| seen == 0 || found.seen == Some(seen))
        && peer.extra.iter().all(|(key, value)| found.extra.get(key) == Some(value))
}
