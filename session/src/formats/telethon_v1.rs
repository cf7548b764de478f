//! The SQLite file of Telethon 1, version 7 (up to 1.42) and version 8 (from 1.43): `telethon/sessions/sqlite.py`.
//!
//! One data center with its key, the update states, and the peers seen. Whose session it is stands in a row of the peers'
//! table, `entities`, whose id is 0 and whose hash is the user's id.

use std::net::{IpAddr, SocketAddrV4, SocketAddrV6};

use rusqlite::Connection;

use super::{Format, FormatError, Imported, column, column::Columns};
use crate::{ChannelState, DataCenter, MAX_CHANNELS, MAX_DCS, Session, UpdateState, User};

/// The oldest version that is read.
const OLDEST: i64 = 7;

/// The newest version that is known.
const NEWEST: i64 = 8;

/// Whether these are its tables. Others' files have a table `sessions`, too, but with no `entities`.
pub(super) fn is_this(connection: &Connection, tables: &[String]) -> Result<bool, FormatError> {
    let there = |name: &str| tables.iter().any(|table| table == name);
    Ok(there("sessions") && there("entities") && column::has(connection, "sessions", "server_address")?)
}

/// The version as its columns tell.
pub(super) fn version(connection: &Connection) -> Result<i64, FormatError> {
    Ok(if column::has(connection, "sessions", "tmp_auth_key")? { NEWEST } else { OLDEST })
}

pub(super) fn import(connection: &Connection, version: i64) -> Result<Imported, FormatError> {
    let format = Format::TelethonV1 { version };
    if version < OLDEST {
        return Err(FormatError::Old(format));
    }
    let mut left_behind = Vec::new();
    if version > NEWEST {
        left_behind.push(format!(
            "whatever version {version} has beyond version {NEWEST}, which is the newest known here"
        ));
    }
    let dcs = data_centers(connection, &mut left_behind)?;
    let home_dc = dcs.first().map(|dc| dc.id);
    let user = match home_dc {
        Some(dc) => user(connection, dc, &mut left_behind)?,
        None => None,
    };
    let state = state(connection, &mut left_behind)?;
    count_the_rest(connection, &mut left_behind)?;
    Ok(Imported { format, session: Session { dcs, user, state, home_dc, test_mode: None }, left_behind })
}

/// One, as a rule. Telethon takes the first for its home.
fn data_centers(
    connection: &Connection,
    left_behind: &mut Vec<String>,
) -> Result<Vec<DataCenter>, FormatError> {
    let rows = column::each(connection, "sessions", |row| data_center(row, left_behind))?;
    let dcs: Vec<_> = rows.into_iter().flatten().collect();
    if dcs.len() > MAX_DCS {
        let problem = format!("has {} rows, at most {MAX_DCS} are kept", dcs.len());
        return Err(FormatError::value("sessions", "dc_id", problem));
    }
    Ok(dcs)
}

/// None where the id is that of none, as in a file that never connected.
fn data_center(row: &Columns<'_>, left_behind: &mut Vec<String>) -> Result<Option<DataCenter>, FormatError> {
    // Telethon 1.43 and 1.44 write an empty blob for no takeout.
    if row.says_something("takeout_id") {
        left_behind.push("the takeout id: the export that it belongs to has to be begun anew".into());
    }
    if row.says_something("tmp_auth_key") {
        left_behind.push("the temporary key: a library agrees on another by itself".into());
    }
    let auth = row.auth("auth_key")?;
    if row.integer("dc_id")?.is_none_or(|id| id <= 0) {
        if auth.is_present() {
            left_behind.push("a key whose data center is not told".into());
        }
        return Ok(None);
    }
    let mut dc = DataCenter { id: row.dc("dc_id")?, auth, ..DataCenter::default() };
    let Some(text) = row.text("server_address")?.filter(|text| !text.is_empty()) else {
        return Ok(Some(dc));
    };
    match (text.parse(), row.counter("port")?) {
        (Ok(IpAddr::V4(ip)), port) => dc.ipv4_addr = Some(SocketAddrV4::new(ip, port)),
        (Ok(IpAddr::V6(ip)), port) => dc.ipv6_addr = Some(SocketAddrV6::new(ip, port, 0, 0)),
        (Err(_), _) => {
            left_behind.push(format!("the address of data center {}: {text:?} is not an IP address", dc.id));
        }
    }
    Ok(Some(dc))
}

fn user(
    connection: &Connection,
    dc: i32,
    left_behind: &mut Vec<String>,
) -> Result<Option<User>, FormatError> {
    let own = column::find(connection, "entities", 0, |row| row.id("hash"))?;
    let Some(id) = own else {
        left_behind.push("who is logged in: Telethon 1 had not written it yet".into());
        return Ok(None);
    };
    let username = column::find(connection, "entities", id, |row| {
        Ok(row.username("username")?.filter(|name| !name.is_empty()))
    })?;
    Ok(Some(User { id, dc, bot: None, username: username.flatten() }))
}

/// The row of id 0 is the account's; it is missing until Telethon was connected for a minute. The others are channels',
/// of which only pts means something.
fn state(connection: &Connection, left_behind: &mut Vec<String>) -> Result<Option<UpdateState>, FormatError> {
    if !column::has(connection, "update_state", "id")? {
        return Ok(None);
    }
    let mut state = column::find(connection, "update_state", 0, |row| {
        Ok(UpdateState {
            pts: row.counter("pts")?,
            qts: row.counter("qts")?,
            date: row.counter("date")?,
            seq: row.counter("seq")?,
            channels: Vec::new(),
        })
    })?;
    let rows = column::each(connection, "update_state", |row| {
        Ok(ChannelState { id: row.number("id")?, pts: row.counter("pts")? })
    })?;
    let (channels, others): (Vec<_>, Vec<_>) =
        rows.into_iter().filter(|row| row.id != 0).partition(|row| row.id > 0);
    if !others.is_empty() {
        left_behind.push(format!("{} update states whose ids are no channels'", others.len()));
    }
    if channels.len() > MAX_CHANNELS {
        let problem = format!("has {} channels, at most {MAX_CHANNELS} are kept", channels.len());
        return Err(FormatError::value("update_state", "id", problem));
    }
    if !channels.is_empty() {
        state.get_or_insert_default().channels = channels;
    }
    Ok(state)
}

/// Says how much there is of what a session has no place for.
fn count_the_rest(connection: &Connection, left_behind: &mut Vec<String>) -> Result<(), FormatError> {
    let own = column::find(connection, "entities", 0, |_| Ok(()))?;
    let entities = column::count(connection, "entities")? - i64::from(own.is_some());
    if entities > 0 {
        left_behind.push(format!(
            "{entities} entities, access hashes and names of peers: a session has no place for them"
        ));
    }
    if column::has(connection, "sent_files", "id")? {
        let files = column::count(connection, "sent_files")?;
        if files > 0 {
            left_behind.push(format!("{files} sent files: they only save a repeated upload"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
