mod core;
mod reading;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, RwLockReadGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use sessiond_proto::SessionName;
use sessiond_session::Session;
use tracing::error;

use self::core::Core;
use super::{
    Batch, Error, LogError, Protection, Revision, SealStatus, Write,
    feed::Feed,
    journal::{Journal, Recovered},
    line::Lines,
    locks::{lock, try_lock},
    queue::Answer,
    state::{Damage, State},
};

/// Sessions in this process, and the one writer of them. Whoever has the writer's lock commits: the task that carries a
/// lone write, or the committer's thread for a crowd, all that waits in one transaction.
#[derive(Debug)]
pub(crate) struct Committer<J: Journal> {
    core: Arc<Core<J>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

/// What is told of every durable batch.
pub(crate) type Observer = Box<dyn Fn(&Batch) + Send + Sync>;

/// One write that is under way.
struct UnderWay<'a> {
    count: &'a AtomicUsize,
    /// Whether it was the only one when it began.
    alone: bool,
}

impl<J: Journal> Committer<J> {
    /// Begins with what a journal had.
    pub(crate) fn start(journal: J, recovered: Recovered, observer: Observer) -> std::io::Result<Self> {
        let core = Arc::new(Core::new(journal, recovered, observer)?);
        let thread = thread::Builder::new().name("committer".into()).spawn({
            let core = Arc::clone(&core);
            move || core.run()
        })?;
        Ok(Self { core, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn store_id(&self) -> String {
        self.core.store_id()
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.core.state()
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.core.feed
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.core.lines
    }

    /// Makes one write. Dropping the future does not take it back.
    pub(crate) async fn commit(&self, write: Write) -> Answer {
        let under_way = UnderWay::begin(&self.core.under_way);
        if under_way.alone
            && !self.core.is_slow()
            && let Some(mut writer) = try_lock(&self.core.writer)
            // A write whose caller went away may wait still. It was first.
            && lock(&self.core.queue).is_empty()
        {
            let (answer, ()) =
                self.core.commit_some(&mut writer, &mut VecDeque::from([(write, ())])).swap_remove(0);
            return answer;
        }
        let receiver = lock(&self.core.queue).push(write)?;
        self.core.queued.notify_one();
        receiver.await.unwrap_or(Err(Error::Closed))
    }

    /// Whether nobody writes, and a reader would not wait long for whoever begins to.
    pub(crate) fn is_quiet(&self) -> bool {
        self.core.under_way.load(Relaxed) == 0 && !self.core.is_slow()
    }

    /// A session with its keys, and its revision. Reads the disk.
    pub(crate) fn whole_session(&self, name: &SessionName) -> Result<Option<(Session, Revision)>, Error> {
        self.core.whole_session(name)
    }

    /// What a session's own file is to have, and its revision: the keys only where they are not sealed. Reads the disk.
    pub(crate) fn image(&self, name: &SessionName) -> Result<Option<(Session, Revision)>, Error> {
        self.core.image(name)
    }

    /// How sessions are sealed. Reads the disk.
    pub(crate) fn seal_status(&self) -> Result<SealStatus, Error> {
        self.core.ready(|journal| journal.seal_status())
    }

    /// Seals a session, or opens it. Writes the disk.
    pub(crate) fn protect(&self, name: &SessionName, protection: Protection) -> Result<(), Error> {
        self.core.ready(|journal| journal.protect(name, protection))
    }

    /// Makes a new master key, and wraps everything with it. Writes the disk; writers wait for a part at a time.
    pub(crate) fn rotate_master_key(&self) -> Result<SealStatus, Error> {
        self.core.ready(Journal::rotate_master_key)?;
        let mut after = Some(String::new());
        while let Some(name) = after {
            after = self.core.ready(|journal| journal.wrap_some(&name))?;
        }
        self.seal_status()
    }

    /// Some of what was committed after a revision. Reads the disk; writers wait only for that, and not until it is
    /// decoded.
    pub(crate) fn log(&self, after: Revision) -> Result<Vec<Arc<Batch>>, LogError> {
        let part = {
            let mut writer = lock(&self.core.writer);
            let head = self.state().revision;
            writer.journal.log(after, head)?
        };
        J::batches(part)
    }

    /// Notes that a session's own file has it as of a revision, or is gone as the session that was deleted at that revision.
    pub(crate) fn note_mirrored(&self, name: &SessionName, revision: Revision) {
        lock(&self.core.writer).journal.note_mirrored(name, revision);
    }

    /// Notes whether something is wrong with a session's file.
    pub(crate) fn set_file_damage(&self, name: &SessionName, damage: Option<Damage>) {
        self.core.set_file_damage(name, damage);
    }

    /// Commits and batches so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.core.counts()
    }

    /// Median and 99th percentile of recent commit times.
    pub(crate) fn times(&self) -> (Duration, Duration) {
        lock(&self.core.times).median_and_p99()
    }

    /// Revision after which the log is whole, and its size in bytes.
    pub(crate) fn log_extent(&self) -> (Revision, u64) {
        *lock(&self.core.log_extent)
    }

    /// Finishes what waits, and closes the journal. Blocks. Every later commit is refused.
    pub(crate) fn close(&self) {
        lock(&self.core.queue).close();
        self.core.queued.notify_all();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            error!("the committer's thread had panicked");
        }
        self.core.close();
    }
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

#[cfg(test)]
mod tests;
