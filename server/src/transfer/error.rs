use std::iter;

use sessiond_proto::SessionName;
use sessiond_session::{
    InvalidSession,
    formats::{ExportError, Format, FormatError, ImportError, Lacking},
};

use super::MAX_BYTES;
use crate::{engine, engine::Revision};

/// Why a session was not taken in or given out. There is no secret in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is a session already, at revision {current}; force replaces it")]
    Exists { current: Revision },
    #[error("it has {}; say in account which one is meant", accounts(.0))]
    Account(Vec<String>),
    #[error("{0}")]
    File(&'static str),
    #[error("it has more than {MAX_BYTES} bytes; `sessiond import` takes in what is larger")]
    TooLarge,
    #[error("other imports and exports have all the room that there is; ask again in a moment")]
    NoRoom,
    #[error("{}", with_causes(.0))]
    Source(#[from] ImportError),
    #[error("there is no session {0} to export")]
    NoSession(SessionName),
    #[error(
        "a {format} does not hold all of the session; lossy accepts that it leaves behind {}",
        left_behind.join("; ")
    )]
    Losses { format: Format, left_behind: Vec<String> },
    #[error("{}", with_causes(.0))]
    Target(#[from] ExportError),
    #[error(transparent)]
    Invalid(#[from] InvalidSession),
    #[error(transparent)]
    Engine(#[from] engine::Error),
}

impl Error {
    /// The field of the request that is to be another. `None`: it is no field's fault.
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Account(_) => Some("account"),
            Self::File(_) => Some("file"),
            Self::Source(ImportError::Format {
                source: FormatError::PasscodeNeeded | FormatError::PasscodeWrong,
                ..
            }) => Some("passcode"),
            Self::Source(_) => Some("data"),
            Self::NoSession(_) => Some("name"),
            Self::Losses { .. } => Some("lossy"),
            Self::Target(error) => Some(field_of(error)),
            Self::Invalid(InvalidSession { field, .. }) => Some(field),
            Self::Exists { .. } | Self::TooLarge | Self::NoRoom | Self::Engine(_) => None,
        }
    }
}

fn field_of(error: &ExportError) -> &'static str {
    match error {
        ExportError::Lacks { what: Lacking::ApiId, .. } => "api_id",
        ExportError::Lacks { what: Lacking::UserId, .. } => "user_id",
        ExportError::Lacks { what: Lacking::Bot, .. } => "bot",
        ExportError::Contradicts { field, .. } => field,
        ExportError::Name { .. } => "name",
        _ => "format",
    }
}

fn accounts(accounts: &[String]) -> String {
    match accounts {
        [] => "one account, which has no name".to_owned(),
        accounts => format!("the accounts {}", accounts.join(", ")),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
