//! grammers' types as the session's, and back. It marks ids of peers as the session does, and has bare ones for the states of
//! channels, also as the session does.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6},
};

use grammers_session::types as grammers;
use sessiond_session::{
    Auth, AuthKey, ChannelState, DataCenter, Peer, PeerKind, StateChange, UpdateState, User,
};

/// A data center as grammers connects to it, which has an address of each family: one that is not known is unspecified, and an
/// IPv6 address is made of the IPv4 one, as grammers itself does it.
pub(super) fn dc_option(dc: &DataCenter) -> grammers::DcOption {
    let DataCenter { id, ipv4_addr, ipv6_addr, auth } = dc;
    let ipv4 = ipv4_addr.unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
    let ipv6 =
        ipv6_addr.or(ipv4_addr.map(mapped)).unwrap_or(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));
    grammers::DcOption { id: *id, ipv4, ipv6, auth_key: auth.key().map(|key| *key.expose()) }
}

/// The same the other way round: an address that says nothing is none, and no key says that there is nothing new of it.
pub(super) fn data_center(option: &grammers::DcOption) -> DataCenter {
    let grammers::DcOption { id, ipv4, ipv6, auth_key } = option;
    let key = auth_key.map(|key| AuthKey::try_from(key.as_slice()).expect("it has the size of a key"));
    DataCenter {
        id: *id,
        ipv4_addr: Some(*ipv4).filter(|address| !address.ip().is_unspecified()),
        ipv6_addr: Some(*ipv6).filter(|address| !address.ip().is_unspecified() && *address != mapped(*ipv4)),
        auth: key.map_or(Auth::Absent, Auth::Key),
    }
}

pub(super) fn updates_state(state: Option<&UpdateState>) -> grammers::UpdatesState {
    let Some(UpdateState { pts, qts, date, seq, channels }) = state else {
        return grammers::UpdatesState::default();
    };
    let channels =
        channels.iter().map(|ChannelState { id, pts }| grammers::ChannelState { id: *id, pts: *pts });
    grammers::UpdatesState {
        pts: *pts,
        qts: *qts,
        date: i32::try_from(*date).unwrap_or(i32::MAX),
        seq: *seq,
        channels: channels.collect(),
    }
}

/// What an update of the state sets, and which of the channels that are known it forgets.
pub(super) fn state_change(update: grammers::UpdateState, known: Option<&UpdateState>) -> StateChange {
    match update {
        grammers::UpdateState::Primary { pts, date, seq } => {
            StateChange { pts: Some(pts), date: Some(date.into()), seq: Some(seq), ..StateChange::default() }
        }
        grammers::UpdateState::Secondary { qts } => StateChange { qts: Some(qts), ..StateChange::default() },
        grammers::UpdateState::Channel { id, pts } => {
            StateChange { channels: vec![ChannelState { id, pts }], ..StateChange::default() }
        }
        grammers::UpdateState::All(all) => whole_state(all, known),
    }
}

/// A stream of updates that has seen none tells no pts, a date of 1 and no channels, which says nothing of what is known. Any
/// other has the whole state: the channels that it leaves out are not followed any more.
fn whole_state(all: grammers::UpdatesState, known: Option<&UpdateState>) -> StateChange {
    let grammers::UpdatesState { pts, qts, date, seq, channels } = all;
    let is_whole = pts > 0;
    let followed: HashSet<i64> = channels.iter().map(|channel| channel.id).collect();
    let known = known.map_or(&[][..], |state| &state.channels);
    let removed = known.iter().map(|channel| channel.id).filter(|id| is_whole && !followed.contains(id));
    StateChange {
        pts: Some(pts),
        qts: Some(qts),
        date: is_whole.then_some(date.into()),
        seq: is_whole.then_some(seq),
        channels: channels
            .into_iter()
            .map(|channel| ChannelState { id: channel.id, pts: channel.pts })
            .collect(),
        removed_channels: removed.collect(),
    }
}

pub(super) fn peer(info: &grammers::PeerInfo) -> Peer {
    let hash = |auth: Option<grammers::PeerAuth>| auth.map(grammers::PeerAuth::hash);
    match *info {
        grammers::PeerInfo::User { id, auth, bot, is_self } => {
            Peer { id, access_hash: hash(auth), kind: Some(PeerKind::User), bot, is_self, ..Peer::default() }
        }
        grammers::PeerInfo::Chat { id } => {
            Peer { id: -id, access_hash: Some(0), kind: Some(PeerKind::Group), ..Peer::default() }
        }
        grammers::PeerInfo::Channel { id, auth, kind } => Peer {
            id: Peer::channel(id),
            access_hash: hash(auth),
            kind: Some(match kind {
                Some(grammers::ChannelKind::Broadcast) => PeerKind::Channel,
                Some(grammers::ChannelKind::Megagroup) => PeerKind::Supergroup,
                Some(grammers::ChannelKind::Gigagroup) => PeerKind::Gigagroup,
                Some(grammers::ChannelKind::Community) => PeerKind::Community,
                None => PeerKind::ChannelUnknown,
            }),
            ..Peer::default()
        },
    }
}

/// What is known of a peer. `user` is who is logged in, if it is that peer: he is known even if he was never met.
pub(super) fn peer_info(peer: Option<Peer>, user: Option<&User>) -> Option<grammers::PeerInfo> {
    let peer = peer.or_else(|| user.map(|user| Peer { id: user.id, ..Peer::default() }))?;
    // What was only seen through another gives no access.
    let hash = peer.access_hash.filter(|_| peer.min != Some(true));
    let (id, auth) = (peer.bare_id(), hash.map(grammers::PeerAuth::from_hash));
    Some(match Peer::kind_of(peer.id) {
        PeerKind::User => grammers::PeerInfo::User {
            id,
            auth,
            bot: user.and_then(|user| user.bot).or(peer.bot),
            is_self: if user.is_some() { Some(true) } else { peer.is_self },
        },
        PeerKind::Group => grammers::PeerInfo::Chat { id },
        _ => grammers::PeerInfo::Channel { id, auth, kind: peer.kind.and_then(channel_kind) },
    })
}

fn channel_kind(kind: PeerKind) -> Option<grammers::ChannelKind> {
    match kind {
        PeerKind::Channel | PeerKind::Direct => Some(grammers::ChannelKind::Broadcast),
        PeerKind::Supergroup | PeerKind::Forum => Some(grammers::ChannelKind::Megagroup),
        PeerKind::Gigagroup => Some(grammers::ChannelKind::Gigagroup),
        PeerKind::Community => Some(grammers::ChannelKind::Community),
        PeerKind::User | PeerKind::Group | PeerKind::ChannelUnknown => None,
    }
}

fn mapped(ipv4: SocketAddrV4) -> SocketAddrV6 {
    SocketAddrV6::new(ipv4.ip().to_ipv6_mapped(), ipv4.port(), 0, 0)
}
