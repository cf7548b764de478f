//! The SQLite file of PyroTGFork, version 6 (`pyrogram/storage/sqlite_storage.py` in 2.2.24.1). What Kurigram wrote before its
//! version 7 has the same tables, and is read as such a file.

use rusqlite::Connection;

use super::{
    Format, FormatError, column,
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
    phone_number   TEXT,
    last_update_on INTEGER NOT NULL DEFAULT (CAST(STRFTIME('%s', 'now') AS INTEGER))
);
CREATE TABLE usernames
(
    id       INTEGER,
    username TEXT,
    FOREIGN KEY (id) REFERENCES peers(id)
);
CREATE TABLE update_state
(
    id   INTEGER PRIMARY KEY,
    pts  INTEGER,
    qts  INTEGER,
    date INTEGER,
    seq  INTEGER
);
CREATE TABLE version
(
    number INTEGER PRIMARY KEY
);
CREATE INDEX idx_peers_id ON peers (id);
CREATE INDEX idx_peers_phone_number ON peers (phone_number);
CREATE INDEX idx_usernames_id ON usernames (id);
CREATE INDEX idx_usernames_username ON usernames (username);
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
    format: Format::PyroTgFork,
    version: 6,
    ddl: DDL,
    usernames: Usernames::Table,
    has_address: false,
    has_states: true,
    kind: family::narrow_kinds,
};

/// Whether these are its tables: usernames in rows of `id` and `username`.
pub(super) fn is_this(connection: &Connection, tables: &[String]) -> Result<bool, FormatError> {
    Ok(family::is_this(connection, tables)? && column::has(connection, "usernames", "username")?)
}

#[cfg(test)]
mod tests;
