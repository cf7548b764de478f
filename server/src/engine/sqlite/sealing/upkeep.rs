//! Sealing what is open, opening what was sealed, and wrapping with another master key. All of it is done in transactions,
//! and a start finishes what a kill left.

use rusqlite::{Connection, params};
use sessiond_proto::SessionName;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::{Kind, Sealing, SecretError, SessionSeal, label, row, used};
use crate::{
    engine::{
        Protection,
        sqlite::{
            belongings::{access_hash, written_hash},
            schema,
        },
    },
    seal::{DataKey, KeyError, MasterKeyId, What, Wrapped},
};

/// Rows that are rewritten at a time.
const ROWS: i64 = 1_000;

/// The tables that have secrets in them.
const TABLES: [&str; 3] = ["auth", "peer", "attribute"];

/// Names of the sessions with secrets that are open.
const WITH_OPEN_SECRETS: &str = "
    select name from auth where key_version = 0
    union
    select name from belongings where exists
        (select 1 from peer where owner = peers and access_hash is not null)
    union
    select name from belongings where exists
        (select 1 from attribute where owner = attributes and secret_value is not null and key_version = 0)";

/// What was deleted and is not removed yet.
const PURGE: &str = "
    delete from attribute where owner in (select owner from dropped);
    delete from peer where owner in (select owner from dropped);
    delete from peer_word where owner in (select owner from dropped);
    delete from dropped;";

impl Sealing {
    /// Brings a store to what the keys say, at its start: everything sealed but what was opened by choice, and wrapped by
    /// the current master key; or nothing sealed.
    pub(in crate::engine::sqlite) fn settle(
        &mut self,
        connection: &Connection,
    ) -> Result<Settled, SecretError> {
        let Some(ring) = self.ring.clone() else { return Ok(leave_open(connection)?) };
        let before = if self.is_complete { Settled::AsBefore } else { Settled::Changed };
        let transaction = connection.unchecked_transaction()?;
        if schema::meta::<String>(connection, "seal_id")?.is_none() {
            schema::set_meta(connection, "seal_id", &self.store)?;
        }
        let mut masters = used(connection)?;
        if !masters.contains(ring.current()) {
            masters.push(ring.current().clone());
            set_used(connection, &masters)?;
        }
        transaction.commit()?;
        if !self.is_complete {
            self.seal_all(connection)?;
        }
        if !self.is_complete || schema::meta::<i64>(connection, "unswept")? == Some(1) {
            sweep(connection)?;
        }
        self.is_complete = true;
        let mut after = Some(String::new());
        while let Some(name) = after {
            after = self.wrap_some(connection, &name)?;
        }
        Ok(before)
    }

    /// Seals every session that is not, and was not opened by choice. Their files are to be written anew.
    fn seal_all(&self, connection: &Connection) -> Result<(), SecretError> {
        let transaction = connection.unchecked_transaction()?;
        connection.execute_batch(PURGE)?;
        let mut select = connection.prepare(WITH_OPEN_SECRETS)?;
        let names = select.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        drop(select);
        let mut sealed = 0;
        for name in names.iter().filter_map(|name| name.parse().ok()) {
            sealed += usize::from(self.seal_one(connection, &name)?);
        }
        // Until each of their files was written anew.
        connection.execute("update session set mirrored = 0", ())?;
        if sealed > 0 {
            info!(sealed, "sessions that were open are sealed");
        }
        schema::set_meta(connection, "unswept", 1)?;
        Ok(transaction.commit()?)
    }

    /// Seals a session that never was. What has a data key and is open all the same was opened by choice, or is damaged.
    fn seal_one(&self, connection: &Connection, name: &SessionName) -> Result<bool, SecretError> {
        if row(connection, name)?.is_some() {
            return Ok(false);
        }
        connection.execute_batch("savepoint one")?;
        let open = SessionSeal { name, kind: Kind::Open };
        let seal = self.begin(connection, name)?;
        let sealed = match rewrite(connection, &open, &seal) {
            Ok(()) => true,
            Err(SecretError::Sqlite(error)) => return Err(error.into()),
            Err(error) => {
                warn!(session = %name, %error, "what the session has cannot be read, and stays as it is");
                connection.execute_batch("rollback to one")?;
                false
            }
        };
        connection.execute_batch("release one")?;
        Ok(sealed)
    }

    /// Seals a session, or opens it by choice.
    pub(in crate::engine::sqlite) fn protect(
        &self,
        connection: &Connection,
        name: &SessionName,
        protection: Protection,
    ) -> Result<(), SecretError> {
        let now = self.of(connection, name)?;
        let transaction = connection.unchecked_transaction()?;
        match (protection, &now.kind) {
            (Protection::Sealed, Kind::Open) => {
                let seal = self.begin(connection, name)?;
                rewrite(connection, &now, &seal)?;
                // What was open is in free parts of pages: the next start clears them.
                schema::set_meta(connection, "unswept", 1)?;
            }
            (Protection::Open, Kind::Sealed(sealed)) => {
                rewrite(connection, &now, &SessionSeal { name, kind: Kind::Open })?;
                leave_session_open(connection, name, &sealed.key)?;
            }
            (Protection::Open, Kind::Nothing) => {
                if let Kind::Sealed(sealed) = self.begin(connection, name)?.kind {
                    leave_session_open(connection, name, &sealed.key)?;
                }
            }
            (Protection::Sealed, _) | (Protection::Open, Kind::Open) => {}
        }
        Ok(transaction.commit()?)
    }

    /// Makes a new master key, which wraps from now on.
    ///
    /// # Errors
    /// Where there is none to rotate, or no place to write it.
    pub(in crate::engine::sqlite) fn rotate(&mut self, connection: &Connection) -> Result<(), RotateError> {
        let ring = self.ring.as_ref().ok_or(KeyError::ReadOnly)?;
        let rotated = self.source.rotate(ring, &self.store)?;
        let mut masters = used(connection)?;
        masters.push(rotated.current().clone());
        set_used(connection, &masters)?;
        self.ring = Some(rotated.into());
        Ok(())
    }

    /// Wraps some data keys with the current master key that are not, by name, after this one. Tells after which to go on.
    pub(in crate::engine::sqlite) fn wrap_some(
        &self,
        connection: &Connection,
        after: &str,
    ) -> rusqlite::Result<Option<String>> {
        let Some(ring) = &self.ring else { return Ok(None) };
        let current = ring.current();
        if used(connection)?.iter().all(|id| id == current) {
            return Ok(None);
        }
        let transaction = connection.unchecked_transaction()?;
        let sql = "select name from seal where master <> ? and name > ? order by name limit ?";
        let mut select = connection.prepare_cached(sql)?;
        let names = select.query_map(params![current.as_str(), after, ROWS], |row| row.get(0))?;
        let names = names.collect::<rusqlite::Result<Vec<String>>>()?;
        for name in names.iter().filter_map(|name| name.parse().ok()) {
            self.wrap_anew(connection, &name)?;
        }
        if names.is_empty() {
            set_used(connection, std::slice::from_ref(current))?;
        }
        transaction.commit()?;
        Ok(names.into_iter().next_back())
    }

    fn wrap_anew(&self, connection: &Connection, name: &SessionName) -> rusqlite::Result<()> {
        let (Some(ring), Some(row)) = (&self.ring, row(connection, name)?) else { return Ok(()) };
        let Ok(key) = ring.unwrap(name, &row.wrapped) else {
            warn!(session = %name, "the session's data key does not open: it is left as it is");
            return Ok(());
        };
        let Wrapped { master, bytes } = ring.wrap(name, &key);
        let sql = "update seal set master = ?, data_key = ? where name = ?";
        connection.prepare_cached(sql)?.execute(params![master.as_str(), bytes, name.as_str()]).map(drop)
    }
}

/// What a start has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::sqlite) enum Settled {
    AsBefore,
    /// Sessions may be sealed that were not: their files are to be looked at.
    Changed,
}

/// Why there is no new master key.
#[derive(Debug, thiserror::Error)]
pub(in crate::engine::sqlite) enum RotateError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the store cannot be written")]
    Sqlite(#[from] rusqlite::Error),
}

/// Notes that somebody chose that a session is open.
fn leave_session_open(connection: &Connection, name: &SessionName, key: &DataKey) -> rusqlite::Result<()> {
    let stamp = key.stamp(&label(name, What::LeftOpen));
    let sql = "update seal set open_stamp = ? where name = ?";
    connection.prepare_cached(sql)?.execute(params![stamp, name.as_str()]).map(drop)
}

/// Forgets that anything was sealed: nothing is any more.
fn leave_open(connection: &Connection) -> rusqlite::Result<Settled> {
    if used(connection)?.is_empty() {
        return Ok(Settled::AsBefore);
    }
    let transaction = connection.unchecked_transaction()?;
    connection.execute("delete from seal", ())?;
    connection.execute("delete from meta where key in ('sealed', 'master_keys', 'unswept')", ())?;
    transaction.commit()?;
    Ok(Settled::Changed)
}

/// Leaves no byte of what was open: tables are copied, and the old ones are overwritten with zeros as they are dropped, for
/// SQLite does not clear what it moves from a page; then the write-ahead log is emptied.
fn sweep(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for table in TABLES {
        let sql = "select sql from sqlite_schema where type = 'table' and name = ?";
        let create: String = connection.query_row(sql, [table], |row| row.get(0))?;
        connection.execute_batch(&format!(
            "alter table {table} rename to old_{table};
             {create};
             insert into {table} select * from old_{table};
             drop table old_{table};"
        ))?;
    }
    transaction.commit()?;
    connection.query_row("pragma wal_checkpoint(truncate)", (), |_| Ok(()))?;
    let transaction = connection.unchecked_transaction()?;
    schema::set_meta(connection, "sealed", 1)?;
    connection.execute("delete from meta where key = 'unswept'", ())?;
    transaction.commit()
}

/// Writes all secrets of a session in another way, and stamps them.
fn rewrite(connection: &Connection, from: &SessionSeal<'_>, to: &SessionSeal<'_>) -> Result<(), SecretError> {
    let owners = "select peers, attributes from belongings where name = ?";
    let owners =
        rusqlite::OptionalExtension::optional(connection.query_row(owners, [from.name.as_str()], |row| {
            Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
        }))?;
    let (peers, attributes) = owners.unwrap_or_default();
    rewrite_auth(connection, from, to)?;
    if let Some(owner) = peers {
        rewrite_peers(connection, owner, from, to)?;
    }
    if let Some(owner) = attributes {
        from.check_attributes(connection, attributes)?;
        rewrite_attributes(connection, owner, from, to)?;
    }
    to.stamp_auth(connection)?;
    Ok(to.stamp_attributes(connection, attributes)?)
}

fn rewrite_auth(
    connection: &Connection,
    from: &SessionSeal<'_>,
    to: &SessionSeal<'_>,
) -> Result<(), SecretError> {
    let sql = "select dc, key, key_version, key_revision from auth where name = ? order by dc";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([from.name.as_str()], |row| {
        Ok((row.get(0)?, Zeroizing::new(row.get::<_, Vec<u8>>(1)?), (row.get(2)?, row.get(3)?)))
    })?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let known: Vec<_> = rows.iter().map(|(dc, _, (_, revision))| (*dc, *revision)).collect();
    from.check_auth(&known)?;
    let mut update =
        connection.prepare_cached("update auth set key = ?, key_version = ? where name = ? and dc = ?")?;
    for (dc, written, at) in rows {
        let what = What::AuthKey { dc };
        let key = to.close(what, at.1, &from.open(what, at, &written)?);
        update.execute(params![key.as_slice(), to.version(), from.name.as_str(), dc])?;
    }
    Ok(())
}

fn rewrite_peers(
    connection: &Connection,
    owner: i64,
    from: &SessionSeal<'_>,
    to: &SessionSeal<'_>,
) -> Result<(), SecretError> {
    let sql = "select id, access_hash, sealed_access_hash, key_revision from peer
               where owner = ? and id > ? and (access_hash is not null or sealed_access_hash is not null)
               order by id limit ?";
    let sql_update = "update peer set access_hash = ?, sealed_access_hash = ?, key_version = ?
                      where owner = ? and id = ?";
    let mut after = i64::MIN;
    loop {
        let mut select = connection.prepare_cached(sql)?;
        let rows = select.query_map(params![owner, after, ROWS], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<Vec<u8>>>(2)?, row.get(3)?))
        })?;
        let rows = rows.collect::<rusqlite::Result<Vec<(i64, _, _, _)>>>()?;
        let Some((last, ..)) = rows.last() else { return Ok(()) };
        after = *last;
        let mut update = connection.prepare_cached(sql_update)?;
        for (id, open, sealed, revision) in &rows {
            let hash = access_hash(from, *id, *revision, (*open, sealed.as_deref()))?;
            let (open, sealed) = written_hash(to, *id, *revision, hash);
            update.execute(params![open, sealed, to.version(), owner, id])?;
        }
    }
}

fn rewrite_attributes(
    connection: &Connection,
    owner: i64,
    from: &SessionSeal<'_>,
    to: &SessionSeal<'_>,
) -> Result<(), SecretError> {
    let sql = "select key, secret_value, key_version, key_revision from attribute
               where owner = ? and secret_value is not null";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([owner], |row| {
        let written = Zeroizing::new(row.get::<_, Vec<u8>>(1)?);
        Ok((row.get::<_, String>(0)?, written, (row.get(2)?, row.get(3)?)))
    })?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let sql = "update attribute set secret_value = ?, key_version = ? where owner = ? and key = ?";
    let mut update = connection.prepare_cached(sql)?;
    for (key, written, at) in rows {
        let what = What::Attribute { key: &key };
        let value = to.close(what, at.1, &from.open(what, at, &written)?);
        update.execute(params![value.as_slice(), to.version(), owner, key])?;
    }
    Ok(())
}

fn set_used(connection: &Connection, masters: &[MasterKeyId]) -> rusqlite::Result<()> {
    let ids: Vec<_> = masters.iter().map(MasterKeyId::as_str).collect();
    schema::set_meta(connection, "master_keys", ids.join(" "))
}

/// How many sessions are sealed, and which were opened by choice, as far as the store says.
pub(super) fn counts(connection: &Connection) -> rusqlite::Result<(usize, Vec<String>)> {
    let count = "select count(*) from seal where open_stamp is null";
    let sealed: i64 = connection.query_row(count, (), |row| row.get(0))?;
    let mut select =
        connection.prepare_cached("select name from seal where open_stamp is not null order by name")?;
    let open = select.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok((usize::try_from(sealed).unwrap_or(0), open))
}
