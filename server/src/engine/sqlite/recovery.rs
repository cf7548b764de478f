//! Opening a store, and reading back what it had.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
    sync::Arc,
};

use prost::Message as _;
use rusqlite::Connection;
use sessiond_proto::{SessionName, v1};
use sessiond_session::{Auth, AuthKey, Session};
use tracing::{error, info, warn};

use super::{
    OpenError, database,
    identity::Identity,
    log::{self, LogRowError},
    schema,
    sealing::{Sealing, SecretError, SessionSeal, Settled},
    store::{FILE, Opened},
    times,
};
use crate::{
    engine::{
        Hold, HoldStatus, Holder, Revision, TokenHash,
        journal::Recovered,
        requests::{Answered, Requests},
        state::{Damage, Entry, Keys, State},
    },
    principal::Principal,
    seal::{KeySource, What},
};

/// How far the revision jumps when a store's identity changes, so that what a copy and its original commit is never taken
/// for each other.
pub(super) const REVISION_JUMP: Revision = 1 << 32;

/// Opens the store of a directory, makes it if there is none, and reads everything but the keys of sessions that nobody
/// holds. Unless its keys are there, nothing is changed.
pub(super) fn open(directory: &Path, source: &KeySource) -> Result<(Opened, Recovered), OpenError> {
    let path = directory.join(FILE);
    let damaged =
        |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Damaged { path: path.clone(), source };
    let mut reading = Reading::new(database::open(directory)?);
    reading.everything().map_err(|e| damaged(e.into()))?;
    let sealing = Sealing::unlock(&reading.connection, directory, source)
        .map_err(|error| OpenError::of_unlock(error, &path))?;
    reading.check_identity(&path)?;
    let (opened, recovered) = reading.finish(sealing).map_err(|error| match error {
        FinishError::Read(error) => damaged(error.into()),
        FinishError::Seal(error) => OpenError::Io { path: path.clone(), source: io::Error::other(error) },
    })?;
    database::settle(&opened.connection)
        .map_err(|error| OpenError::Io { path: path.clone(), source: io::Error::other(error) })?;
    Ok((opened, recovered))
}

/// A session's keys.
pub(super) fn keys(
    connection: &Connection,
    sealing: &Sealing,
    name: &SessionName,
) -> Result<Keys, SecretError> {
    let seal = sealing.of(connection, name)?;
    let stored = stored_keys(connection, &seal)?;
    let revisions: Vec<_> = stored.iter().map(|(dc, stored)| (*dc, stored.revision)).collect();
    seal.check_auth(&revisions)?;
    let key = |(dc, stored): (i32, StoredKey)| Ok((dc, stored.key.ok_or(SecretError::Invalid)?));
    stored.into_iter().map(key).collect()
}

/// A key as it is stored.
pub(super) struct StoredKey {
    /// `None`: what is there is none, or cannot be opened.
    pub(super) key: Option<AuthKey>,
    /// Of the commit that set it.
    revision: Revision,
}

/// A session's keys as they are stored.
pub(super) fn stored_keys(
    connection: &Connection,
    seal: &SessionSeal<'_>,
) -> rusqlite::Result<BTreeMap<i32, StoredKey>> {
    let sql = "select dc, key, key_version, key_revision from auth where name = ?";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([seal.name().as_str()])?;
    let mut keys = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (dc, version, revision) = (row.get(0)?, row.get(2)?, row.get(3)?);
        let opened = seal.open(What::AuthKey { dc }, (version, revision), row.get_ref(1)?.as_blob()?);
        let key = opened.ok().and_then(|key| AuthKey::try_from(key.as_slice()).ok());
        keys.insert(dc, StoredKey { key, revision });
    }
    Ok(keys)
}

/// A store that is being read.
struct Reading {
    connection: Connection,
    store_id: String,
    state: State,
    requests: Requests,
    stored: Revision,
    /// Sessions whose row is older than the log.
    unstored: Vec<SessionName>,
    /// Requests that changed nothing before the last stop.
    deferred: Vec<(SessionName, Answered)>,
    /// Revision in each session's mirror, as far as was noted.
    mirrored: HashMap<SessionName, Revision>,
}

impl Reading {
    fn new(connection: Connection) -> Self {
        let store_id = String::new();
        let (state, requests) = (State::default(), Requests::default());
        Self {
            connection,
            store_id,
            state,
            requests,
            stored: 0,
            unstored: Vec::new(),
            deferred: Vec::new(),
            mirrored: HashMap::new(),
        }
    }

    fn everything(&mut self) -> Result<(), LogRowError> {
        self.store_id = schema::meta(&self.connection, "store_id")?.unwrap_or_default();
        self.stored = schema::meta(&self.connection, "stored")?.unwrap_or(0);
        self.sessions()?;
        self.log()?;
        let newest: Option<Revision> =
            self.connection.query_row("select max(last) from log", (), |row| row.get(0))?;
        let jumped: Option<Revision> = schema::meta(&self.connection, "revision")?;
        self.state.revision = newest.max(jumped).unwrap_or(0);
        self.holds()?;
        let requests = &mut self.requests;
        log::replay_requests(&self.connection, |name, answered, logged| {
            requests.remember(name, answered, logged);
        })?;
        let deferred: Vec<u8> = schema::meta(&self.connection, "deferred")?.unwrap_or_default();
        self.deferred =
            log::decode_requests(&deferred).ok_or_else(|| LogRowError::Entry("request ids".into()))?;
        for (name, answered) in &self.deferred {
            requests.remember(name, *answered, self.state.revision + 1);
        }
        Ok(())
    }

    fn sessions(&mut self) -> Result<(), LogRowError> {
        let mut select =
            self.connection.prepare("select name, revision, changed, image, mirrored from session")?;
        let mut rows = select.query(())?;
        while let Some(row) = rows.next()? {
            let text: String = row.get(0)?;
            let name: SessionName =
                text.parse().map_err(|_| LogRowError::Entry(format!("session {text:?}")))?;
            let image = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
            let mut entry =
                Entry { revision: row.get(1)?, changed: times::from_nanos(row.get(2)?), ..Entry::default() };
            match read_image(image) {
                Ok(session) => entry.session = Some(Arc::new(session)),
                Err(problem) => {
                    error!(session = %name, problem, "a stored session cannot be read");
                    let remedy = format!("`sessiond import --force {name}` takes what its file has");
                    let damage = format!("the stored session {name} cannot be read: {problem}; {remedy}");
                    entry.damage = Some(Damage::Stored(damage.into()));
                }
            }
            self.mirrored.insert(name.clone(), row.get(4)?);
            self.state.sessions.insert(name, entry);
        }
        Ok(())
    }

    /// What the log has and the rows have not.
    fn log(&mut self) -> Result<(), LogRowError> {
        let (state, unstored) = (&mut self.state, &mut self.unstored);
        log::replay(&self.connection, self.stored, |commit| {
            let stored = state.entry(&commit.name).map_or(0, |entry| entry.revision);
            if commit.revision <= stored {
                return;
            }
            state.apply(commit);
            if commit.event.is_data() && unstored.last() != Some(&commit.name) {
                unstored.push(commit.name.clone());
            }
        })?;
        unstored.sort_unstable();
        unstored.dedup();
        Ok(())
    }

    fn holds(&mut self) -> Result<(), LogRowError> {
        let sql =
            "select name, fence, token, status, label, pid, uid, executable, since, host, start_time, boot_id
                   from hold";
        let mut select = self.connection.prepare(sql)?;
        let mut rows = select.query(())?;
        while let Some(row) = rows.next()? {
            let text: String = row.get(0)?;
            let name: SessionName =
                text.parse().map_err(|_| LogRowError::Entry(format!("hold of {text:?}")))?;
            self.state.set_hold(&name, read_hold(row)?);
        }
        Ok(())
    }

    /// A store that is not where it was is a copy: its holds are the original's.
    fn check_identity(&mut self, path: &Path) -> Result<(), OpenError> {
        let failed = |source: io::Error| OpenError::Io { path: path.to_owned(), source };
        let here = Identity::of(path).map_err(failed)?.to_string();
        let stored: Option<String> = schema::meta(&self.connection, "identity")
            .map_err(|error| OpenError::Damaged { path: path.to_owned(), source: error.into() })?;
        if stored.as_ref() == Some(&here) {
            return Ok(());
        }
        let old_id = std::mem::replace(&mut self.store_id, uuid::Uuid::new_v4().to_string());
        warn!(
            old_id,
            store_id = self.store_id,
            "this directory is a copy or was restored: it gets an identity of its own, and its holds are dropped"
        );
        self.state.revision += REVISION_JUMP;
        let names: Vec<_> = self.state.sessions.keys().cloned().collect();
        for name in names {
            self.state.drop_hold(&name);
        }
        self.adopt(&here, &old_id).map_err(|error| failed(io::Error::other(error)))
    }

    fn adopt(&self, identity: &str, old_id: &str) -> rusqlite::Result<()> {
        let earlier: String = schema::meta(&self.connection, "earlier_ids")?.unwrap_or_default();
        let transaction = self.connection.unchecked_transaction()?;
        schema::set_meta(&self.connection, "identity", identity)?;
        schema::set_meta(&self.connection, "store_id", &self.store_id)?;
        schema::set_meta(&self.connection, "earlier_ids", format!("{old_id} {earlier}").trim())?;
        schema::set_meta(&self.connection, "revision", self.state.revision)?;
        // Nobody can resume after a revision of the original: the log begins anew.
        schema::set_meta(&self.connection, "log_floor", self.state.revision)?;
        self.connection.execute("delete from hold", ())?;
        transaction.commit()
    }

    /// Those that cannot be read make their session damaged, and no other.
    fn held_keys(&mut self, sealing: &Sealing) -> Result<(), LogRowError> {
        let held = self.state.sessions.iter().filter(|(_, entry)| entry.held().is_some());
        let names: Vec<_> = held.map(|(name, _)| name.clone()).collect();
        for name in names {
            match keys(&self.connection, sealing, &name) {
                Ok(keys) => self.state.set_keys(&name, &Arc::new(keys)),
                Err(SecretError::Sqlite(error)) => return Err(error.into()),
                Err(problem) => {
                    error!(session = %name, %problem, "the keys of a session that is held cannot be read");
                    self.state.entry_mut(&name).damage = Some(Damage::Stored(unreadable_keys(&name).into()));
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, mut sealing: Sealing) -> Result<(Opened, Recovered), FinishError> {
        database::let_write(&self.connection).map_err(LogRowError::from)?;
        schema::upgrade(&self.connection).map_err(LogRowError::from)?;
        if sealing.settle(&self.connection)? == Settled::Changed {
            self.mirrored.clear();
        }
        self.held_keys(&sealing)?;
        Ok(self.opened(sealing)?)
    }

    fn opened(self, sealing: Sealing) -> Result<(Opened, Recovered), LogRowError> {
        let Self { connection, store_id, state, requests, stored, unstored, deferred, mirrored } = self;
        let log_floor = log_floor(&connection)?;
        let (log_start, log_offset) = log_extent(&connection)?;
        let removals = removals(&connection)?;
        let unstored: Vec<_> = unstored.into_iter().map(|name| (stored + 1, name)).collect();
        info!(
            store_id,
            revision = state.revision,
            sessions = state.sessions.len(),
            held = state.held,
            replayed = unstored.len(),
            "the store is open"
        );
        let store_ids = [store_id.clone()].into_iter().chain(earlier_ids(&connection)?).collect();
        let opened = Opened {
            connection,
            sealing,
            store_id,
            store_ids,
            log_offset,
            log_start,
            log_floor,
            unstored,
            deferred,
            mirrored,
            removals,
        };
        Ok((opened, Recovered { state, requests }))
    }
}

/// Why a store that was read is not opened.
#[derive(Debug, thiserror::Error)]
enum FinishError {
    #[error(transparent)]
    Read(#[from] LogRowError),
    #[error("the store cannot be sealed")]
    Seal(#[from] SecretError),
}

/// What is told of keys that cannot be read.
pub(super) fn unreadable_keys(name: &SessionName) -> String {
    format!(
        "the keys of {name} cannot be read: they are damaged, or were put back; restore the daemon's directory from a copy"
    )
}

fn read_image(image: &[u8]) -> Result<Session, String> {
    let image = v1::Session::decode(image).map_err(|error| error.to_string())?;
    let session = Session::try_from(image).map_err(|error| error.to_string())?;
    debug_assert!(session.dcs.iter().all(|dc| !matches!(dc.auth, Auth::Key(_))), "an image has no key");
    Ok(session)
}

fn read_hold(row: &rusqlite::Row<'_>) -> Result<Hold, LogRowError> {
    let host: String = row.get(9)?;
    let holder = Holder {
        label: row.get(4)?,
        pid: row.get(5)?,
        principal: Principal::from_parts(row.get(6)?, &host),
        executable: row.get(7)?,
        since: times::from_nanos(row.get(8)?),
        start_time: row.get::<_, i64>(10)?.cast_unsigned(),
        boot_id: row.get(11)?,
    };
    let status = match row.get::<_, i64>(3)? {
        0 => HoldStatus::Held,
        1 => HoldStatus::Released,
        2 => HoldStatus::Ended,
        _ => HoldStatus::Over,
    };
    Ok(Hold {
        fence: row.get(1)?,
        token: TokenHash::from_bytes(row.get(2)?),
        holder: Arc::new(holder),
        status,
    })
}

/// The log is whole after this revision: that before its first row's first commit.
fn log_floor(connection: &Connection) -> rusqlite::Result<Revision> {
    use rusqlite::OptionalExtension as _;
    let sql = "select first - 1 from log order by last limit 1";
    let first: Option<Revision> = connection.query_row(sql, (), |row| row.get(0)).optional()?;
    let floor: Revision = schema::meta(connection, "log_floor")?.unwrap_or(0);
    Ok(first.unwrap_or(0).max(floor))
}

/// Identities that the store had before it was copied.
fn earlier_ids(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let ids: Option<String> = schema::meta(connection, "earlier_ids")?;
    Ok(ids.unwrap_or_default().split_whitespace().map(str::to_owned).collect())
}

/// Offset of the log's first row, and of the end of its last one.
fn log_extent(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let sql = "select ifnull(min(offset), 0),
                      ifnull(max(offset + length(entries) + ifnull(length(requests), 0)), 0)
               from (select * from (select * from log order by last limit 1)
                     union all select * from (select * from log order by last desc limit 1))";
    connection.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Sessions that were deleted, and whose mirror may still be there.
fn removals(connection: &Connection) -> Result<Vec<(SessionName, Revision)>, LogRowError> {
    let mut select = connection.prepare("select name, revision from removal")?;
    let rows = select.query_map((), |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (name, revision) = row?;
        Ok((name.parse().map_err(|_| LogRowError::Entry("removal".into()))?, revision))
    })
    .collect()
}
