//! grammers: the SQLite file, with the `SqliteSession` of grammers-session 0.11.
//!
//!     grammers write|read grammers PATH

use grammers_session::{
    Session as _,
    storages::SqliteSession,
    types::{
        ChannelKind, ChannelState, DcOption, PeerAuth, PeerId, PeerInfo, PeerKind, UpdateState, UpdatesState,
    },
};
use sessiond_formats::{
    Channel, Contents, DataCenter, Fault, Peer, Session, State, Task, User, arguments, from_hex, say,
    socket_v6, text_v6, to_hex,
};

/// Data centers are looked for among these ids: the library does not list them.
const DCS: std::ops::Range<i32> = 1..1000;

fn main() -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    match arguments()? {
        (_, Task::Write(contents), path) => runtime.block_on(write(&path, contents)),
        (_, Task::Read, path) => say(&runtime.block_on(read(&path))?),
    }
}

async fn write(path: &str, contents: Contents) -> Result<(), Fault> {
    let file = SqliteSession::open(path).await?;
    let Contents { session, peers } = contents;
    file.set_home_dc_id(session.home_dc).await?;
    for dc in session.dcs {
        let ipv4 = dc.ipv4_addr.ok_or("grammers wants an IPv4 address")?.parse()?;
        let ipv6 = socket_v6(&dc.ipv6_addr.ok_or("grammers wants an IPv6 address")?)?;
        let auth_key = dc.auth.map(|auth| from_hex(&auth)).transpose()?;
        file.set_dc_option(&DcOption { id: dc.id, ipv4, ipv6, auth_key }).await?;
    }
    for peer in peers {
        file.cache_peer(info(&peer)?).await?;
    }
    if let Some(State { pts, qts, date, seq, channels }) = session.state {
        let channels: Result<_, Fault> = channels
            .into_iter()
            .map(|Channel { id, pts }| Ok(ChannelState { id: id.parse()?, pts }))
            .collect();
        let state = UpdatesState { pts, qts, date, seq, channels: channels? };
        file.set_update_state(UpdateState::All(state)).await?;
    }
    Ok(())
}

fn info(peer: &Peer) -> Result<PeerInfo, Fault> {
    let id = PeerId::from_bot_api_dialog_id(peer.id.parse()?).ok_or("no such peer")?;
    let bare = id.bare_id().ok_or("no such peer")?;
    let auth = peer.access_hash.as_deref().map(str::parse).transpose()?.map(PeerAuth::from_hash);
    Ok(match id.kind() {
        PeerKind::User => PeerInfo::User { id: bare, auth, bot: peer.bot, is_self: peer.is_self },
        PeerKind::Chat => PeerInfo::Chat { id: bare },
        PeerKind::Channel => {
            let kind = match peer.kind.as_deref() {
                Some("channel") => Some(ChannelKind::Broadcast),
                Some("supergroup") => Some(ChannelKind::Megagroup),
                Some("gigagroup") => Some(ChannelKind::Gigagroup),
                _ => None,
            };
            PeerInfo::Channel { id: bare, auth, kind }
        }
    })
}

async fn read(path: &str) -> Result<Contents, Fault> {
    let file = SqliteSession::open(path).await?;
    let home_dc = file.home_dc_id()?;
    let mut dcs = Vec::new();
    for id in DCS {
        if let Some(DcOption { id, ipv4, ipv6, auth_key: Some(key) }) = file.dc_option(id)? {
            let (ipv4_addr, ipv6_addr) = (Some(ipv4.to_string()), Some(text_v6(&ipv6)));
            dcs.push(DataCenter { id, ipv4_addr, ipv6_addr, auth: Some(to_hex(&key)) });
        }
    }
    let user = match file.peer(PeerId::self_user()).await? {
        Some(PeerInfo::User { id, bot, .. }) => {
            Some(User { id: id.to_string(), dc: home_dc, bot: bot.unwrap_or_default() })
        }
        _ => None,
    };
    let state = file.updates_state().await?;
    // The library answers zeros where there is no state.
    let state = (state != UpdatesState::default()).then(|| state_of(state));
    let mut peers = Vec::new();
    for id in ids(path).await? {
        let info = file.peer(PeerId::from_bot_api_dialog_id(id).ok_or("no such peer")?).await?;
        peers.push(peer(id, &info.ok_or("grammers does not find a peer of its own")?));
    }
    Ok(Contents { session: Session { dcs, home_dc, user, state }, peers })
}

fn state_of(state: UpdatesState) -> State {
    let UpdatesState { pts, qts, date, seq, channels } = state;
    let channels =
        channels.into_iter().map(|ChannelState { id, pts }| Channel { id: id.to_string(), pts }).collect();
    State { pts, qts, date, seq, channels }
}

fn peer(id: i64, info: &PeerInfo) -> Peer {
    let access_hash = info.auth().map(|auth| auth.hash().to_string());
    let id = id.to_string();
    match info {
        PeerInfo::User { bot, is_self, .. } => {
            Peer { id, access_hash, kind: Some("user".into()), bot: *bot, is_self: *is_self }
        }
        PeerInfo::Chat { .. } => {
            Peer { id, access_hash: None, kind: Some("group".into()), ..Peer::default() }
        }
        PeerInfo::Channel { kind, .. } => {
            let kind = match kind {
                Some(ChannelKind::Broadcast) => "channel",
                Some(ChannelKind::Megagroup) => "supergroup",
                Some(ChannelKind::Gigagroup) => "gigagroup",
                Some(ChannelKind::Community) => "community",
                None => "channel_unknown",
            };
            Peer { id, access_hash, kind: Some(kind.into()), ..Peer::default() }
        }
    }
}

/// Which peers the file has.
async fn ids(path: &str) -> Result<Vec<i64>, Fault> {
    let connection = libsql::Builder::new_local(path).build().await?.connect()?;
    let mut rows = connection.query("select peer_id from peer_info order by peer_id", ()).await?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next().await? {
        ids.push(row.get(0)?);
    }
    Ok(ids)
}
