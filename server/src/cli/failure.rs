use std::{io, process::ExitCode};

use sessiond_client::{Error, StorageError};
use sessiond_session::formats::{FormatError, ImportError};

use super::{output::Output, render::printable};
use crate::exit::Exit;

/// Why a command has no result, where nothing else says so.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// `message` is one sentence that names the next step.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

/// Tells a person what went wrong, in one line, and a program by the exit code.
pub(super) fn report(error: &anyhow::Error, output: Output) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let next_step = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(FormatError::PasscodeNeeded) => Some("give it with --passcode"),
        Some(FormatError::PasscodeWrong) => Some("give the right one with --passcode"),
        Some(FormatError::Unknown(_)) => Some("`sessiond import --help` lists the formats that are known"),
        _ => next_step(cause.downcast_ref()?),
    });
    let next_step = next_step.map(|next_step| format!("; {next_step}")).unwrap_or_default();
    output.error(&format!("{}{next_step}", sentence(error)));
    exit(error).into()
}

/// A failure with its causes, in one line.
pub(super) fn sentence(error: &anyhow::Error) -> String {
    printable(&format!("{error:#}").replace('\n', " "))
}

/// The exit code of a failure.
pub(super) fn exit(error: &anyhow::Error) -> Exit {
    error.chain().find_map(exit_of).unwrap_or(Exit::Software)
}

/// Whether whatever is tried next fails in the same way.
pub(super) fn is_of_daemon(error: &anyhow::Error) -> bool {
    let of_daemon = |error: &Error| {
        matches!(
            error,
            Error::Unavailable { .. }
                | Error::NotPermitted { .. }
                | Error::StorageFull { .. }
                | Error::StorageFailed { .. }
        )
    };
    error.chain().any(|cause| cause.downcast_ref().is_some_and(of_daemon))
}

/// Whether it is only that whoever read the results has had enough.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// What to do about a refusal that does not say so itself.
fn next_step(error: &Error) -> Option<&'static str> {
    match error {
        Error::HeldByAnother { .. } => {
            Some("wait for it with `sessiond hold --wait`, or end that hold with `sessiond end-hold`")
        }
        Error::Fenced | Error::Lost { .. } => Some("stop what uses its keys, and take a new hold"),
        Error::NotPermitted { .. } => Some("run this as a user whom the daemon serves, or see to its policy"),
        Error::Unexpected(_) => Some("see with `sessiond info` whether the daemon is of another version"),
        _ => None,
    }
}

fn exit_of(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some(failure.exit);
    }
    if let Some(error) = cause.downcast_ref::<Error>() {
        return Some(exit_of_call(error));
    }
    if let Some(error) = cause.downcast_ref::<ImportError>() {
        return Some(match error {
            ImportError::InUse { .. } => Exit::TempFailure,
            ImportError::Io { source, .. } => Exit::of_io(source),
            _ => Exit::Data,
        });
    }
    if let Some(error) = cause.downcast_ref::<StorageError>() {
        return Some(match error {
            StorageError::Io { source, .. } => Exit::of_io(source),
            _ => Exit::CannotCreate,
        });
    }
    cause.downcast_ref::<io::Error>().map(Exit::of_io)
}

fn exit_of_call(error: &Error) -> Exit {
    match error {
        Error::InvalidName(_) | Error::InvalidArgument { .. } => Exit::Usage,
        Error::ForeignFile { .. } | Error::Damaged { .. } => Exit::Data,
        Error::HeldByAnother { .. }
        | Error::FileInUse { .. }
        | Error::RevisionMismatch { .. }
        | Error::LimitExceeded { .. } => Exit::TempFailure,
        Error::Fenced | Error::Lost { .. } | Error::NotPermitted { .. } => Exit::Permission,
        Error::StorageFull { .. } | Error::StorageFailed { .. } => Exit::Io,
        Error::Unavailable { .. } => Exit::Unavailable,
        Error::InvalidEndpoint { .. } => Exit::Config,
        Error::ChangeRefused { refusal, .. } => exit_of_call(refusal),
        _ => Exit::Software,
    }
}
