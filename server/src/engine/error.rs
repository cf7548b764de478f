use std::sync::Arc;

use sessiond_session::Opener;

use super::{Holder, Revision};

/// Why an engine refused. Each variant says what the caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error("the token is not that of the current hold; stop using the keys")]
    Fenced,
    #[error("the token belongs to another user's process")]
    NotPermitted,
    #[error("the session is held by {}", .0.describe())]
    Held(Arc<Holder>),
    #[error("the session is at revision {current}, not the expected one")]
    RevisionMismatch { current: Revision },
    #[error("the request id was used for a request of another content")]
    RequestIdReused,
    #[error("attribute {0:?} is secret, and stays so; delete it before it is put as one that is not")]
    Secret(String),
    #[error("{0}")]
    Limit(String),
    /// By these programs, as far as the system tells.
    #[error("the session's file is in use by {}; close it there and ask again", sessiond_session::Openers(.0))]
    FileInUse(Vec<Opener>),
    /// What is wrong with it, and the ways out.
    #[error("the session's file {0}")]
    ForeignFile(String),
    #[error("the session has no file to take anything from")]
    NoFile,
    #[error("{0}")]
    Damaged(String),
    #[error("the disk is full; nothing was changed")]
    StorageFull,
    #[error("the disk failed and the outcome is unknown; ask again with the same request id")]
    StorageFailed,
    #[error("the daemon is stopping")]
    Closed,
}

impl Error {
    /// An engine without a master key.
    pub(crate) fn nothing_is_sealed() -> Self {
        Self::Limit(
            "this daemon seals nothing: it has no master key (see `sessiond serve --help`, --seal)".into(),
        )
    }
}
