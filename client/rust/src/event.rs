use std::time::SystemTime;

use sessiond_proto::{
    SessionName,
    v1::{self, watch_response::Event},
};
use sessiond_session::{Session, StateChange};

use crate::{Error, Holder, LostReason, model};

/// Something that happened, or how things stand. No session in it has keys; where there is one, it is
/// [`Auth::Withheld`](sessiond_session::Auth::Withheld).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchEvent {
    /// The watch starts over: forget everything. What has no snapshot after this does not exist.
    Restarted(RestartReason),
    /// A session as it is. They come between restarted and synced.
    Snapshot(Snapshot),
    /// Every selected session has had its snapshot; commits follow.
    Synced {
        /// Everything up to this revision has been told.
        revision: i64,
        /// Identity of the store.
        store_id: String,
    },
    /// A commit. In order, each once, none left out.
    Commit(Commit),
    /// Nothing else happened up to this revision.
    Bookmark {
        /// Everything up to this revision has been told.
        revision: i64,
    },
}

/// A session as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: SessionName,
    /// Its revision. 0: it is held, and has no data.
    pub revision: i64,
    /// The session. `None`: it is held, and has no data.
    pub session: Option<Session>,
    /// Who holds it. `None`: nobody.
    pub holder: Option<Holder>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The session's name.
    pub name: SessionName,
    /// The commit's revision.
    pub revision: i64,
    /// The session's revision before it. 0: there was no session.
    pub previous_revision: i64,
    /// When it was made.
    pub time: Option<SystemTime>,
    /// What it changed.
    pub change: Change,
}

/// What a commit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The session's counters were set.
    Advanced(StateChange),
    /// The session was saved; this is all of it, without keys.
    Saved(Session),
    /// The session was deleted.
    Deleted,
    /// A hold began or ended. The session's revision did not move.
    HoldChanged {
        /// Who holds the session now. `None`: nobody.
        holder: Option<Holder>,
        /// Why the hold before it ended, if somebody ended it.
        reason: Option<LostReason>,
    },
    /// Something that this version does not know.
    Unknown,
}

/// Why a watch starts over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestartReason {
    /// It is new; or it broke before it was synced.
    First,
    /// The daemon's log no longer has what came after the revision to go on from.
    LogTrimmed,
    /// The store is another, or the revision is not one of its own.
    OtherStore,
    /// The watch fell so far behind that the log no longer had its place.
    Lagged,
    /// One that this version does not know.
    Unknown,
}

impl TryFrom<v1::WatchResponse> for WatchEvent {
    type Error = Error;

    fn try_from(response: v1::WatchResponse) -> Result<Self, Error> {
        let v1::WatchResponse { revision, name, time, event, previous_revision } = response;
        let change = match event {
            Some(Event::Restarted(restarted)) => return Ok(Self::Restarted(restarted.reason().into())),
            Some(Event::Synced(v1::Synced { store_id })) => return Ok(Self::Synced { revision, store_id }),
            Some(Event::Bookmark(v1::Bookmark {})) => return Ok(Self::Bookmark { revision }),
            Some(Event::Snapshot(v1::Snapshot { session, holder })) => {
                let (name, holder) = (name.parse()?, holder.map(Into::into));
                return Ok(Self::Snapshot(Snapshot {
                    name,
                    revision,
                    session: model::read(session)?,
                    holder,
                }));
            }
            Some(Event::Change(change)) => Change::Advanced(change.try_into().map_err(Error::unreadable)?),
            Some(Event::Saved(session)) => Change::Saved(session.try_into().map_err(Error::unreadable)?),
            Some(Event::Deleted(v1::Deleted {})) => Change::Deleted,
            Some(Event::HoldChanged(changed)) => Change::HoldChanged {
                reason: Some(changed.reason())
                    .filter(|reason| *reason != v1::LostReason::Unspecified)
                    .map(LostReason::from_wire),
                holder: changed.holder.map(Into::into),
            },
            // Not of a session, so it stands for what was told up to its revision.
            None if name.is_empty() => return Ok(Self::Bookmark { revision }),
            None => Change::Unknown,
        };
        let (name, time) = (name.parse()?, model::time(time));
        Ok(Self::Commit(Commit { name, revision, previous_revision, time, change }))
    }
}

impl From<v1::RestartReason> for RestartReason {
    fn from(reason: v1::RestartReason) -> Self {
        match reason {
            v1::RestartReason::Unspecified => Self::Unknown,
            v1::RestartReason::First => Self::First,
            v1::RestartReason::LogTrimmed => Self::LogTrimmed,
            v1::RestartReason::OtherStore => Self::OtherStore,
            v1::RestartReason::Lagged => Self::Lagged,
        }
    }
}
