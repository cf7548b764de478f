//! The files in which libraries keep their sessions. Each format is a module; [`open_file`] tells which it is.

pub mod telethon_v1;
pub mod telethon_v2;

mod column;
mod error;
mod source;

use std::{fmt, path::Path};

use rusqlite::Connection;

use crate::Session;

pub use error::{FormatError, ImportError};
pub use source::Source;

/// A format, and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The SQLite file of Telethon 1; version 7 up to 1.42, version 8 from 1.43.
    TelethonV1 {
        /// As the file says, or as its columns tell where it does not.
        version: i64,
    },
    /// The SQLite file of Telethon 2, version 10.
    TelethonV2 {
        /// As the file says, or 10 where it does not.
        version: i64,
    },
}

/// A session read from a file, and what of the file is not in it.
#[derive(Debug)]
pub struct Imported {
    /// What the file is.
    pub format: Format,
    /// What was in it.
    pub session: Session,
    /// What was left behind, and why; one sentence each, for people. There is no secret in them.
    pub left_behind: Vec<String>,
}

/// Reads a session from a file of any known format. The file is never written to, nor is anything beside it. A file that a
/// running program uses is read as of its last commit.
///
/// # Errors
/// See [`ImportError`].
pub fn open_file(path: &Path) -> Result<Imported, ImportError> {
    let source = Source::open(path)?;
    let format = Format::of(source.connection()).map_err(|error| source.error(error))?;
    let Some(format) = format else {
        return Err(source.error(FormatError::Unknown("it is an empty database".into())));
    };
    let imported = match format {
        Format::TelethonV1 { version } => telethon_v1::import(source.connection(), version),
        Format::TelethonV2 { version } => telethon_v2::import(source.connection(), version),
    };
    imported.map_err(|error| source.error(error))
}

/// What a file is. `None`: a database with nothing in it. The file is never written to, nor is anything beside it.
///
/// # Errors
/// See [`ImportError`].
pub fn format_of(path: &Path) -> Result<Option<Format>, ImportError> {
    let source = Source::open(path)?;
    Format::of(source.connection()).map_err(|error| source.error(error))
}

impl Format {
    /// What an open database is. `None`: there is nothing in it.
    ///
    /// # Errors
    /// [`FormatError::Unknown`] if it has other tables.
    pub fn of(connection: &Connection) -> Result<Option<Self>, FormatError> {
        let tables = column::tables(connection)?;
        if tables.is_empty() {
            return Ok(None);
        }
        let version = version(connection, &tables)?;
        if telethon_v2::is_this(&tables) {
            Ok(Some(Self::TelethonV2 { version: version.unwrap_or(telethon_v2::VERSION) }))
        } else if telethon_v1::is_this(connection, &tables)? {
            let version = version.map_or_else(|| telethon_v1::version(connection), Ok)?;
            Ok(Some(Self::TelethonV1 { version }))
        } else {
            let tables: Vec<_> = tables.iter().map(|table| table.escape_debug().to_string()).collect();
            Err(FormatError::Unknown(format!("its tables are {}", tables.join(", "))))
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TelethonV1 { version } => write!(f, "Telethon v1 file, version {version}"),
            Self::TelethonV2 { version } => write!(f, "Telethon v2 file, version {version}"),
        }
    }
}

/// What the table `version` says. Telethon itself looks at its first row only.
fn version(connection: &Connection, tables: &[String]) -> Result<Option<i64>, FormatError> {
    if !tables.iter().any(|table| table == "version") {
        return Ok(None);
    }
    column::first(connection, "version", |row| row.integer("version")).map(Option::flatten)
}
