//! Commits as the log's rows have them. A row is one transaction: its commits have consecutive revisions and one time, and
//! mostly one session, so that all of that is said once.

use std::{sync::Arc, time::SystemTime};

use prost::Message as _;
use sessiond_proto::{SessionName, v1};

use crate::engine::{Batch, Commit, Event, Revision};

/// One commit.
#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    /// Absent: as in the entry before.
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    /// The session's revision before it. Absent: what the entry before, of the same session, has left it at.
    #[prost(int64, optional, tag = "2")]
    previous: Option<Revision>,
    #[prost(oneof = "Done", tags = "3, 4, 5, 6, 7")]
    done: Option<Done>,
}

/// What a commit did.
#[derive(Clone, PartialEq, prost::Oneof)]
enum Done {
    #[prost(message, tag = "3")]
    Advanced(v1::StateChange),
    #[prost(message, tag = "4")]
    Saved(v1::Session),
    #[prost(message, tag = "5")]
    Deleted(v1::Deleted),
    #[prost(message, tag = "6")]
    HoldChanged(v1::HoldChanged),
    /// What is kept beside the session has tables of its own.
    #[prost(bool, tag = "7")]
    Kept(bool),
}

/// An entry that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum EntryError {
    #[error("a log entry is not encoded as it should be")]
    Decode(#[from] prost::DecodeError),
    #[error("the log entry of revision {revision} has no readable {part}")]
    Part { revision: Revision, part: &'static str },
}

/// The session that the entry before is about, and the revision at which it leaves it.
type Before = Option<(SessionName, Revision)>;

/// A transaction's commits as bytes, each with its length before it.
pub(super) fn encode(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(batch.commits().len() * 24);
    let mut before: Option<(&SessionName, Revision)> = None;
    for commit in batch.commits() {
        let same = before.filter(|(name, _)| *name == &commit.name);
        let entry = Entry {
            name: if same.is_some() { None } else { Some(commit.name.to_string()) },
            previous: Some(commit.previous).filter(|_| same.is_none_or(|(_, left)| left != commit.previous)),
            done: Some(Done::from(&commit.event)),
        };
        entry.encode_length_delimited(&mut bytes).expect("a vector takes any length");
        before = Some((&commit.name, left_at(commit)));
    }
    bytes
}

/// The commits of a row, whose first one has this revision, and which was written at this time.
pub(super) fn decode(
    first: Revision,
    time: SystemTime,
    mut bytes: &[u8],
) -> Result<Option<Batch>, EntryError> {
    let (mut commits, mut before) = (Vec::new(), None);
    let mut revision = first;
    while !bytes.is_empty() {
        let entry = Entry::decode_length_delimited(&mut bytes)?;
        let commit = entry.into_commit(revision, time, before)?;
        before = Some((commit.name.clone(), left_at(&commit)));
        commits.push(commit);
        revision += 1;
    }
    Ok(Batch::new(commits))
}

fn left_at(commit: &Commit) -> Revision {
    match commit.event {
        Event::Advanced(_) | Event::Saved(_) => commit.revision,
        Event::Deleted => 0,
        Event::HoldChanged { .. } | Event::Kept => commit.previous,
    }
}

impl Entry {
    fn into_commit(self, revision: Revision, time: SystemTime, before: Before) -> Result<Commit, EntryError> {
        let unreadable = |part| EntryError::Part { revision, part };
        let Self { name, previous, done } = self;
        let (name, left) = match (name, before) {
            (Some(name), _) => (name.parse().map_err(|_| unreadable("name"))?, None),
            (None, Some((name, left))) => (name, Some(left)),
            (None, None) => return Err(unreadable("name")),
        };
        let previous = previous.or(left).ok_or_else(|| unreadable("previous revision"))?;
        let event = done.ok_or_else(|| unreadable("event"))?.try_into().map_err(unreadable)?;
        Ok(Commit { revision, previous, name, time, event })
    }
}

impl From<&Event> for Done {
    fn from(event: &Event) -> Self {
        match event {
            Event::Advanced(change) => Self::Advanced(change.clone().into()),
            Event::Saved(session) => Self::Saved(v1::Session::from((**session).clone())),
            Event::Deleted => Self::Deleted(v1::Deleted {}),
            Event::HoldChanged { holder, reason } => Self::HoldChanged(v1::HoldChanged {
                holder: holder.as_deref().map(Into::into),
                reason: reason.map_or(v1::LostReason::Unspecified, Into::into).into(),
            }),
            Event::Kept => Self::Kept(true),
        }
    }
}

impl TryFrom<Done> for Event {
    /// The part that cannot be read.
    type Error = &'static str;

    fn try_from(done: Done) -> Result<Self, &'static str> {
        Ok(match done {
            Done::Advanced(change) => Self::Advanced(change.try_into().map_err(|_| "change")?),
            Done::Saved(session) => Self::Saved(Arc::new(session.try_into().map_err(|_| "session")?)),
            Done::Deleted(v1::Deleted {}) => Self::Deleted,
            Done::Kept(_) => Self::Kept,
            Done::HoldChanged(changed) => {
                let reason = Some(changed.reason().into()).filter(|_| changed.holder.is_none());
                Self::HoldChanged { holder: changed.holder.map(|holder| Arc::new(holder.into())), reason }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::SystemTime};

    use sessiond_session::{ChannelState, Session, StateChange};

    use super::{decode, encode};
    use crate::engine::{Batch, Commit, Event, LostReason};

    fn commits() -> Vec<Commit> {
        let change = StateChange {
            pts: Some(1),
            channels: vec![ChannelState { id: 5, pts: 6 }],
            removed_channels: vec![7],
            ..StateChange::default()
        };
        let lost = Event::HoldChanged { holder: None, reason: Some(LostReason::Gone) };
        let advanced = || Event::Advanced(change.clone());
        let events = [
            ("a", 3, advanced()),
            ("a", 10, advanced()),
            ("a", 11, lost),
            ("a", 11, Event::Kept),
            ("a", 11, Event::Deleted),
            ("a", 0, Event::Saved(Arc::new(Session::default()))),
            ("b", 4, advanced()),
            ("a", 15, advanced()),
        ];
        let time = SystemTime::UNIX_EPOCH;
        let commit = |(at, (name, previous, event)): (usize, (&str, i64, Event))| Commit {
            revision: 10 + i64::try_from(at).expect("a few"),
            previous,
            name: name.parse().expect("valid"),
            time,
            event,
        };
        events.into_iter().enumerate().map(commit).collect()
    }

    #[test]
    fn commits_survive_the_log() {
        let batch = Batch::new(commits()).expect("there are some");
        let decoded = decode(10, SystemTime::UNIX_EPOCH, &encode(&batch)).expect("just encoded");
        let decoded = decoded.expect("there are some");
        assert_eq!(format!("{:?}", decoded.commits()), format!("{:?}", batch.commits()));
    }

    #[test]
    fn what_is_as_before_takes_no_room() {
        let advanced = |revision| Commit {
            revision,
            previous: revision - 1,
            name: "a".repeat(100).parse().expect("valid"),
            time: SystemTime::UNIX_EPOCH,
            event: Event::Advanced(StateChange { pts: Some(1_000), ..StateChange::default() }),
        };
        let bytes = |count| encode(&Batch::new((1..=count).map(advanced).collect()).expect("some")).len();
        assert!(bytes(101) - bytes(1) <= 100 * 8);
    }

    #[test]
    fn a_row_without_a_beginning_cannot_be_read() {
        let bytes = encode(&Batch::new(commits()).expect("there are some"));
        let second = 1 + usize::from(bytes[0]);
        assert!(decode(11, SystemTime::UNIX_EPOCH, &bytes[second..]).is_err());
    }
}
