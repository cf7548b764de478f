//! What a watcher is told: restarted, a snapshot of every session selected, synced, then every commit, in order, once.

mod latest;
mod snapshots;

use std::{
    collections::{VecDeque, btree_set},
    ops::Bound,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use sessiond_proto::{SessionName, v1};
use tokio::time::{Instant, Sleep, sleep_until};
use v1::{RestartReason, watch_response::Event as Told};

use self::{latest::Latest, snapshots::Snapshot};
pub(crate) use snapshots::Snapshots;

use crate::{
    engine::{
        Batch, Commit, Engine, Entry, Error, LogError, News, Revision, Selection, Sessions, Subscription,
    },
    shutdown::Shutdown,
};

/// Most commits that a watcher of the latest state reads before it tells what they came to.
const LATEST_COMMITS: usize = 65_536;

/// About how many bytes of commits are put together: as many as HTTP/2 puts into a frame by default.
const TOGETHER: usize = 16 << 10;

/// Which commits a watcher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    EveryChange,
    Latest,
}

/// Where a watcher begins.
#[derive(Debug, Clone)]
pub(crate) enum Start {
    /// With snapshots.
    Anew,
    /// After what it was told before.
    After { revision: Revision, store_id: Option<String> },
}

/// What a watcher needs of the daemon.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) snapshots: Snapshots,
    pub(crate) shutdown: Shutdown,
}

/// A place among the commits of the selected sessions. It is asked for the next thing to tell; a watcher that does not ask
/// costs nobody anything.
pub(crate) struct Watcher {
    source: Source,
    subscription: Subscription,
    mode: Mode,
    bookmark_interval: Duration,
    phase: Phase,
    /// Everything up to here was told, or is in `taken`.
    position: Revision,
    taken: VecDeque<Commit>,
    batches: VecDeque<Arc<Batch>>,
    /// Whether a bookmark is to be told once `taken` is: what was taken came of several commits of each session, and whoever
    /// resumed in the middle of it would miss what was told with a later one.
    owes_bookmark: bool,
    /// When a bookmark is to be told, unless something else is before.
    bookmark_due: Instant,
    alarm: Alarm,
}

/// What ends a wait besides a commit. Both are waited for all along, since to begin and to give up a wait costs far more
/// than to go on with it, and commits end most waits.
struct Alarm {
    /// When to look whether a bookmark is due: not later than that.
    bookmark: Pin<Box<Sleep>>,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
}

enum Phase {
    Restarting(RestartReason),
    Snapshots { snapshot: Snapshot, names: btree_set::IntoIter<SessionName>, last: Option<SessionName> },
    Resuming,
    Following,
}

/// Why a watch ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchEnd {
    #[error("the daemon is stopping")]
    ShuttingDown,
    #[error(transparent)]
    Engine(#[from] Error),
}

impl Watcher {
    pub(crate) fn new(source: Source, selection: Selection, mode: Mode, bookmark_interval: Duration) -> Self {
        // Subscribed first: whatever is committed after the snapshot is heard of.
        let subscription = source.engine.subscribe(selection);
        let bookmark_due = Instant::now() + bookmark_interval;
        let mut shutdown = source.shutdown.clone();
        let alarm = Alarm {
            bookmark: Box::pin(sleep_until(bookmark_due)),
            stopping: Box::pin(async move { shutdown.requested().await }),
        };
        Self {
            source,
            subscription,
            mode,
            bookmark_interval,
            phase: Phase::Restarting(RestartReason::First),
            position: 0,
            taken: VecDeque::new(),
            batches: VecDeque::new(),
            owes_bookmark: false,
            bookmark_due,
            alarm,
        }
    }

    /// Begins where an earlier watch ended, if the store still can tell what came after it.
    pub(crate) fn starting(mut self, start: Start) -> Self {
        let Start::After { revision, store_id } = start else { return self };
        let head = self.source.engine.snapshot().revision;
        if store_id.is_some_and(|id| id != self.source.engine.store_id()) || revision > head {
            self.phase = Phase::Restarting(RestartReason::OtherStore);
            return self;
        }
        self.phase = Phase::Resuming;
        self.position = revision;
        self.subscription.rewind(revision);
        self
    }

    /// What is to be told next: one message or several, as gRPC frames them. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Bytes, WatchEnd> {
        let told = self.find_next().await?;
        self.bookmark_due = Instant::now() + self.bookmark_interval;
        Ok(told)
    }

    async fn find_next(&mut self) -> Result<Bytes, WatchEnd> {
        loop {
            if let Some(told) = self.next_commits() {
                return Ok(told);
            }
            if std::mem::take(&mut self.owes_bookmark) {
                return Ok(framed(&self.bookmark()));
            }
            if let Some(response) = self.step().await? {
                return Ok(framed(&response));
            }
        }
    }

    /// Goes on to where there is something to tell. `None`: there may be a commit now.
    async fn step(&mut self) -> Result<Option<v1::WatchResponse>, WatchEnd> {
        match &mut self.phase {
            Phase::Restarting(reason) => {
                let reason = *reason;
                Ok(Some(self.restart(reason)))
            }
            Phase::Snapshots { snapshot: kept, names, last } => {
                let Some(sessions) = kept.sessions() else {
                    self.phase = Phase::Restarting(RestartReason::Lagged);
                    return Ok(None);
                };
                let selection = self.subscription.selection();
                let Some((name, entry)) = next_session(selection, &sessions, names, last) else {
                    self.phase = Phase::Following;
                    return Ok(Some(self.synced()));
                };
                Ok(Some(snapshot(&name, &entry)))
            }
            Phase::Resuming => self.resume().await.map(|()| None),
            Phase::Following => self.follow().await,
        }
    }

    fn restart(&mut self, reason: RestartReason) -> v1::WatchResponse {
        let snapshot = self.source.engine.snapshot();
        self.position = snapshot.revision;
        let names = self.subscription.selection().names.clone().into_iter();
        let snapshot = self.source.snapshots.keep(snapshot.sessions);
        self.phase = Phase::Snapshots { snapshot, names, last: None };
        message(0, Told::Restarted(v1::Restarted { reason: reason.into() }))
    }

    fn synced(&self) -> v1::WatchResponse {
        message(self.position, Told::Synced(v1::Synced { store_id: self.source.engine.store_id() }))
    }

    /// The first step after a resumption: tells at once whether the log still has the place.
    async fn resume(&mut self) -> Result<(), WatchEnd> {
        match self.source.engine.log(self.position).await {
            Ok(batches) => {
                self.phase = Phase::Following;
                // A client that resumes hears at once that it has.
                self.bookmark_due = Instant::now();
                let through = batches.last().map_or(self.position, |batch| batch.last());
                self.take(batches, through);
            }
            Err(LogError::Trimmed) => self.phase = Phase::Restarting(RestartReason::LogTrimmed),
            Err(LogError::Unknown) => self.phase = Phase::Restarting(RestartReason::OtherStore),
            Err(LogError::Engine(error)) => return Err(error.into()),
        }
        Ok(())
    }

    /// Takes what is new, or waits for it. Tells a bookmark when it is time for one.
    async fn follow(&mut self) -> Result<Option<v1::WatchResponse>, WatchEnd> {
        match self.subscription.news(self.position) {
            News::Batches(batches, through) => self.take(batches, through),
            News::InLog(from) => match self.source.engine.log(from).await {
                Ok(batches) => {
                    let through = batches.last().map_or(from, |batch| batch.last());
                    self.take(batches, through);
                }
                Err(LogError::Engine(error)) => return Err(error.into()),
                Err(LogError::Trimmed | LogError::Unknown) => {
                    self.phase = Phase::Restarting(RestartReason::Lagged);
                    return Ok(None);
                }
            },
            News::None(head) => {
                self.position = self.position.max(head);
                if self.bookmark_due > Instant::now() {
                    tokio::select! {
                        () = self.subscription.changed() => {}
                        () = &mut self.alarm.stopping => return Err(WatchEnd::ShuttingDown),
                        () = &mut self.alarm.bookmark => self.alarm.bookmark.as_mut().reset(self.bookmark_due),
                    }
                    return Ok(None);
                }
            }
        }
        // However much passes by that was not selected, the stream is never silent for longer.
        let silent = self.taken.is_empty() && self.batches.is_empty();
        let due = silent && self.bookmark_due <= Instant::now();
        Ok(due.then(|| self.bookmark()))
    }

    fn bookmark(&self) -> v1::WatchResponse {
        message(self.position, Told::Bookmark(v1::Bookmark {}))
    }

    fn take(&mut self, batches: Vec<Arc<Batch>>, through: Revision) {
        match self.mode {
            Mode::EveryChange => {
                self.batches.extend(batches);
                // The place moves on as the batches are gone through.
                if self.batches.is_empty() {
                    self.position = self.position.max(through);
                }
            }
            Mode::Latest => {
                let mut latest = Latest::default();
                self.add_latest(&mut latest, &batches, through);
                while latest.read < LATEST_COMMITS
                    && let News::Batches(batches, through) = self.subscription.news(self.position)
                {
                    self.add_latest(&mut latest, &batches, through);
                }
                self.taken = latest.commits();
                self.owes_bookmark = !self.taken.is_empty();
            }
        }
    }

    fn add_latest(&mut self, latest: &mut Latest, batches: &[Arc<Batch>], through: Revision) {
        for batch in batches {
            for commit in batch.commits() {
                if self.wants(commit) {
                    latest.add(commit.clone());
                }
            }
            latest.read += batch.commits().len();
        }
        self.position = self.position.max(through);
    }

    /// The next commits of what was taken: of a batch, as it was encoded; of several, put together, since a frame costs more
    /// than a copy.
    fn next_commits(&mut self) -> Option<Bytes> {
        if let Some(commit) = self.taken.pop_front() {
            return Some(framed(&commit.into()));
        }
        let first = self.next_run()?;
        let Some(second) = self.next_run() else { return Some(first) };
        let mut together = BytesMut::with_capacity(TOGETHER);
        together.extend_from_slice(&first);
        together.extend_from_slice(&second);
        while together.len() < TOGETHER
            && let Some(more) = self.next_run()
        {
            together.extend_from_slice(&more);
        }
        Some(together.freeze())
    }

    /// The next commits of one batch that follow each other.
    fn next_run(&mut self) -> Option<Bytes> {
        while let Some(batch) = self.batches.front() {
            let commits = batch.commits();
            let from = commits.partition_point(|commit| commit.revision <= self.position);
            let wanted = |commit: &Commit| self.wants(commit);
            if let Some(skipped) = commits[from..].iter().position(wanted) {
                let start = from + skipped;
                let length = commits[start..].iter().position(|commit| !self.wants(commit));
                let end = length.map_or(commits.len(), |length| start + length);
                let told = batch.told(start..end, frame_commit);
                self.position = commits[end - 1].revision;
                return Some(told);
            }
            self.position = self.position.max(batch.last());
            self.batches.pop_front();
        }
        None
    }

    fn wants(&self, commit: &Commit) -> bool {
        commit.event.is_told()
            && commit.revision > self.position
            && self.subscription.selection().matches(&commit.name)
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("position", &self.position).finish_non_exhaustive()
    }
}

/// The next session of a selection to tell a snapshot of: those named first, then those of the prefix.
fn next_session(
    selection: &Selection,
    sessions: &Sessions,
    names: &mut btree_set::IntoIter<SessionName>,
    last: &mut Option<SessionName>,
) -> Option<(SessionName, Entry)> {
    for name in names.by_ref().filter(|name| !selection.matches_by_prefix(name)) {
        if let Some(entry) = sessions.get(&name).filter(|entry| entry.is_visible()) {
            return Some((name, entry.clone()));
        }
    }
    let prefix = selection.prefix.as_deref()?;
    let start: Bound<&str> = match last.as_ref() {
        Some(last) => Bound::Excluded(last.as_str()),
        None => Bound::Included(prefix),
    };
    let begins = |(name, _): &(&SessionName, &Entry)| name.as_str().starts_with(prefix);
    let mut rest = sessions.range::<_, str>((start, Bound::Unbounded)).take_while(begins);
    let (name, entry) =
        rest.find(|(name, entry)| entry.is_visible() && selection.visible.has(name.as_str()))?;
    *last = Some(name.clone());
    Some((name.clone(), entry.clone()))
}

fn snapshot(name: &SessionName, entry: &Entry) -> v1::WatchResponse {
    let snapshot = v1::Snapshot {
        session: entry.session.as_deref().cloned().map(Into::into),
        holder: entry.holder().map(|holder| (&**holder).into()),
    };
    v1::WatchResponse { name: name.to_string(), ..message(entry.revision, Told::Snapshot(snapshot)) }
}

fn frame_commit(commit: &Commit, to: &mut BytesMut) {
    frame(&commit.clone().into(), to);
}

/// Adds a message as gRPC frames it: not compressed, its length in four bytes, big endian, and itself
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
fn frame(message: &v1::WatchResponse, to: &mut BytesMut) {
    to.put_u8(0);
    to.put_u32(u32::try_from(message.encoded_len()).expect("what a session has is far less than 4 GiB"));
    message.encode(to).expect("a buffer takes any length");
}

fn framed(message: &v1::WatchResponse) -> Bytes {
    let mut buffer = BytesMut::new();
    frame(message, &mut buffer);
    buffer.freeze()
}

fn message(revision: Revision, event: Told) -> v1::WatchResponse {
    let time = Some(SystemTime::now().into());
    v1::WatchResponse { revision, name: String::new(), time, event: Some(event), previous_revision: 0 }
}

#[cfg(test)]
mod tests;
