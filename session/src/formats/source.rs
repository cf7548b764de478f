use std::{
    fs::{self, File, Permissions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{self, Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, config::DbConfig, ffi, limits::Limit};
use tempfile::TempDir;

use super::{
    Format, FormatError, ImportError,
    header::{self, READ_VERSION},
};
use crate::{
    locked_file::{sidecar, unless_locked_here},
    openers,
};

/// How long a commit of another program that is under way may take before the file counts as in use.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most bytes of a value that is read. The longest that any library writes is a key, or what it knows of a peer.
const LONGEST_VALUE: i32 = 4 << 20;

/// Most bytes of what makes a table, and most of its columns. The longest of any library's has some 400, the widest 12.
const LONGEST_SCHEMA: i32 = 4 << 10;
const MOST_COLUMNS: i32 = 100;

/// How many steps of SQLite's virtual machine it may take to read what tables there are: those of some hundred.
const SCHEMA_STEPS: u64 = 2_000;

/// How many steps of SQLite's virtual machine reading may take, whatever the file's size, and for each of its bytes. A file
/// of 100,000 peers takes about one for each.
const STEPS_AT_LEAST: u64 = 20_000_000;
const STEPS_PER_BYTE: u64 = 100;

/// After how many steps they are counted.
const STEPS_AT_ONCE: u16 = 100;

/// Someone else's SQLite file, open for reading, in one read transaction. Neither the file nor anything beside it is
/// written to: what needs a recovery first is copied to a directory that only this user can enter, and the copy recovered.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    connection: Connection,
    _copy: Option<TempDir>,
}

impl Source {
    /// Opens a file.
    ///
    /// # Errors
    /// It is no SQLite database, or is in use in a way that leaves no whole state to read. One that this process itself has
    /// locked is in use, too.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let openers = openers(path);
        if openers.iter().any(|opener| opener.pid == std::process::id()) {
            // Closing the file, which is opened to look at its header, would drop this process's locks on it.
            return Err(ImportError::InUse { path: path.to_owned(), openers });
        }
        Self::open_alone(path)
    }

    /// Opens a file that nothing else in this process has open, unless as a [`LockedFile`](crate::LockedFile): then it is
    /// in use. Saves asking the system for its locks, of which there can be thousands.
    ///
    /// # Errors
    /// As those of [`Source::open`].
    pub fn open_alone(path: &Path) -> Result<Self, ImportError> {
        let io_error = |source| ImportError::Io { path: path.to_owned(), source };
        let path = path::absolute(path).map_err(io_error)?;
        let metadata = fs::metadata(&path).map_err(io_error)?;
        if !metadata.is_file() {
            return Err(io_error(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
        }
        let head = Head::of(&path)?;
        if head.has_log(&path) {
            return Self::of_copy(path, &head);
        }
        match read_transaction(&path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
            Err(error) if needs_recovery(&error) => Self::of_copy(path, &head),
            Err(error) => Err(import_error(path, None, head.fault(error))),
            Ok(connection) => Ok(Self { path, connection, _copy: None }),
        }
    }

    /// For reading.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Says of which file an error is, and for what that was taken.
    pub(super) fn error(&self, format: Option<Format>, error: FormatError) -> ImportError {
        import_error(self.path.clone(), format, error)
    }

    /// A database whose bytes came some other way; in errors it is called `name`. SQLite has a copy of them in memory. What a
    /// write-ahead log beside the file had is not in it.
    pub(super) fn of_bytes(bytes: &[u8], name: &str) -> Result<Self, ImportError> {
        let path = PathBuf::from(name);
        match in_memory(bytes) {
            Ok(connection) => Ok(Self { path, connection, _copy: None }),
            Err(error) => {
                let head = Head {
                    bytes: bytes[..bytes.len().min(header::LENGTH)].to_vec(),
                    length: bytes.len() as u64,
                };
                Err(import_error(path, None, head.fault(error)))
            }
        }
    }

    fn of_copy(path: PathBuf, head: &Head) -> Result<Self, ImportError> {
        let directory = match copy(&path) {
            Ok(Some(directory)) => directory,
            Ok(None) => return Err(ImportError::InUse { openers: openers(&path), path }),
            Err(source) => return Err(ImportError::Io { path, source }),
        };
        match read_transaction(&directory.path().join(COPY), OpenFlags::SQLITE_OPEN_READ_WRITE) {
            Ok(connection) => Ok(Self { path, connection, _copy: Some(directory) }),
            Err(error) => Err(import_error(path, None, head.fault(error))),
        }
    }
}

/// Name of a copied database in its temporary directory.
const COPY: &str = "copy.session";

/// What is made of a file while this process has no lock on it, which opening it would drop. `None`: it has one.
pub(super) fn unlocked<T>(path: &Path, read: impl FnOnce() -> io::Result<T>) -> io::Result<Option<T>> {
    if openers(path).iter().any(|opener| opener.pid == std::process::id()) {
        return Ok(None);
    }
    unless_locked_here(path, read)
}

/// How a file begins, and how many bytes it has.
struct Head {
    bytes: Vec<u8>,
    length: u64,
}

impl Head {
    fn of(path: &Path) -> Result<Self, ImportError> {
        let head = unless_locked_here(path, || {
            let (file, mut bytes) = (File::open(path)?, Vec::new());
            (&file).take(header::LENGTH as u64).read_to_end(&mut bytes)?;
            Ok(Self { bytes, length: file.metadata()?.len() })
        });
        match head {
            Err(source) => Err(ImportError::Io { path: path.to_owned(), source }),
            Ok(None) => Err(ImportError::InUse { path: path.to_owned(), openers: openers(path) }),
            Ok(Some(head)) => Ok(head),
        }
    }

    /// Whether the database is in write-ahead mode, where even a reader writes files beside it.
    fn has_log(&self, path: &Path) -> bool {
        let log = Stamp::of(&sidecar(path, "-wal"));
        self.bytes.get(READ_VERSION) == Some(&2) || log.is_some_and(|log| log.len > 0)
    }

    /// Where it is wrong, of a database that SQLite could not open: in the header, or else on the page of the list of tables.
    fn fault(&self, source: rusqlite::Error) -> FormatError {
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
                header::fault(&self.bytes, self.length)
            }
            _ => None,
        }
        .unwrap_or_else(|| FormatError::Sqlite { place: "sqlite_schema, page 1".into(), source })
    }
}

/// Opens a database and begins a read transaction in it, so that what is read is of one moment.
fn read_transaction(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    begin(connection, fs::metadata(path).map_or(0, |file| file.len()))
}

/// Opens a database that is in memory, as if it had no write-ahead log: with one, SQLite would look for its file
/// (<https://www.sqlite.org/c3ref/deserialize.html>).
fn in_memory(bytes: &[u8]) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    let (before, after) = bytes.split_at(bytes.len().min(READ_VERSION - 1));
    let (versions, after) = after.split_at(after.len().min(2));
    let versions = if versions == [2, 2] { &[1, 1] } else { versions };
    let whole = before.chain(versions).chain(after);
    connection.deserialize_read_exact(MAIN_DB, whole, bytes.len(), true)?;
    begin(connection, bytes.len() as u64)
}

/// Begins a read transaction in a database of so many bytes.
fn begin(mut connection: Connection, size: u64) -> rusqlite::Result<Connection> {
    bound_values(&connection)?;
    bound_steps(&mut connection, SCHEMA_STEPS)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; BEGIN")?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    bound_steps(&mut connection, STEPS_AT_LEAST.saturating_add(size.saturating_mul(STEPS_PER_BYTE)))?;
    Ok(connection)
}

/// Ends what a hostile file could make huge: values, tables, and views, which no library has.
fn bound_values(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, LONGEST_SCHEMA)?;
    connection.set_limit(Limit::SQLITE_LIMIT_COLUMN, MOST_COLUMNS)?;
    Ok(())
}

/// Ends what a hostile file could make endless: pages that lead to themselves, and generated columns.
fn bound_steps(connection: &mut Connection, steps: u64) -> rusqlite::Result<()> {
    let mut left = steps / u64::from(STEPS_AT_ONCE);
    let is_over = move || {
        left = left.saturating_sub(1);
        left == 0
    };
    connection.progress_handler(i32::from(STEPS_AT_ONCE), Some(is_over))
}

/// Whether a program died while it wrote, and the file has to be written to before it can be read.
fn needs_recovery(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_READONLY_ROLLBACK)
}

/// Copies a database that nobody uses, and what SQLite needs beside it, to a directory that only this user can enter. None:
/// somebody uses it.
fn copy(path: &Path) -> io::Result<Option<TempDir>> {
    if !openers(path).is_empty() {
        return Ok(None);
    }
    unless_locked_here(path, || copy_unlocked(path)).map(Option::flatten)
}

fn copy_unlocked(path: &Path) -> io::Result<Option<TempDir>> {
    let real = fs::canonicalize(path)?;
    let files = ["-journal", "-wal", ""].map(|suffix| (sidecar(&real, suffix), suffix));
    let stamps = || files.each_ref().map(|(file, _)| Stamp::of(file));
    let directory = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir()?;
    let before = stamps();
    for ((file, suffix), stamp) in files.iter().zip(&before) {
        if stamp.is_some() {
            let copy = directory.path().join(format!("{COPY}{suffix}"));
            fs::copy(file, &copy)?;
            fs::set_permissions(&copy, Permissions::from_mode(0o600))?;
        }
    }
    Ok((stamps() == before && openers(path).is_empty()).then_some(directory))
}

/// What changes when a file is written to.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { inode: file.ino(), len: file.len(), modified: (file.mtime(), file.mtime_nsec()) })
    }
}

fn import_error(path: PathBuf, format: Option<Format>, error: FormatError) -> ImportError {
    if let FormatError::Sqlite { source, .. } = &error
        && let Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) = source.sqlite_error_code()
    {
        return ImportError::InUse { openers: openers(&path), path };
    }
    ImportError::Format { path, format, source: error }
}

#[cfg(test)]
mod tests;
