use rusqlite::{Connection, params};

use super::{FILE, NEWEST, OLDEST, PLACE, TAKEOUT};
use crate::{
    Attribute, ChannelState, Contents, Peer, UpdateState,
    formats::{ExportError, Format, Wanting, account::Account, place},
};

/// The statements that make the tables, but the one whose columns differ between the versions. SQLite keeps their text in
/// the file, so it is Telethon's to the letter.
const DDL: &str = "
CREATE TABLE entities (
                    id integer primary key,
                    hash integer not null,
                    username text,
                    phone integer,
                    name text,
                    date integer
                );
CREATE TABLE sent_files (
                    md5_digest blob,
                    file_size integer,
                    type integer,
                    id integer,
                    hash integer,
                    primary key(md5_digest, file_size, type)
                );
CREATE TABLE update_state (
                    id integer primary key,
                    pts integer,
                    qts integer,
                    date integer,
                    seq integer
                );";

const SESSIONS: [&str; 2] = [
    "
CREATE TABLE version (version integer primary key);
CREATE TABLE sessions (
                    dc_id integer primary key,
                    server_address text,
                    port integer,
                    auth_key blob,
                    takeout_id integer
                );",
    "
CREATE TABLE version (version integer primary key);
CREATE TABLE sessions (
                    dc_id integer primary key,
                    server_address text,
                    port integer,
                    auth_key blob,
                    takeout_id integer,
                    tmp_auth_key blob
                );",
];

/// Makes the tables in an empty database, and fills them: version 8 for the format of that version, else 7.
pub(in crate::formats) fn write(
    connection: &Connection,
    contents: &Contents,
    wanting: &Wanting,
    format: Format,
) -> Result<(), ExportError> {
    let version = if format == Format::TelethonV1Version8 { NEWEST } else { OLDEST };
    let account = Account::of(contents, wanting, format);
    connection.execute_batch(SESSIONS[usize::from(version == NEWEST)])?;
    connection.execute_batch(DDL)?;
    connection.execute("INSERT INTO version VALUES (?1)", [version])?;
    write_session(connection, contents, &account, version)?;
    let no_state = UpdateState::default();
    let state = contents.session.state.as_ref().unwrap_or(&no_state);
    write_entities(connection, contents, account.user_id(), state.date)?;
    let mut insert = connection.prepare("INSERT INTO sent_files VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for File { md5, size, kind, id, hash } in contents.attributes.iter().filter_map(file) {
        insert.execute(params![md5.as_slice(), size, kind, id, hash])?;
    }
    Ok(write_state(connection, state)?)
}

fn write_session(
    connection: &Connection,
    contents: &Contents,
    account: &Account<'_>,
    version: i64,
) -> Result<(), ExportError> {
    let session = &contents.session;
    let tmp_auth_key = if version == NEWEST { ", x''" } else { "" };
    let insert = format!("INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5{tmp_auth_key})");
    if session.dcs.is_empty() && session.home_dc.is_none() && session.user.is_none() {
        // As in a file that never connected.
        connection
            .execute(&insert, params![0, None::<String>, None::<u16>, [0_u8; 0].as_slice(), None::<i64>])?;
        return Ok(());
    }
    let (ip, port) = account.need_address()?;
    let key: &[u8] = account.key().map_or(&[], |key| key.expose());
    let takeout = contents.number(TAKEOUT);
    connection.execute(&insert, params![account.dc, ip.to_string(), port, key, takeout])?;
    Ok(())
}

/// The row of id 0 tells who is logged in.
fn write_entities(
    connection: &Connection,
    contents: &Contents,
    user_id: Option<i64>,
    date: i64,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO entities VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    if let Some(id) = user_id {
        insert.execute(params![0, id, None::<String>, None::<i64>, None::<String>, date])?;
    }
    let places = PLACE.peers.expect("it has a place for peers");
    for peer in contents.peers.iter().filter(|peer| place::fits(peer, &places)) {
        let Peer { id, access_hash, phone, name, seen, .. } = &peer;
        let usernames = place::usernames(&peer, contents.session.user.as_ref());
        let username = usernames.first().map(|name| name.to_lowercase());
        let phone = phone.as_deref().and_then(super::phone);
        let name = name.as_ref().filter(|name| !name.is_empty());
        let hash = access_hash.unwrap_or(0);
        insert.execute(params![id, hash, username, phone, name, seen])?;
    }
    Ok(())
}

/// The account's row is there even without a state: Telethon 2 cannot migrate a file without it.
fn write_state(connection: &Connection, state: &UpdateState) -> rusqlite::Result<()> {
    let UpdateState { pts, qts, date, seq, channels } = state;
    let mut insert = connection.prepare("INSERT INTO update_state VALUES (?1, ?2, ?3, ?4, ?5)")?;
    insert.execute(params![0, pts, qts, date, seq])?;
    for ChannelState { id, pts } in channels {
        insert.execute(params![id, pts, 0, date, 0])?;
    }
    Ok(())
}

/// A file that was sent, so that it need not be sent again.
pub(super) struct File {
    md5: Vec<u8>,
    size: i64,
    kind: i64,
    id: i64,
    hash: i64,
}

/// The sent file that an attribute is, if it is one.
pub(super) fn file(attribute: &Attribute) -> Option<File> {
    let mut parts = attribute.key.strip_prefix(FILE)?.splitn(3, '.');
    let (md5, size, kind) = (parts.next()?, parts.next()?, parts.next()?);
    if md5.len() != 32 || !md5.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let bytes = (0..32).step_by(2).map(|at| u8::from_str_radix(&md5[at..at + 2], 16).ok());
    let (id, hash) = attribute.value.split_at_checked(8)?;
    let file = File {
        md5: bytes.collect::<Option<_>>()?,
        size: size.parse().ok()?,
        kind: kind.parse().ok()?,
        id: i64::from_le_bytes(id.try_into().ok()?),
        hash: i64::from_le_bytes(hash.try_into().ok()?),
    };
    let canonical = format!("{FILE}{md5}.{}.{}", file.size, file.kind);
    (canonical == attribute.key).then_some(file)
}
