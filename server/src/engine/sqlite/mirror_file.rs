use std::{io, path::Path};

use rusqlite::{Connection, ErrorCode, params, types::ValueRef};
use sessiond_proto::SessionName;
use sessiond_session::{
    FileError, LockedFile, Opener, Session,
    formats::{Format, FormatError, ImportError, Schema, Source, telethon_v2},
};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::engine::Revision;

/// The daemon's own table in a mirror. Telethon's migration takes only letters and `_`, at most 20, for a table's name.
const TABLE: &str = "create table sessiond_mirror (
    store_id text not null,
    name text not null,
    revision integer not null,
    digest blob not null
)";

/// What happened to a mirror that is not as we left it.
const CHANGED: &str = "was changed by another program";

/// A session's own file, `NAME.session`, open and locked: Telethon v2's tables, and one of the daemon's that says whose it
/// is, of which revision, and what the others were when the daemon wrote them last. Dropping it closes and unlocks it.
#[derive(Debug)]
pub(crate) struct MirrorFile {
    file: LockedFile,
}

/// Whose a mirror is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    /// Ids of the store: its own first, then those that it had before.
    pub(crate) store_ids: &'a [String],
    pub(crate) name: &'a SessionName,
}

/// What is at a mirror's path. Unless it is ours, it was not touched.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing.
    Missing,
    /// Our file, as we left it, and the revision in it.
    Ours(MirrorFile, Revision),
    /// A stock file of Telethon v2, with this in it.
    Unclaimed(Session),
    /// Something else, or not as we left it: what it is or what happened to it, as the rest of a sentence about it.
    Foreign(String),
    /// Nothing that can be read: why, as the rest of a sentence about it.
    Damaged(String),
    /// Other programs have it locked: these, as far as the system tells.
    InUse(Vec<Opener>),
}

/// Why a mirror was not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MirrorError {
    /// Nothing was changed; it can be written when there is room.
    #[error("the disk is full")]
    Full,
    /// Its path leads to another file than the one that is open, or to none. Neither was written.
    #[error("another program moved or replaced it")]
    Swapped,
    /// Other programs have it locked: these, as far as the system tells.
    #[error("it is in use by another program{}", listed(.0))]
    InUse(Vec<Opener>),
    /// There is something else: what that is, as the rest of a sentence about it.
    #[error("it {0}")]
    NotOurs(String),
    /// The system could not do it.
    #[error("the disk failed")]
    Io(#[source] io::Error),
    /// SQLite could not do it.
    #[error("SQLite failed")]
    Sqlite(#[source] rusqlite::Error),
}

/// What a database is to its would-be owner.
enum Verdict {
    Ours(Revision),
    Other(Found),
}

impl MirrorFile {
    /// Looks at what is at a path, and opens and locks it if it is ours. Waits up to some seconds for a transaction of
    /// another program.
    pub(crate) fn find(path: &Path, owner: &Owner<'_>) -> Result<Found, MirrorError> {
        // What is not ours must not be written, not even to recover it from a crash, so it is looked at before it is
        // opened; and again when it is locked, since it could be changed in between.
        match look(path, owner)? {
            Verdict::Ours(_) => {}
            Verdict::Other(found) => return Ok(found),
        }
        let file = match LockedFile::open(path) {
            Ok(file) => file,
            Err(FileError::Missing) => return Ok(Found::Missing),
            Err(FileError::InUse(openers)) => return Ok(Found::InUse(openers)),
            Err(error) => return Err(error.into()),
        };
        match judge(file.connection(), owner)? {
            Verdict::Ours(revision) => Ok(Found::Ours(Self { file }, revision)),
            Verdict::Other(found) => Ok(found),
        }
    }

    /// Makes a mirror, readable by its owner alone. It appears under its name whole and durable, or not at all.
    ///
    /// # Errors
    /// [`MirrorError::NotOurs`] if there is a file, which is never replaced.
    pub(crate) fn create(
        path: &Path,
        owner: &Owner<'_>,
        session: &Session,
        revision: Revision,
    ) -> Result<Self, MirrorError> {
        let file = LockedFile::create(path, |connection| {
            telethon_v2::create(connection)?;
            connection.execute_batch(TABLE)?;
            fill(connection, owner, session, revision)
        })?;
        Ok(Self { file })
    }

    /// Makes a stock file ours that was taken in: its own tables are written, and ours is added. If the session that is
    /// written has no keys, it becomes another file, so that none stay in this one.
    ///
    /// # Errors
    /// It no longer has `taken` in it. It was not touched then.
    pub(crate) fn adopt(
        path: &Path,
        owner: &Owner<'_>,
        taken: &Session,
        (session, revision): (&Session, Revision),
    ) -> Result<Self, MirrorError> {
        let mut file = LockedFile::open(path)?;
        match judge(file.connection(), owner)? {
            Verdict::Other(Found::Unclaimed(found)) if found == *taken => {}
            Verdict::Other(found) => return Err(found.refusal()),
            Verdict::Ours(_) => return Err(MirrorError::Swapped),
        }
        if session != taken {
            file.remove()?;
            return Self::create(path, owner, session, revision);
        }
        file.write(|connection| {
            connection.execute_batch(TABLE)?;
            fill(connection, owner, session, revision)
        })?;
        Ok(Self { file })
    }

    /// Writes a session, durable on Ok.
    ///
    /// # Errors
    /// Nothing was changed. [`MirrorError::NotOurs`] if there is not the record in it that we left.
    pub(crate) fn write(
        &mut self,
        owner: &Owner<'_>,
        session: &Session,
        revision: Revision,
    ) -> Result<(), MirrorError> {
        // What was written into it just as it was opened looks like what was opened.
        if !is_recorded(self.file.connection(), owner)? {
            return Err(MirrorError::NotOurs(CHANGED.into()));
        }
        Ok(self.file.write(|connection| fill(connection, owner, session, revision))?)
    }

    /// Whether there are keys in it.
    pub(crate) fn has_keys(&self) -> Result<bool, MirrorError> {
        let sql = "select exists (select 1 from datacenter where auth is not null)";
        let found = self.file.connection().query_row(sql, (), |row| row.get(0));
        found.map_err(|error| FileError::Sqlite(error).into())
    }

    /// What is in it.
    pub(crate) fn session(&self) -> Result<Session, FormatError> {
        telethon_v2::read(self.file.connection())
    }

    /// Whether its path still leads to it.
    pub(crate) fn path_is_ours(&self) -> bool {
        self.file.path_is_ours()
    }

    /// Closes and unlocks it: one file, which any program may open.
    pub(crate) fn close(self) {
        if let Err(error) = self.file.close() {
            warn!(%error, "a session's file was not closed in order");
        }
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`MirrorError::Swapped`] if its path no longer leads to it; neither file was removed.
    pub(crate) fn remove(self) -> Result<(), MirrorError> {
        Ok(self.file.remove()?)
    }
}

impl Found {
    /// Why what was found is not written over.
    pub(crate) fn refusal(self) -> MirrorError {
        match self {
            Self::Missing | Self::Ours(..) => MirrorError::Swapped,
            Self::Unclaimed(_) => MirrorError::NotOurs("was put there by another program".into()),
            Self::Foreign(why) | Self::Damaged(why) => MirrorError::NotOurs(why),
            Self::InUse(openers) => MirrorError::InUse(openers),
        }
    }
}

impl From<FileError> for MirrorError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Full => Self::Full,
            FileError::Missing | FileError::Replaced => Self::Swapped,
            FileError::InUse(openers) => Self::InUse(openers),
            FileError::Exists => Self::NotOurs("was put there by another program".into()),
            FileError::NotADatabase => Self::NotOurs("is not a SQLite database".into()),
            FileError::Damaged(error) => Self::NotOurs(format!("is damaged: {error}")),
            FileError::Io(error) => Self::Io(error),
            FileError::Sqlite(error) => Self::Sqlite(error),
        }
    }
}

impl From<io::Error> for MirrorError {
    fn from(error: io::Error) -> Self {
        FileError::from(error).into()
    }
}

/// Looks at a file that is not open here, without a write to it or beside it.
fn look(path: &Path, owner: &Owner<'_>) -> Result<Verdict, MirrorError> {
    let found = match Source::open_alone(path) {
        Ok(source) => return judge(source.connection(), owner),
        Err(ImportError::InUse { openers, .. }) => Found::InUse(openers),
        Err(ImportError::Io { source, .. }) => match source.kind() {
            io::ErrorKind::NotFound => Found::Missing,
            io::ErrorKind::InvalidInput => Found::Foreign("is not a file".into()),
            _ => return Err(source.into()),
        },
        Err(ImportError::Format { source: FormatError::Sqlite { source: error, .. }, .. }) => {
            unreadable(error)?
        }
        Err(_) => Found::Damaged("is not a SQLite database".into()),
    };
    Ok(Verdict::Other(found))
}

fn judge(connection: &Connection, owner: &Owner<'_>) -> Result<Verdict, MirrorError> {
    match record(connection, owner) {
        Ok(Some(verdict)) => Ok(verdict),
        Ok(None) => stock(connection).map(Verdict::Other),
        Err(error) => unreadable(error).map(Verdict::Other),
    }
}

/// What our table says, if there is one.
fn record(connection: &Connection, owner: &Owner<'_>) -> rusqlite::Result<Option<Verdict>> {
    if !connection.table_exists(None, "sessiond_mirror")? {
        return Ok(None);
    }
    let foreign = |why: String| Ok(Some(Verdict::Other(Found::Foreign(why))));
    let sql = "select store_id, name, revision, digest from sessiond_mirror";
    let record = connection.query_row(sql, [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get::<_, Vec<u8>>(3)?))
    });
    let (store_id, name, revision, digest) = match record {
        Ok(record) => record,
        // No row, or other columns or values than we write.
        Err(error) if error.sqlite_error_code().is_none_or(|code| code == ErrorCode::Unknown) => {
            return foreign(CHANGED.into());
        }
        Err(error) => return Err(error),
    };
    if !owner.store_ids.contains(&store_id) {
        return foreign("belongs to another sessiond's store".into());
    }
    if name != owner.name.as_str() {
        return foreign(format!("is the session {}'s", name.escape_debug()));
    }
    if digest != digest_of(connection)? {
        return foreign(CHANGED.into());
    }
    Ok(Some(Verdict::Ours(revision)))
}

/// Whether our table has this owner in it.
fn is_recorded(connection: &Connection, owner: &Owner<'_>) -> Result<bool, MirrorError> {
    let sql = "select count(*) from sessiond_mirror where name = ?";
    match connection.query_row(sql, [owner.name.as_str()], |row| row.get::<_, i64>(0)) {
        Ok(count) => Ok(count == 1),
        // No such table or column.
        Err(error) if error.sqlite_error_code().is_none_or(|code| code == ErrorCode::Unknown) => Ok(false),
        Err(error) if is_damage(&error) => Ok(false),
        Err(error) => Err(MirrorError::Sqlite(error)),
    }
}

/// What a file without our table is.
fn stock(connection: &Connection) -> Result<Found, MirrorError> {
    let session = match Schema::of(connection) {
        Ok(Some(Schema { format: Format::TelethonV2, version: Some(telethon_v2::VERSION) })) => {
            telethon_v2::read(connection)
        }
        Ok(Some(schema)) => return Ok(Found::Foreign(format!("is a {schema}"))),
        Ok(None) => return Ok(Found::Foreign("is empty".into())),
        Err(error) => Err(error),
    };
    match session {
        Ok(session) => Ok(Found::Unclaimed(session)),
        Err(FormatError::Sqlite { source: error, .. }) => unreadable(error),
        Err(error @ FormatError::Value { .. }) => Ok(Found::Damaged(format!("has a wrong value: {error}"))),
        Err(error) => Ok(Found::Foreign(format!("is no session that can be taken in as it is: {error}"))),
    }
}

fn unreadable(error: rusqlite::Error) -> Result<Found, MirrorError> {
    if is_damage(&error) {
        Ok(Found::Damaged(format!("is damaged: {error}")))
    } else {
        Err(MirrorError::Sqlite(error))
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn fill(
    connection: &Connection,
    owner: &Owner<'_>,
    session: &Session,
    revision: Revision,
) -> rusqlite::Result<()> {
    telethon_v2::write(connection, session)?;
    let store_id = owner.store_ids.first().expect("a store has an id");
    connection.execute("delete from sessiond_mirror", [])?;
    connection.execute(
        "insert into sessiond_mirror (store_id, name, revision, digest) values (?, ?, ?, ?)",
        params![store_id, owner.name.as_str(), revision, digest_of(connection)?],
    )?;
    Ok(())
}

/// SHA-256 of everything in the database but our table: the schema's text, and every value of the format's tables.
fn digest_of(connection: &Connection) -> rusqlite::Result<[u8; 32]> {
    let mut sha = Sha256::new();
    let schema = "select type, name, tbl_name, sql from sqlite_schema where tbl_name <> 'sessiond_mirror' \
                  order by type, name";
    add_rows(&mut sha, connection, schema)?;
    for table in telethon_v2::TABLES {
        add_rows(&mut sha, connection, &format!("select * from {table} order by rowid"))?;
    }
    Ok(sha.finalize().into())
}

/// Adds rows so that no other rows give the same bytes: each row and each value is marked, and a length precedes what has
/// one.
fn add_rows(sha: &mut Sha256, connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    sha.update(b"T");
    while let Some(row) = rows.next()? {
        sha.update(b"R");
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => sha.update(b"n"),
                ValueRef::Integer(integer) => {
                    sha.update(b"i");
                    sha.update(integer.to_le_bytes());
                }
                ValueRef::Real(real) => {
                    sha.update(b"r");
                    sha.update(real.to_le_bytes());
                }
                ValueRef::Text(text) => add_bytes(sha, b"t", text),
                ValueRef::Blob(blob) => add_bytes(sha, b"b", blob),
            }
        }
    }
    Ok(())
}

fn add_bytes(sha: &mut Sha256, mark: &[u8], bytes: &[u8]) {
    sha.update(mark);
    sha.update((bytes.len() as u64).to_le_bytes());
    sha.update(bytes);
}

fn listed(openers: &[Opener]) -> String {
    let openers: Vec<_> = openers.iter().map(ToString::to_string).collect();
    if openers.is_empty() { String::new() } else { format!(": {}", openers.join(", ")) }
}

#[cfg(test)]
mod tests;
