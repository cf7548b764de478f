//! The SQLite file of Pyrogram 2 and Hydrogram, version 3 (`pyrogram/storage/sqlite_storage.py` in Pyrogram 2.0.106, the same
//! tables in Hydrogram 0.2.0). Version 2 is read, too; it has no API id.

use rusqlite::Connection;

use super::{
    Format, FormatError,
    pyrogram_family::{self as family, Flavor, Usernames},
};

/// The statements that make the tables. SQLite keeps their text in the file, so it is the library's to the letter.
const DDL: &str = "
CREATE TABLE sessions
(
    dc_id     INTEGER PRIMARY KEY,
    api_id    INTEGER,
    test_mode INTEGER,
    auth_key  BLOB,
    date      INTEGER NOT NULL,
    user_id   INTEGER,
    is_bot    INTEGER
);
CREATE TABLE peers
(
    id             INTEGER PRIMARY KEY,
    access_hash    INTEGER,
    type           INTEGER NOT NULL,
    username       TEXT,
    phone_number   TEXT,
    last_update_on INTEGER NOT NULL DEFAULT (CAST(STRFTIME('%s', 'now') AS INTEGER))
);
CREATE TABLE version
(
    number INTEGER PRIMARY KEY
);
CREATE INDEX idx_peers_id ON peers (id);
CREATE INDEX idx_peers_username ON peers (username);
CREATE INDEX idx_peers_phone_number ON peers (phone_number);
CREATE TRIGGER trg_peers_last_update_on
    AFTER UPDATE
    ON peers
BEGIN
    UPDATE peers
    SET last_update_on = CAST(STRFTIME('%s', 'now') AS INTEGER)
    WHERE id = NEW.id;
END;
";

/// How it differs from the others of its family.
pub(super) const FLAVOR: Flavor = Flavor {
    format: Format::Pyrogram,
    version: 3,
    ddl: DDL,
    usernames: Usernames::Column,
    has_address: false,
    has_states: false,
    kind: family::narrow_kinds,
};

/// Whether these are its tables. The forks' have more.
pub(super) fn is_this(connection: &Connection, tables: &[String]) -> Result<bool, FormatError> {
    let is_family = family::is_this(connection, tables)?;
    Ok(is_family && !family::has_table(tables, "update_state") && !family::has_table(tables, "usernames"))
}

#[cfg(test)]
mod tests;
