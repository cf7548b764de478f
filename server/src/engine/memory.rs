//! Sessions in memory alone, for tests and for programs that log in anew each time. Nothing outlasts the process.

use std::{collections::VecDeque, sync::Arc};

use sessiond_proto::SessionName;
use uuid::Uuid;

use super::{
    Batch, Error, LogError, Revision,
    journal::{Journal, Recovered, Transaction, WriteError},
    local::LocalEngine,
    requests::Answered,
    state::{Keys, KeysKept, State},
};

/// Most commits kept for watchers that resume.
const LOG_COMMITS: usize = 1_000_000;

/// An engine whose sessions end with the process.
pub(crate) type MemoryEngine = LocalEngine<Volatile>;

/// A journal that forgets everything with the process.
#[derive(Debug)]
pub(crate) struct Volatile {
    store_id: String,
    log: VecDeque<Arc<Batch>>,
    commits: usize,
    most_commits: usize,
    floor: Revision,
}

impl MemoryEngine {
    /// An engine without sessions.
    pub(crate) fn open() -> std::io::Result<Self> {
        Self::with_log(LOG_COMMITS)
    }

    /// The same, with a log of about so many commits.
    pub(crate) fn with_log(commits: usize) -> std::io::Result<Self> {
        let state = State { keys_kept: KeysKept::Always, ..State::default() };
        let recovered = Recovered { state, ..Recovered::default() };
        Self::start(Volatile::new(commits), recovered, None)
    }
}

impl Volatile {
    fn new(most_commits: usize) -> Self {
        let store_id = Uuid::new_v4().to_string();
        Self { store_id, log: VecDeque::new(), commits: 0, most_commits, floor: 0 }
    }
}

impl Journal for Volatile {
    const ENGINE: &'static str = "memory";

    fn store_id(&self) -> &str {
        &self.store_id
    }

    fn write(&mut self, transaction: &Transaction, _: &State) -> Result<(), WriteError> {
        if let Some(batch) = &transaction.batch {
            self.commits += batch.commits().len();
            self.log.push_back(Arc::clone(batch));
        }
        while self.commits > self.most_commits
            && let Some(oldest) = self.log.pop_front()
        {
            self.commits -= oldest.commits().len();
            self.floor = oldest.last();
        }
        Ok(())
    }

    fn defer(&mut self, _: Vec<(SessionName, Answered)>) {}

    fn spend_reserve(&mut self) {}

    fn keys(&mut self, _: &SessionName) -> Result<Keys, Error> {
        // All keys are in the state; a session that is not there has none.
        Ok(Keys::new())
    }

    fn log(&mut self, after: Revision, _: Revision) -> Result<Vec<Arc<Batch>>, LogError> {
        if after < self.floor {
            return Err(LogError::Trimmed);
        }
        let start = self.log.partition_point(|batch| batch.last() <= after);
        Ok(self.log.range(start..).take(256).cloned().collect())
    }

    fn reopen(&mut self) -> Result<Recovered, Error> {
        // Never asked for: a write to memory has a known outcome.
        Err(Error::StorageFailed)
    }

    fn tidy(&mut self, _: &State) -> Revision {
        self.floor
    }

    fn log_extent(&self) -> (Revision, u64) {
        (self.floor, (self.commits * size_of::<super::Commit>()) as u64)
    }

    fn close(&mut self, _: &State) {}
}
