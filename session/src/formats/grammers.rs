//! The SQLite file of grammers from 0.8 on, whose `user_version` is 1 (`src/storages/sqlite.rs` in grammers-session 0.11.0).
//! Peers have marked ids in it, and channels' update states bare ones. Who is logged in is the peer with bit 1 in `subtype`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use rusqlite::{Connection, params};

use super::{
    ExportError, Format, FormatError, Imported, Wanting,
    account::Account,
    column::{self, Columns},
    dc_table,
    error::shown,
    place::{self, Addresses, Dcs, PeerPlace, Place, Username},
    room::Room,
};
use crate::{
    ChannelState, Contents, DataCenter, MAX_CHANNELS, MAX_DCS, Peer, PeerKind, Session, UpdateState, User,
    sorted,
};

/// The version that is written, and the newest known.
const VERSION: i64 = 1;

/// The statements that make the tables. SQLite keeps their text in the file, so it is grammers' to the letter.
const DDL: &str = "
CREATE TABLE dc_home (
                dc_id INTEGER NOT NULL,
                PRIMARY KEY(dc_id));
CREATE TABLE dc_option (
                dc_id INTEGER NOT NULL,
                ipv4 TEXT NOT NULL,
                ipv6 TEXT NOT NULL,
                auth_key BLOB,
                PRIMARY KEY (dc_id));
CREATE TABLE peer_info (
                peer_id INTEGER NOT NULL,
                hash INTEGER,
                subtype INTEGER,
                PRIMARY KEY (peer_id));
CREATE TABLE update_state (
                pts INTEGER NOT NULL,
                qts INTEGER NOT NULL,
                date INTEGER NOT NULL,
                seq INTEGER NOT NULL);
CREATE TABLE channel_state (
                peer_id INTEGER NOT NULL,
                pts INTEGER NOT NULL,
                PRIMARY KEY (peer_id));";

/// Bits and values of `subtype`.
const SELF: i64 = 1;
const BOT: i64 = 2;
const MEGAGROUP: i64 = 4;
const BROADCAST: i64 = 8;
const GIGAGROUP: i64 = 12;
const COMMUNITY: i64 = 16;

/// Ids of users are below it: grammers has it for the user himself while the id is not known, and never keeps it.
const USERS: i64 = 1 << 40;

const PLACE: Place = Place {
    dcs: Dcs::Every,
    addresses: Addresses::Completed,
    test_mode: false,
    user: true,
    bot: true,
    username: Username::Nowhere,
    counters: true,
    channels: true,
    peers: Some(PeerPlace {
        fits: |peer| peer.id < USERS,
        min: false,
        kind: |kind| !matches!(kind, PeerKind::Forum | PeerKind::Direct),
        bot: true,
        usernames: 0,
        phone: false,
        name: false,
        seen: false,
        extra: |_| false,
    }),
    attribute: place::no_attribute,
};

/// Whether these are its tables.
pub(super) fn is_this(tables: &[String]) -> bool {
    ["dc_home", "dc_option", "peer_info"].iter().all(|name| tables.iter().any(|table| table == name))
}

/// The version as the file says.
pub(super) fn version(connection: &Connection) -> Result<i64, FormatError> {
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0));
    // It stands in the header: https://www.sqlite.org/fileformat.html#user_version_number.
    version.map_err(|source| FormatError::Sqlite { place: "byte 60, user_version".into(), source })
}

/// What is in a file.
pub(super) fn read(connection: &Connection) -> Result<Imported, FormatError> {
    let version = version(connection)?;
    let mut left_behind = Vec::new();
    if version > VERSION {
        left_behind.push(format!(
            "whatever version {version} has beyond version {VERSION}, which is the newest known here"
        ));
    }
    column::at_most(connection, "dc_option", "dc_id", MAX_DCS)?;
    let room = Room::of(connection)?;
    let mut dcs = column::each(connection, "dc_option", &room, |row| data_center(row, &mut left_behind))?;
    dcs.sort_by_key(|dc| dc.id);
    dcs.dedup_by_key(|dc| dc.id);
    let mut session = Session { dcs, ..Session::default() };
    session.home_dc = column::first(connection, "dc_home", |row| row.dc("dc_id"))?;
    let (mut own, mut others) = (None, 0);
    let peers = column::peers(connection, ("peer_info", "peer_id"), &room, |row| {
        let peer = peer(row)?;
        match &peer {
            Some(peer) if peer.is_self == Some(true) => own = own.or(Some((peer.id, peer.bot))),
            Some(_) => {}
            None => others += 1,
        }
        Ok(peer)
    })?;
    if others > 0 {
        left_behind.push(format!("{others} peers whose ids are none"));
    }
    if let Some((id, bot)) = own {
        let dc = *session.home_dc.get_or_insert(2);
        session.user = Some(User { id, dc, bot, username: None });
    }
    session.state = state(connection, &room)?;
    session.test_mode = session.dc(session.home_dc_id()).is_some_and(dc_table::is_test).then_some(true);
    let contents = Contents { session, peers, attributes: Vec::new() };
    Ok(Imported { version: Some(version), left_behind, ..Imported::new(Format::Grammers, contents) })
}

/// Makes the tables in an empty database, and fills them.
pub(super) fn write(
    connection: &Connection,
    contents: &Contents,
    wanting: &Wanting,
) -> Result<(), ExportError> {
    connection.execute_batch(DDL)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    let session = &contents.session;
    let account = Account::of(contents, wanting, Format::Grammers);
    if session.home_dc.is_some() || account.user_id().is_some() {
        connection.execute("INSERT INTO dc_home VALUES (?1)", [account.dc])?;
    }
    let mut insert = connection.prepare("INSERT INTO dc_option VALUES (?1, ?2, ?3, ?4)")?;
    for dc in &session.dcs {
        let mut completed = dc.clone();
        dc_table::complete(&mut completed, account.test);
        let DataCenter { id, ipv4_addr, ipv6_addr, auth } = completed;
        let ipv4 = ipv4_addr.unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)).to_string();
        let ipv6 = ipv6_addr.unwrap_or(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0)).to_string();
        insert.execute(params![id, ipv4, ipv6, auth.key().map(|key| key.expose().as_slice())])?;
    }
    write_peers(connection, contents, &account)?;
    match &session.state {
        Some(state) => Ok(write_state(connection, state)?),
        None => Ok(()),
    }
}

/// What has no place in such a file.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    place::losses(contents, &PLACE)
}

fn data_center(row: &Columns<'_>, left_behind: &mut Vec<String>) -> Result<DataCenter, FormatError> {
    let mut dc = DataCenter { id: row.dc("dc_id")?, auth: row.auth("auth_key")?, ..DataCenter::default() };
    let mut unread = |text: &str| {
        let text = shown(text);
        left_behind.push(format!(
            "an address of data center {}: \"{text}\" is not an IP address with a port",
            dc.id
        ));
    };
    // Where grammers was told one address alone, the other is 0.
    if let Some(text) = row.text("ipv4")?.filter(|text| !text.is_empty()) {
        match text.parse::<SocketAddrV4>() {
            Ok(address) => dc.ipv4_addr = Some(address).filter(|address| !address.ip().is_unspecified()),
            Err(_) => unread(text),
        }
    }
    if let Some(text) = row.text("ipv6")?.filter(|text| !text.is_empty()) {
        match crate::ipv6(text) {
            Ok(address) => dc.ipv6_addr = Some(address).filter(|address| !address.ip().is_unspecified()),
            Err(_) => unread(text),
        }
    }
    Ok(dc)
}

/// `None`: its id is that of no peer.
fn peer(row: &Columns<'_>) -> Result<Option<Peer>, FormatError> {
    let id = row.number("peer_id")?;
    if id == 0 || id >= USERS {
        return Ok(None);
    }
    let (hash, subtype) = (row.integer("hash")?, row.integer("subtype")?);
    let peer = Peer { id, access_hash: hash, ..Peer::default() };
    let subtype_has = |bit: i64| subtype.is_some_and(|subtype| subtype & bit != 0);
    Ok(Some(match Peer::kind_of(id) {
        PeerKind::User => Peer {
            kind: Some(PeerKind::User),
            bot: subtype.map(|subtype| subtype & BOT != 0),
            is_self: subtype_has(SELF).then_some(true),
            ..peer
        },
        PeerKind::Group => Peer { kind: Some(PeerKind::Group), access_hash: hash.or(Some(0)), ..peer },
        _ => {
            let kind = if subtype_has(COMMUNITY) {
                PeerKind::Community
            } else if subtype_has(BROADCAST) && subtype_has(MEGAGROUP) {
                PeerKind::Gigagroup
            } else if subtype_has(BROADCAST) {
                PeerKind::Channel
            } else if subtype_has(MEGAGROUP) {
                PeerKind::Supergroup
            } else {
                PeerKind::ChannelUnknown
            };
            Peer { kind: Some(kind), ..peer }
        }
    }))
}

fn state(connection: &Connection, room: &Room) -> Result<Option<UpdateState>, FormatError> {
    let mut state = column::first(connection, "update_state", |row| {
        Ok(UpdateState {
            pts: row.counter("pts")?,
            qts: row.counter("qts")?,
            date: row.counter("date")?,
            seq: row.counter("seq")?,
            channels: Vec::new(),
        })
    })?;
    column::at_most(connection, "channel_state", "peer_id", MAX_CHANNELS)?;
    let mut channels = column::each(connection, "channel_state", room, |row| {
        Ok(ChannelState { id: row.id("peer_id")?, pts: row.counter("pts")? })
    })?;
    sorted::sort(&mut channels);
    if !channels.is_empty() {
        state.get_or_insert_default().channels = channels;
    }
    Ok(state)
}

/// The user has a row even if he was never met: it is what tells grammers that somebody is logged in.
fn write_peers(connection: &Connection, contents: &Contents, account: &Account<'_>) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO peer_info VALUES (?1, ?2, ?3)")?;
    let places = PLACE.peers.expect("it has a place for peers");
    let own_subtype = SELF | if account.bot() == Some(true) { BOT } else { 0 };
    let mut own = account.user_id();
    for peer in contents.peers.iter().filter(|peer| place::fits(peer, &places)) {
        let is_own = Some(peer.id) == account.user_id();
        let subtype = match peer.kind.unwrap_or(Peer::kind_of(peer.id)) {
            _ if is_own => Some(own_subtype),
            PeerKind::User => (peer.bot == Some(true)).then_some(BOT),
            PeerKind::Supergroup | PeerKind::Forum => Some(MEGAGROUP),
            PeerKind::Channel | PeerKind::Direct => Some(BROADCAST),
            PeerKind::Gigagroup => Some(GIGAGROUP),
            PeerKind::Community => Some(COMMUNITY),
            PeerKind::Group | PeerKind::ChannelUnknown => None,
        };
        let hash = peer.access_hash.filter(|_| !place::is_group(&peer));
        insert.execute(params![peer.id, hash, subtype])?;
        own = own.filter(|_| !is_own);
    }
    if let Some(id) = own {
        insert.execute(params![id, None::<i64>, own_subtype])?;
    }
    Ok(())
}

fn write_state(connection: &Connection, state: &UpdateState) -> rusqlite::Result<()> {
    let UpdateState { pts, qts, date, seq, channels } = state;
    if (*pts, *qts, *date, *seq) != (0, 0, 0, 0) {
        connection
            .execute("INSERT INTO update_state VALUES (?1, ?2, ?3, ?4)", params![pts, qts, date, seq])?;
    }
    let mut insert = connection.prepare("INSERT INTO channel_state VALUES (?1, ?2)")?;
    for ChannelState { id, pts } in channels {
        insert.execute(params![id, pts])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
