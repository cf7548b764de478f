//! Values of a table's rows: columns by name, since programs altered them in different orders, and values as they are,
//! since SQLite keeps what it was given whatever the column's type says.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddrV4, SocketAddrV6},
};

use rusqlite::{Connection, Row, Statement, types::ValueRef};

use super::{FormatError, error::shown, room, room::Room};
use crate::{Auth, AuthKey, DataCenter, MAX_USERNAME, Peer, Peers};

/// What a text takes beside its bytes.
const PER_TEXT: usize = size_of::<String>();

/// A row of a table.
pub(super) struct Columns<'a> {
    table: &'a str,
    row: &'a Row<'a>,
    /// How many bytes of texts and blobs were taken of it.
    taken: &'a Cell<usize>,
}

/// Names of the tables, SQLite's own left out, by name.
pub(super) fn tables(connection: &Connection) -> Result<Vec<String>, FormatError> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let read = |mut statement: Statement<'_>| statement.query_map([], |row| row.get(0))?.collect();
    connection.prepare(sql).and_then(read).map_err(unreadable("sqlite_schema", "name"))
}

/// Whether a table has a column.
pub(super) fn has(connection: &Connection, table: &str, column: &str) -> Result<bool, FormatError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)";
    connection.query_row(sql, [table, column], |row| row.get(0)).map_err(unreadable(table, column))
}

/// What a table of the version says in its first row, which is all that libraries look at.
pub(super) fn version(
    connection: &Connection,
    tables: &[String],
    column: &str,
) -> Result<Option<i64>, FormatError> {
    if !tables.iter().any(|table| table == "version") {
        return Ok(None);
    }
    first(connection, "version", |row| row.integer(column)).map(Option::flatten)
}

/// Refuses a table with more rows than are kept of it, by the column that tells them apart.
pub(super) fn at_most(
    connection: &Connection,
    table: &str,
    column: &str,
    most: usize,
) -> Result<(), FormatError> {
    match count(connection, table)? {
        rows if rows > most => {
            Err(FormatError::value(table, column, format!("has {rows} rows, at most {most} are kept")))
        }
        _ => Ok(()),
    }
}

/// How many rows a table has.
pub(super) fn count(connection: &Connection, table: &str) -> Result<usize, FormatError> {
    let most = too_many_rows(connection)?;
    // Row by row: SQLite's own way of counting is one step of its machine, which nothing bounds.
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM \"{table}\" LIMIT {most})");
    let rows: i64 = connection.query_row(&sql, [], |row| row.get(0)).map_err(unreadable(table, "rowid"))?;
    usize::try_from(rows).ok().filter(|rows| *rows < most).ok_or_else(|| endless(table))
}

/// More rows than a file has room for. A damaged one can have them: its pages may lead to the same ones again.
fn too_many_rows(connection: &Connection) -> Result<usize, FormatError> {
    /// A row of nothing: its length, its id and the length of its header.
    const SHORTEST_ROW: usize = 3;
    Ok(room::size(connection)? / SHORTEST_ROW + 1)
}

/// What is made of each row of a table, in the order of its rows.
pub(super) fn each<T>(
    connection: &Connection,
    table: &str,
    room: &Room,
    mut make: impl FnMut(&Columns<'_>) -> Result<T, FormatError>,
) -> Result<Vec<T>, FormatError> {
    let count = count(connection, table)?;
    if !room.take(count.saturating_mul(size_of::<T>())) {
        return Err(endless(table));
    }
    // Growing, a vector would have its old place and its new one for a moment.
    let mut made = Vec::with_capacity(count);
    rows(connection, table, |row| {
        let taken = Cell::new(0);
        made.push(make(&Columns { table, row, taken: &taken })?);
        if room.take(taken.get()) { Ok(()) } else { Err(endless(table)) }
    })?;
    Ok(made)
}

/// What is made of each row of a table of peers, whose key is their ids, so that they come by it. `None`: it is no peer.
pub(super) fn peers(
    connection: &Connection,
    (table, id): (&str, &str),
    room: &Room,
    mut make: impl FnMut(&Columns<'_>) -> Result<Option<Peer>, FormatError>,
) -> Result<Peers, FormatError> {
    let mut peers = Peers::default();
    rows(connection, table, |row| {
        let columns = Columns { table, row, taken: &Cell::new(0) };
        let Some(peer) = make(&columns)? else { return Ok(()) };
        if let Some(last) = peers.last_id().filter(|last| peer.id <= *last) {
            let problem =
                format!("is {}, in a row behind that of {last}: it is not the table's key", peer.id);
            return Err(columns.wrong(id, problem));
        }
        let before = peers.bytes();
        peers.extend([peer]);
        if room.take(peers.bytes() - before) { Ok(()) } else { Err(endless(table)) }
    })?;
    Ok(peers)
}

/// What is made of the first row of a table.
pub(super) fn first<T>(
    connection: &Connection,
    table: &str,
    make: impl FnOnce(&Columns<'_>) -> Result<T, FormatError>,
) -> Result<Option<T>, FormatError> {
    one(connection, table, "ORDER BY rowid LIMIT 1", make)
}

/// What is made of the row of an id.
pub(super) fn find<T>(
    connection: &Connection,
    table: &str,
    id: i64,
    make: impl FnOnce(&Columns<'_>) -> Result<T, FormatError>,
) -> Result<Option<T>, FormatError> {
    one(connection, table, &format!("WHERE id = {id}"), make)
}

fn one<T>(
    connection: &Connection,
    table: &str,
    which: &str,
    make: impl FnOnce(&Columns<'_>) -> Result<T, FormatError>,
) -> Result<Option<T>, FormatError> {
    let mut statement = select(connection, table, which)?;
    let key = key(&statement);
    let mut rows = statement.query([]).map_err(unreadable(table, &key))?;
    let row = rows.next().map_err(unreadable(table, &key))?;
    row.map(|row| make(&Columns { table, row, taken: &Cell::new(0) })).transpose()
}

/// Does something with each row of a table, in their order.
fn rows(
    connection: &Connection,
    table: &str,
    mut work: impl FnMut(&Row<'_>) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let mut statement = select(connection, table, "ORDER BY rowid")?;
    let key = key(&statement);
    let mut rows = statement.query([]).map_err(unreadable(table, &key))?;
    for number in 1..=too_many_rows(connection)? {
        let row = rows.next().map_err(|source| FormatError::Sqlite {
            place: format!("{table}.{key}, row {number}"),
            source,
        })?;
        match row {
            Some(row) => work(row)?,
            None => return Ok(()),
        }
    }
    Err(endless(table))
}

fn select<'a>(connection: &'a Connection, table: &str, which: &str) -> Result<Statement<'a>, FormatError> {
    let sql = format!("SELECT * FROM \"{table}\" {which}");
    connection.prepare(&sql).map_err(unreadable(table, "rowid"))
}

/// The column by which a row is called where SQLite cannot read it, whose errors tell neither: the first.
fn key(statement: &Statement<'_>) -> String {
    statement.column_name(0).unwrap_or("rowid").to_owned()
}

/// Says what SQLite could not read.
fn unreadable(table: &str, column: &str) -> impl Fn(rusqlite::Error) -> FormatError {
    move |source| FormatError::Sqlite { place: format!("{table}.{column}"), source }
}

fn endless(table: &str) -> FormatError {
    FormatError::value(table, "rowid", "has more rows than there is room for in the file: it is damaged")
}

impl Columns<'_> {
    /// A whole number. One with a fraction, as Telethon v1 writes dates of channels, is cut.
    pub(super) fn integer(&self, column: &str) -> Result<Option<i64>, FormatError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(integer) => Ok(Some(integer)),
            ValueRef::Real(real) if real.abs() < 9e15 => {
                #[expect(clippy::cast_possible_truncation, reason = "below 2^53, and cut on purpose")]
                let integer = real as i64;
                Ok(Some(integer))
            }
            other => Err(self.wrong(column, format!("is {}, not a number", kind(other)))),
        }
    }

    /// A number that is there.
    pub(super) fn number(&self, column: &str) -> Result<i64, FormatError> {
        self.integer(column)?.ok_or_else(|| self.wrong(column, "is NULL"))
    }

    /// An id, which is positive.
    pub(super) fn id(&self, column: &str) -> Result<i64, FormatError> {
        let id = self.number(column)?;
        if id > 0 { Ok(id) } else { Err(self.wrong(column, format!("is {id}, and an id is positive"))) }
    }

    /// A counter, which is not negative. NULL: 0.
    pub(super) fn counter<T: TryFrom<i64> + Default>(&self, column: &str) -> Result<T, FormatError> {
        match self.integer(column)? {
            None => Ok(T::default()),
            Some(counter) if counter < 0 => {
                Err(self.wrong(column, format!("is {counter}, and a counter is not negative")))
            }
            Some(counter) => self.fit(column, counter),
        }
    }

    /// The id of a data center.
    pub(super) fn dc(&self, column: &str) -> Result<i32, FormatError> {
        let id = self.id(column)?;
        self.fit(column, id)
    }

    /// A text.
    pub(super) fn text(&self, column: &str) -> Result<Option<&str>, FormatError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(text) => {
                str::from_utf8(text).map(Some).map_err(|_| self.wrong(column, "is not UTF-8"))
            }
            other => Err(self.wrong(column, format!("is {}, not a text", kind(other)))),
        }
    }

    /// A username, not longer than a session has a place for.
    pub(super) fn username(&self, column: &str) -> Result<Option<String>, FormatError> {
        match self.text(column)? {
            Some(text) if text.len() > MAX_USERNAME => {
                let bytes = text.len();
                Err(self.wrong(column, format!("has {bytes} bytes, and at most {MAX_USERNAME} are kept")))
            }
            text => Ok(text.map(Into::into)),
        }
    }

    /// A text that says something.
    pub(super) fn word(&self, column: &str) -> Result<Option<String>, FormatError> {
        Ok(self.text(column)?.filter(|text| !text.is_empty()).map(Into::into))
    }

    /// A phone number, which Telethon's tables make a number of. One that says nothing: none.
    pub(super) fn phone(&self, column: &str) -> Result<Option<String>, FormatError> {
        match self.value(column)? {
            ValueRef::Integer(0) => Ok(None),
            ValueRef::Integer(_) | ValueRef::Real(_) => {
                Ok(self.integer(column)?.map(|number| number.to_string()))
            }
            _ => self.word(column),
        }
    }

    /// A time in Unix seconds. NULL and 0: not known.
    pub(super) fn time(&self, column: &str) -> Result<Option<i64>, FormatError> {
        Ok(self.integer(column)?.filter(|time| *time != 0))
    }

    /// Whether a number is not 0. NULL: not known.
    pub(super) fn flag(&self, column: &str) -> Result<Option<bool>, FormatError> {
        Ok(self.integer(column)?.map(|flag| flag != 0))
    }

    /// The bytes of a blob.
    pub(super) fn blob(&self, column: &str) -> Result<Option<&[u8]>, FormatError> {
        match self.value(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            other => Err(self.wrong(column, format!("is {}, not a blob", kind(other)))),
        }
    }

    /// Whether there is a column of this name.
    pub(super) fn has(&self, column: &str) -> bool {
        self.row.as_ref().column_index(column).is_ok()
    }

    /// A key. NULL and nothing: none.
    pub(super) fn auth(&self, column: &str) -> Result<Auth, FormatError> {
        match self.value(column)? {
            ValueRef::Null | ValueRef::Blob([]) => Ok(Auth::Absent),
            ValueRef::Blob(bytes) => match AuthKey::try_from(bytes) {
                Ok(key) => Ok(Auth::Key(key)),
                Err(error) => Err(self.wrong(column, format!("is wrong: {error}"))),
            },
            other => Err(self.wrong(column, format!("is {}, not a key", kind(other)))),
        }
    }

    /// An address: an IP address, and a port of its own column. NULL and nothing: none. What is no IP address is left behind.
    pub(super) fn address(
        &self,
        columns: [&str; 2],
        dc: &mut DataCenter,
        left_behind: &mut Vec<String>,
    ) -> Result<(), FormatError> {
        let Some(text) = self.text(columns[0])?.filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        match (text.parse(), self.counter(columns[1])?) {
            (Ok(IpAddr::V4(ip)), port) => dc.ipv4_addr = Some(SocketAddrV4::new(ip, port)),
            (Ok(IpAddr::V6(ip)), port) => dc.ipv6_addr = Some(SocketAddrV6::new(ip, port, 0, 0)),
            (Err(_), _) => {
                let text = shown(text);
                left_behind
                    .push(format!("the address of data center {}: \"{text}\" is not an IP address", dc.id));
            }
        }
        Ok(())
    }

    /// Whether there is a column of this name with a value that is not NULL, nothing or zero.
    pub(super) fn says_something(&self, column: &str) -> bool {
        !matches!(
            self.row.get_ref(column),
            Err(_) | Ok(ValueRef::Null | ValueRef::Integer(0) | ValueRef::Blob([]) | ValueRef::Text([]))
        )
    }

    /// Says what is wrong with a column's value.
    pub(super) fn wrong(&self, column: &str, problem: impl Into<String>) -> FormatError {
        FormatError::value(self.table, column, problem)
    }

    fn value(&self, column: &str) -> Result<ValueRef<'_>, FormatError> {
        let value = self.row.get_ref(column).map_err(|_| self.wrong(column, "is missing"))?;
        if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = value {
            self.taken.set(self.taken.get() + bytes.len() + PER_TEXT);
        }
        Ok(value)
    }

    fn fit<T: TryFrom<i64>>(&self, column: &str, number: i64) -> Result<T, FormatError> {
        T::try_from(number)
            .map_err(|_| self.wrong(column, format!("is {number}, which is out of the protocol's range")))
    }
}

fn kind(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "NULL",
        ValueRef::Integer(_) | ValueRef::Real(_) => "a number",
        ValueRef::Text(_) => "a text",
        ValueRef::Blob(_) => "a blob",
    }
}
