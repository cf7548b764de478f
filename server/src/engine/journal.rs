use std::sync::Arc;

use sessiond_proto::SessionName;

use super::{
    Batch, Error, Hold, LogError, Revision,
    requests::{Answered, Requests},
    state::{Keys, State},
};

/// Where a local engine writes. Used by one thread at a time.
pub(crate) trait Journal: std::fmt::Debug + Send + 'static {
    /// Name of the engine that writes here, as in the configuration.
    const ENGINE: &'static str;

    /// Identity of the store.
    fn store_id(&self) -> &str;

    /// Makes a transaction durable. `state` is as it was before it.
    fn write(&mut self, transaction: &Transaction, state: &State) -> Result<(), WriteError>;

    /// Remembers requests that changed nothing, for the next transaction: up to then, a retry changes nothing either.
    fn defer(&mut self, requests: Vec<(SessionName, Answered)>);

    /// Makes room for a write that only lets go of something, after [`WriteError::Full`].
    fn spend_reserve(&mut self);

    /// A session's keys.
    fn keys(&mut self, name: &SessionName) -> Result<Keys, Error>;

    /// Some of what was committed after a revision, and at the latest at `head`.
    fn log(&mut self, after: Revision, head: Revision) -> Result<Vec<Arc<Batch>>, LogError>;

    /// Reads everything again after the outcome of a write is unknown.
    fn reopen(&mut self) -> Result<Recovered, Error>;

    /// Notes that a session's own file has it as of a revision.
    fn note_mirrored(&mut self, _name: &SessionName, _revision: Revision) {}

    /// Does a little of what can wait. Tells the revision through which the log is trimmed.
    fn tidy(&mut self, state: &State) -> Revision;

    /// Revision after which the log is whole, and its size in bytes.
    fn log_extent(&self) -> (Revision, u64);

    /// Writes what can wait, and closes.
    fn close(&mut self, state: &State);
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
}
