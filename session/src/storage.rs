use std::{error::Error, io, ops::Deref, path::PathBuf};

use async_trait::async_trait;

use crate::{Opener, Session, opener::Openers};

/// Keeps one session.
///
/// A library takes any storage and calls [`load`](Self::load) before it connects, [`save`](Self::save) when the session
/// changed and after it disconnected, and [`delete`](Self::delete) after it logged out.
#[async_trait]
pub trait Storage: Send + Sync {
    /// The session that was saved last. `None`: none was, or it was deleted since.
    ///
    /// # Errors
    /// The storage could not be read, or what is in it is no session. Nothing was changed.
    async fn load(&self) -> Result<Option<Session>, StorageError>;

    /// Keeps a session. On Ok it is as durable as the storage is, and a `load` sees it. Works after a `delete`, too.
    ///
    /// Dropping the future does not take the save back.
    ///
    /// # Errors
    /// What was there before is still there.
    async fn save(&self, session: &Session) -> Result<(), StorageError>;

    /// Forgets the session, keys and all. Of nothing it is Ok. `load` and `save` still work after it.
    ///
    /// # Errors
    /// The session may still be there.
    async fn delete(&self) -> Result<(), StorageError>;
}

/// Why a storage did not do what it was asked to. Each variant says what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another program has the file open. Close it there, and try again.
    #[error("{} is in use by {}", .path.display(), Openers(.openers))]
    InUse {
        /// The session's file.
        path: PathBuf,
        /// The programs, as far as the system tells.
        openers: Vec<Opener>,
    },
    /// The file is something else, or of another format. It was not touched.
    #[error("{} is not a Telethon v2 session file: {reason}", .path.display())]
    NotASession {
        /// The file.
        path: PathBuf,
        /// What it is, and what can be done with it.
        reason: String,
    },
    /// The file was written by a newer program than is known here, so it was not touched. Use a newer release.
    #[error("{} is version {version} of Telethon v2's session file, and only {} is known here", .path.display(), crate::formats::telethon_v2::VERSION)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// Another program moved, replaced or made the file since this storage looked at it. Neither was touched. Open it
    /// again to see what is there now.
    #[error("another program moved or replaced {}; open it again", .path.display())]
    Replaced {
        /// The session's file.
        path: PathBuf,
    },
    /// The session to save has keys that its reader was not told; saving it would lose them.
    #[error("the key of data center {dc} was withheld, and to save the session without it would lose it")]
    Withheld {
        /// The first such data center.
        dc: i32,
    },
    /// The disk is full. Nothing was changed; make room, and try again.
    #[error("the disk of {} is full", .path.display())]
    Full {
        /// The session's file.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("{} cannot be used", .path.display())]
    Io {
        /// The session's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite could not read or write the file.
    #[error("{} cannot be used", .path.display())]
    Sqlite {
        /// The session's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Another storage's own error.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl StorageError {
    /// Wraps a storage's own error.
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

/// A box, an `Arc` or a reference of a storage is one, too.
#[async_trait]
impl<P> Storage for P
where
    P: Deref + Send + Sync,
    P::Target: Storage,
{
    async fn load(&self) -> Result<Option<Session>, StorageError> {
        (**self).load().await
    }

    async fn save(&self, session: &Session) -> Result<(), StorageError> {
        (**self).save(session).await
    }

    async fn delete(&self) -> Result<(), StorageError> {
        (**self).delete().await
    }
}

/// Refuses a session that a storage which replaces could only save without some of its keys.
pub(crate) fn require_all_keys(session: &Session) -> Result<(), StorageError> {
    match session.dcs.iter().find(|dc| dc.auth == crate::Auth::Withheld) {
        Some(dc) => Err(StorageError::Withheld { dc: dc.id }),
        None => Ok(()),
    }
}
