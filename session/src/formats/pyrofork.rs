//! The SQLite file of Pyrofork, version 4 (`pyrogram/storage/sqlite_storage.py` in 2.3.69), which is not what Kurigram and
//! PyroTGFork call version 4. In one that Pyrofork brought up from version 3 the table of usernames may still be missing.

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
    username       TEXT,
    phone_number   TEXT,
    last_update_on INTEGER NOT NULL DEFAULT (CAST(STRFTIME('%s', 'now') AS INTEGER))
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
CREATE TABLE usernames
(
    id             TEXT PRIMARY KEY,
    peer_id        INTEGER NOT NULL,
    last_update_on INTEGER NOT NULL DEFAULT (CAST(STRFTIME('%s', 'now') AS INTEGER))
);
CREATE TRIGGER trg_usernames_last_update_on
    AFTER UPDATE
    ON usernames
BEGIN
    UPDATE usernames
    SET last_update_on = CAST(STRFTIME('%s', 'now') AS INTEGER)
    WHERE id = NEW.id;
END;
";

/// How it differs from the others of its family.
pub(super) const FLAVOR: Flavor = Flavor {
    format: Format::Pyrofork,
    version: 4,
    ddl: DDL,
    usernames: Usernames::Both,
    has_address: false,
    has_states: true,
    kind: family::narrow_kinds,
};

/// Whether these are its tables: the primary username with the peer, update states, and usernames by `peer_id`, if any.
pub(super) fn is_this(connection: &Connection, tables: &[String]) -> Result<bool, FormatError> {
    let usernames =
        !family::has_table(tables, "usernames") || column::has(connection, "usernames", "peer_id")?;
    Ok(family::is_this(connection, tables)? && family::has_table(tables, "update_state") && usernames)
}

#[cfg(test)]
mod tests;
