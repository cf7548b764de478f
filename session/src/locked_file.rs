use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{self, Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::{Opener, opener::Openers, openers};

/// How long a transaction of another program that is under way may take before the file counts as in use.
const PATIENCE: Duration = Duration::from_millis(500);

/// A SQLite file, open and locked against every other program until it is closed or dropped.
///
/// It has a rollback journal, which is beside the file while it is open and gone after. SQLite itself recovers the file
/// from a crash of any program when it is opened.
///
/// Nobody may open and close the same file in this process by other means than SQLite: POSIX drops all locks of a process
/// on a file when any of its descriptors is closed. This crate keeps to that.
#[derive(Debug)]
pub struct LockedFile {
    /// Absolute path, as it was given: symbolic links may lead it elsewhere later.
    path: PathBuf,
    connection: Connection,
    /// Its content as this process left it.
    content: Content,
    /// Dropped after the connection is.
    registration: Registration,
}

/// What tells that a file's content was written, short of reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    bytes: u64,
    modified: (i64, i64),
}

/// Why a file could not be opened, made, written or removed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no file at the path.
    #[error("there is no such file")]
    Missing,
    /// There is a file at the path already.
    #[error("there is a file already")]
    Exists,
    /// Other programs have a lock on it: these, as far as the system tells.
    #[error("it is in use by {}", Openers(.0))]
    InUse(Vec<Opener>),
    /// It is not a SQLite database.
    #[error("it is not a SQLite database")]
    NotADatabase,
    /// It is a SQLite database that is damaged.
    #[error("it is damaged")]
    Damaged(#[source] rusqlite::Error),
    /// The path leads to another file than the one that is open, or to none; or another program wrote into the file in spite
    /// of the lock, as `cp` does. Nothing was written.
    #[error("another program moved or replaced it")]
    Replaced,
    /// The disk is full. Nothing was changed.
    #[error("the disk is full")]
    Full,
    /// The system could not do it.
    #[error("it cannot be used")]
    Io(#[source] io::Error),
    /// SQLite could not do it.
    #[error("it cannot be used")]
    Sqlite(#[source] rusqlite::Error),
}

/// The files that this process has locked.
static LOCKED: Mutex<BTreeSet<Identity>> = Mutex::new(BTreeSet::new());

/// A file's place among those that this process has locked.
#[derive(Debug)]
struct Registration(Identity);

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    device: u64,
    inode: u64,
}

impl LockedFile {
    /// How the name of a file ends that is being made. One that is left was cut off by a crash.
    pub const UNFINISHED: &'static str = ".sessiond-new";

    /// Opens and locks a file that exists.
    ///
    /// # Errors
    /// See [`FileError`]. The file is as it was, except for a recovery from a crash.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let path = path::absolute(path).map_err(FileError::from)?;
        let identity = Identity::of(&path)?;
        let registration = Registration::new(identity).ok_or_else(|| FileError::InUse(openers(&path)))?;
        let connection = open_and_lock(&path).map_err(|error| FileError::of(error, &path))?;
        if Identity::of(&path)? != identity {
            return Err(FileError::Replaced);
        }
        let content = Content::of(&path)?;
        Ok(Self { path, connection, content, registration })
    }

    /// Makes a file, readable by its owner alone, and opens and locks it. It appears under its name whole and durable, or
    /// not at all; while it is made, it is a file in the same directory whose name begins with a dot and ends in [`UNFINISHED`](Self::UNFINISHED).
    ///
    /// # Errors
    /// [`FileError::Exists`] if there is one, which is never replaced. In general no file was made; if it was, and another
    /// program locked it first, [`FileError::InUse`], or wrote into it first, [`FileError::Replaced`].
    pub fn create(
        path: &Path,
        fill: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Self, FileError> {
        let path = path::absolute(path).map_err(FileError::from)?;
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidFilename).into());
        };
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        // Closed before SQLite opens it.
        let new = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(Self::UNFINISHED)
            .tempfile_in(directory)?
            .into_temp_path();
        write_new(&new, fill).map_err(|error| FileError::of(error, &new))?;
        remove_orphans(&path)?;
        let written = Content::of(&new)?;
        new.persist_noclobber(&path).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => FileError::Exists,
            _ => error.error.into(),
        })?;
        sync_directory(directory)?;
        let file = Self::open(&path)?;
        if file.content == written { Ok(file) } else { Err(FileError::Replaced) }
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its path still leads to it, with what this process left in it.
    pub fn path_is_ours(&self) -> bool {
        Identity::of(&self.path).is_ok_and(|identity| identity == self.registration.0)
            && Content::of(&self.path).is_ok_and(|content| content == self.content)
    }

    /// For reading. Writes go through [`write`](Self::write).
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Has SQLite check all of it: `ok`, or what is wrong.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn integrity(&self) -> Result<String, FileError> {
        let checked = self.connection.query_row("PRAGMA integrity_check", (), |row| row.get(0));
        checked.map_err(|error| FileError::of(error, &self.path))
    }

    /// Writes in one transaction, which is durable on Ok.
    ///
    /// # Errors
    /// [`FileError::Replaced`] if the path no longer leads to this file. On every error nothing was changed.
    pub fn write<T>(
        &mut self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, FileError> {
        if !self.path_is_ours() {
            return Err(FileError::Replaced);
        }
        let result = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = write(&transaction)?;
            transaction.commit()?;
            // Thousands of files can be open at once. It is committed, whatever becomes of this.
            let _ = self.connection.release_memory();
            Ok(value)
        })();
        // Also after an error: pages may have been written and taken back.
        if let Ok(content) = Content::of(&self.path) {
            self.content = content;
        }
        result.map_err(|error| FileError::of(error, &self.path))
    }

    /// Closes and unlocks it. There is no journal beside it afterwards.
    ///
    /// # Errors
    /// SQLite could not remove the journal. The file is closed anyhow, and as it was written last.
    pub fn close(self) -> Result<(), FileError> {
        if !self.path_is_ours() {
            return Ok(());
        }
        // The first read outside exclusive mode ends it, and removes the journal while the file is still locked.
        let ended =
            self.connection.execute_batch("PRAGMA locking_mode = NORMAL; SELECT 1 FROM sqlite_schema");
        ended.map_err(|error| FileError::of(error, &self.path))
    }

    /// Removes it, and closes it.
    ///
    /// # Errors
    /// [`FileError::Replaced`] if the path no longer leads to this file; neither is removed.
    pub fn remove(self) -> Result<(), FileError> {
        if !self.path_is_ours() {
            return Err(FileError::Replaced);
        }
        let real = fs::canonicalize(&self.path)?;
        self.let_go_of_journal().map_err(|error| FileError::of(error, &self.path))?;
        remove_if_there(&sidecar(&real, "-journal"))?;
        remove_if_there(&real)?;
        remove_if_there(&self.path)?;
        self.path.parent().map_or(Ok(()), sync_directory)
    }

    /// SQLite removes the journal by its name when it closes the file. Where the name belongs to another file's journal by
    /// then, that would be that file's ruin.
    fn let_go_of_journal(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch("PRAGMA journal_mode = OFF")
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        if !self.path_is_ours() {
            // Only an open transaction could keep it from doing so, and there is none.
            let _ = self.let_go_of_journal();
        }
    }
}

impl FileError {
    fn of(error: rusqlite::Error, path: &Path) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse(openers(path)),
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(error),
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

impl Content {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { bytes: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self { device: file.dev(), inode: file.ino() })
    }
}

impl Registration {
    /// None: it is locked already.
    fn new(identity: Identity) -> Option<Self> {
        locked().insert(identity).then_some(Self(identity))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        locked().remove(&self.0);
    }
}

/// Reads a database by other means than SQLite, if this process has not locked it. None: it has.
pub(crate) fn unless_locked_here<T>(
    path: &Path,
    read: impl FnOnce() -> io::Result<T>,
) -> io::Result<Option<T>> {
    // Held for as long as the file is open.
    let locked = locked();
    if locked.contains(&Identity::of(path)?) { Ok(None) } else { read().map(Some) }
}

fn locked() -> MutexGuard<'static, BTreeSet<Identity>> {
    LOCKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path of a file that SQLite keeps beside a database.
pub(crate) fn sidecar(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn open_and_lock(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT")?;
    // Of a file that someone switched to a write-ahead log.
    connection.execute_batch("PRAGMA journal_mode = DELETE")?;
    connection.release_memory()?;
    Ok(connection)
}

fn write_new(path: &Path, fill: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let mut connection = connect(path)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    fill(&transaction)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

/// Nothing that these settings do is kept in the file. The cache is small because thousands of files can be open at once.
/// Within a transaction it may grow: each page that left it before the commit would cost two syncs of the journal.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch(
        "PRAGMA cache_size = -16; PRAGMA cache_spill = OFF; PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON;
         PRAGMA trusted_schema = OFF",
    )?;
    Ok(connection)
}

/// Removes what SQLite kept beside a database that is gone, as SQLite itself does before it makes one: it would take it for
/// the new one's, and write old pages into it.
fn remove_orphans(path: &Path) -> Result<(), FileError> {
    match fs::symlink_metadata(path) {
        Ok(_) => return Err(FileError::Exists),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Err(_) => {}
    }
    ["-journal", "-wal"].iter().try_for_each(|suffix| Ok(remove_if_there(&sidecar(path, suffix))?))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_directory(directory: &Path) -> Result<(), FileError> {
    Ok(File::open(directory)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::{FileError, LockedFile, sidecar};

    #[test]
    fn a_write_on_a_full_disk_changes_nothing_and_goes_through_when_there_is_room() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a");
        let mut file = LockedFile::create(&path, |connection| connection.execute_batch("CREATE TABLE t (a)"))
            .expect("made");
        let write = "DELETE FROM t; INSERT INTO t VALUES (zeroblob(100000))";
        let full = file.write(|connection| {
            connection.execute_batch("PRAGMA max_page_count = 3")?;
            connection.execute_batch(write)
        });
        assert!(matches!(full, Err(FileError::Full)), "{full:?}");
        let rows = |file: &LockedFile| {
            let count = file.connection().query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
            count.expect("readable")
        };
        assert_eq!(rows(&file), 0);
        file.write(|connection| {
            connection.execute_batch("PRAGMA max_page_count = 1000")?;
            connection.execute_batch(write)
        })
        .expect("there is room");
        assert_eq!(rows(&file), 1);
        file.close().expect("closed");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }

    #[test]
    fn a_journal_left_by_a_file_that_is_gone_is_not_played_into_a_new_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a");
        let gone = Connection::open(&path).expect("open");
        gone.execute_batch("CREATE TABLE old (a); INSERT INTO old VALUES (zeroblob(1000000))").expect("made");
        gone.execute_batch("PRAGMA cache_size = 1; BEGIN; UPDATE old SET a = zeroblob(1000001)")
            .expect("spilled");
        fs::remove_file(&path).expect("removed");
        let journal = sidecar(&path, "-journal");
        assert_ne!(fs::read(&journal).expect("there")[0], 0, "it counts");

        let file = LockedFile::create(&path, |connection| connection.execute_batch("CREATE TABLE new (a)"));
        let file = file.expect("made");
        assert!(file.connection().table_exists(None, "new").expect("readable"));
    }

    #[test]
    fn a_file_that_cannot_be_filled_is_not_made() {
        let directory = tempfile::tempdir().expect("a directory");
        let made = LockedFile::create(&directory.path().join("a"), |connection| {
            connection.execute_batch("CREATE TABLE t (a); INSERT INTO missing VALUES (1)")
        });
        assert!(matches!(made, Err(FileError::Sqlite(_))), "{made:?}");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0);
    }
}
