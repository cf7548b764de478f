mod wal;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use rusqlite::{Connection, ErrorCode};
use sessiond_proto::SessionName;
use tracing::{error, warn};

pub(super) use self::wal::WAL_BYTES;
use super::{
    belongings, entry,
    log::{self, LogRow, Trimmed},
    recovery,
    reserve::Reserve,
    rows, schema,
    sealing::{RotateError, Sealing, SecretError},
    times,
};
use crate::{
    engine::{
        Batch, Error, Event, Keeper, LogError, Owner, Protection, Revision, SealStatus, Sessions,
        journal::{Journal, Recovered, Transaction, WriteError},
        requests::Answered,
        state::Keys,
    },
    seal::KeyError,
};

/// File name of the store in the daemon's directory.
pub(super) const FILE: &str = "sessiond.db";

/// How many commits the stored sessions may be behind the log before each transaction stores some. Recovery replays at
/// most about twice as many.
const STORE_BEHIND: i64 = 40_000;

/// Fewest sessions stored at a time.
const STORE_SESSIONS: usize = 16;

/// How long and how large the log is kept.
const LOG_TIME: Duration = Duration::from_secs(3_600);
const LOG_BYTES: i64 = 256 << 20;

/// What a transaction is taken to add to the WAL beside its entries: the pages around them.
const WAL_PER_TRANSACTION: i64 = 2 * 4_096;

/// Most requests that changed nothing and wait for the next transaction.
const MOST_DEFERRED: usize = 16_384;

/// How long closing may take.
const CLOSE_WITHIN: Duration = Duration::from_millis(800);

/// A transaction trims the log each time this many were made, or this many bytes of entries.
const UPKEEP_EVERY: u32 = 64;
const UPKEEP_BYTES: i64 = 1 << 20;

/// The store: one SQLite database, this connection its only user.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    sealing: Sealing,
    /// Whose secret attributes were found to be all, and none of them older.
    checked: HashSet<Owner>,
    directory: PathBuf,
    store_id: String,
    /// Bytes of all log rows ever, and of those that are gone.
    log_offset: i64,
    log_start: i64,
    /// The log is whole after this revision.
    log_floor: Revision,
    head: Revision,
    /// Sessions that the log has and their row has not, with the first revision that their row lacks, oldest first.
    unstored: VecDeque<(Revision, SessionName)>,
    unstored_names: HashSet<SessionName>,
    /// Requests that changed nothing, for the next transaction.
    deferred: Vec<(SessionName, Answered)>,
    /// Mirrors written since, with the revision in them, or removed, with that of the deletion.
    mirrored: Vec<(SessionName, Revision)>,
    since_upkeep: u32,
    bytes_since_upkeep: i64,
    wal_bytes: i64,
    reserve: Reserve,
}

/// What recovery knows of a store.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) sealing: Sealing,
    pub(super) store_id: String,
    /// Its identity, and those that it had before it was copied.
    pub(super) store_ids: Vec<String>,
    pub(super) log_offset: i64,
    pub(super) log_start: i64,
    pub(super) log_floor: Revision,
    pub(super) unstored: Vec<(Revision, SessionName)>,
    /// Requests that changed nothing before the last stop.
    pub(super) deferred: Vec<(SessionName, Answered)>,
    /// Revision in each session's mirror, as far as was noted.
    pub(super) mirrored: HashMap<SessionName, Revision>,
    /// Sessions that were deleted, and whose mirror may still be there, with the revision of the deletion.
    pub(super) removals: Vec<(SessionName, Revision)>,
}

impl Store {
    /// Takes over a store that was opened and read.
    pub(super) fn new(directory: &Path, opened: Opened, head: Revision) -> Self {
        let Opened {
            connection,
            sealing,
            store_id,
            store_ids: _,
            log_offset,
            log_start,
            log_floor,
            unstored,
            deferred,
            mirrored: _,
            removals: _,
        } = opened;
        let unstored_names = unstored.iter().map(|(_, name)| name.clone()).collect();
        let mut store = Self {
            connection,
            sealing,
            checked: HashSet::new(),
            directory: directory.to_owned(),
            store_id,
            log_offset,
            log_start,
            log_floor,
            head,
            unstored: unstored.into(),
            unstored_names,
            deferred,
            mirrored: Vec::new(),
            since_upkeep: 0,
            bytes_since_upkeep: 0,
            wal_bytes: 0,
            reserve: Reserve::of(directory),
        };
        if let Err(error) = store.grow_wal() {
            warn!(%error, "the write-ahead log could not be grown in advance: commits will be slower at first");
        }
        store.reserve.restore();
        store
    }

    fn transact(&mut self, transaction: &Transaction, sessions: &Sessions) -> rusqlite::Result<()> {
        let batch = transaction.batch.as_deref();
        let entries = batch.map(entry::encode);
        let requests = log::encode_requests(self.deferred.iter().chain(&transaction.requests));
        let alone =
            transaction.holds.is_empty() && transaction.keys.is_empty() && transaction.kept.is_empty();
        let storing = self.to_store();
        let upkeep = self.since_upkeep >= UPKEEP_EVERY || self.bytes_since_upkeep >= UPKEEP_BYTES;
        if alone && storing == 0 && !upkeep {
            self.append(batch, entries.as_deref(), requests.as_deref())?;
        } else {
            let sql = self.connection.unchecked_transaction()?;
            self.append(batch, entries.as_deref(), requests.as_deref())?;
            for (name, hold) in &transaction.holds {
                rows::put_hold(&self.connection, name, hold)?;
            }
            for (name, revision, keys) in &transaction.keys {
                rows::put_keys(&self.connection, &self.sealing, name, *revision, keys)?;
            }
            for kept in &transaction.kept {
                belongings::put(&self.connection, &self.sealing, kept)?;
            }
            for commit in batch.iter().flat_map(|batch| batch.commits()) {
                if matches!(commit.event, Event::Deleted) {
                    rows::put_removal(&self.connection, &commit.name, commit.revision)?;
                    self.sealing.forget(&self.connection, &commit.name)?;
                }
            }
            self.store_sessions(sessions, storing)?;
            let trimmed = if upkeep { self.trim()? } else { None };
            if upkeep {
                belongings::purge(&self.connection)?;
            }
            sql.commit()?;
            self.stored(storing);
            self.trimmed(trimmed);
        }
        let bytes = log::size(entries.as_deref(), requests.as_deref());
        let since = if upkeep { (0, 0) } else { (self.since_upkeep + 1, self.bytes_since_upkeep + bytes) };
        (self.since_upkeep, self.bytes_since_upkeep) = since;
        self.wal_bytes += bytes + WAL_PER_TRANSACTION;
        if !transaction.kept.is_empty() {
            self.wal_bytes = self.wal_size()?;
        }
        self.deferred.clear();
        self.note_unstored(batch);
        self.log_offset += bytes;
        Ok(())
    }

    fn append(
        &self,
        batch: Option<&Batch>,
        entries: Option<&[u8]>,
        requests: Option<&[u8]>,
    ) -> rusqlite::Result<()> {
        match (batch, entries) {
            (Some(batch), Some(entries)) => {
                log::append(&self.connection, batch, self.log_offset, requests, entries)
            }
            _ => Ok(()),
        }
    }

    /// How many sessions the next transaction has to store.
    fn to_store(&self) -> usize {
        match self.unstored.front() {
            Some((first, _)) if self.head - first > STORE_BEHIND => {
                // More than become unstored at a time, so that the log's tail stays bounded.
                (self.unstored.len() / 64).max(STORE_SESSIONS).min(self.unstored.len())
            }
            _ => 0,
        }
    }

    /// Stores the sessions that have waited longest, as they are now.
    fn store_sessions(&self, sessions: &Sessions, count: usize) -> rusqlite::Result<()> {
        if count == 0 {
            return Ok(());
        }
        for (_, name) in self.unstored.iter().take(count) {
            rows::put_session(&self.connection, name, sessions.get(name))?;
        }
        let through = self.unstored.get(count).map_or(self.head, |(first, _)| first - 1);
        schema::set_meta(&self.connection, "stored", through)
    }

    fn stored(&mut self, count: usize) {
        for (_, name) in self.unstored.drain(..count) {
            self.unstored_names.remove(&name);
        }
    }

    fn note_unstored(&mut self, batch: Option<&Batch>) {
        let Some(batch) = batch else { return };
        for commit in batch.commits() {
            if commit.event.is_data() && !self.unstored_names.contains(&commit.name) {
                self.unstored_names.insert(commit.name.clone());
                self.unstored.push_back((commit.revision, commit.name.clone()));
            }
        }
        self.head = batch.last();
    }

    /// Trims the log a little: what is past its time and already stored. The newest row always stays: it tells the
    /// revision.
    fn trim(&self) -> rusqlite::Result<Option<Trimmed>> {
        let stored = self.unstored.front().map_or(self.head, |(first, _)| first - 1);
        let before = times::to_nanos(SystemTime::now() - LOG_TIME);
        log::trim(&self.connection, stored.min(self.head - 1), before, self.log_offset - LOG_BYTES)
    }

    fn trimmed(&mut self, trimmed: Option<Trimmed>) {
        if let Some(Trimmed { through, offset }) = trimmed {
            (self.log_floor, self.log_start) = (through, offset);
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    pub(super) fn is_checked(&self, owner: Owner) -> bool {
        self.checked.contains(&owner)
    }

    pub(super) fn note_checked(&mut self, owner: Owner) {
        self.checked.insert(owner);
    }
}

impl Journal for Store {
    const ENGINE: &'static str = "sqlite";

    type LogPart = Vec<LogRow>;

    fn store_id(&self) -> &str {
        &self.store_id
    }

    fn write(&mut self, transaction: &Transaction, sessions: &Sessions) -> Result<(), WriteError> {
        // What room there is then is for letting go.
        if self.reserve.is_short() && !transaction.only_lets_go() {
            return Err(WriteError::Full);
        }
        // A transaction that failed half-way is rolled back when its guard is dropped, which is before this.
        let written = self.transact(transaction, sessions).map_err(write_error);
        if written.is_ok() && self.wal_bytes >= WAL_BYTES {
            self.checkpoint();
        }
        written
    }

    fn defer(&mut self, requests: Vec<(SessionName, Answered)>) {
        self.deferred.extend(requests);
        // The latest count: a row is not to grow without end because nothing changes.
        let excess = self.deferred.len().saturating_sub(MOST_DEFERRED);
        self.deferred.drain(..excess);
    }

    fn spend_reserve(&mut self) {
        self.reserve.spend();
        self.checkpoint();
    }

    fn keys(&mut self, name: &SessionName) -> Result<Keys, Error> {
        recovery::keys(&self.connection, &self.sealing, name).map_err(|error| {
            error!(%error, session = %name, "the keys cannot be read");
            Error::Damaged(recovery::unreadable_keys(name))
        })
    }

    fn seal_status(&self) -> Result<SealStatus, Error> {
        self.sealing.status(&self.connection).map_err(|error| seal_failed(&error))
    }

    fn protect(&mut self, name: &SessionName, protection: Protection) -> Result<(), Error> {
        if !self.sealing.has_keys() {
            return Err(Error::nothing_is_sealed());
        }
        self.sealing.protect(&self.connection, name, protection).map_err(|error| match error {
            SecretError::Sqlite(error) => seal_failed(&error),
            SecretError::NotOpened(_) | SecretError::Invalid => {
                Error::Damaged(recovery::unreadable_keys(name))
            }
        })?;
        self.checkpoint();
        Ok(())
    }

    fn rotate_master_key(&mut self) -> Result<(), Error> {
        if !self.sealing.has_keys() {
            return Err(Error::nothing_is_sealed());
        }
        self.sealing.rotate(&self.connection).map_err(|error| match error {
            RotateError::Key(error @ KeyError::ReadOnly) => Error::Limit(error.to_string()),
            RotateError::Key(error) => {
                error!(%error, source = ?std::error::Error::source(&error), "there is no new master key");
                Error::StorageFailed
            }
            RotateError::Sqlite(error) => seal_failed(&error),
        })
    }

    fn wrap_some(&mut self, after: &str) -> Result<Option<String>, Error> {
        self.sealing.wrap_some(&self.connection, after).map_err(|error| seal_failed(&error))
    }

    fn is_sealed(&self, name: &SessionName) -> bool {
        self.sealing.seals(&self.connection, name)
    }

    fn keeper(&mut self) -> &mut dyn Keeper {
        self
    }

    fn log(&mut self, after: Revision, head: Revision) -> Result<Self::LogPart, LogError> {
        if after < self.log_floor {
            return Err(LogError::Trimmed);
        }
        log::read(&self.connection, after, head).map_err(|error| {
            error!(%error, "the log cannot be read");
            LogError::Trimmed
        })
    }

    fn batches(part: Self::LogPart) -> Result<Vec<Arc<Batch>>, LogError> {
        log::batches(&part).map_err(|error| {
            error!(%error, "the log cannot be read");
            LogError::Trimmed
        })
    }

    fn reopen(&mut self) -> Result<Recovered, Error> {
        // Two connections in exclusive mode would wait for each other: this one goes first.
        self.disconnect().map_err(|_| Error::StorageFailed)?;
        let opening = recovery::open(&self.directory, self.sealing.source());
        let (opened, mut recovered) = opening.map_err(|error| {
            error!(error = %format!("{error:#?}"), "the store cannot be opened again");
            Error::StorageFailed
        })?;
        // Requests that changed nothing are in memory alone until the next transaction.
        let deferred = std::mem::take(&mut self.deferred);
        *self = Self::new(&self.directory, opened, recovered.state.revision);
        for (name, answered) in &deferred {
            recovered.requests.remember(name, *answered, self.head + 1);
        }
        self.deferred.extend(deferred);
        Ok(recovered)
    }

    fn note_mirrored(&mut self, name: &SessionName, revision: Revision) {
        self.mirrored.push((name.clone(), revision));
    }

    fn forget_holds(&mut self, names: &[SessionName]) -> Result<(), WriteError> {
        let forget = || -> rusqlite::Result<()> {
            let sql = self.connection.unchecked_transaction()?;
            rows::delete_holds(&self.connection, names)?;
            sql.commit()
        };
        forget().map_err(write_error)
    }

    fn tidy(&mut self, sessions: &Sessions) -> Result<Revision, WriteError> {
        // A full disk has no room for sessions, but trimming makes some.
        let most = if self.reserve.is_short() { 0 } else { STORE_SESSIONS * 4 };
        let count = self.unstored.len().min(most);
        let tidied = (|| -> rusqlite::Result<Option<Trimmed>> {
            let sql = self.connection.unchecked_transaction()?;
            self.store_sessions(sessions, count)?;
            let trimmed = self.trim()?;
            if most > 0 {
                belongings::purge(&self.connection)?;
            }
            for (name, revision) in &self.mirrored {
                rows::put_mirrored(&self.connection, name, *revision)?;
            }
            sql.commit()?;
            Ok(trimmed)
        })();
        let trimmed = tidied.map_err(write_error)?;
        self.mirrored.clear();
        self.stored(count);
        self.trimmed(trimmed);
        Ok(self.log_floor)
    }

    fn log_extent(&self) -> (Revision, u64) {
        (self.log_floor, u64::try_from(self.log_offset - self.log_start).unwrap_or(0))
    }

    fn close(&mut self, sessions: &Sessions) {
        let started = Instant::now();
        // What is not stored by then is in the log.
        while (!self.unstored.is_empty() || !self.mirrored.is_empty()) && started.elapsed() < CLOSE_WITHIN {
            let before = (self.unstored.len(), self.mirrored.len());
            if let Err(error) = self.tidy(sessions) {
                warn!(%error, "sessions could not be stored beside the log; they stay in the log");
            }
            if before == (self.unstored.len(), self.mirrored.len()) {
                break;
            }
        }
        let deferred = log::encode_requests(&self.deferred).unwrap_or_default();
        if let Err(error) = schema::set_meta(&self.connection, "deferred", deferred) {
            warn!(%error, "the latest request ids could not be stored");
        }
        self.checkpoint();
        if let Err(error) = self.disconnect() {
            warn!(%error, "the store could not be closed; the process's end closes it");
        }
    }
}

fn seal_failed(error: &rusqlite::Error) -> Error {
    error!(%error, "what seals sessions cannot be read or written");
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::StorageFull,
        _ => Error::StorageFailed,
    }
}

fn write_error(error: rusqlite::Error) -> WriteError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => WriteError::Full,
        _ => WriteError::Unknown(error.into()),
    }
}
