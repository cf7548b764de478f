//! Files as Telethon writes them.

use std::path::Path;

use rusqlite::{Connection, types::Value};

/// Id of whoever is logged in.
pub(super) const USER: i64 = 868_231_286_072;

/// A file of Telethon 1, of version 7 or 8, with this key.
pub(crate) fn write_v1(path: &Path, version: i64, key: &[u8]) {
    let file = Connection::open(path).expect("made");
    let tables = "
        create table version (version integer primary key);
        create table sessions (dc_id integer primary key, server_address text, port integer, auth_key blob,
                               takeout_id integer);
        insert into sessions values (4, '149.154.167.91', 443, x'', null);
        create table entities (id integer primary key, hash integer not null, username text, phone integer, name text,
                               date integer);
        insert into entities values (0, 868231286072, null, null, null, null);
        insert into entities values (868231286072, 5, 'alice', null, 'Alice', 1);
        create table sent_files (md5_digest blob, file_size integer, type integer, id integer, hash integer,
                                 primary key(md5_digest, file_size, type));
        create table update_state (id integer primary key, pts integer, qts integer, date integer, seq integer);
        insert into update_state values (0, 1195809, 3, 1700000000, 7), (133423158963, 1329, 0, 1700000000.5, 0);";
    file.execute_batch(tables).expect("made");
    if version == 8 {
        file.execute_batch("alter table sessions add column tmp_auth_key blob default x''").expect("made");
    }
    file.execute("insert into version values (?)", [version]).expect("made");
    file.execute("update sessions set auth_key = ?", [key]).expect("made");
}

/// A file of Telethon 2 with this key.
pub(crate) fn write_v2(path: &Path, key: &[u8]) {
    let file = Connection::open(path).expect("made");
    let tables = "
        create table version(version integer primary key);
        insert into version values (10);
        create table datacenter(id integer primary key, ipv4_addr text, ipv6_addr text, auth blob);
        insert into datacenter values (2, '149.154.167.51:443', '2001:67c:4e8:f002::a:443', null);
        insert into datacenter values (4, '149.154.167.91:443', null, x'');
        create table user(id integer primary key, dc integer not null, bot integer not null, username text);
        insert into user values (868231286072, 4, 1, 'alice');
        create table state(pts integer not null, qts integer not null, date integer not null, seq integer not null);
        insert into state values (1195809, 3, 1700000000, 7);
        create table channelstate(id integer primary key, pts integer not null);
        insert into channelstate values (133423158963, 1329), (5, 6);";
    file.execute_batch(tables).expect("made");
    file.execute("update datacenter set auth = ? where id = 4", [key]).expect("made");
}

/// What a stock reader finds in a file of Telethon 2: the rows of its tables, `version` first.
#[derive(Debug, PartialEq)]
pub(super) struct Stock([Vec<Vec<Value>>; 5]);

impl Stock {
    /// Reads a file as Telethon 2 does: all columns, by position.
    pub(super) fn read(path: &Path) -> Self {
        let file = Connection::open(path).expect("a database");
        Self(["version", "datacenter", "user", "state", "channelstate"].map(|table| rows(&file, table)))
    }

    pub(super) fn version(&self) -> &Value {
        &self.0[0][0][0]
    }

    pub(super) fn user_id(&self) -> &Value {
        &self.0[2][0][0]
    }

    pub(super) fn pts(&self) -> &Value {
        &self.0[3][0][0]
    }
}

fn rows(file: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut statement = file.prepare(&format!("select * from {table} order by 1")).expect("a table");
    let columns = statement.column_count();
    let rows = statement.query_map((), |row| (0..columns).map(|column| row.get(column)).collect());
    rows.expect("rows").collect::<Result<_, _>>().expect("readable")
}
