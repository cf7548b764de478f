//! The store's tables.

use rusqlite::{Connection, Result};

/// Version of the tables, in `meta`. Version 1 had none for what is kept beside sessions, version 2 none for sealing.
pub(super) const FORMAT: i64 = 3;

/// Oldest SQLite that may write a WAL: earlier ones can corrupt it on a reset (<https://sqlite.org/releaselog/3_51_3.html>).
pub(super) const OLDEST_SQLITE: i32 = 3_051_003;

/// `session` is written lazily: what came after `meta.stored` is in the log. `auth`, `hold` and `removal` are always up to
/// date, and so is what is kept beside sessions.
/// The log has a row for each transaction, and no key in it.
const TABLES: &str = "
    create table meta (
        key text primary key,
        value any not null
    ) strict, without rowid;
    create table session (
        id integer primary key,
        name text not null unique,
        revision integer not null,
        changed integer not null,   -- Unix nanoseconds
        image blob not null,        -- sessiond.v1.Session, without keys
        mirrored integer not null default 0
    ) strict;
    create table auth (
        name text not null,
        dc integer not null,
        key blob not null,
        key_version integer not null,   -- 0: not sealed, 1: sealed
        key_revision integer not null,  -- of the commit that set it
        primary key (name, dc)
    ) strict, without rowid;
    create table hold (
        name text primary key,
        fence integer not null,
        token blob not null,        -- SHA-256
        status integer not null,    -- 0 held, 1 released, 2 ended, 3 over
        label text not null,
        pid integer not null,
        uid integer not null,
        executable text not null,
        since integer not null,     -- Unix nanoseconds
        host text not null,
        start_time integer not null,
        boot_id text not null
    ) strict, without rowid;
    create table removal (
        name text primary key,      -- of a deleted session, whose mirror is still to be removed
        revision integer not null   -- of the deletion
    ) strict, without rowid;
    create table log (
        last integer primary key,   -- revision of the last commit of the transaction
        first integer not null,
        time integer not null,      -- Unix nanoseconds
        offset integer not null,    -- bytes of all rows before
        requests blob,
        entries blob not null       -- the commits: see `entry`
    ) strict;
";

/// What is kept beside sessions. Rows belong to an `owner`, which is the revision at which a session got its first peer, or
/// its first attribute. Where those are deleted as a whole, so are the owner's rows, little by little; nobody sees them any
/// more.
const BELONGINGS: &str = "
    create table belongings (
        name text primary key,
        peers integer,              -- their owner
        peer_count integer not null,
        self_id integer,            -- of the peer that is the account itself
        attributes integer,         -- their owner
        attribute_count integer not null,
        attribute_bytes integer not null    -- keys and values
    ) strict, without rowid;
    create table dropped (
        owner integer primary key   -- whose rows are still to be removed
    ) strict;
    create table peer (
        owner integer not null,
        id integer not null,        -- marked
        kind integer not null,
        seen integer,               -- Unix seconds
        access_hash integer,            -- of one that is not sealed
        key_version integer not null,   -- of the access hash; 0: not sealed, 1: sealed
        key_revision integer not null,  -- of the commit that wrote the row
        image blob not null,        -- sessiond.v1.Peer, without its access hash
        primary key (owner, id)
    ) strict, without rowid;
    create table peer_word (        -- what peers are found by
        owner integer not null,
        kind integer not null,      -- 0 username, in lower case, 1 phone, 2 name
        word text not null,
        seen integer not null,
        id integer not null,
        primary key (owner, kind, word, seen, id)
    ) strict, without rowid;
    create table attribute (
        owner integer not null,
        key text not null,
        bytes integer not null,     -- of the value
        value blob,                 -- of one that is not secret
        secret_value blob,          -- of one that is
        key_version integer not null,   -- of a secret one; 0: not sealed, 1: sealed
        key_revision integer not null,  -- of the commit that set it
        primary key (owner, key)
    ) strict, without rowid;
";

/// What sessions are sealed with: see `sealing`.
const SEALS: &str = "
    create table seal (
        name text primary key,
        master text not null,       -- id of the master key that wraps the data key
        data_key blob not null,     -- wrapped
        auth_stamp blob not null,   -- of all rows that it has in auth
        attribute_stamp blob not null,  -- of all its secret attributes
        open_stamp blob             -- of one that was opened by choice
    ) strict, without rowid;
    alter table peer add column sealed_access_hash blob;    -- in place of access_hash
";

/// Their names.
pub(super) const BELONGING_TABLES: [&str; 5] = ["belongings", "dropped", "peer", "peer_word", "attribute"];

/// Makes the tables in an empty database.
pub(super) fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(TABLES)?;
    connection.execute_batch(BELONGINGS)?;
    connection.execute_batch(SEALS)?;
    set_meta(connection, "format", FORMAT)
}

/// Makes of an older version this one.
pub(super) fn upgrade(connection: &Connection) -> Result<()> {
    let format: i64 = meta(connection, "format")?.unwrap_or(FORMAT);
    if format == FORMAT {
        return Ok(());
    }
    let transaction = connection.unchecked_transaction()?;
    if format < 2 {
        transaction.execute_batch(BELONGINGS)?;
    }
    transaction.execute_batch(SEALS)?;
    set_meta(&transaction, "format", FORMAT)?;
    transaction.commit()
}

/// Whether the tables are there.
pub(super) fn exists(connection: &Connection) -> Result<bool> {
    let sql = "select count(*) from sqlite_schema where name = 'meta'";
    connection.query_row(sql, (), |row| row.get::<_, i64>(0)).map(|count| count > 0)
}

/// A value in `meta`.
pub(super) fn meta<T: rusqlite::types::FromSql>(connection: &Connection, key: &str) -> Result<Option<T>> {
    use rusqlite::OptionalExtension as _;
    connection
        .prepare_cached("select value from meta where key = ?")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Sets a value in `meta`.
pub(super) fn set_meta<T: rusqlite::ToSql>(connection: &Connection, key: &str, value: T) -> Result<()> {
    let sql = "insert into meta values (?, ?) on conflict do update set value = excluded.value";
    connection.prepare_cached(sql)?.execute(rusqlite::params![key, value])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BELONGING_TABLES, BELONGINGS, FORMAT, TABLES, create, meta, set_meta, upgrade};
    use rusqlite::Connection;

    #[test]
    fn a_store_of_an_earlier_version_gets_what_it_lacks_and_loses_nothing() {
        let new = Connection::open_in_memory().expect("memory");
        create(&new).expect("made");
        let tables = |store: &Connection| -> String {
            let sql = "select group_concat(sql, ';') from (select sql from sqlite_schema order by name)";
            store.query_row(sql, (), |row| row.get(0)).expect("readable")
        };
        for version in [1, 2] {
            let old = Connection::open_in_memory().expect("memory");
            old.execute_batch(TABLES).expect("tables");
            if version == 2 {
                old.execute_batch(BELONGINGS).expect("tables");
            }
            set_meta(&old, "format", version).expect("set");
            set_meta(&old, "store_id", "x").expect("set");
            for _ in 0..2 {
                upgrade(&old).expect("upgraded, and once");
            }
            assert_eq!(meta(&old, "format").expect("there"), Some(FORMAT));
            assert_eq!(tables(&old), tables(&new));
            for table in BELONGING_TABLES {
                let sql = format!("select count(*) from {table}");
                assert_eq!(old.query_row(&sql, (), |row| row.get(0)), Ok(0_i64), "{table}");
            }
            assert_eq!(meta(&old, "store_id").expect("there"), Some("x".to_owned()));
        }
    }
}
