use std::{
    fs::{self, File, Permissions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{self, Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, ffi, limits::Limit};
use tempfile::TempDir;

use super::{Format, FormatError, ImportError};
use crate::{
    locked_file::{sidecar, unless_locked_here},
    openers,
};

/// How long a commit of another program that is under way may take before the file counts as in use.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where SQLite keeps whether a database has a write-ahead log (2) or not (1):
/// <https://www.sqlite.org/fileformat.html#file_format_version_numbers>.
const READ_VERSION: usize = 19;

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
        if has_log(&path)? {
            return Self::of_copy(path);
        }
        match read_transaction(&path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
            Err(error) if needs_recovery(&error) => Self::of_copy(path),
            Err(error) => Err(import_error(path, None, error.into())),
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

    fn of_copy(path: PathBuf) -> Result<Self, ImportError> {
        let directory = match copy(&path) {
            Ok(Some(directory)) => directory,
            Ok(None) => return Err(ImportError::InUse { openers: openers(&path), path }),
            Err(source) => return Err(ImportError::Io { path, source }),
        };
        match read_transaction(&directory.path().join(COPY), OpenFlags::SQLITE_OPEN_READ_WRITE) {
            Ok(connection) => Ok(Self { path, connection, _copy: Some(directory) }),
            Err(error) => Err(import_error(path, None, error.into())),
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

/// Whether the database is in write-ahead mode, where even a reader writes files beside it.
fn has_log(path: &Path) -> Result<bool, ImportError> {
    let header = unless_locked_here(path, || {
        let mut header = Vec::new();
        File::open(path)?.take(100).read_to_end(&mut header)?;
        Ok(header)
    });
    match header {
        Err(source) => Err(ImportError::Io { path: path.to_owned(), source }),
        Ok(None) => Err(ImportError::InUse { path: path.to_owned(), openers: openers(path) }),
        Ok(Some(header)) => {
            let log = Stamp::of(&sidecar(path, "-wal"));
            Ok(header.get(READ_VERSION) == Some(&2) || log.is_some_and(|log| log.len > 0))
        }
    }
}

/// Opens a database and begins a read transaction in it, so that what is read is of one moment.
fn read_transaction(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    bound_values(&connection)?;
    bound_steps(&mut connection, SCHEMA_STEPS)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; BEGIN")?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let size = fs::metadata(path).map_or(0, |file| file.len());
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
    if let FormatError::Sqlite(error) = &error {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                return ImportError::InUse { openers: openers(&path), path };
            }
            Some(ErrorCode::NotADatabase) => {
                let source = FormatError::Unknown("it is not a SQLite database".into());
                return ImportError::Format { path, format, source };
            }
            _ => {}
        }
    }
    ImportError::Format { path, format, source: error }
}

#[cfg(test)]
mod tests;
