//! What a format has a place for, and what of a session is lost where it has none. Known addresses are no loss, since every
//! library knows them itself, nor is what a session says by default: that it is of no test server, that a peer is no bot.

use std::net::{IpAddr, SocketAddr};

use super::{Format, Wanting, account::Account, dc_table};
use crate::{Attribute, Contents, DataCenter, Peer, PeerKind, User};

/// What a format has a place for.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Which data centers.
    pub(super) dcs: Dcs,
    /// Which of their addresses.
    pub(super) addresses: Addresses,
    /// Whether they are test servers, beyond what their addresses tell.
    pub(super) test_mode: bool,
    /// Who is logged in, and whether that is a bot.
    pub(super) user: bool,
    /// Whether that is a bot.
    pub(super) bot: bool,
    /// The user's username.
    pub(super) username: Username,
    /// The counters of the common and the secondary message box.
    pub(super) counters: bool,
    /// The counters of channels.
    pub(super) channels: bool,
    /// Peers.
    pub(super) peers: Option<PeerPlace>,
    /// Whether it has a place for an attribute.
    pub(super) attribute: fn(&Attribute) -> bool,
}

/// Which data centers a format has a place for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dcs {
    /// The home one, its key and its addresses.
    Home,
    /// The home one's key, and addresses of all.
    EveryAddress,
    /// Keys of all, and the home one's addresses.
    EveryKey,
    /// All.
    Every,
}

/// Which addresses of a data center a format has a place for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Addresses {
    None,
    One,
    Both,
    /// Both, and what is missing is completed from the table.
    Completed,
}

/// Where a format has the user's username.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Username {
    Nowhere,
    /// As that of the user's own peer, if that one is there.
    WithPeer,
    WithUser,
}

/// What of a peer a format has a place for, beside its id and access hash.
#[derive(Clone, Copy)]
pub(super) struct PeerPlace {
    /// Whether the library itself would keep such a peer.
    pub(super) fits: fn(&Peer) -> bool,
    /// Whether it would keep one that is only `min`, and so has no usable access hash.
    pub(super) min: bool,
    /// Whether this kind is told from others.
    pub(super) kind: fn(PeerKind) -> bool,
    /// Whether it is a bot.
    pub(super) bot: bool,
    /// How many usernames.
    pub(super) usernames: usize,
    /// Its phone number.
    pub(super) phone: bool,
    /// Its name.
    pub(super) name: bool,
    /// When it was seen.
    pub(super) seen: bool,
    /// Which of what single libraries keep.
    pub(super) extra: fn(&str) -> bool,
}

/// Of no peer.
pub(super) const NO_PEERS: Option<PeerPlace> = None;

/// For no attribute.
pub(super) fn no_attribute(_: &Attribute) -> bool {
    false
}

/// Whether an attribute is the one of a key that is a number other than 0.
pub(super) fn is_number(attribute: &Attribute, key: &str) -> bool {
    attribute.key == key && attribute.value.len() == 8 && attribute.value.iter().any(|byte| *byte != 0)
}

/// Whether a peer is addressed by an access hash that is there, or needs none.
pub(super) fn has_hash(peer: &Peer) -> bool {
    peer.access_hash.is_some() || is_group(peer)
}

/// Whether a peer is a basic group, which has no access hash.
pub(super) fn is_group(peer: &Peer) -> bool {
    Peer::kind_of(peer.id) == PeerKind::Group
}

/// Usernames of a peer, the primary one first. The user's own comes first for the user's own peer.
pub(super) fn usernames<'a>(peer: &'a Peer, user: Option<&'a User>) -> Vec<&'a str> {
    let own = user.filter(|user| user.id == peer.id).and_then(|user| user.username.as_deref());
    let mut all: Vec<&str> = Vec::new();
    for name in own.into_iter().chain(peer.usernames.iter().flatten().map(String::as_str)) {
        if !name.is_empty() && !all.iter().any(|there| there.to_lowercase() == name.to_lowercase()) {
            all.push(name);
        }
    }
    all
}

/// What is lost in a format with this place, a sentence each.
pub(super) fn losses(contents: &Contents, place: &Place) -> Vec<String> {
    let mut losses = Vec::new();
    of_dcs(contents, place, &mut losses);
    of_user(contents, place, &mut losses);
    of_state(contents, place, &mut losses);
    match &place.peers {
        Some(peers) => of_peers(contents, peers, &mut losses),
        None => add(&mut losses, contents.peers.len(), "peer", "the format has no place for peers"),
    }
    let attributes = contents.attributes.iter().filter(|attribute| !(place.attribute)(attribute));
    let keys: Vec<_> = attributes.map(|attribute| attribute.key.as_str()).collect();
    if let Some((first, more)) = keys.split_first() {
        losses.push(match more.len() {
            0 => format!("the attribute {first}: the format has no place for it"),
            more => format!("{} attributes, {first} among them: the format has no place for them", more + 1),
        });
    }
    losses
}

fn of_dcs(contents: &Contents, place: &Place, losses: &mut Vec<String>) {
    let session = &contents.session;
    let home = session.home_dc_id();
    let test = dc_table::test_mode(session);
    let (homes, others): (Vec<_>, Vec<_>) = session.dcs.iter().partition(|dc| dc.id == home);
    if !matches!(place.dcs, Dcs::Every | Dcs::EveryKey) {
        let keys = others.iter().filter(|dc| dc.auth.is_present()).count();
        add(losses, keys, "key", "of other data centers than the home one");
    }
    let with_place = if matches!(place.dcs, Dcs::Every | Dcs::EveryAddress) {
        session.dcs.iter().collect()
    } else {
        let addresses = others.iter().map(|dc| own_addresses(dc, test).len()).sum();
        add(losses, addresses, "address", "of other data centers than the home one");
        homes
    };
    let dropped = with_place.iter().map(|dc| {
        let own = own_addresses(dc, test);
        match place.addresses {
            Addresses::None => own.len(),
            Addresses::One => own.len().saturating_sub(1),
            Addresses::Both | Addresses::Completed => 0,
        }
    });
    add(losses, dropped.sum(), "address", "of data centers that no library knows by itself");
    if test && !place.test_mode && !addresses_tell(contents, place.addresses) {
        losses.push("that its data centers are test servers: tell the library so yourself".into());
    }
}

/// Whether the addresses that are written tell that they are test servers'.
fn addresses_tell(contents: &Contents, addresses: Addresses) -> bool {
    let session = &contents.session;
    let id = session.home_dc_id();
    let none = || DataCenter { id, ..DataCenter::default() };
    let written = match addresses {
        Addresses::None => none(),
        Addresses::One => {
            let (ip, port) = Account::of(contents, &Wanting::default(), Format::TelethonV1).address().unzip();
            let address = ip.zip(port).map(SocketAddr::from);
            let ipv4_addr = address.and_then(|address| match address {
                SocketAddr::V4(address) => Some(address),
                SocketAddr::V6(_) => None,
            });
            let ipv6_addr = address.and_then(|address| match address {
                SocketAddr::V4(_) => None,
                SocketAddr::V6(address) => Some(address),
            });
            DataCenter { ipv4_addr, ipv6_addr, ..none() }
        }
        Addresses::Both | Addresses::Completed => match session.dc(id).cloned() {
            None => none(),
            Some(mut dc) if addresses == Addresses::Both => {
                dc_table::fill(&mut dc, true);
                dc
            }
            Some(mut dc) => {
                dc_table::complete(&mut dc, true);
                dc
            }
        },
    };
    dc_table::is_test(&written)
}

/// The addresses of a data center that no library knows by itself.
pub(super) fn own_addresses(dc: &DataCenter, test: bool) -> Vec<(IpAddr, u16)> {
    let ipv4 = dc.ipv4_addr.map(|address| (IpAddr::from(*address.ip()), address.port()));
    let ipv6 = dc.ipv6_addr.map(|address| (IpAddr::from(*address.ip()), address.port()));
    let all = [ipv4, ipv6].into_iter().flatten();
    all.filter(|(ip, port)| !dc_table::knows(dc.id, test, *ip, *port)).collect()
}

fn of_user(contents: &Contents, place: &Place, losses: &mut Vec<String>) {
    let Some(user) = &contents.session.user else { return };
    if !place.user {
        losses.push("who is logged in: the library asks Telegram".into());
    } else if !place.bot && user.bot.is_some() {
        losses.push("whether the user is a bot: the library asks Telegram".into());
    }
    let kept = match (place.username, &place.peers) {
        (Username::WithUser, _) => true,
        (Username::WithPeer, Some(peers)) => {
            let own = contents.peers.find(user.id);
            own.is_some_and(|own| fits(&own, peers))
        }
        (Username::WithPeer, None) | (Username::Nowhere, _) => false,
    };
    if !kept && user.username.is_some() {
        losses.push("the user's own username".into());
    }
}

fn of_state(contents: &Contents, place: &Place, losses: &mut Vec<String>) {
    let Some(state) = &contents.session.state else { return };
    let counters = [i64::from(state.pts), i64::from(state.qts), state.date, i64::from(state.seq)];
    if !place.counters && counters != [0; 4] {
        losses.push("which updates were seen: the library begins anew with those that come".into());
    }
    if !place.channels {
        add(losses, state.channels.len(), "update state", "of channels");
    }
}

fn of_peers(contents: &Contents, place: &PeerPlace, losses: &mut Vec<String>) {
    let user = contents.session.user.as_ref();
    let mut lost = [0; 9];
    for peer in contents.peers.iter() {
        if !fits(&peer, place) {
            lost[0] += 1;
            continue;
        }
        let names = usernames(&peer, user).len();
        let is_own = user.is_some_and(|user| user.id == peer.id);
        let fields = [
            peer.kind.is_some_and(|kind| kind != Peer::kind_of(peer.id) && !(place.kind)(kind)),
            !place.bot && peer.bot == Some(true),
            place.usernames == 0 && peer.usernames.iter().flatten().any(|name| !name.is_empty()),
            place.usernames > 0 && names > place.usernames,
            !place.phone && peer.phone.as_ref().is_some_and(|phone| !phone.is_empty()),
            !place.name && peer.name.as_ref().is_some_and(|name| !name.is_empty()),
            !place.seen && peer.seen.is_some_and(|seen| seen != 0),
            peer.extra.keys().any(|key| !(place.extra)(key)) || (peer.is_self == Some(true) && !is_own),
        ];
        for (lost, field) in lost[1..].iter_mut().zip(fields) {
            *lost += usize::from(field);
        }
    }
    let [whole, kind, bot, every_name, other_names, phone, name, seen, rest] = lost;
    add(losses, whole, "peer", "without a usable access hash, which the library would not keep");
    add(losses, kind, "peer", "are of a kind that it does not tell from others");
    add(losses, bot, "peer", "are bots, which it does not tell");
    add(losses, every_name, "peer", "have usernames, for which it has no place");
    add(losses, other_names, "peer", "have usernames beside the primary one");
    add(losses, phone, "peer", "have phone numbers, for which it has no place");
    add(losses, name, "peer", "have names, for which it has no place");
    add(losses, seen, "peer", "were seen at times for which it has no place");
    add(losses, rest, "peer", "have what only another library keeps of them");
}

/// Whether a format keeps a peer.
pub(super) fn fits(peer: &Peer, place: &PeerPlace) -> bool {
    (place.min || peer.min != Some(true)) && peer.id != 0 && (place.fits)(peer)
}

/// Says how many of something are lost, if any are.
fn add(losses: &mut Vec<String>, count: usize, noun: &str, which: &str) {
    match (count, noun) {
        (0, _) => {}
        (1, _) => losses.push(format!("1 {noun}: {which}")),
        (_, "address") => losses.push(format!("{count} addresses: {which}")),
        _ => losses.push(format!("{count} {noun}s: {which}")),
    }
}
