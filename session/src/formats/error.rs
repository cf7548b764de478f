use std::{io, path::PathBuf};

use super::Format;
use crate::{Opener, opener::Openers};

/// Why a file was not imported. It was not touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Another program is writing it, so that there is no whole state to read. Try again, or close it there.
    #[error("{} is in use by {}", .path.display(), Openers(.openers))]
    InUse {
        /// The file.
        path: PathBuf,
        /// The programs, as far as the system tells.
        openers: Vec<Opener>,
    },
    /// What is in it is no session of a known format.
    #[error("{} cannot be imported", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: FormatError,
    },
    /// It could not be read.
    #[error("{} cannot be read", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is wrong with a file that is no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It is of no format that is known here: why that is said.
    #[error("no known format has such files: {0}")]
    Unknown(String),
    /// It is of a known format, but too old.
    #[error("it is a {0}, which is too old; open it once with Telethon 1.42.0, which brings it up to date")]
    Old(Format),
    /// A value is not what the format has there.
    #[error("{column} {problem}")]
    Value {
        /// The table and the column, as in `datacenter.auth`.
        column: String,
        /// What is wrong with it. There is no secret in it.
        problem: String,
    },
    /// There is more in it than a session has, where nothing may be left behind: what that is.
    #[error("a session has no place for {0}")]
    Beyond(String),
    /// SQLite could not read it.
    #[error("SQLite cannot read it")]
    Sqlite(#[from] rusqlite::Error),
}

impl FormatError {
    pub(super) fn value(table: &str, column: &str, problem: impl Into<String>) -> Self {
        Self::Value { column: format!("{table}.{column}"), problem: problem.into() }
    }
}
