use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, Row, params};
use sessiond_proto::v1;

/// The tables of Telethon 2's file, version 10, as its program makes them, and what it makes of them when it opens one
/// (`telethon/_impl/session/storage/sqlite.py`, branch v2).
const VERSION_10: &str = "
    create table version (version integer primary key);
    create table datacenter(id integer primary key, ipv4_addr text, ipv6_addr text, auth blob);
    create table user(id integer primary key, dc integer not null, bot integer not null, username text);
    create table state(pts integer not null, qts integer not null, date integer not null, seq integer not null);
    create table channelstate(id integer primary key, pts integer not null);
    insert into version values (10);
";

/// Telethon 1's, version 7 (`telethon/sessions/sqlite.py`, up to 1.42).
const VERSION_7: &str = "
    create table version (version integer primary key);
    create table sessions (dc_id integer primary key, server_address text, port integer, auth_key blob, takeout_id integer);
    create table entities (id integer primary key, hash integer not null, username text, phone integer, name text, date integer);
    create table sent_files (md5_digest blob, file_size integer, type integer, id integer, hash integer,
        primary key(md5_digest, file_size, type));
    create table update_state (id integer primary key, pts integer, qts integer, date integer, seq integer);
    insert into version values (7);
    insert into sessions values (2, '149.154.167.51', 443, randomblob(256), null);
";

/// Version 8, of 1.43 and later.
const VERSION_8: &str = "
    alter table sessions add column tmp_auth_key blob;
    update version set version = 8;
";

/// Opens a session's file as a program does that knows nothing of a daemon. It does not wait for a lock.
pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

/// What such a program reads.
pub(crate) fn read(path: &Path) -> rusqlite::Result<v1::Session> {
    let file = open(path)?;
    // One moment of the file.
    file.execute_batch("begin")?;
    let version: i64 = file.query_row("select version from version", (), |row| row.get(0))?;
    assert_eq!(version, 10);
    let dcs = rows(&file, "select id, ipv4_addr, ipv6_addr, auth from datacenter order by id", |row| {
        let auth: Option<Vec<u8>> = row.get(3)?;
        Ok(v1::DataCenter {
            id: row.get(0)?,
            ipv4_addr: row.get(1)?,
            ipv6_addr: row.get(2)?,
            has_auth: auth.is_some(),
            auth,
        })
    })?;
    let user = rows(&file, "select id, dc, bot, username from user", |row| {
        Ok(v1::User { id: row.get(0)?, dc: row.get(1)?, bot: Some(row.get(2)?), username: row.get(3)? })
    })?;
    let channels = rows(&file, "select id, pts from channelstate order by id", |row| {
        Ok(v1::ChannelState { id: row.get(0)?, pts: row.get(1)? })
    })?;
    let state = rows(&file, "select pts, qts, date, seq from state", |row| {
        let (pts, qts, date, seq) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(v1::UpdateState { pts, qts, date, seq, channels: channels.clone() })
    })?;
    let (user, state) = (at_most_one(user), at_most_one(state));
    Ok(v1::Session { version: 1, dcs, user, state, home_dc: None, test_mode: None })
}

/// A session as such a file can have it: without what the format has no place for.
pub(crate) fn as_in_file(session: v1::Session) -> v1::Session {
    v1::Session { home_dc: None, test_mode: None, ..session }
}

/// Makes a file as Telethon 2 does.
pub(crate) fn make(path: &Path, session: &v1::Session) {
    let file = Connection::open(path).expect("made");
    file.execute_batch("begin").expect("writable");
    file.execute_batch(VERSION_10).expect("made");
    for v1::DataCenter { id, ipv4_addr, ipv6_addr, auth, has_auth: _ } in &session.dcs {
        file.execute("insert into datacenter values (?, ?, ?, ?)", params![id, ipv4_addr, ipv6_addr, auth])
            .expect("written");
    }
    if let Some(v1::User { id, dc, bot, username }) = &session.user {
        file.execute("insert into user values (?, ?, ?, ?)", params![id, dc, bot, username])
            .expect("written");
    }
    if let Some(v1::UpdateState { pts, qts, date, seq, channels }) = &session.state {
        file.execute("insert into state values (?, ?, ?, ?)", params![pts, qts, date, seq]).expect("written");
        for v1::ChannelState { id, pts } in channels {
            file.execute("insert into channelstate values (?, ?)", params![id, pts]).expect("written");
        }
    }
    file.execute_batch("commit").expect("committed");
}

/// Makes a file as Telethon 1.42 does.
pub(crate) fn make_version_7(path: &Path) {
    Connection::open(path).expect("made").execute_batch(VERSION_7).expect("written");
}

/// Makes a file as Telethon 1.43 and later do.
pub(crate) fn make_version_8(path: &Path) {
    let file = Connection::open(path).expect("made");
    file.execute_batch(VERSION_7).expect("written");
    file.execute_batch(VERSION_8).expect("written");
}

/// What SQLite finds wrong with a database that nobody has locked: nothing, which is told as `ok`.
pub(crate) fn integrity(path: &Path) -> rusqlite::Result<String> {
    let verdicts = rows(&open(path)?, "pragma integrity_check", |row| row.get::<_, String>(0))?;
    Ok(verdicts.join(", "))
}

pub(crate) fn rows<T>(
    file: &Connection,
    sql: &str,
    row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    file.prepare(sql)?.query_map((), row)?.collect()
}

fn at_most_one<T>(mut rows: Vec<T>) -> Option<T> {
    assert!(rows.len() <= 1, "at most one row");
    rows.pop()
}
