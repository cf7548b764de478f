//! What the tests of each of the family begin with.

use rusqlite::{Connection, types::FromSql};

use super::{Flavor, read, write};
use crate::formats::{Imported, Schema, Wanting, random};

/// A file that is written, and then changed.
pub(in crate::formats) fn file(flavor: &Flavor, changes: &str) -> Connection {
    let file = Connection::open_in_memory().expect("open");
    write(&file, &random::rich(), &Wanting::default(), flavor).expect("written");
    file.execute_batch(changes).expect(changes);
    file
}

/// What is read from such a file, which is still taken for what it is.
pub(in crate::formats) fn imported(flavor: &Flavor, changes: &str) -> Imported {
    let file = file(flavor, changes);
    let schema = Schema::of(&file).expect("a format").expect("tables");
    assert_eq!(schema.format, flavor.format);
    read(&file, flavor).expect("read")
}

/// One value.
pub(in crate::formats) fn one<T: FromSql>(file: &Connection, sql: &str) -> T {
    file.query_row(sql, [], |row| row.get(0)).expect(sql)
}
