use std::{io, path::PathBuf};

use super::{Format, Schema};
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
    #[error("{} cannot be imported{}", .path.display(), .format.map(|format| format!(" as a {format}")).unwrap_or_default())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it was taken for, as far as it looked like anything.
        format: Option<Format>,
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
    #[error("it is a {schema}, which is too old; open it once with {newer}, which brings it up to date")]
    Old {
        /// What it is.
        schema: Schema,
        /// The program that brings it up to date.
        newer: &'static str,
    },
    /// A value is not what the format has there.
    #[error("{column} {problem}")]
    Value {
        /// The table and the column, as in `datacenter.auth`, or the field, as in `Data.AuthKey`.
        column: String,
        /// What is wrong with it. There is no secret in it.
        problem: String,
    },
    /// A byte is not what the format has there.
    #[error("byte {offset} {problem}")]
    Byte {
        /// Where it is; the first is 0. In a string, counted after its base64 was decoded.
        offset: usize,
        /// What is wrong with it, in words that follow "byte 7". There is no secret in it.
        problem: String,
    },
    /// It is locked with a passcode, and none was given.
    #[error("it is locked with a passcode, and none was given")]
    PasscodeNeeded,
    /// It is locked with another passcode.
    #[error("the passcode that was given does not open it")]
    PasscodeWrong,
    /// There is more in it than a session has, where nothing may be left behind: what that is.
    #[error("a session has no place for {0}")]
    Beyond(String),
    /// SQLite could not read it.
    #[error("SQLite cannot read {place}")]
    Sqlite {
        /// What it was reading: a table, a column and a row, as in `peers.id, row 17`, or a page, as in `page 1`.
        place: String,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

/// As much of a text of a source's as is shown of it: a hostile one is long, and has control characters.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 64;
    let rest = if text.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("{}{rest}", text.chars().take(SHOWN).collect::<String>().escape_debug())
}

impl FormatError {
    pub(super) fn value(table: &str, column: &str, problem: impl Into<String>) -> Self {
        Self::Value { column: format!("{table}.{column}"), problem: problem.into() }
    }
}

/// Why a session was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The format is only read.
    #[error("a {0} is only read, not written")]
    ReadOnly(Format),
    /// The session's reader was not told its keys. Hold the session first.
    #[error("the key of data center {dc} was withheld, and a session without it is of no use")]
    Withheld {
        /// The first such data center.
        dc: i32,
    },
    /// The format needs something that the session has not. Give it in [`Wanting`](super::Wanting), where it is there.
    #[error("a {format} needs {what}, and the session does not have it")]
    Lacks {
        /// The format.
        format: Format,
        /// What is missing.
        what: Lacking,
    },
    /// What was given in [`Wanting`](super::Wanting) is not what the session has, which is what would be written.
    #[error("the session has {known} for {field}, not {given}")]
    Contradicts {
        /// Which of its fields.
        field: &'static str,
        /// What was given.
        given: String,
        /// What the session has.
        known: String,
    },
    /// The name is none that the format's library takes for a session.
    #[error("{problem}")]
    Name {
        /// The format.
        format: Format,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A value does not fit into the format.
    #[error("{what} does not fit into a {format}")]
    TooLarge {
        /// The format.
        format: Format,
        /// Which value; there is no secret in it.
        what: String,
    },
    /// The file or directory could not be made.
    #[error("{} cannot be written", .path.display())]
    Io {
        /// Where it was to be.
        path: PathBuf,
        /// What the system said; that there is something, for one.
        source: io::Error,
    },
    /// SQLite could not write it.
    #[error("SQLite cannot write it")]
    Sqlite(#[from] rusqlite::Error),
}

/// What a format needs and a session may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lacking {
    /// [`Wanting::api_id`](super::Wanting::api_id).
    #[error("the API id of the program that uses it")]
    ApiId,
    /// [`Wanting::user_id`](super::Wanting::user_id).
    #[error("the id of the user who is logged in")]
    UserId,
    /// [`Wanting::bot`](super::Wanting::bot).
    #[error("to be told whether the user is a bot")]
    Bot,
    /// The key of the home data center: nobody is logged in.
    #[error("the key of the home data center {0}")]
    Key(i32),
    /// An address of the home data center, which is none of Telegram's known ones.
    #[error("an address of the home data center {0}")]
    Address(i32),
}
