use std::sync::Arc;

use sessiond_proto::SessionName;

use super::{
    Batch, Commit, Error, Event, Hold, Keeper, Kept, LogError, Protection, Revision, SealStatus, Sessions,
    requests::{Answered, Requests},
    state::{Keys, State},
};

/// Where a local engine writes. Used by one thread at a time.
pub(crate) trait Journal: std::fmt::Debug + Send + 'static {
    /// Name of the engine that writes here, as in the configuration.
    const ENGINE: &'static str;

    /// A part of the log as it was read, not yet decoded.
    type LogPart: Send;

    /// Identity of the store.
    fn store_id(&self) -> &str;

    /// Makes a transaction durable. `sessions` are as they were before it.
    fn write(&mut self, transaction: &Transaction, sessions: &Sessions) -> Result<(), WriteError>;

    /// Remembers requests that changed nothing, for the next transaction: up to then, a retry changes nothing either.
    fn defer(&mut self, requests: Vec<(SessionName, Answered)>);

    /// Makes room after [`WriteError::Full`]. From here on, until there is room for other things too, only transactions are
    /// taken that let go of holds.
    fn spend_reserve(&mut self);

    /// A session's keys.
    fn keys(&mut self, name: &SessionName) -> Result<Keys, Error>;

    /// Whether a session's keys may be written nowhere but here, where they are sealed.
    fn is_sealed(&self, _name: &SessionName) -> bool {
        false
    }

    /// How sessions are sealed.
    fn seal_status(&self) -> Result<SealStatus, Error> {
        Ok(SealStatus::default())
    }

    /// Seals a session, or opens it.
    fn protect(&mut self, _name: &SessionName, _protection: Protection) -> Result<(), Error> {
        Err(Error::nothing_is_sealed())
    }

    /// Makes a new master key, which wraps from now on.
    fn rotate_master_key(&mut self) -> Result<(), Error> {
        Err(Error::nothing_is_sealed())
    }

    /// Wraps some of what earlier master keys wrap, by name, after this one. Tells after which to go on.
    fn wrap_some(&mut self, _after: &str) -> Result<Option<String>, Error> {
        Ok(None)
    }

    /// Where what is kept beside sessions is read, as of the last transaction.
    fn keeper(&mut self) -> &mut dyn Keeper;

    /// Reads some of what was committed after a revision, and at the latest at `head`. Quick, since writers wait.
    fn log(&mut self, after: Revision, head: Revision) -> Result<Self::LogPart, LogError>;

    /// The batches of a part of the log, in order.
    fn batches(part: Self::LogPart) -> Result<Vec<Arc<Batch>>, LogError>;

    /// Reads everything again after the outcome of a write is unknown.
    fn reopen(&mut self) -> Result<Recovered, Error>;

    /// Notes that a session's own file has it as of a revision, or is gone as the session that was deleted at that revision.
    fn note_mirrored(&mut self, _name: &SessionName, _revision: Revision) {}

    /// Forgets the last holds of names without a session.
    fn forget_holds(&mut self, names: &[SessionName]) -> Result<(), WriteError>;

    /// Does a little of what can wait. Tells the revision through which the log is trimmed.
    fn tidy(&mut self, sessions: &Sessions) -> Result<Revision, WriteError>;

    /// Revision after which the log is whole, and its size in bytes.
    fn log_extent(&self) -> (Revision, u64);

    /// Writes what can wait, and closes.
    fn close(&mut self, sessions: &Sessions);
}

/// What a journal had.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) state: State,
    pub(crate) requests: Requests,
}

/// What one batch of writes came to, to be made durable as one.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) batch: Option<Arc<Batch>>,
    /// Holds that changed.
    pub(crate) holds: Vec<(SessionName, Hold)>,
    /// Keys that changed, with the revision that changed them. All of the session's.
    pub(crate) keys: Vec<(SessionName, Revision, Arc<Keys>)>,
    /// Keys that a grant brings into memory; they did not change.
    pub(crate) granted: Vec<(SessionName, Arc<Keys>)>,
    /// What is kept beside sessions, where that changed.
    pub(crate) kept: Vec<Kept>,
    /// Requests to remember as long as the log does.
    pub(crate) requests: Vec<(SessionName, Answered)>,
}

/// A transaction that is not known to be durable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Nothing of it was written.
    #[error("no space is left")]
    Full,
    /// It may or may not have been written.
    #[error("the disk failed")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Transaction {
    /// Whether there is anything to make durable.
    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_none() && self.holds.is_empty() && self.keys.is_empty()
    }

    /// Whether all that it does is to let go of holds.
    pub(crate) fn only_lets_go(&self) -> bool {
        let lets_go = |commit: &Commit| matches!(commit.event, Event::HoldChanged { holder: None, .. });
        self.batch.as_ref().is_none_or(|batch| batch.commits().iter().all(lets_go))
    }
}
