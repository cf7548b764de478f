use std::{
    ops::Range,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use bytes::{Bytes, BytesMut};
use sessiond_proto::{SessionName, v1};
use sessiond_session::{Session, StateChange};

use super::{Holder, LostReason, Revision, weight};

/// One durable change, as the log has it and watchers are told it. There is no key in it.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) revision: Revision,
    /// The session's revision before it.
    pub(crate) previous: Revision,
    pub(crate) name: SessionName,
    pub(crate) time: SystemTime,
    pub(crate) event: Event,
}

/// What a commit did.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Set counters.
    Advanced(StateChange),
    /// Wrote the session; this is all of it, without keys.
    Saved(Arc<Session>),
    Deleted,
    /// Began or ended a hold. Does not move the session's revision.
    HoldChanged {
        holder: Option<Arc<Holder>>,
        reason: Option<LostReason>,
    },
    /// Changed what is kept beside the session. Does not move its revision, and no watcher is told.
    Kept,
}

/// The commits of one transaction, in order; there is at least one.
#[derive(Debug)]
pub(crate) struct Batch {
    commits: Vec<Commit>,
    weight: usize,
    /// The commits as watchers are told them, once one of them is.
    told: OnceLock<Told>,
}

/// Messages in one buffer, and where each one ends.
#[derive(Debug)]
struct Told {
    messages: Bytes,
    ends: Vec<usize>,
}

impl Batch {
    /// The commits of a transaction, if it made any.
    pub(crate) fn new(commits: Vec<Commit>) -> Option<Self> {
        let weight = commits.iter().map(Commit::weight).sum();
        if commits.is_empty() { None } else { Some(Self { commits, weight, told: OnceLock::new() }) }
    }

    pub(crate) fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Some of the commits as every watcher is told them: each as `encode` adds it, once for all.
    pub(crate) fn told(&self, commits: Range<usize>, encode: fn(&Commit, &mut BytesMut)) -> Bytes {
        let Told { messages, ends } = self.told.get_or_init(|| Told::of(&self.commits, encode));
        let end = |at: usize| at.checked_sub(1).map_or(0, |at| ends[at]);
        messages.slice(end(commits.start)..end(commits.end))
    }

    /// Revision of the first commit.
    pub(crate) fn first(&self) -> Revision {
        self.commits.first().expect("a batch has a commit").revision
    }

    /// Revision of the last commit.
    pub(crate) fn last(&self) -> Revision {
        self.commits.last().expect("a batch has a commit").revision
    }
}

impl Commit {
    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let event = match &self.event {
            Event::Advanced(change) => weight::of_change(change),
            Event::Saved(session) => weight::of_session(session),
            Event::Deleted | Event::Kept => 0,
            Event::HoldChanged { holder, .. } => holder.as_ref().map_or(0, |_| size_of::<Holder>()),
        };
        size_of::<Self>() + event
    }
}

impl Event {
    /// Whether it changed the session's data, and so its revision.
    pub(crate) fn is_data(&self) -> bool {
        !matches!(self, Self::HoldChanged { .. } | Self::Kept)
    }

    /// Whether watchers are told of it.
    pub(crate) fn is_told(&self) -> bool {
        !matches!(self, Self::Kept)
    }
}

impl Told {
    fn of(commits: &[Commit], encode: fn(&Commit, &mut BytesMut)) -> Self {
        let mut messages = BytesMut::with_capacity(commits.len() * 64);
        let mut ends = Vec::with_capacity(commits.len());
        for commit in commits {
            encode(commit, &mut messages);
            ends.push(messages.len());
        }
        Self { messages: messages.freeze(), ends }
    }
}

impl From<Commit> for v1::WatchResponse {
    fn from(commit: Commit) -> Self {
        use v1::watch_response::Event as Wire;
        let Commit { revision, previous, name, time, event } = commit;
        let event = match event {
            Event::Advanced(change) => Wire::Change(change.into()),
            Event::Saved(session) => Wire::Saved(Arc::unwrap_or_clone(session).into()),
            Event::Deleted => Wire::Deleted(v1::Deleted {}),
            Event::HoldChanged { holder, reason } => Wire::HoldChanged(v1::HoldChanged {
                holder: holder.as_deref().map(Into::into),
                reason: reason.map_or(v1::LostReason::Unspecified, Into::into).into(),
            }),
            // For whoever sees it all the same, it is nothing but a place.
            Event::Kept => Wire::Bookmark(v1::Bookmark {}),
        };
        Self {
            revision,
            name: name.to_string(),
            time: Some(time.into()),
            event: Some(event),
            previous_revision: previous,
        }
    }
}
