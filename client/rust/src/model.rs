//! What the daemon tells about sessions, as plain data; and its messages, turned into it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use prost_types::Timestamp;
use sessiond_proto::{SessionName, v1};
use sessiond_session::{Session, User};

use crate::Error;

/// Who holds a session: what the kernel said of the process that connected, and what that process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What it calls itself. May be empty.
    pub label: String,
    /// Its process id, where it is known.
    pub pid: Option<i32>,
    /// Its user id.
    pub uid: i32,
    /// Path of the program that it runs. Empty: not known.
    pub executable: String,
    /// When the hold was granted.
    pub since: Option<SystemTime>,
    /// Its host. Empty: the daemon's own.
    pub host: String,
}

/// A place in the line for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Who holds the session. `None`: nobody any more, and the hand-over delay runs.
    pub holder: Option<Holder>,
    /// Place in the line: 1 is the next to be granted.
    pub position: i32,
}

/// Why a hold ended without a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LostReason {
    /// The daemon does not know the token any more: the hold was ended, or its time to come back was over, while this
    /// client was away.
    Fenced,
    /// An operator ended it.
    EndedByAdmin,
    /// Another stream goes on with the hold, by its token.
    ResumedElsewhere,
}

/// A session as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The session. `None`: there is none.
    pub session: Option<Session>,
    /// Its revision. 0: there is no session.
    pub revision: i64,
    /// Who holds it. `None`: nobody.
    pub holder: Option<Holder>,
}

/// A session in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// Its name.
    pub name: SessionName,
    /// Its revision. 0: it is held, and has no data.
    pub revision: i64,
    /// Who is logged in.
    pub user: Option<User>,
    /// Time of its last change.
    pub changed: Option<SystemTime>,
    /// Who holds it. `None`: nobody.
    pub holder: Option<Holder>,
    /// Its pts. `None`: it has no update state.
    pub pts: Option<i32>,
    /// How many channels have a state of their own.
    pub channel_count: i32,
    /// Data centers that it has keys of, ascending.
    pub dcs_with_auth: Vec<i32>,
    /// How many clients wait for it.
    pub waiting: i32,
    /// How many watches selected it.
    pub watchers: i32,
    /// Whether its data or its file was found damaged, or its file changed by another program.
    pub damaged: bool,
    /// Whether it is of Telegram's test servers, where that is known.
    pub test_mode: Option<bool>,
}

/// What to do with a session's mirror, the file `NAME.session`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorAction {
    /// Write the newest state into it. A file that is not as the daemon left it is refused.
    Write,
    /// Write a new file, whatever is there; what was there is kept under another name.
    Replace,
    /// Take what is in the file as the session's new content; the file as it was is kept under another name.
    Take,
}

/// A mirror that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledMirror {
    /// The session's revision, which the mirror now has. 0: there is no session, and no mirror.
    pub revision: i64,
    /// File name, in the daemon's directory, under which the earlier file was kept.
    pub kept_as: Option<String>,
}

/// What daemon it is, and how it fares.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerInfo {
    /// Its version. For people: programs look at `features`.
    pub version: String,
    /// Where sessions live.
    pub engine: String,
    /// Identity of its store.
    pub store_id: String,
    /// What it can do beyond the first version of the schema.
    pub features: Vec<String>,
    /// How it fares.
    pub figures: Figures,
}

/// How a daemon fares. Counts since its start unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// When it started.
    pub started: Option<SystemTime>,
    /// Newest revision of the store.
    pub revision: i64,
    /// Oldest revision after which the log is whole.
    pub log_after: i64,
    /// Size of the change log now, in bytes.
    pub log_bytes: i64,
    /// Sessions known now.
    pub sessions: i64,
    /// Sessions held now.
    pub held: i64,
    /// Clients that wait for a hold now.
    pub waiting: i64,
    /// Watches open now.
    pub watchers: i64,
    /// Changes committed.
    pub commits: i64,
    /// Batches they were committed in.
    pub batches: i64,
    /// Median time of a recent batch. `None`: there was none yet.
    pub commit_p50: Option<Duration>,
    /// 99th percentile of the same.
    pub commit_p99: Option<Duration>,
}

impl LostReason {
    /// The reason in a message; unspecified there is a hold that ran out.
    pub(crate) fn from_wire(reason: v1::LostReason) -> Self {
        match reason {
            v1::LostReason::Unspecified => Self::Fenced,
            v1::LostReason::EndedByAdmin => Self::EndedByAdmin,
            v1::LostReason::ResumedElsewhere => Self::ResumedElsewhere,
        }
    }
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fenced => "its token is not the current one any more",
            Self::EndedByAdmin => "an operator ended it",
            Self::ResumedElsewhere => "another process goes on with it",
        })
    }
}

impl From<v1::Holder> for Holder {
    fn from(holder: v1::Holder) -> Self {
        let v1::Holder { label, pid, uid, executable, since, host } = holder;
        Self { label, pid: (pid != 0).then_some(pid), uid, executable, since: time(since), host }
    }
}

impl From<v1::Waiting> for Waiting {
    fn from(waiting: v1::Waiting) -> Self {
        let v1::Waiting { holder, position } = waiting;
        Self { holder: holder.map(Into::into), position }
    }
}

impl TryFrom<v1::LoadResponse> for Loaded {
    type Error = Error;

    fn try_from(response: v1::LoadResponse) -> Result<Self, Error> {
        let v1::LoadResponse { session, revision, holder } = response;
        Ok(Self { session: read(session)?, revision, holder: holder.map(Into::into) })
    }
}

impl TryFrom<v1::SessionSummary> for SessionSummary {
    type Error = Error;

    fn try_from(summary: v1::SessionSummary) -> Result<Self, Error> {
        let v1::SessionSummary {
            name,
            revision,
            user,
            changed,
            holder,
            pts,
            channel_count,
            dcs_with_auth,
            waiting,
            watchers,
            damaged,
            test_mode,
        } = summary;
        Ok(Self {
            name: name.parse()?,
            revision,
            user: user.map(User::try_from).transpose().map_err(Error::unreadable)?,
            changed: time(changed),
            holder: holder.map(Into::into),
            pts,
            channel_count,
            dcs_with_auth,
            waiting,
            watchers,
            damaged,
            test_mode,
        })
    }
}

impl From<v1::GetServerInfoResponse> for ServerInfo {
    fn from(response: v1::GetServerInfoResponse) -> Self {
        let v1::GetServerInfoResponse { version, engine, store_id, features, figures } = response;
        Self { version, engine, store_id, features, figures: figures.map(Into::into).unwrap_or_default() }
    }
}

impl From<v1::Figures> for Figures {
    fn from(figures: v1::Figures) -> Self {
        let v1::Figures {
            started,
            revision,
            log_after,
            log_bytes,
            sessions,
            held,
            waiting,
            watchers,
            commits,
            batches,
            commit_p50,
            commit_p99,
        } = figures;
        Self {
            started: time(started),
            revision,
            log_after,
            log_bytes,
            sessions,
            held,
            waiting,
            watchers,
            commits,
            batches,
            commit_p50: duration(commit_p50),
            commit_p99: duration(commit_p99),
        }
    }
}

impl From<v1::SettleMirrorResponse> for SettledMirror {
    fn from(response: v1::SettleMirrorResponse) -> Self {
        let v1::SettleMirrorResponse { revision, kept_as } = response;
        Self { revision, kept_as: Some(kept_as).filter(|name| !name.is_empty()) }
    }
}

impl From<MirrorAction> for v1::MirrorAction {
    fn from(action: MirrorAction) -> Self {
        match action {
            MirrorAction::Write => Self::Write,
            MirrorAction::Replace => Self::Replace,
            MirrorAction::Take => Self::Take,
        }
    }
}

/// A session in a message, if it has one.
pub(crate) fn read(session: Option<v1::Session>) -> Result<Option<Session>, Error> {
    session.map(Session::try_from).transpose().map_err(Error::unreadable)
}

/// A time in a message. One that this machine's clock cannot tell is left out.
pub(crate) fn time(timestamp: Option<Timestamp>) -> Option<SystemTime> {
    timestamp.and_then(|timestamp| timestamp.try_into().ok())
}

/// A time in RFC 3339.
pub(crate) fn parse_time(text: &str) -> Option<SystemTime> {
    time(text.parse().ok())
}

/// A duration in a message. Zero and less stand for none.
pub(crate) fn duration(duration: Option<prost_types::Duration>) -> Option<Duration> {
    duration.and_then(|duration| duration.try_into().ok()).filter(|duration| *duration != Duration::ZERO)
}
