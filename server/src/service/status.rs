//! The one place where errors become gRPC's: code, reason, metadata and a sentence.

use std::{collections::HashMap, time::Duration};

use http::Response;
use sessiond_proto::{DOMAIN, InvalidName, Reason};
use sessiond_session::InvalidSession;
use tonic::{Code, Status, body::Body};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{engine::Error, holds::HoldEnd, policy::Denied, transfer, watch::WatchEnd};

/// When to ask again of a daemon that stops.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Session(#[from] InvalidSession),
    #[error("the page token is not one that was given for this listing; start over without one")]
    PageToken,
    #[error("a token has 32 bytes; Hold gives one")]
    Token,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the daemon is stopping")]
    ShuttingDown,
    #[error(
        "a connection has at most {} streams (Hold, Watch, AdvanceStream) open; open another connection",
        crate::caller::MAX_STREAMS
    )]
    Streams,
    #[error("a caller has at most {} streams open on all of its connections", crate::allowance::STREAMS)]
    AllStreams,
    #[error("a caller waits for at most {} holds at a time", crate::allowance::WAITING)]
    Waits,
    #[error(
        "a caller asks at most {} times a second: ask later, and write through AdvanceStream, which is one request",
        crate::allowance::REQUESTS
    )]
    Requests,
    #[error(
        "more large messages are under way than {} MB at a time: finish them before the next",
        crate::allowance::ROOM >> 20
    )]
    Unfinished,
    #[error("a message is larger than {} bytes", super::MAX_MESSAGE)]
    TooLarge,
    #[error("the message is not encoded as the schema says; make the client's code anew from the schema")]
    Undecodable,
    /// A change of a stream, by its sequence.
    #[error("{refusal}")]
    Change { sequence: i64, refusal: Box<Refusal> },
    #[error(transparent)]
    Transfer(transfer::Error),
    #[error(transparent)]
    Engine(#[from] Error),
}

/// The same response; what gRPC refuses before a service sees it, in our words.
pub(crate) fn in_our_words(response: Response<Body>) -> Response<Body> {
    let status = Status::from_header_map(response.headers());
    // Whatever is ours has details.
    let theirs = status.filter(|status| status.details().is_empty());
    match theirs.and_then(|status| Refusal::of_codec(&status)) {
        Some(refusal) => Status::from(refusal).into_http(),
        None => response,
    }
}

impl Refusal {
    /// What the codec's word means that a message was not taken. `None`: something else.
    pub(super) fn of_codec(status: &Status) -> Option<Self> {
        match status.code() {
            Code::OutOfRange => Some(Self::TooLarge),
            Code::Internal => Some(Self::Undecodable),
            _ => None,
        }
    }

    fn code_and_reason(&self) -> (Code, Reason) {
        match self {
            Self::Name(_) => (Code::InvalidArgument, Reason::InvalidName),
            Self::Session(_) | Self::Undecodable => (Code::InvalidArgument, Reason::InvalidSession),
            Self::PageToken => (Code::InvalidArgument, Reason::InvalidPageToken),
            Self::Token => (Code::InvalidArgument, Reason::TokenRequired),
            Self::Denied(_) => (Code::PermissionDenied, Reason::NotPermitted),
            Self::ShuttingDown => (Code::Unavailable, Reason::ShuttingDown),
            Self::TooLarge
            | Self::Streams
            | Self::AllStreams
            | Self::Waits
            | Self::Requests
            | Self::Unfinished => (Code::ResourceExhausted, Reason::LimitExceeded),
            Self::Change { refusal, .. } => refusal.code_and_reason(),
            Self::Transfer(error) => transfer_code_and_reason(error),
            Self::Engine(error) => engine_code_and_reason(error),
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        let pairs = match self {
            Self::Change { sequence, refusal } => {
                let mut metadata = refusal.metadata();
                metadata.insert("sequence".into(), sequence.to_string());
                return metadata;
            }
            Self::Session(InvalidSession { field, .. }) => vec![("field", field.clone())],
            Self::Engine(Error::Held(holder)) => {
                let since = jiff::Timestamp::try_from(holder.since).map(|since| since.to_string());
                vec![
                    ("label", holder.label.clone()),
                    ("pid", holder.pid.to_string()),
                    ("since", since.unwrap_or_default()),
                ]
            }
            Self::Transfer(transfer::Error::Exists { current })
            | Self::Engine(Error::RevisionMismatch { current }) => vec![("revision", current.to_string())],
            Self::Engine(Error::FileInUse(openers)) => {
                let pids: Vec<_> = openers.iter().map(|opener| opener.pid.to_string()).collect();
                vec![("pids", pids.join(","))]
            }
            Self::Transfer(error) => {
                error.field().map(|field| ("field", field.to_owned())).into_iter().collect()
            }
            _ => Vec::new(),
        };
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

fn transfer_code_and_reason(error: &transfer::Error) -> (Code, Reason) {
    match error {
        transfer::Error::Exists { .. } => (Code::Aborted, Reason::RevisionMismatch),
        transfer::Error::TooLarge | transfer::Error::NoRoom => {
            (Code::ResourceExhausted, Reason::LimitExceeded)
        }
        transfer::Error::Engine(error) => engine_code_and_reason(error),
        _ => (Code::InvalidArgument, Reason::InvalidSession),
    }
}

fn engine_code_and_reason(error: &Error) -> (Code, Reason) {
    match error {
        Error::Fenced => (Code::FailedPrecondition, Reason::Fenced),
        Error::NotPermitted => (Code::PermissionDenied, Reason::NotPermitted),
        Error::Held(_) => (Code::FailedPrecondition, Reason::HeldByAnother),
        Error::RevisionMismatch { .. } => (Code::Aborted, Reason::RevisionMismatch),
        Error::Secret(_) => (Code::InvalidArgument, Reason::InvalidSession),
        Error::RequestIdReused => (Code::InvalidArgument, Reason::RequestIdReused),
        Error::Limit(_) => (Code::ResourceExhausted, Reason::LimitExceeded),
        Error::FileInUse(_) => (Code::FailedPrecondition, Reason::FileInUse),
        Error::ForeignFile(_) | Error::NoFile => (Code::FailedPrecondition, Reason::ForeignFile),
        Error::Damaged(_) => (Code::DataLoss, Reason::SessionDamaged),
        Error::StorageFull => (Code::ResourceExhausted, Reason::StorageFull),
        Error::StorageFailed => (Code::Internal, Reason::StorageFailed),
        Error::Closed => (Code::Unavailable, Reason::ShuttingDown),
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let (code, reason) = refusal.code_and_reason();
        let mut details = ErrorDetails::with_error_info(reason.name(), DOMAIN, refusal.metadata());
        if code == Code::Unavailable {
            details.set_retry_info(Some(RETRY_AFTER));
        }
        Self::with_error_details(code, refusal.to_string(), details)
    }
}

impl From<transfer::Error> for Refusal {
    fn from(error: transfer::Error) -> Self {
        match error {
            transfer::Error::Engine(error) => error.into(),
            error => Self::Transfer(error),
        }
    }
}

impl From<HoldEnd> for Refusal {
    fn from(end: HoldEnd) -> Self {
        match end {
            HoldEnd::ShuttingDown => Self::ShuttingDown,
            HoldEnd::Engine(error) => error.into(),
        }
    }
}

impl From<WatchEnd> for Refusal {
    fn from(end: WatchEnd) -> Self {
        match end {
            WatchEnd::ShuttingDown => Self::ShuttingDown,
            WatchEnd::Engine(error) => error.into(),
        }
    }
}
