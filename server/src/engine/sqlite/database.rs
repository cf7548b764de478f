//! The store's database: made whole or not at all, and opened so that one that cannot be read is left as it is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{
    identity::Identity,
    schema,
    sealing::UnlockError,
    store::{FILE, WAL_BYTES},
};
use crate::seal::KeyError;

/// Where a store is made, before it gets its name.
const NEW: &str = "sessiond.db.new";

/// Why a store cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Made by a newer daemon.
    #[error("{path} has format {format}, which this version does not know; start the version that made it", path = path.display())]
    Newer { path: PathBuf, format: i64 },
    /// It cannot be read.
    #[error(
        "{path} is damaged; restore the directory from a copy, or start once with --rebuild to make a new store from the session files",
        path = path.display()
    )]
    Damaged { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    /// SQLite is too old to be trusted with a write-ahead log.
    #[error("SQLite {0} can corrupt a write-ahead log; build with 3.51.3 or later")]
    OldSqlite(&'static str),
    /// There is no master key for it, or not the right one.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Another program has it open.
    #[error("{path} is in use by another program", path = path.display())]
    InUse { path: PathBuf },
    /// The directory.
    #[error("{path} cannot be used", path = path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// A write-ahead log from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    None,
    /// A daemon did not close the store in order.
    Left,
}

/// Opens the database of a directory, and makes it if there is none. Unless [`let_write`] is called, closing it leaves
/// everything as it was.
pub(super) fn open(directory: &Path) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < schema::OLDEST_SQLITE {
        return Err(OpenError::OldSqlite(rusqlite::version()));
    }
    let path = directory.join(FILE);
    let bytes =
        |ending: &str| fs::metadata(directory.join(format!("{FILE}{ending}"))).ok().map(|file| file.len());
    let damaged = |problem: &str| OpenError::Damaged { path: path.clone(), source: problem.into() };
    let log = if bytes("-wal").is_some_and(|bytes| bytes > 0) { Log::Left } else { Log::None };
    match (bytes(""), log) {
        // SQLite would take a log without its database for a remnant, and remove it.
        (None, Log::Left) => return Err(damaged("it is gone, and its write-ahead log is there")),
        (Some(0), _) => return Err(damaged("it is empty")),
        (None, Log::None) => create(directory, &path)?,
        (Some(_), _) => {}
    }
    let connection = connect(&path, log)?;
    let unreadable = |error| OpenError::of(error, &path);
    if !schema::exists(&connection).map_err(unreadable)? {
        return Err(damaged("it is no store"));
    }
    match schema::meta(&connection, "format").map_err(unreadable)?.unwrap_or(0) {
        1..=schema::FORMAT => {}
        format => return Err(OpenError::Newer { path, format }),
    }
    match problem(&connection).map_err(unreadable)? {
        None => Ok(connection),
        Some(problem) => Err(damaged(&problem)),
    }
}

/// What is wrong with the pages of the tables, of their indexes, or of those that are free. Only the log's are left to who
/// reads it. It takes a tenth of a second for a hundred thousand sessions, or peers; a damaged page would fail every write on it.
fn problem(connection: &Connection) -> rusqlite::Result<Option<String>> {
    // The pages that are free are the schema's (<https://sqlite.org/pragma.html#pragma_integrity_check>).
    let format = schema::meta(connection, "format")?.unwrap_or(0);
    let belongings: &[&str] = if format < 2 { &[] } else { &schema::BELONGING_TABLES };
    let seals: &[&str] = if format < 3 { &[] } else { &["seal"] };
    let first = ["sqlite_schema", "meta", "session", "auth", "hold", "removal"];
    for table in first.iter().chain(belongings).chain(seals) {
        let found: String =
            connection.query_row(&format!("pragma quick_check({table})"), (), |row| row.get(0))?;
        if found != "ok" {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Has the database do its work as usual, now that it is known to be whole.
pub(super) fn let_write(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map(drop)
}

/// Makes durable what was read, before anybody is told of it. A daemon that was killed has left commits in its log that it
/// had not synced; and after a sync that failed the system takes what it could not write for written
/// (<https://wiki.postgresql.org/wiki/Fsync_Errors>), so that it has to be written anew, into the database, and synced there.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    let settled = connection.query_row("pragma wal_checkpoint(passive)", (), |_| Ok(()));
    match settled {
        // The log is synced before the database is written.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => Ok(()),
        settled => settled,
    }
}

fn connect(path: &Path, log: Log) -> Result<Connection, OpenError> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        // What a log has is part of the damage, perhaps the remedy. An empty one goes with the connection.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, log == Log::Left)?;
        connection.set_prepared_statement_cache_capacity(128);
        // Nobody else has a store open: the directory is locked. No shared memory is needed, and commits are faster.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        connection.pragma_update(None, "secure_delete", "on")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // A log that a large transaction has grown is cut to this when it begins anew, and never below what commits need.
        connection.pragma_update(None, "journal_size_limit", 2 * WAL_BYTES)?;
        // Commits touch few pages. A transaction may grow the cache, so that it writes each page once.
        connection.pragma_update(None, "cache_size", -1_024)?;
        connection.pragma_update(None, "cache_spill", 1_024)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        Ok(connection)
    };
    open().map_err(|error| OpenError::of(error, path))
}

/// Makes a store. It appears under its name whole and durable, or not at all.
fn create(directory: &Path, path: &Path) -> Result<(), OpenError> {
    let failed = |source: io::Error| OpenError::Io { path: path.to_owned(), source };
    let new = directory.join(NEW);
    let remove =
        || ["-wal", "-journal", ""].map(|ending| fs::remove_file(directory.join(format!("{NEW}{ending}"))));
    // What an earlier attempt has left.
    let _ = remove();
    let made = fill(&new).inspect_err(|_| drop(remove()));
    made.map_err(|error| failed(io::Error::other(error)))?;
    fs::rename(&new, path).and_then(|()| fs::File::open(directory)?.sync_all()).map_err(failed)
}

fn fill(new: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let connection = Connection::open(new)?;
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    let transaction = connection.unchecked_transaction()?;
    schema::create(&transaction)?;
    schema::set_meta(&transaction, "store_id", uuid::Uuid::new_v4().to_string())?;
    schema::set_meta(&transaction, "identity", Identity::of(new)?.to_string())?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

impl OpenError {
    pub(super) fn of_unlock(error: UnlockError, path: &Path) -> Self {
        match error {
            UnlockError::Key(error) => error.into(),
            UnlockError::Sqlite(error) => Self::of(error, path),
        }
    }

    fn of(error: rusqlite::Error, path: &Path) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse { path },
            Some(ErrorCode::CannotOpen | ErrorCode::DiskFull | ErrorCode::ReadOnly) => {
                Self::Io { path, source: io::Error::other(error) }
            }
            _ => Self::Damaged { path, source: error.into() },
        }
    }
}
