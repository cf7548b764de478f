use rusqlite::Connection;

use super::{API_ID, CREATED, Flavor, OLDEST, has_table, names::Names, version};
use crate::{
    Attribute, ChannelState, Contents, DataCenter, MAX_CHANNELS, Peer, PeerKind, Peers, Session, UpdateState,
    User,
    formats::{FormatError, Imported, Schema, column, column::Columns, dc_table, place, room::Room},
    sorted,
};

/// What is in a file that [is one of the family](super::is_this). Tables and columns of the family are read wherever they are, so that it does not matter which of them
/// made it, and which brought it up to date.
pub(in crate::formats) fn read(connection: &Connection, flavor: &Flavor) -> Result<Imported, FormatError> {
    let tables = column::tables(connection)?;
    let version = version(connection, &tables)?;
    if version < OLDEST {
        let schema = Schema { format: flavor.format, version: Some(version) };
        return Err(FormatError::Old { schema, newer: "Pyrogram 2.0.106" });
    }
    let mut left_behind = Vec::new();
    if version > flavor.version {
        left_behind.push(format!(
            "whatever version {version} has beyond version {}, which is the newest known here",
            flavor.version
        ));
    }
    let account = column::first(connection, "sessions", |row| account(row, &mut left_behind))?;
    let (mut session, attributes) = account.unwrap_or_default();
    let rows = column::count(connection, "sessions")?;
    if rows > 1 {
        left_behind.push(format!("{} more sessions: the library takes the first", rows - 1));
    }
    let room = Room::of(connection)?;
    session.state = state(connection, &tables, &room, &mut left_behind)?;
    let peers = peers(connection, &tables, &room, &mut left_behind)?;
    if let Some(user) = &mut session.user {
        let names = peers.find(user.id).and_then(|own| own.usernames);
        user.username = names.and_then(|names| names.into_iter().next());
    }
    let contents = Contents { session, peers, attributes };
    Ok(Imported { version: Some(version), left_behind, ..Imported::new(flavor.format, contents) })
}

fn account(
    row: &Columns<'_>,
    left_behind: &mut Vec<String>,
) -> Result<(Session, Vec<Attribute>), FormatError> {
    let id = row.dc("dc_id")?;
    let test_mode = row.flag("test_mode")?;
    let mut dc = DataCenter { id, auth: row.auth("auth_key")?, ..DataCenter::default() };
    if row.has("server_address") {
        row.address(["server_address", "port"], &mut dc, left_behind)?;
    }
    let test = test_mode.unwrap_or(false);
    let has_own_address = !place::own_addresses(&dc, test).is_empty();
    let dcs = if dc.auth.is_present() || has_own_address { vec![dc] } else { Vec::new() };
    let user = match row.integer("user_id")? {
        None => None,
        Some(_) => {
            let user_id = row.id("user_id")?;
            Some(User { id: user_id, dc: id, bot: row.flag("is_bot")?, username: None })
        }
    };
    let mut session = Session { dcs, user, state: None, home_dc: Some(id), test_mode };
    session.dcs.iter_mut().for_each(|dc| dc_table::fill(dc, test));
    let api_id = if row.has(API_ID) { row.time(API_ID)? } else { None };
    let numbers = [(API_ID, api_id), (CREATED, row.time("date")?)];
    let attributes = numbers.into_iter().filter_map(|(key, number)| Some(Attribute::number(key, number?)));
    Ok((session, attributes.collect()))
}

/// The row of id 0 is the account's, those of marked ids are channels'. What is NULL was not told yet.
fn state(
    connection: &Connection,
    tables: &[String],
    room: &Room,
    left_behind: &mut Vec<String>,
) -> Result<Option<UpdateState>, FormatError> {
    if !has_table(tables, "update_state") {
        return Ok(None);
    }
    let mut state = None;
    let (mut channels, mut others) = (Vec::new(), 0);
    column::each(connection, "update_state", room, |row| {
        let id = row.number("id")?;
        if id == 0 {
            let read: &mut UpdateState = state.get_or_insert_default();
            read.pts = row.counter("pts")?;
            read.qts = row.counter("qts")?;
            read.date = row.counter("date")?;
            read.seq = row.counter("seq")?;
        } else if Peer::kind_of(id) == PeerKind::ChannelUnknown {
            let bare = Peer { id, ..Peer::default() }.bare_id();
            channels.push(ChannelState { id: bare, pts: row.counter("pts")? });
        } else {
            others += 1;
        }
        if channels.len() > MAX_CHANNELS {
            let problem = format!("has more than {MAX_CHANNELS} channels, which is the most that are kept");
            return Err(row.wrong("id", problem));
        }
        Ok(())
    })?;
    if others > 0 {
        left_behind.push(format!("{others} update states whose ids are no channels'"));
    }
    sorted::sort(&mut channels);
    if !channels.is_empty() {
        state.get_or_insert_default().channels = channels;
    }
    Ok(state)
}

fn peers(
    connection: &Connection,
    tables: &[String],
    room: &Room,
    left_behind: &mut Vec<String>,
) -> Result<Peers, FormatError> {
    let names = Names::read(connection, tables, room)?;
    let mut others = 0;
    let peers = column::peers(connection, ("peers", "id"), room, |row| {
        let id = row.number("id")?;
        let Some((kind, bot)) = kind(row, id)? else {
            others += 1;
            return Ok(None);
        };
        let mut usernames = names.of(id);
        if row.has("username")
            && let Some(primary) = row.username("username")?.filter(|name| !name.is_empty())
            && (usernames.is_empty() || usernames.contains(&primary))
        {
            usernames.retain(|name| *name != primary);
            usernames.insert(0, primary);
        }
        Ok(Some(Peer {
            id,
            access_hash: row.integer("access_hash")?,
            kind: Some(kind),
            bot,
            usernames: (!usernames.is_empty()).then_some(usernames),
            phone: row.phone("phone_number")?,
            seen: row.time("last_update_on")?,
            ..Peer::default()
        }))
    })?;
    if others > 0 {
        left_behind.push(format!("{others} peers of a kind that is not known here"));
    }
    Ok(peers)
}

/// What a peer is, and whether it is a bot. `None`: a kind that is not known, or that no peer of this id is.
fn kind(row: &Columns<'_>, id: i64) -> Result<Option<(PeerKind, Option<bool>)>, FormatError> {
    let (kind, bot) = match row.text("type")?.unwrap_or_default() {
        "user" => (PeerKind::User, Some(false)),
        "bot" => (PeerKind::User, Some(true)),
        "group" => (PeerKind::Group, None),
        "channel" => (PeerKind::Channel, None),
        "supergroup" => (PeerKind::Supergroup, None),
        "forum" => (PeerKind::Forum, None),
        "direct" => (PeerKind::Direct, None),
        "community" => (PeerKind::Community, None),
        _ => return Ok(None),
    };
    let told = match kind {
        PeerKind::User | PeerKind::Group => kind,
        _ => PeerKind::ChannelUnknown,
    };
    Ok((id != 0 && told == Peer::kind_of(id)).then_some((kind, bot)))
}
