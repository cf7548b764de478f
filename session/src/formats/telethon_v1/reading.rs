use rusqlite::Connection;

use super::{FILE, NEWEST, OLDEST, TAKEOUT};
use crate::{
    Attribute, ChannelState, Contents, DataCenter, MAX_ATTRIBUTES, MAX_CHANNELS, MAX_DCS, Peer, Peers,
    Session, UpdateState, User,
    formats::{Format, FormatError, Imported, Schema, column, column::Columns, dc_table, room::Room},
    sorted,
};

/// What is in a file.
pub(in crate::formats) fn read(connection: &Connection) -> Result<Imported, FormatError> {
    let tables = column::tables(connection)?;
    let version = super::version(connection, &tables)?;
    let schema = Schema { format: Format::TelethonV1, version: Some(version) };
    if version < OLDEST {
        return Err(FormatError::Old { schema, newer: "Telethon 1.42.0" });
    }
    let mut left_behind = Vec::new();
    if version > NEWEST {
        left_behind.push(format!(
            "whatever version {version} has beyond version {NEWEST}, which is the newest known here"
        ));
    }
    let room = Room::of(connection)?;
    let mut dcs = data_centers(connection, &room, &mut left_behind)?;
    let home_dc = dcs.first().map(|dc| dc.id);
    let test_mode = dcs.first().is_some_and(dc_table::is_test).then_some(true);
    dcs.sort_by_key(|dc| dc.id);
    dcs.dedup_by_key(|dc| dc.id);
    let user = match home_dc {
        Some(dc) => user(connection, dc, &mut left_behind)?,
        None => None,
    };
    let state = state(connection, &room, &mut left_behind)?;
    let session = Session { dcs, user, state, home_dc, test_mode };
    let attributes = attributes(connection, &tables, &room, &mut left_behind)?;
    let contents = Contents { session, peers: peers(connection, &room)?, attributes };
    Ok(Imported { version: Some(version), left_behind, ..Imported::new(Format::TelethonV1, contents) })
}

/// One, as a rule. Telethon takes the first for its home.
fn data_centers(
    connection: &Connection,
    room: &Room,
    left_behind: &mut Vec<String>,
) -> Result<Vec<DataCenter>, FormatError> {
    column::at_most(connection, "sessions", "dc_id", MAX_DCS)?;
    let rows = column::each(connection, "sessions", room, |row| data_center(row, left_behind))?;
    Ok(rows.into_iter().flatten().collect())
}

/// None where the id is that of none, as in a file that never connected.
fn data_center(row: &Columns<'_>, left_behind: &mut Vec<String>) -> Result<Option<DataCenter>, FormatError> {
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
    row.address(["server_address", "port"], &mut dc, left_behind)?;
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
fn state(
    connection: &Connection,
    room: &Room,
    left_behind: &mut Vec<String>,
) -> Result<Option<UpdateState>, FormatError> {
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
    let (mut channels, mut others) = (Vec::new(), 0);
    column::each(connection, "update_state", room, |row| {
        let channel = ChannelState { id: row.number("id")?, pts: row.counter("pts")? };
        match channel.id {
            0 => {}
            ..0 => others += 1,
            _ if channels.len() == MAX_CHANNELS => {
                let problem = format!("has more than the {MAX_CHANNELS} channels that are kept");
                return Err(row.wrong("id", problem));
            }
            _ => channels.push(channel),
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

/// The peers met. The row of id 0 is no peer, but tells who is logged in.
fn peers(connection: &Connection, room: &Room) -> Result<Peers, FormatError> {
    column::peers(connection, ("entities", "id"), room, |row| {
        let id = row.number("id")?;
        if id == 0 {
            return Ok(None);
        }
        let username = row.username("username")?.filter(|name| !name.is_empty());
        Ok(Some(Peer {
            id,
            access_hash: Some(row.number("hash")?),
            kind: Some(Peer::kind_of(id)),
            usernames: username.map(|name| vec![name]),
            phone: row.phone("phone")?,
            name: row.word("name")?,
            seen: if row.has("date") { row.time("date")? } else { None },
            ..Peer::default()
        }))
    })
}

/// The takeout and the sent files.
fn attributes(
    connection: &Connection,
    tables: &[String],
    room: &Room,
    left_behind: &mut Vec<String>,
) -> Result<Vec<Attribute>, FormatError> {
    let mut attributes = Vec::new();
    // Telethon 1.43 and 1.44 write a blob there, most often an empty one.
    let takeout = column::first(connection, "sessions", |row| {
        let says_something = row.says_something(TAKEOUT);
        Ok(says_something.then(|| row.integer(TAKEOUT).ok().flatten()))
    })?;
    match takeout.flatten() {
        None => {}
        Some(Some(takeout)) => attributes.push(Attribute::number(TAKEOUT, takeout)),
        Some(None) => {
            left_behind.push("what Telethon 1.43 or 1.44 wrote for a takeout id, which is none".into());
        }
    }
    if tables.iter().any(|table| table == "sent_files") {
        let mut others = 0;
        column::each(connection, "sent_files", room, |row| {
            match file(row)? {
                Some(file) if attributes.len() < MAX_ATTRIBUTES => attributes.push(file),
                _ => others += 1,
            }
            Ok(())
        })?;
        if others > 0 {
            left_behind.push(format!(
                "{others} sent files that are not told whole, or are more than the {MAX_ATTRIBUTES} that are kept"
            ));
        }
    }
    attributes.sort_by(|one, other| one.key.cmp(&other.key));
    attributes.dedup_by(|later, earlier| later.key == earlier.key);
    Ok(attributes)
}

fn file(row: &Columns<'_>) -> Result<Option<Attribute>, FormatError> {
    let (Ok(Some(md5)), Ok(Some(size)), Ok(Some(kind)), Ok(Some(id)), Ok(Some(hash))) = (
        row.blob("md5_digest"),
        row.integer("file_size"),
        row.integer("type"),
        row.integer("id"),
        row.integer("hash"),
    ) else {
        return Ok(None);
    };
    if md5.len() != 16 {
        return Ok(None);
    }
    let md5: String = md5.iter().map(|byte| format!("{byte:02x}")).collect();
    let value = [id.to_le_bytes(), hash.to_le_bytes()].concat().into();
    Ok(Some(Attribute { key: format!("{FILE}{md5}.{size}.{kind}"), value, secret: false }))
}
