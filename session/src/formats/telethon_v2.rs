//! The SQLite file of Telethon 2, version 10 (`telethon/_impl/session/storage/sqlite.py`, branch v2).
//!
//! It has no place for [`Session::home_dc`] and [`Session::test_mode`]: the home can only be read back as the user's. It
//! does not tell a user of whom it is not known whether it is a bot from one who is not.

use rusqlite::{Connection, params};

use super::{
    ExportError, Format, FormatError, Imported, Wanting, column,
    column::Columns,
    dc_table,
    error::shown,
    place::{self, Addresses, Dcs, Place, Username},
    room::Room,
};
use crate::{
    ChannelState, Contents, DataCenter, MAX_CHANNELS, MAX_DCS, Session, UpdateState, User,
    address::{self, ipv6_text},
};

/// The version that is written.
pub const VERSION: i64 = 10;

/// Names of the format's tables.
pub const TABLES: [&str; 5] = ["version", "datacenter", "user", "state", "channelstate"];

/// The statements that make the tables. SQLite keeps their text in the file, so it is Telethon's to the letter.
pub const DDL: &str = "
            create table version (
                version integer primary key
            );
            create table datacenter(
                id integer primary key,
                ipv4_addr text,
                ipv6_addr text,
                auth blob
            );
            create table user(
                id integer primary key,
                dc integer not null,
                bot integer not null,
                username text
            );
            create table state(
                pts integer not null,
                qts integer not null,
                date integer not null,
                seq integer not null
            );
            create table channelstate(
                id integer primary key,
                pts integer not null
            );
            ";

const PLACE: Place = Place {
    dcs: Dcs::Every,
    addresses: Addresses::Both,
    test_mode: false,
    user: true,
    bot: true,
    username: Username::WithUser,
    counters: true,
    channels: true,
    peers: place::NO_PEERS,
    attribute: place::no_attribute,
};

/// Makes the tables in a database that has none, with no session in them.
///
/// # Errors
/// SQLite could not, or there is a table of such a name. Call it in a transaction to have nothing changed then.
pub fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(DDL)?;
    connection.execute("INSERT INTO version (version) VALUES (?1)", [VERSION])?;
    Ok(())
}

/// Reads the session. What stock programs leave in such files is understood: a NULL or empty key is none, `None:None` is no
/// address, and an IPv6 address is one in either column. Call it in a transaction while other programs can write.
///
/// # Errors
/// A value is not what the format has there, or SQLite could not read it.
pub fn read(connection: &Connection) -> Result<Session, FormatError> {
    let mut left_behind = Vec::new();
    let session = session(connection, &mut left_behind)?;
    match left_behind.pop() {
        Some(problem) => Err(FormatError::Beyond(problem)),
        None => Ok(session),
    }
}

/// Replaces the session by another. A key that was withheld is written as none. Call it in a transaction.
///
/// # Errors
/// SQLite could not.
pub fn write(connection: &Connection, session: &Session) -> rusqlite::Result<()> {
    let Session { dcs, user, state, home_dc: _, test_mode: _ } = session;
    connection.execute_batch(
        "DELETE FROM datacenter; DELETE FROM user; DELETE FROM state; DELETE FROM channelstate;",
    )?;
    write_dcs(connection, dcs)?;
    if let Some(User { id, dc, bot, username }) = user {
        connection.execute(
            "INSERT INTO user (id, dc, bot, username) VALUES (?1, ?2, ?3, ?4)",
            params![id, dc, bot.unwrap_or(false), username],
        )?;
    }
    state.as_ref().map_or(Ok(()), |state| write_state(connection, state))
}

/// Whether these are its tables.
pub(super) fn is_this(tables: &[String]) -> bool {
    TABLES[1..].iter().all(|name| tables.iter().any(|table| table == name))
}

/// Reads the session for import: what is no part of one is left behind.
pub(super) fn import(connection: &Connection) -> Result<Imported, FormatError> {
    let tables = column::tables(connection)?;
    let version = column::version(connection, &tables, "version")?.unwrap_or(VERSION);
    let mut left_behind = Vec::new();
    let session = session(connection, &mut left_behind)?;
    if version > VERSION {
        left_behind.push(format!(
            "whatever version {version} has that version {VERSION}, the newest known here, has not"
        ));
    }
    let mut session = session;
    let home = session.dc(session.home_dc_id());
    session.test_mode = home.is_some_and(dc_table::is_test).then_some(true);
    let contents = Contents { session, ..Contents::default() };
    let imported = Imported::new(Format::TelethonV2, contents);
    Ok(Imported { version: Some(version), left_behind, ..imported })
}

/// Makes the tables, with a session in them.
pub(super) fn export(
    connection: &Connection,
    contents: &Contents,
    wanting: &Wanting,
) -> Result<(), ExportError> {
    create(connection)?;
    let mut session = contents.session.clone();
    let (home, test) = (session.home_dc_id(), dc_table::test_mode(&session));
    if let Some(dc) = session.dcs.iter_mut().find(|dc| dc.id == home) {
        dc_table::fill(dc, test);
    }
    if session.user.is_none()
        && let Some(id) = wanting.user_id
    {
        session.user = Some(User { id, dc: home, bot: None, username: None });
    }
    if let Some(user) = &mut session.user {
        user.dc = home;
        user.bot = user.bot.or(wanting.bot);
    }
    Ok(write(connection, &session)?)
}

/// What has no place in such a file.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    let mut losses = place::losses(contents, &PLACE);
    if contents.session.user.is_none() && contents.session.home_dc.is_some_and(|home| home != 2) {
        losses.push("which data center is the home: without a user the file does not tell".into());
    }
    losses
}

fn session(connection: &Connection, left_behind: &mut Vec<String>) -> Result<Session, FormatError> {
    column::at_most(connection, "datacenter", "id", MAX_DCS)?;
    let room = Room::of(connection)?;
    let rows = column::each(connection, "datacenter", &room, |row| data_center(row, left_behind))?;
    let dcs = rows.into_iter().flatten().collect();
    let user = column::first(connection, "user", |row| {
        Ok(User {
            id: row.id("id")?,
            dc: row.dc("dc")?,
            bot: row.integer("bot")?.map(|bot| bot != 0),
            username: row.username("username")?,
        })
    })?;
    let users = column::count(connection, "user")?;
    if users > 1 {
        left_behind.push(format!("{} more users: a session has one", users - 1));
    }
    let mut state = column::first(connection, "state", counters)?;
    let channels = channels(connection, &room)?;
    if !channels.is_empty() {
        state.get_or_insert_default().channels = channels;
    }
    Ok(Session { dcs, user, state, home_dc: None, test_mode: None })
}

/// None where the id is that of none, as in a file that Telethon migrated from one that never connected.
fn data_center(row: &Columns<'_>, left_behind: &mut Vec<String>) -> Result<Option<DataCenter>, FormatError> {
    let auth = row.auth("auth")?;
    if row.number("id")? <= 0 {
        if auth.is_present() {
            left_behind.push("a key whose data center is not told".into());
        }
        return Ok(None);
    }
    let mut dc = DataCenter { id: row.dc("id")?, auth, ..DataCenter::default() };
    // The migration from Telethon 1 writes an address of either family into the first column.
    for text in [row.text("ipv6_addr")?, row.text("ipv4_addr")?].into_iter().flatten() {
        if let Ok(address) = address::ipv4(text) {
            dc.ipv4_addr = Some(address);
        } else if let Ok(address) = address::ipv6(text) {
            dc.ipv6_addr.get_or_insert(address);
        } else if !matches!(text, "" | "None:None") {
            let text = shown(text);
            left_behind.push(format!(
                "an address of data center {}: \"{text}\" is not an IP address with a port",
                dc.id
            ));
        }
    }
    Ok(Some(dc))
}

fn counters(row: &Columns<'_>) -> Result<UpdateState, FormatError> {
    Ok(UpdateState {
        pts: row.counter("pts")?,
        qts: row.counter("qts")?,
        date: row.counter("date")?,
        seq: row.counter("seq")?,
        channels: Vec::new(),
    })
}

fn channels(connection: &Connection, room: &Room) -> Result<Vec<ChannelState>, FormatError> {
    column::at_most(connection, "channelstate", "id", MAX_CHANNELS)?;
    column::each(connection, "channelstate", room, |row| {
        Ok(ChannelState { id: row.id("id")?, pts: row.counter("pts")? })
    })
}

fn write_dcs(connection: &Connection, dcs: &[DataCenter]) -> rusqlite::Result<()> {
    let mut insert = connection
        .prepare("INSERT INTO datacenter (id, ipv4_addr, ipv6_addr, auth) VALUES (?1, ?2, ?3, ?4)")?;
    for DataCenter { id, ipv4_addr, ipv6_addr, auth } in dcs {
        let ipv4_addr = ipv4_addr.map(|address| address.to_string());
        let ipv6_addr = ipv6_addr.as_ref().map(ipv6_text);
        insert.execute(params![id, ipv4_addr, ipv6_addr, auth.key().map(|key| key.expose().as_slice())])?;
    }
    Ok(())
}

fn write_state(connection: &Connection, state: &UpdateState) -> rusqlite::Result<()> {
    let UpdateState { pts, qts, date, seq, channels } = state;
    connection.execute(
        "INSERT INTO state (pts, qts, date, seq) VALUES (?1, ?2, ?3, ?4)",
        params![pts, qts, date, seq],
    )?;
    let mut insert = connection.prepare("INSERT INTO channelstate (id, pts) VALUES (?1, ?2)")?;
    for ChannelState { id, pts } in channels {
        insert.execute(params![id, pts])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
