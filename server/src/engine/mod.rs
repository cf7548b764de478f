//! Where sessions live. Services and watches know the [`Engine`] and its types, and nothing of how they are kept.
//!
//! Nothing above this module may assume that this process is the only one that writes or grants: a distributed engine
//! can stand behind the same trait.

mod belongings;
mod commit;
mod committer;
mod error;
mod feed;
mod hold;
mod journal;
mod leftovers;
mod line;
mod local;
mod locks;
mod memory;
mod queue;
mod requests;
mod sqlite;
mod stage;
mod state;
mod times;
pub(crate) mod weight;
mod write;

#[cfg(test)]
mod conformance;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use sessiond_proto::SessionName;
use sessiond_session::{Attribute, Peer, Session};

pub(crate) use belongings::{
    AttributeRange, Belongings, Drafts, Keep, Keeper, Kept, KeptPeer, Listing, Listings, Owner, PIECE_BYTES,
    PeerFilter, PeerKey, Piece, VolatileKeeper, Word, WordKind,
};
pub(crate) use commit::{Batch, Commit, Event};
pub(crate) use error::Error;
pub(crate) use feed::{News, Selection, Subscription};
pub(crate) use hold::{Hold, HoldStatus, Holder, LostReason, TokenHash};
pub(crate) use line::Place;
pub(crate) use memory::MemoryEngine;
pub(crate) use sqlite::{OpenError, SqliteEngine};
pub(crate) use state::{Entry, Sessions};
pub(crate) use write::{Bearer, Op, Outcome, Request, SaveMode, Write};

/// Store-wide number of a commit.
pub(crate) type Revision = i64;

/// Keeps sessions and their holds.
///
/// What was committed is durable (as far as the engine goes), ordered, and never forgotten before the log is trimmed.
#[async_trait]
pub(crate) trait Engine: std::fmt::Debug + Send + Sync + 'static {
    /// Name of the engine, as in the configuration.
    fn kind(&self) -> &'static str;

    /// Identity of the store; revisions of different stores have nothing to do with each other.
    fn store_id(&self) -> String;

    /// One session as it is. With a token, checked to be the current hold's, its keys too.
    async fn load(&self, name: &SessionName, bearer: Option<&Bearer>) -> Result<Loaded, Error>;

    /// A session's last hold, current or not.
    fn hold(&self, name: &SessionName) -> Option<Arc<Hold>>;

    /// All sessions at one revision. Costs nothing, and never changes.
    fn snapshot(&self) -> Snapshot;

    /// Makes one write. On Ok it is durable. Dropping the future does not take the write back.
    async fn commit(&self, write: Write) -> Result<Outcome, Error>;

    /// Grants a session that nobody holds: the write's operation is [`Op::Grant`]. Makes sure first that no other program
    /// uses the session's own file.
    async fn grant(&self, write: Write) -> Result<Outcome, Error>;

    /// Gets in line for a session, as the last one.
    fn line_up(&self, name: &SessionName) -> Place;

    /// How many wait for a session.
    fn waiting(&self, name: &SessionName) -> usize;

    /// Follows what is committed on the selected sessions.
    fn subscribe(&self, selection: Selection) -> Subscription;

    /// How many subscriptions selected a session.
    fn watchers(&self, name: &SessionName) -> usize;

    /// What was committed after a revision, from the log: some of it, in order, whole batches. Empty: nothing was.
    ///
    /// # Errors
    /// [`LogError::Trimmed`] where the log no longer has it, [`LogError::Unknown`] where the store never got so far.
    async fn log(&self, after: Revision) -> Result<Vec<Arc<Batch>>, LogError>;

    /// Looks up peers that are kept beside a session, for its holder: an answer for each key, and a revision up to which
    /// everything is told.
    async fn peers(
        &self,
        name: &SessionName,
        bearer: Bearer,
        keys: Vec<PeerKey>,
    ) -> Result<(Vec<Option<Peer>>, Revision), Error>;

    /// Begins to list peers, as they are now.
    async fn list_peers(
        &self,
        name: &SessionName,
        bearer: Bearer,
        filter: PeerFilter,
    ) -> Result<Listing, Error>;

    /// The next peers of a listing, and how to go on. Without that, they were the last ones.
    async fn next_peers(&self, listing: Listing) -> Result<(Vec<Peer>, Option<Listing>), Error>;

    /// Looks up attributes that are kept beside a session, for its holder: those that there are, in the order of the keys,
    /// and a revision up to which everything is told.
    async fn attributes(
        &self,
        name: &SessionName,
        bearer: Bearer,
        keys: Vec<String>,
    ) -> Result<(Vec<Attribute>, Revision), Error>;

    /// Some of a session's attributes by key, and the revision as of which they are.
    async fn list_attributes(
        &self,
        name: &SessionName,
        bearer: Bearer,
        range: AttributeRange,
    ) -> Result<(Vec<Attribute>, Revision), Error>;

    /// Settles the session's own file.
    async fn settle_mirror(&self, name: &SessionName, action: MirrorAction) -> Result<Settled, Error>;

    /// How sessions are sealed.
    async fn seal_status(&self) -> Result<SealStatus, Error>;

    /// Seals a session, or opens it by choice; its own file too.
    async fn protect(&self, name: &SessionName, protection: Protection) -> Result<(), Error>;

    /// Makes a new master key, and wraps everything with it. What breaks off is finished by the next start.
    async fn rotate_master_key(&self) -> Result<SealStatus, Error>;

    /// How the engine fares.
    fn figures(&self) -> Figures;

    /// Finishes what is under way, and closes files. Every later commit is refused.
    async fn close(&self);
}

/// One session as it is.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) session: Option<Session>,
    pub(crate) revision: Revision,
    pub(crate) holder: Option<Arc<Holder>>,
}

/// All sessions at one revision.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) revision: Revision,
    pub(crate) sessions: Sessions,
}

/// Why the log cannot tell what came after a revision.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("the log has been trimmed past that revision")]
    Trimmed,
    #[error("the store has no such revision")]
    Unknown,
    #[error(transparent)]
    Engine(#[from] Error),
}

/// Whether a session's secrets are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    Sealed,
    /// By choice: for programs that read the session's own file.
    Open,
}

/// How sessions are sealed.
#[derive(Debug, Clone, Default)]
pub(crate) struct SealStatus {
    /// Id of the master key that wraps. `None`: nothing is sealed.
    pub(crate) key_id: Option<String>,
    /// Where the master key is.
    pub(crate) key_path: Option<PathBuf>,
    /// Ids of those before it, newest first.
    pub(crate) retired: Vec<String>,
    pub(crate) sealed: usize,
    /// Names of those that were opened by choice.
    pub(crate) open: Vec<String>,
}

/// What to do with a session's own file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MirrorAction {
    Write,
    Replace,
    Take,
}

/// A session's own file, settled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled {
    pub(crate) revision: Revision,
    pub(crate) kept_as: Option<String>,
}

/// How an engine fares, since its start unless said otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) revision: Revision,
    pub(crate) log_after: Revision,
    pub(crate) log_bytes: u64,
    pub(crate) sessions: usize,
    pub(crate) held: usize,
    pub(crate) waiting: usize,
    pub(crate) watchers: usize,
    pub(crate) commits: u64,
    pub(crate) batches: u64,
    pub(crate) commit_p50: Duration,
    pub(crate) commit_p99: Duration,
}
