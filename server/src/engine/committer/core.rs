mod upkeep;

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sessiond_proto::SessionName;
use sessiond_session::Session;
use tokio::runtime::Handle;
use tracing::{error, info, warn};

use super::Observer;
use crate::engine::{
    Batch, Error, Listings, Revision, Sessions, Write,
    feed::Feed,
    journal::{Journal, Recovered, Transaction, WriteError},
    leftovers::Leftovers,
    line::Lines,
    locks::{self, lock},
    queue::{Answer, Queue},
    requests::Requests,
    stage::Stage,
    state::{Damage, State, with_keys},
    times::Times,
};

/// Most writes in one transaction: enough to make the cost of the sync small, few enough to keep latencies even.
const BATCH: usize = 1_024;

/// A transaction takes no more writes once it has so many bytes, about: sessions may be large.
const BATCH_BYTES: usize = 4 << 20;

/// A lone write is committed by the thread that carries it while commits are faster than this; on a slower disk it goes to
/// the committer's thread, so that no other request waits behind it.
const INLINE_BELOW: Duration = Duration::from_millis(1);

/// How often a committer that has nothing to do looks for what could wait.
const TIDY_EVERY: Duration = Duration::from_millis(500);

/// What the committer's thread and those who carry lone writes share.
pub(super) struct Core<J: Journal> {
    state: RwLock<State>,
    pub(super) writer: Mutex<Writer<J>>,
    pub(super) queue: Mutex<Queue>,
    pub(super) queued: Condvar,
    /// Writes that are under way.
    pub(super) under_way: AtomicUsize,
    /// Whether recent commits were slow.
    slow: AtomicBool,
    pub(super) feed: Feed,
    pub(super) lines: Lines,
    observer: Observer,
    commits: AtomicU64,
    batches: AtomicU64,
    pub(super) times: Mutex<Times>,
    pub(super) log_extent: Mutex<(Revision, u64)>,
    store_id: Mutex<String>,
    /// What carries lone writes. `None`: nothing does.
    runtime: Option<Handle>,
}

/// What only one at a time uses.
pub(super) struct Writer<J> {
    pub(super) journal: J,
    requests: Requests,
    leftovers: Leftovers,
    /// Who lists what is kept beside a session.
    pub(super) listings: Listings,
    /// Revision through which the log is trimmed.
    trimmed: Revision,
    /// The outcome of a write is unknown: everything is to be read again first.
    in_doubt: bool,
    /// Writes are refused for want of room.
    full: bool,
    closed: bool,
}

/// A write that was checked.
struct Staged<T> {
    answer: Answer,
    /// The same write again, if it only lets go.
    again: Option<Write>,
    /// Whose it is.
    of: T,
}

impl<J: Journal> Core<J> {
    pub(super) fn new(journal: J, recovered: Recovered, observer: Observer) -> io::Result<Self> {
        let Recovered { state, requests } = recovered;
        let store_id = Mutex::new(journal.store_id().to_owned());
        let (feed, leftovers) = (Feed::after(state.revision)?, Leftovers::of(&state));
        let log_extent = Mutex::new(journal.log_extent());
        let listings = Listings::default();
        let (trimmed, in_doubt, full, closed) = Default::default();
        let writer = Writer { journal, requests, leftovers, listings, trimmed, in_doubt, full, closed };
        Ok(Self {
            state: RwLock::new(state),
            writer: Mutex::new(writer),
            queue: Mutex::default(),
            queued: Condvar::new(),
            under_way: AtomicUsize::new(0),
            slow: AtomicBool::new(false),
            feed,
            lines: Lines::default(),
            observer,
            commits: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            times: Mutex::default(),
            log_extent,
            store_id,
            runtime: Handle::try_current().ok(),
        })
    }

    /// The committer's thread.
    pub(super) fn run(&self) {
        loop {
            let mut queue = lock(&self.queue);
            if queue.is_empty() && !queue.is_closed() {
                let waited = self.queued.wait_timeout(queue, TIDY_EVERY);
                let (waited, _) = waited.unwrap_or_else(PoisonError::into_inner);
                queue = waited;
            }
            let (idle, closed) = (queue.is_empty(), queue.is_closed());
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
        let mut waiting = lock(&self.queue).take(BATCH);
        let mut answered = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            answered.extend(self.commit_some(&mut writer, &mut waiting));
        }
        drop(writer);
        for (answer, sender) in answered {
            // Who asked may be gone; the write stays.
            let _ = sender.send(answer);
        }
    }

    /// Commits the first of some writes, as many as make a transaction, and answers them, in order.
    pub(super) fn commit_some<T>(
        &self,
        writer: &mut Writer<J>,
        waiting: &mut VecDeque<(Write, T)>,
    ) -> Vec<(Answer, T)> {
        if let Err(error) = self.make_ready(writer) {
            return waiting.drain(..).map(|(_, of)| (Err(error.clone()), of)).collect();
        }
        let started = Instant::now();
        let (mut staged, transaction) = self.stage(writer, waiting);
        match self.write(writer, &transaction) {
            Ok(()) => self.publish(writer, transaction, started),
            Err(WriteError::Full) => {
                if !std::mem::replace(&mut writer.full, true) {
                    warn!("the disk is full: writes are refused until there is room");
                }
                fail(&mut staged, &Error::StorageFull);
                self.let_go(writer, &mut staged);
            }
            Err(WriteError::Unknown(cause)) => {
                writer.doubt(&*cause);
                fail(&mut staged, &Error::StorageFailed);
            }
        }
        staged.into_iter().map(|Staged { answer, again: _, of }| (answer, of)).collect()
    }

    pub(super) fn make_ready(&self, writer: &mut Writer<J>) -> Result<(), Error> {
        if writer.closed {
            return Err(Error::Closed);
        }
        if writer.in_doubt { self.read_again(writer) } else { Ok(()) }
    }

    /// Checks writes, until there are enough for a transaction.
    fn stage<T>(
        &self,
        writer: &mut Writer<J>,
        waiting: &mut VecDeque<(Write, T)>,
    ) -> (Vec<Staged<T>>, Transaction) {
        let (sessions, revision) = self.sessions();
        let mut stage = Stage::new(&sessions, revision, &writer.requests, &mut writer.journal);
        let mut staged = Vec::with_capacity(waiting.len());
        while stage.weight() < BATCH_BYTES
            && let Some((write, of)) = waiting.pop_front()
        {
            let again = write.letting_go();
            staged.push(Staged { answer: stage.write(write), again, of });
        }
        (staged, stage.finish())
    }

    /// Whatever only lets go of something goes through on a full disk too.
    fn let_go<T>(&self, writer: &mut Writer<J>, staged: &mut [Staged<T>]) {
        let again = staged.iter_mut().enumerate();
        let mut again: VecDeque<_> =
            again.filter_map(|(at, staged)| Some((staged.again.take()?, at))).collect();
        if again.is_empty() {
            return;
        }
        writer.journal.spend_reserve();
        let started = Instant::now();
        let (mut again, transaction) = self.stage(writer, &mut again);
        match self.write(writer, &transaction) {
            Ok(()) => self.publish(writer, transaction, started),
            Err(WriteError::Full) => {
                warn!("the disk is full, and the reserve is not enough to let go of a hold");
                fail(&mut again, &Error::StorageFull);
            }
            Err(WriteError::Unknown(cause)) => {
                writer.doubt(&*cause);
                fail(&mut again, &Error::StorageFailed);
            }
        }
        for Staged { answer, again: _, of: at } in again {
            staged[at].answer = answer;
        }
    }

    fn write(&self, writer: &mut Writer<J>, transaction: &Transaction) -> Result<(), WriteError> {
        if transaction.is_empty() {
            return Ok(());
        }
        writer.listings.note(&transaction.kept);
        writer.journal.write(transaction, &self.sessions().0)
    }

    /// Takes a durable transaction into memory, and tells everyone.
    fn publish(&self, writer: &mut Writer<J>, transaction: Transaction, started: Instant) {
        let head = self.state().revision;
        // What changed nothing is logged with the next transaction.
        let logged = transaction.batch.as_ref().map_or(head + 1, |batch| batch.last());
        for (name, answered) in &transaction.requests {
            writer.requests.remember(name, *answered, logged);
        }
        let Some(batch) = transaction.batch.clone() else {
            writer.journal.defer(transaction.requests);
            return;
        };
        if writer.full && !transaction.only_lets_go() {
            writer.full = false;
            info!("there is room on the disk: writes are taken again");
        }
        {
            let mut state = locks::write(&self.state);
            state.take(&transaction);
            writer.leftovers.note_ended(&state, &transaction);
        }
        self.commits.fetch_add(batch.commits().len() as u64, Relaxed);
        self.batches.fetch_add(1, Relaxed);
        (self.observer)(&batch);
        self.feed.publish(batch);
        *lock(&self.log_extent) = writer.journal.log_extent();
        self.note_time(started.elapsed());
    }

    fn note_time(&self, time: Duration) {
        let slow = self.is_slow();
        // Twice as fast as the limit before it counts as fast again, so that it does not go to and fro.
        self.slow.store(if slow { time > INLINE_BELOW / 2 } else { time > INLINE_BELOW }, Relaxed);
        lock(&self.times).note(time);
    }

    /// After a write of unknown outcome: takes what the disk has, and tells everyone what they missed. Nothing is taken
    /// before all of it was read.
    fn read_again(&self, writer: &mut Writer<J>) -> Result<(), Error> {
        let before = self.state().revision;
        let Recovered { state, requests } = writer.journal.reopen().inspect_err(|error| {
            error!(%error, "the store cannot be read again");
        })?;
        let head = state.revision;
        let missed = missed(&mut writer.journal, before, head)?;
        writer.requests = requests;
        writer.leftovers = Leftovers::of(&state);
        locks::write(&self.state).become_again(state);
        for batch in missed {
            (self.observer)(&batch);
            self.feed.publish(batch);
        }
        writer.in_doubt = false;
        info!(before, head, "the store was read again, and writes are taken");
        Ok(())
    }

    pub(super) fn whole_session(&self, name: &SessionName) -> Result<Option<(Session, Revision)>, Error> {
        // The writer's lock first: no commit comes between the session and its keys.
        let mut writer = lock(&self.writer);
        if writer.closed {
            return Err(Error::Closed);
        }
        let entry = self.state().entry(name).cloned();
        let Some(entry) = entry else { return Ok(None) };
        let Some(session) = entry.session else { return Ok(None) };
        let keys = match entry.keys {
            Some(keys) => keys,
            None => Arc::new(writer.journal.keys(name)?),
        };
        Ok(Some((with_keys(&session, &keys), entry.revision)))
    }

    /// Does something with the journal while nobody writes.
    pub(super) fn ready<T>(&self, act: impl FnOnce(&mut J) -> Result<T, Error>) -> Result<T, Error> {
        let mut writer = lock(&self.writer);
        self.make_ready(&mut writer)?;
        act(&mut writer.journal)
    }

    pub(super) fn image(&self, name: &SessionName) -> Result<Option<(Session, Revision)>, Error> {
        let writer = lock(&self.writer);
        if writer.closed {
            return Err(Error::Closed);
        }
        if !writer.journal.is_sealed(name) {
            drop(writer);
            return self.whole_session(name);
        }
        let state = self.state();
        let known = state.entry(name).and_then(|entry| Some((entry.session.clone()?, entry.revision)));
        Ok(known.map(|(session, revision)| (Arc::unwrap_or_clone(session), revision)))
    }

    pub(super) fn close(&self) {
        let mut writer = lock(&self.writer);
        if !std::mem::replace(&mut writer.closed, true) {
            writer.journal.close(&self.sessions().0);
        }
    }

    pub(super) fn set_file_damage(&self, name: &SessionName, damage: Option<Damage>) {
        // Mostly nothing changes, and readers need not wait.
        let same = self.state().entry(name).is_none_or(|entry| entry.has_file_damage() == damage.is_some());
        if !same {
            locks::write(&self.state).set_file_damage(name, damage);
        }
    }

    /// All sessions, and their revision. Nobody waits while they are looked at.
    fn sessions(&self) -> (Sessions, Revision) {
        let state = self.state();
        (state.sessions.clone(), state.revision)
    }

    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        locks::read(&self.state)
    }

    pub(super) fn store_id(&self) -> String {
        lock(&self.store_id).clone()
    }

    pub(super) fn is_slow(&self) -> bool {
        self.slow.load(Relaxed)
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        (self.commits.load(Relaxed), self.batches.load(Relaxed))
    }
}

impl<J> Writer<J> {
    fn doubt(&mut self, cause: &dyn std::error::Error) {
        error!(cause = %chain(cause), "the disk failed: no write is taken until the store was read again");
        self.in_doubt = true;
    }
}

impl<J: Journal> std::fmt::Debug for Core<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

/// What the log has after a revision, up to its end.
fn missed<J: Journal>(journal: &mut J, before: Revision, head: Revision) -> Result<Vec<Arc<Batch>>, Error> {
    let mut missed: Vec<Arc<Batch>> = Vec::new();
    loop {
        let after = missed.last().map_or(before, |batch| batch.last());
        if after >= head {
            return Ok(missed);
        }
        let part = journal.log(after, head).and_then(J::batches).map_err(|error| {
            error!(%error, "the log cannot be read again");
            Error::StorageFailed
        })?;
        if part.is_empty() {
            return Ok(missed);
        }
        missed.extend(part);
    }
}

/// Refuses every write of a transaction that did not come about: one that was refused by itself too, since that may have
/// been for what another one of them would have done.
fn fail<T>(staged: &mut [Staged<T>], error: &Error) {
    for staged in staged {
        staged.answer = Err(error.clone());
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
