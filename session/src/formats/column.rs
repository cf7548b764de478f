//! Values of a table's rows: columns by name, since programs altered them in different orders, and values as they are,
//! since SQLite keeps what it was given whatever the column's type says.

use rusqlite::{Connection, Row, types::ValueRef};

use super::FormatError;
use crate::{Auth, AuthKey, MAX_USERNAME};

/// A row of a table.
pub(super) struct Columns<'a> {
    table: &'a str,
    row: &'a Row<'a>,
}

/// Names of the tables, SQLite's own left out, by name.
pub(super) fn tables(connection: &Connection) -> Result<Vec<String>, FormatError> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}

/// Whether a table has a column.
pub(super) fn has(connection: &Connection, table: &str, column: &str) -> Result<bool, FormatError> {
    Ok(connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)",
        [table, column],
        |row| row.get(0),
    )?)
}

/// How many rows a table has.
pub(super) fn count(connection: &Connection, table: &str) -> Result<i64, FormatError> {
    Ok(connection.query_row(&format!("SELECT count(*) FROM \"{table}\""), [], |row| row.get(0))?)
}

/// What is made of each row of a table, in the order of its rows.
pub(super) fn each<T>(
    connection: &Connection,
    table: &str,
    mut make: impl FnMut(&Columns<'_>) -> Result<T, FormatError>,
) -> Result<Vec<T>, FormatError> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY rowid"))?;
    let mut rows = statement.query([])?;
    let mut made = Vec::new();
    while let Some(row) = rows.next()? {
        made.push(make(&Columns { table, row })?);
    }
    Ok(made)
}

/// What is made of the first row of a table.
pub(super) fn first<T>(
    connection: &Connection,
    table: &str,
    make: impl FnOnce(&Columns<'_>) -> Result<T, FormatError>,
) -> Result<Option<T>, FormatError> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY rowid LIMIT 1"))?;
    let mut rows = statement.query([])?;
    rows.next()?.map(|row| make(&Columns { table, row })).transpose()
}

/// What is made of the row of an id.
pub(super) fn find<T>(
    connection: &Connection,
    table: &str,
    id: i64,
    make: impl FnOnce(&Columns<'_>) -> Result<T, FormatError>,
) -> Result<Option<T>, FormatError> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\" WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(|row| make(&Columns { table, row })).transpose()
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
                std::str::from_utf8(text).map(Some).map_err(|_| self.wrong(column, "is not UTF-8"))
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
        self.row.get_ref(column).map_err(|_| self.wrong(column, "is missing"))
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
