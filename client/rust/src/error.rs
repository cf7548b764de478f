use std::{collections::HashMap, error::Error as _, time::SystemTime};

use sessiond_proto::{InvalidName, Reason, SessionName};
use sessiond_session::InvalidSession;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{LostReason, Socket, model};

/// Why a call did not go through. Match the variants; the texts are for people.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not a session's name.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// The daemon refused an argument, or it was not sent because the daemon would.
    #[error("{message}")]
    InvalidArgument {
        /// Which rule it broke: INVALID_NAME, INVALID_SESSION, INVALID_PAGE_TOKEN, TOKEN_REQUIRED or REQUEST_ID_REUSED.
        reason: Reason,
        /// What is wrong.
        message: String,
    },
    /// Another client holds the session. Wait for it ([`HoldRequest::wait`](crate::HoldRequest::wait)), or end that
    /// client.
    #[error("{}", held_by(label, *pid))]
    HeldByAnother {
        /// What the holder calls itself.
        label: String,
        /// Its process id, where it is known.
        pid: Option<i32>,
        /// Since when it holds the session.
        since: Option<SystemTime>,
    },
    /// The token is not that of the current hold. Stop using the keys.
    #[error("the token is not that of the session's current hold")]
    Fenced,
    /// The hold was lost. Stop using the keys; every write with this hold fails so.
    #[error("the hold was lost: {reason}")]
    Lost {
        /// Why.
        reason: LostReason,
    },
    /// The session was waited for, and whoever had it before has logged out: there is nothing to go on with. It is an
    /// adapter's error, whose library would ask for a phone number.
    #[error("{name} was waited for, and nobody is logged in to it any more")]
    LoggedOut {
        /// The session.
        name: SessionName,
    },
    /// The session is not at the expected revision. Nothing was changed.
    #[error("the session is at revision {current}, not at the expected one")]
    RevisionMismatch {
        /// The revision at which it is.
        current: i64,
    },
    /// Another program has the session's file open.
    #[error("{message}")]
    FileInUse {
        /// Process ids of that program, where they are known.
        pids: Vec<i32>,
        /// What to do, in the daemon's words.
        message: String,
    },
    /// The session's file is not as the daemon left it: settle it ([`Client::settle_mirror`](crate::Client::settle_mirror)).
    #[error("{message}")]
    ForeignFile {
        /// What to do, in the daemon's words.
        message: String,
    },
    /// The caller may not do this.
    #[error("{message}")]
    NotPermitted {
        /// What is not allowed, in the daemon's words.
        message: String,
    },
    /// The session's data cannot be read.
    #[error("{message}")]
    Damaged {
        /// What to do, in the daemon's words.
        message: String,
    },
    /// A limit of the daemon is reached.
    #[error("{message}")]
    LimitExceeded {
        /// Which, in the daemon's words.
        message: String,
    },
    /// The daemon's disk is full. Nothing was changed.
    #[error("{message}")]
    StorageFull {
        /// In the daemon's words.
        message: String,
    },
    /// The daemon's disk failed until the deadline passed, and it is not known whether the write went through.
    #[error("{message}")]
    StorageFailed {
        /// In the daemon's words.
        message: String,
    },
    /// The daemon's address is none, or what shows it who this client is cannot be used. No call was made.
    #[error("{message}")]
    InvalidEndpoint {
        /// What is wrong, and what to do.
        message: String,
    },
    /// No daemon answered until the deadline passed. Whether a write went through is not known.
    #[error(
        "no daemon answers at {socket} ({detail}); start one with `sessiond serve`, or for a command alone with `sessiond run -- COMMAND`, or name its socket in SESSIOND_SOCKET"
    )]
    Unavailable {
        /// Where it was looked for.
        socket: Socket,
        /// What came instead of an answer.
        detail: String,
    },
    /// A change of a stream of them was refused; it and those after it were not applied.
    #[error("change {sequence} of the stream was refused")]
    ChangeRefused {
        /// Its sequence, as [`AdvanceStream::push`](crate::AdvanceStream::push) told it.
        sequence: i64,
        /// Why.
        #[source]
        refusal: Box<Error>,
    },
    /// The daemon answered something that this version does not understand.
    #[error("unexpected answer of the daemon: {0}")]
    Unexpected(String),
    /// Any other refusal.
    #[error("{}", .0.message())]
    Other(Box<Status>),
}

impl Error {
    /// The daemon sent what this version cannot read.
    #[expect(clippy::needless_pass_by_value, reason = "map_err hands it on by value")]
    pub(crate) fn unreadable(error: InvalidSession) -> Self {
        Self::Unexpected(error.to_string())
    }

    /// What is not sent.
    #[expect(clippy::needless_pass_by_value, reason = "map_err hands it on by value")]
    pub(crate) fn invalid(error: InvalidSession) -> Self {
        Self::InvalidArgument { reason: Reason::InvalidSession, message: error.to_string() }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let Some(reason) = sessiond_proto::reason(&status) else { return Self::Other(Box::new(status)) };
        let message = status.message().to_owned();
        match reason {
            Reason::InvalidName
            | Reason::InvalidSession
            | Reason::InvalidPageToken
            | Reason::TokenRequired
            | Reason::RequestIdReused => Self::InvalidArgument { reason, message },
            Reason::HeldByAnother => held_by_another(&status),
            Reason::Fenced => Self::Fenced,
            Reason::RevisionMismatch => match metadata_value(&status, "revision") {
                Some(current) => Self::RevisionMismatch { current },
                None => Self::Other(Box::new(status)),
            },
            Reason::FileInUse => Self::FileInUse { pids: pids(&metadata(&status)), message },
            Reason::ForeignFile => Self::ForeignFile { message },
            Reason::NotPermitted => Self::NotPermitted { message },
            Reason::SessionDamaged => Self::Damaged { message },
            Reason::LimitExceeded => Self::LimitExceeded { message },
            Reason::StorageFull => Self::StorageFull { message },
            Reason::StorageFailed => Self::StorageFailed { message },
            Reason::Unspecified | Reason::Starting | Reason::ShuttingDown => Self::Other(Box::new(status)),
        }
    }
}

/// Whether the same request may get another answer: no daemon answered, or one that starts, stops, or whose disk failed.
pub(crate) fn is_passing(status: &Status) -> bool {
    is_unreachable(status) || sessiond_proto::reason(status) == Some(Reason::StorageFailed)
}

/// Says in a few words why a call got no answer.
pub(crate) fn no_answer(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = status.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

/// The sequence of the refused change of an AdvanceStream, if the error has one.
pub(crate) fn refused_sequence(status: &Status) -> Option<i64> {
    metadata_value(status, "sequence")
}

/// Whether the error says that no daemon answered. A status that has a source was made here, of a connection that could
/// not be made or was cut; one without status, or cancelled, is what is left of an answer that was cut.
fn is_unreachable(status: &Status) -> bool {
    let cut = matches!(status.code(), Code::Unknown | Code::Cancelled) && status.details().is_empty();
    status.code() == Code::Unavailable || status.source().is_some() || cut
}

fn held_by(label: &str, pid: Option<i32>) -> String {
    match (label, pid) {
        ("", None) => "another client holds the session".to_owned(),
        ("", Some(pid)) => format!("process {pid} holds the session"),
        (label, None) => format!("{label} holds the session"),
        (label, Some(pid)) => format!("{label} (process {pid}) holds the session"),
    }
}

fn held_by_another(status: &Status) -> Error {
    let metadata = metadata(status);
    Error::HeldByAnother {
        label: metadata.get("label").cloned().unwrap_or_default(),
        pid: metadata.get("pid").and_then(|pid| pid.parse().ok()).filter(|pid| *pid != 0),
        since: metadata.get("since").and_then(|since| model::parse_time(since)),
    }
}

fn pids(metadata: &HashMap<String, String>) -> Vec<i32> {
    let text = metadata.get("pids").map_or("", String::as_str);
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|pid| pid.parse().ok()).collect()
}

fn metadata_value(status: &Status, key: &str) -> Option<i64> {
    metadata(status).get(key)?.parse().ok()
}

fn metadata(status: &Status) -> HashMap<String, String> {
    status.get_details_error_info().map(|info| info.metadata).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sessiond_proto::{DOMAIN, Reason};
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::{Error, is_passing};

    fn status(code: Code, reason: Reason, metadata: &[(&str, &str)]) -> Status {
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let details = ErrorDetails::with_error_info(
            reason.name(),
            DOMAIN,
            metadata.collect::<std::collections::HashMap<_, _>>(),
        );
        Status::with_error_details(code, "text", details)
    }

    #[test]
    fn who_holds_the_session_is_in_the_error() {
        let metadata = [("label", "bot"), ("pid", "42"), ("since", "2026-01-02T03:04:05Z")];
        let error = Error::from(status(Code::FailedPrecondition, Reason::HeldByAnother, &metadata));
        assert_eq!(error.to_string(), "bot (process 42) holds the session");
        assert!(matches!(error, Error::HeldByAnother { pid: Some(42), since: Some(_), .. }), "{error:?}");
    }

    #[test]
    fn the_current_revision_is_in_the_error() {
        let error = Error::from(status(Code::Aborted, Reason::RevisionMismatch, &[("revision", "7")]));
        assert!(matches!(error, Error::RevisionMismatch { current: 7 }), "{error:?}");
    }

    #[test]
    fn the_programs_that_use_the_file_are_in_the_error() {
        let error = Error::from(status(Code::FailedPrecondition, Reason::FileInUse, &[("pids", "7, 8")]));
        assert!(matches!(&error, Error::FileInUse { pids, .. } if *pids == [7, 8]), "{error:?}");
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        assert!(is_passing(&status(Code::Unavailable, Reason::Starting, &[])));
        assert!(is_passing(&status(Code::Internal, Reason::StorageFailed, &[])));
        for (code, reason) in [
            (Code::ResourceExhausted, Reason::StorageFull),
            (Code::FailedPrecondition, Reason::Fenced),
            (Code::Aborted, Reason::RevisionMismatch),
            (Code::DataLoss, Reason::SessionDamaged),
        ] {
            assert!(!is_passing(&status(code, reason, &[])), "{reason:?}");
        }
        assert!(!is_passing(&Status::unimplemented("")));
    }
}
