use std::{
    mem,
    sync::{
        Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use sessiond_proto::SessionName;
use sessiond_session::Session;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::{
    Error, Outcome, Revision, Write,
    feed::Feed,
    journal::{Journal, Recovered, Transaction, WriteError},
    line::Lines,
    locks::{self, lock, try_lock},
    requests::Requests,
    stage::Stage,
    state::{Damage, State, with_keys},
    times::Times,
};

/// Most writes in one transaction: enough to make the cost of the sync small, few enough to keep latencies even.
const BATCH: usize = 1_024;

/// A lone write is committed by the thread that carries it while commits are faster than this; on a slower disk it goes to
/// the committer's thread, so that no other request waits behind it.
const INLINE_BELOW: Duration = Duration::from_millis(1);

/// How often a committer that has nothing to do looks for what could wait.
const TIDY_EVERY: Duration = Duration::from_millis(500);

type Answer = Result<Outcome, Error>;

/// Sessions in this process, and the one writer of them. Whoever has the writer's lock commits: the task that carries a
/// lone write, or the committer's thread for a crowd, all that waits in one transaction.
#[derive(Debug)]
pub(crate) struct Committer<J> {
    shared: Arc<Shared<J>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

/// What is told of every durable transaction.
pub(crate) type Observer = Box<dyn Fn(&Transaction) + Send + Sync>;

struct Shared<J> {
    state: RwLock<State>,
    writer: Mutex<Writer<J>>,
    queue: Mutex<Queue>,
    queued: Condvar,
    /// Writes that are under way.
    under_way: AtomicUsize,
    /// Whether recent commits were slow.
    slow: AtomicBool,
    feed: Feed,
    lines: Lines,
    observer: Observer,
    commits: AtomicU64,
    batches: AtomicU64,
    store_id: Mutex<String>,
}

struct Writer<J> {
    journal: J,
    requests: Requests,
    /// The outcome of a write is unknown: everything is to be read again first.
    in_doubt: bool,
    closed: bool,
    times: Times,
}

#[derive(Default)]
struct Queue {
    writes: Vec<(Write, oneshot::Sender<Answer>)>,
    closed: bool,
}

impl<J: Journal> Committer<J> {
    /// Begins with what a journal had.
    pub(crate) fn start(journal: J, recovered: Recovered, observer: Observer) -> std::io::Result<Self> {
        let Recovered { state, requests } = recovered;
        let store_id = Mutex::new(journal.store_id().to_owned());
        let feed = Feed::after(state.revision);
        let shared = Arc::new(Shared {
            state: RwLock::new(state),
            writer: Mutex::new(Writer {
                journal,
                requests,
                in_doubt: false,
                closed: false,
                times: Times::default(),
            }),
            queue: Mutex::default(),
            queued: Condvar::new(),
            under_way: AtomicUsize::new(0),
            slow: AtomicBool::new(false),
            feed,
            lines: Lines::default(),
            observer,
            commits: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            store_id,
        });
        let thread = thread::Builder::new().name("committer".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn store_id(&self) -> String {
        lock(&self.shared.store_id).clone()
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state()
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.shared.feed
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.shared.lines
    }

    /// Makes one write. Dropping the future does not take it back.
    pub(crate) async fn commit(&self, write: Write) -> Answer {
        let under_way = UnderWay::begin(&self.shared.under_way);
        if under_way.alone
            && !self.shared.slow.load(Relaxed)
            && let Some(mut writer) = try_lock(&self.shared.writer)
            // A write whose caller went away may wait still. It was first.
            && lock(&self.shared.queue).writes.is_empty()
        {
            let (answer, _) = self.shared.commit_batch(&mut writer, vec![write]).swap_remove(0);
            return answer;
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut queue = lock(&self.shared.queue);
            if queue.closed {
                return Err(Error::Closed);
            }
            queue.writes.push((write, sender));
        }
        self.shared.queued.notify_one();
        receiver.await.unwrap_or(Err(Error::Closed))
    }

    /// A session with its keys, and its revision. Reads the disk.
    pub(crate) fn whole_session(&self, name: &SessionName) -> Result<Option<(Session, Revision)>, Error> {
        self.shared.whole_session(name)
    }

    /// Works with the journal, between two transactions. Blocks.
    pub(crate) fn with_journal<T>(&self, work: impl FnOnce(&mut J, Revision) -> T) -> T {
        let mut writer = lock(&self.shared.writer);
        let head = self.shared.state().revision;
        work(&mut writer.journal, head)
    }

    /// Notes whether something is wrong with a session's file.
    pub(crate) fn set_file_damage(&self, name: &SessionName, damage: Option<Damage>) {
        locks::write(&self.shared.state).set_file_damage(name, damage);
    }

    /// Commits and batches so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.shared.commits.load(Relaxed), self.shared.batches.load(Relaxed))
    }

    /// Median and 99th percentile of recent commit times.
    pub(crate) fn times(&self) -> (Duration, Duration) {
        lock(&self.shared.writer).times.median_and_p99()
    }

    /// Finishes what waits, and closes the journal. Blocks. Every later commit is refused.
    pub(crate) fn close(&self) {
        lock(&self.shared.queue).closed = true;
        self.shared.queued.notify_all();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            error!("the committer's thread had panicked");
        }
        let mut writer = lock(&self.shared.writer);
        if !mem::replace(&mut writer.closed, true) {
            writer.journal.close(&self.shared.state());
        }
    }
}

impl<J: Journal> Shared<J> {
    /// The committer's thread.
    fn run(&self) {
        loop {
            let mut queue = lock(&self.queue);
            if queue.writes.is_empty() && !queue.closed {
                let waited = self.queued.wait_timeout(queue, TIDY_EVERY);
                let (waited, _) = waited.unwrap_or_else(PoisonError::into_inner);
                queue = waited;
            }
            let (idle, closed) = (queue.writes.is_empty(), queue.closed);
            drop(queue);
            match (idle, closed) {
                (false, _) => self.commit_waiting(),
                (true, true) => return,
                (true, false) => self.tidy(),
            }
        }
    }

    fn commit_waiting(&self) {
        // The writer first: what has left the queue is never overtaken by a lone write.
        let mut writer = lock(&self.writer);
        let waiting: Vec<_> = {
            let mut queue = lock(&self.queue);
            let count = queue.writes.len().min(BATCH);
            queue.writes.drain(..count).collect()
        };
        let (writes, senders): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let answers = self.commit_batch(&mut writer, writes);
        drop(writer);
        for ((answer, _), sender) in answers.into_iter().zip(senders) {
            // Who asked may be gone; the write stays.
            let _ = sender.send(answer);
        }
    }

    /// Commits a batch and answers each write of it, in order.
    fn commit_batch(&self, writer: &mut Writer<J>, writes: Vec<Write>) -> Vec<(Answer, Option<Write>)> {
        let refuse_all = |error: &Error| writes.iter().map(|_| (Err(error.clone()), None)).collect();
        if writer.closed {
            return refuse_all(&Error::Closed);
        }
        if writer.in_doubt
            && let Err(error) = self.read_again(writer)
        {
            return refuse_all(&error);
        }
        let started = Instant::now();
        let (mut answers, transaction) = self.stage(writer, writes);
        match self.write(writer, &transaction) {
            Ok(()) => self.publish(writer, transaction, started),
            Err(WriteError::Full) => {
                warn!("the disk is full: writes are refused");
                fail(&mut answers, &Error::StorageFull);
                self.let_go(writer, &mut answers);
            }
            Err(WriteError::Unknown(cause)) => {
                error!(cause = %chain(&*cause), "the disk failed: no write is taken until the store was read again");
                writer.in_doubt = true;
                fail(&mut answers, &Error::StorageFailed);
            }
        }
        answers
    }

    /// Checks each write. Those that only let go are kept, to be tried again should the disk be full.
    fn stage(
        &self,
        writer: &mut Writer<J>,
        writes: Vec<Write>,
    ) -> (Vec<(Answer, Option<Write>)>, Transaction) {
        let state = self.state();
        let mut stage = Stage::new(&state, &writer.requests, &mut writer.journal);
        let answers = writes.into_iter().map(|write| {
            let again = write.letting_go();
            (stage.write(write), again)
        });
        let answers = answers.collect();
        (answers, stage.finish())
    }

    /// Whatever only lets go of something goes through on a full disk too.
    fn let_go(&self, writer: &mut Writer<J>, answers: &mut [(Answer, Option<Write>)]) {
        let kept: Vec<usize> = (0..answers.len()).filter(|at| answers[*at].1.is_some()).collect();
        if kept.is_empty() {
            return;
        }
        writer.journal.spend_reserve();
        let writes = kept.iter().filter_map(|at| answers[*at].1.take()).collect();
        let started = Instant::now();
        let (again, transaction) = self.stage(writer, writes);
        if let Err(cause) = self.write(writer, &transaction) {
            warn!(cause = %chain(&cause), "the disk is full, and the reserve was not enough to let go of a hold");
            writer.in_doubt = matches!(cause, WriteError::Unknown(_));
            return;
        }
        self.publish(writer, transaction, started);
        for (at, (answer, _)) in kept.into_iter().zip(again) {
            answers[at].0 = answer;
        }
    }

    fn write(&self, writer: &mut Writer<J>, transaction: &Transaction) -> Result<(), WriteError> {
        if transaction.is_empty() { Ok(()) } else { writer.journal.write(transaction, &self.state()) }
    }

    /// Takes a durable transaction into memory, and tells everyone.
    fn publish(&self, writer: &mut Writer<J>, transaction: Transaction, started: Instant) {
        for (name, answered) in &transaction.requests {
            writer.requests.remember(name, *answered);
        }
        let Some(batch) = transaction.batch.clone() else {
            writer.journal.defer(transaction.requests);
            return;
        };
        {
            let mut state = locks::write(&self.state);
            batch.commits().iter().for_each(|commit| state.apply(commit));
            for (name, hold) in &transaction.holds {
                state.set_hold(name, hold.clone());
            }
            for (name, _, keys) in &transaction.keys {
                state.set_keys(name, keys);
            }
            for (name, keys) in &transaction.granted {
                state.set_keys(name, keys);
            }
        }
        self.commits.fetch_add(batch.commits().len() as u64, Relaxed);
        self.batches.fetch_add(1, Relaxed);
        self.feed.publish(batch);
        (self.observer)(&transaction);
        self.note_time(writer, started.elapsed());
    }

    fn note_time(&self, writer: &mut Writer<J>, time: Duration) {
        let slow = self.slow.load(Relaxed);
        // Twice as fast as the limit before it counts as fast again, so that it does not go to and fro.
        self.slow.store(if slow { time > INLINE_BELOW / 2 } else { time > INLINE_BELOW }, Relaxed);
        writer.times.note(time);
    }

    /// After a write of unknown outcome: takes what the disk has, and tells watchers what they missed.
    fn read_again(&self, writer: &mut Writer<J>) -> Result<(), Error> {
        let before = self.state().revision;
        let Recovered { state, requests } = writer.journal.reopen().inspect_err(|error| {
            error!(%error, "the store cannot be read again");
        })?;
        let head = state.revision;
        writer.requests = requests;
        *locks::write(&self.state) = state;
        let mut told = before;
        while told < head {
            let missed = writer.journal.log(told, head).map_err(|error| {
                error!(%error, "the log cannot be read again");
                Error::StorageFailed
            })?;
            if missed.is_empty() {
                break;
            }
            for batch in missed {
                told = batch.last();
                self.feed.publish(batch);
            }
        }
        writer.in_doubt = false;
        info!(before, head, "the store was read again, and writes are taken");
        Ok(())
    }

    fn tidy(&self) {
        let mut writer = lock(&self.writer);
        if writer.closed {
            return;
        }
        if writer.in_doubt {
            // An error is logged there, and the next write tries again.
            let _ = self.read_again(&mut writer);
            return;
        }
        let trimmed = writer.journal.tidy(&self.state());
        writer.requests.trim(trimmed);
    }

    fn whole_session(&self, name: &SessionName) -> Result<Option<(Session, Revision)>, Error> {
        // The writer's lock first: no commit comes between the session and its keys.
        let mut writer = lock(&self.writer);
        let entry = self.state().entry(name).cloned();
        let Some(entry) = entry else { return Ok(None) };
        let Some(session) = entry.session else { return Ok(None) };
        let keys = match entry.keys {
            Some(keys) => keys,
            None => Arc::new(writer.journal.keys(name)?),
        };
        Ok(Some((with_keys(&session, &keys), entry.revision)))
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        locks::read(&self.state)
    }
}

/// One write that is under way.
struct UnderWay<'a> {
    count: &'a AtomicUsize,
    /// Whether it was the only one when it began.
    alone: bool,
}

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        Self { count, alone: count.fetch_add(1, Relaxed) == 0 }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Relaxed);
    }
}

impl<J> std::fmt::Debug for Shared<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn fail(answers: &mut [(Answer, Option<Write>)], error: &Error) {
    for (answer, _) in answers.iter_mut().filter(|(answer, _)| answer.is_ok()) {
        *answer = Err(error.clone());
    }
}

/// An error with all its sources, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
