use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{Stream, stream};
use sessiond_proto::v1;
use sessiond_session::{InvalidSession, MAX_CHANNELS, StateChange};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tonic::{Status, Streaming};

use crate::{
    Error, HeldSession,
    error::{is_passing, refused_sequence},
    retry::Retry,
};

/// Most changes that are on their way at once. Room for the batches that the daemon commits while the acknowledgement of an
/// earlier one travels; a few hundred bytes each.
const MOST_UNACKNOWLEDGED: usize = 8192;

/// Most channels that what is sent again has in one message, which is at most 18 bytes for each: within the daemon's limits of
/// both.
const MOST_JOINED: usize = MAX_CHANNELS;

/// Changes of one session that do not wait for each other's answers.
///
/// They are applied in order, each as a commit of its own. When the connection breaks, those that were not acknowledged are
/// sent again as one change with the same effect, so that no counter is ever seen to go back; where that has more channels
/// than a session, as several, each of some channels. The first change that is
/// refused ends the stream: it and those after it are not applied, and [`push`](Self::push) and [`finish`](Self::finish)
/// say which it was.
///
/// Dropped without `finish`, what was not acknowledged may or may not be applied.
#[derive(Debug)]
pub struct AdvanceStream {
    line: Arc<Line>,
    pushed: i64,
    progress: watch::Receiver<Progress>,
    sender: JoinHandle<()>,
}

/// How far a stream's changes are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Acknowledged {
    /// Every change up to this one is durable. 0: none yet.
    pub sequence: i64,
    /// The session's revision after it. 0 with sequence 0.
    pub revision: i64,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    acknowledged: Acknowledged,
    end: Option<Error>,
}

/// The changes between the program and the daemon.
#[derive(Debug, Default)]
struct Line {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The changes that are not acknowledged, oldest first.
    changes: VecDeque<Change>,
    /// How many of them this connection has sent.
    sent: usize,
    /// How many more it has sent, that are acknowledged since. Every connection numbers its changes from 1.
    settled: i64,
    /// The last sequence that is acknowledged.
    acknowledged: i64,
    /// Whether no more changes will come.
    closed: bool,
    /// Wakes whoever feeds this connection. Each has its own, so that one that is broken does not take changes or the news
    /// of them from the next.
    arrived: Arc<Notify>,
}

/// A change, or several as one, or a part of that.
#[derive(Debug)]
struct Change {
    /// Sequence of the last one that is durable with it.
    last: i64,
    content: v1::StateChange,
}

impl AdvanceStream {
    pub(crate) fn open(held: HeldSession) -> Self {
        let line = Arc::new(Line::default());
        let (report, progress) = watch::channel(Progress::default());
        let sender = tokio::spawn(send(held, Arc::clone(&line), report));
        Self { line, pushed: 0, progress, sender }
    }

    /// Adds a change, and gives its sequence: 1, 2, 3... Waits while too many are unacknowledged.
    ///
    /// # Errors
    /// [`Error::ChangeRefused`] of an earlier change, [`Error::Lost`], [`Error::Fenced`], or [`Error::Unavailable`] when no
    /// daemon answered for as long as the client's deadline. The change was not added, and the stream has ended.
    pub async fn push(&mut self, change: StateChange) -> Result<i64, Error> {
        let pushed = self.pushed;
        self.reached(|acknowledged| {
            usize::try_from(pushed - acknowledged.sequence).is_ok_and(|waiting| waiting < MOST_UNACKNOWLEDGED)
        })
        .await?;
        self.pushed += 1;
        self.line.queue().push(Change { last: self.pushed, content: change.into() });
        Ok(self.pushed)
    }

    /// How far the changes are durable, as far as is known now.
    pub fn acknowledged(&self) -> Acknowledged {
        self.progress.borrow().acknowledged
    }

    /// Waits until every change up to this sequence is durable.
    ///
    /// # Errors
    /// As [`push`](Self::push): the stream has ended before that.
    pub async fn durable(&mut self, sequence: i64) -> Result<Acknowledged, Error> {
        self.reached(|acknowledged| acknowledged.sequence >= sequence).await
    }

    /// Waits until every change is durable, and gives the session's revision after the last. `None`: there was no change.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn finish(mut self) -> Result<Option<i64>, Error> {
        self.line.queue().close();
        let pushed = self.pushed;
        let last = self.reached(|acknowledged| acknowledged.sequence >= pushed).await?;
        Ok((last.sequence > 0).then_some(last.revision))
    }

    async fn reached(&mut self, enough: impl Fn(Acknowledged) -> bool) -> Result<Acknowledged, Error> {
        let progress = self
            .progress
            .wait_for(|progress| enough(progress.acknowledged) || progress.end.is_some())
            .await
            .map_err(|_| Error::Unexpected("the runtime of the stream has stopped".to_owned()))?;
        match &progress.end {
            Some(error) => Err(error.clone()),
            None => Ok(progress.acknowledged),
        }
    }
}

impl Drop for AdvanceStream {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

impl Line {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next change for the connection that `arrived` is of, in that connection's numbering, once there is one. `None`:
    /// no more will come.
    async fn next(&self, arrived: &Arc<Notify>) -> Option<(i64, v1::StateChange)> {
        loop {
            if let Some(next) = self.queue().next(arrived) {
                return next;
            }
            arrived.notified().await;
        }
    }

    /// Waits until there is something to send, if there is nothing. Whether it had to wait.
    async fn filled(&self, arrived: &Arc<Notify>) -> bool {
        let mut waited = false;
        while self.queue().changes.is_empty() {
            arrived.notified().await;
            waited = true;
        }
        waited
    }
}

impl Queue {
    fn push(&mut self, change: Change) {
        self.changes.push_back(change);
        self.arrived.notify_one();
    }

    fn close(&mut self) {
        self.closed = true;
        self.arrived.notify_one();
    }

    /// Begins a connection. What the last one sent and was not acknowledged becomes one change, or as many as it takes.
    fn begin(&mut self) -> Result<Arc<Notify>, InvalidSession> {
        let sent = std::mem::take(&mut self.sent);
        (self.settled, self.arrived) = (0, Arc::default());
        if sent > 1 {
            let last = self.changes[sent - 1].last;
            let sent = self.changes.drain(..sent).map(|change| change.content.try_into());
            let one = StateChange::joined(sent.collect::<Result<Vec<_>, _>>()?);
            // With a part of them none is durable.
            let mut durable = last;
            for part in parts(one).into_iter().rev() {
                self.changes.push_front(Change { last: durable, content: part.into() });
                durable = self.acknowledged;
            }
        }
        Ok(Arc::clone(&self.arrived))
    }

    /// `None`: nothing yet. `Some(None)`: nothing any more, at least for that connection.
    fn next(&mut self, arrived: &Arc<Notify>) -> Option<Option<(i64, v1::StateChange)>> {
        if !Arc::ptr_eq(arrived, &self.arrived) {
            return Some(None);
        }
        match self.changes.get(self.sent) {
            Some(change) => {
                self.sent += 1;
                Some(Some((self.settled + count(self.sent), change.content.clone())))
            }
            None => self.closed.then_some(None),
        }
    }

    /// Takes an acknowledgement of this connection, and gives the sequence up to which all is durable.
    fn acknowledge(&mut self, sequence: i64) -> i64 {
        let fresh = usize::try_from(sequence - self.settled).unwrap_or(0).min(self.sent);
        if let Some(change) = self.changes.drain(..fresh).next_back() {
            self.acknowledged = change.last;
        }
        self.sent -= fresh;
        self.settled += count(fresh);
        self.acknowledged
    }

    /// The sequence of the change that this connection sent under `sequence`; of several as one, of the first of them.
    fn first_of(&self, sequence: i64) -> i64 {
        let before = usize::try_from(sequence - self.settled - 2).ok().and_then(|at| self.changes.get(at));
        before.map_or(self.acknowledged, |change| change.last) + 1
    }
}

/// A change as several that no message is too small for. Each channel has its last value at once, so that none is seen to go
/// back. What is forgotten comes first, so that there are never more channels than before or after; the counters come last.
fn parts(change: StateChange) -> Vec<StateChange> {
    if change.channels.len() + change.removed_channels.len() <= MOST_JOINED {
        return vec![change];
    }
    let StateChange { pts, qts, date, seq, channels, removed_channels } = change;
    let removed = removed_channels
        .chunks(MOST_JOINED)
        .map(|ids| StateChange { removed_channels: ids.to_vec(), ..StateChange::default() });
    let set = channels
        .chunks(MOST_JOINED)
        .map(|channels| StateChange { channels: channels.to_vec(), ..StateChange::default() });
    let mut parts: Vec<_> = removed.chain(set).collect();
    if let Some(last) = parts.last_mut() {
        (last.pts, last.qts, last.date, last.seq) = (pts, qts, date, seq);
    }
    parts
}

/// Sends what is pushed, over as many connections as it takes.
async fn send(held: HeldSession, line: Arc<Line>, report: watch::Sender<Progress>) {
    let mut retry = Retry::within(held.client().deadline(), held.client().socket());
    let error = loop {
        if let Err(error) = connection(&held, &line, &report, &mut retry).await {
            break held.lost_by(error).await;
        }
    };
    report.send_modify(|progress| progress.end = Some(error));
}

/// Sends over one connection until it breaks.
async fn connection(
    held: &HeldSession,
    line: &Arc<Line>,
    report: &watch::Sender<Progress>,
    retry: &mut Retry,
) -> Result<(), Error> {
    let arrived = line.queue().begin().map_err(Error::invalid)?;
    if line.filled(&arrived).await {
        retry.restart();
    }
    held.check()?;
    let mut sessions = held.client().sessions();
    let opened = sessions.advance_stream(requests(held, line, arrived));
    let Some(response) = retry.attempt(passing(opened)).await? else { return Ok(()) };
    let broken = match response {
        Ok(response) => acknowledgements(response.into_inner(), line, report, retry).await,
        Err(status) => status,
    };
    if is_passing(&broken) {
        return retry.pause(broken).await;
    }
    let sequence = refused_sequence(&broken);
    Err(match (sequence, held.lost_by(broken.into()).await) {
        // That has nothing to do with the change.
        (_, lost @ (Error::Lost { .. } | Error::Fenced)) => lost,
        (Some(sequence), refusal) => {
            Error::ChangeRefused { sequence: line.queue().first_of(sequence), refusal: Box::new(refusal) }
        }
        (None, refusal) => refusal,
    })
}

fn requests(
    held: &HeldSession,
    line: &Arc<Line>,
    arrived: Arc<Notify>,
) -> impl Stream<Item = v1::AdvanceStreamRequest> + Send + use<> {
    let first = (held.name().to_string(), held.token().to_wire());
    let line = Arc::clone(line);
    stream::unfold((line, arrived, first), |(line, arrived, (name, token))| async move {
        let (sequence, change) = line.next(&arrived).await?;
        let request = v1::AdvanceStreamRequest { name, token, change: Some(change), sequence };
        Some((request, (line, arrived, Default::default())))
    })
}

/// Takes acknowledgements until the connection breaks, and says by what.
async fn acknowledgements(
    mut responses: Streaming<v1::AdvanceStreamResponse>,
    line: &Line,
    report: &watch::Sender<Progress>,
    retry: &mut Retry,
) -> Status {
    loop {
        match responses.message().await {
            Ok(Some(v1::AdvanceStreamResponse { sequence, revision })) => {
                retry.heard();
                let sequence = line.queue().acknowledge(sequence);
                report.send_if_modified(|progress| {
                    let moved = sequence > progress.acknowledged.sequence;
                    if moved {
                        progress.acknowledged = Acknowledged { sequence, revision };
                    }
                    moved
                });
            }
            Ok(None) => return Status::unavailable("the daemon closed the stream"),
            Err(status) => return status,
        }
    }
}

/// Keeps a refusal from being taken for an attempt that may be made again, with what its status says of the change.
async fn passing<T>(attempt: impl Future<Output = Result<T, Status>>) -> Result<Result<T, Status>, Status> {
    match attempt.await {
        Err(status) if is_passing(&status) => Err(status),
        answer => Ok(answer),
    }
}

fn count(changes: usize) -> i64 {
    i64::try_from(changes).expect("what fits into memory can be counted")
}

#[cfg(test)]
mod tests {
    use sessiond_proto::v1;

    use super::{Change, Queue};

    fn queue(changes: i64) -> Queue {
        let mut queue = Queue::default();
        for n in 1..=changes {
            let pts = i32::try_from(n).ok();
            queue.push(Change { last: n, content: v1::StateChange { pts, ..Default::default() } });
        }
        queue
    }

    fn send(queue: &mut Queue, changes: usize) -> Vec<(i64, Option<i32>)> {
        let arrived = queue.arrived.clone();
        let next = || queue.next(&arrived).flatten().map(|(sequence, change)| (sequence, change.pts));
        std::iter::from_fn(next).take(changes).collect()
    }

    #[test]
    fn acknowledgements_are_counted_over_all_connections() {
        let mut queue = queue(5);
        assert_eq!(send(&mut queue, 4).len(), 4);
        assert_eq!(queue.acknowledge(2), 2);
        queue.begin().expect("the changes are valid");
        assert_eq!(send(&mut queue, 9), [(1, Some(4)), (2, Some(5))]);
        assert_eq!(queue.acknowledge(1), 4);
        assert_eq!(queue.acknowledge(2), 5);
        assert_eq!(queue.acknowledge(2), 5);
    }

    #[test]
    fn a_refused_change_is_named_by_its_own_sequence() {
        let mut queue = queue(6);
        send(&mut queue, 4);
        assert_eq!((queue.first_of(1), queue.first_of(4)), (1, 4));
        queue.acknowledge(1);
        assert_eq!((queue.first_of(2), queue.first_of(4)), (2, 4));
        queue.begin().expect("the changes are valid");
        send(&mut queue, 3);
        assert_eq!((queue.first_of(1), queue.first_of(2), queue.first_of(3)), (2, 5, 6));
    }

    #[test]
    fn a_broken_connection_takes_nothing_from_the_next() {
        let mut queue = queue(1);
        let broken = queue.arrived.clone();
        queue.begin().expect("the changes are valid");
        assert_eq!(queue.next(&broken), Some(None));
        assert_eq!(send(&mut queue, 1), [(1, Some(1))]);
    }
}
