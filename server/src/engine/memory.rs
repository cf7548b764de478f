//! Sessions in memory alone, for tests and for programs that log in anew each time. Nothing outlasts the process.

use std::{collections::VecDeque, sync::Arc};

use sessiond_proto::SessionName;
use uuid::Uuid;

use super::{
    Batch, Error, Keeper, LogError, Revision, Sessions, VolatileKeeper,
    journal::{Journal, Recovered, Transaction, WriteError},
    local::LocalEngine,
    requests::Answered,
    state::{Keys, State},
};

/// Most commits kept for watchers that resume, and most bytes of them.
const LOG_COMMITS: usize = 1_000_000;
const LOG_BYTES: usize = 256 << 20;

/// About how many bytes of commits are read at a time.
const READ_BYTES: usize = 1 << 20;

/// An engine whose sessions end with the process.
pub(crate) type MemoryEngine = LocalEngine<Volatile>;

/// A journal that forgets everything with the process.
#[derive(Debug)]
pub(crate) struct Volatile {
    store_id: String,
    log: VecDeque<Arc<Batch>>,
    commits: usize,
    bytes: usize,
    most_commits: usize,
    floor: Revision,
    keeper: VolatileKeeper,
}

impl MemoryEngine {
    /// An engine without sessions.
    pub(crate) fn open() -> std::io::Result<Self> {
        Self::with_log(LOG_COMMITS)
    }

    /// The same, with a log of about so many commits.
    pub(crate) fn with_log(commits: usize) -> std::io::Result<Self> {
        let state = State::with_all_keys();
        let recovered = Recovered { state, ..Recovered::default() };
        Self::start(Volatile::new(commits), recovered, None)
    }
}

impl Volatile {
    fn new(most_commits: usize) -> Self {
        let store_id = Uuid::new_v4().to_string();
        let keeper = VolatileKeeper::default();
        Self { store_id, log: VecDeque::new(), commits: 0, bytes: 0, most_commits, floor: 0, keeper }
    }
}

impl Journal for Volatile {
    const ENGINE: &'static str = "memory";

    type LogPart = Vec<Arc<Batch>>;

    fn store_id(&self) -> &str {
        &self.store_id
    }

    fn write(&mut self, transaction: &Transaction, _: &Sessions) -> Result<(), WriteError> {
        self.keeper.take(&transaction.kept);
        if let Some(batch) = &transaction.batch {
            self.commits += batch.commits().len();
            self.bytes += batch.weight();
            self.log.push_back(Arc::clone(batch));
        }
        while (self.commits > self.most_commits || self.bytes > LOG_BYTES)
            && let Some(oldest) = self.log.pop_front()
        {
            self.commits -= oldest.commits().len();
            self.bytes -= oldest.weight();
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

    fn keeper(&mut self) -> &mut dyn Keeper {
        &mut self.keeper
    }

    fn log(&mut self, after: Revision, _: Revision) -> Result<Self::LogPart, LogError> {
        if after < self.floor {
            return Err(LogError::Trimmed);
        }
        let start = self.log.partition_point(|batch| batch.last() <= after);
        let mut room = READ_BYTES;
        let fits = |batch: &&Arc<Batch>| {
            let fits = room > 0;
            room = room.saturating_sub(batch.weight());
            fits
        };
        Ok(self.log.range(start..).take_while(fits).cloned().collect())
    }

    fn batches(part: Self::LogPart) -> Result<Vec<Arc<Batch>>, LogError> {
        Ok(part)
    }

    fn forget_holds(&mut self, _: &[SessionName]) -> Result<(), WriteError> {
        Ok(())
    }

    fn reopen(&mut self) -> Result<Recovered, Error> {
        // Never asked for: a write to memory has a known outcome.
        Err(Error::StorageFailed)
    }

    fn tidy(&mut self, _: &Sessions) -> Result<Revision, WriteError> {
        Ok(self.floor)
    }

    fn log_extent(&self) -> (Revision, u64) {
        (self.floor, self.bytes as u64)
    }

    fn close(&mut self, _: &Sessions) {}
}
