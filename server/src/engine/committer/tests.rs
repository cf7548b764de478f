//! A disk that fails in mid-write: the outcome is unknown until the store was read again.

use std::sync::{Arc, Mutex};

use sessiond_proto::SessionName;
use sessiond_session::StateChange;

use super::Committer;
use crate::engine::{
    Batch, Bearer, Error, Hold, Holder, LogError, News, Op, Request, Revision, Selection, TokenHash, Write,
    journal::{Journal, Recovered, Transaction, WriteError},
    locks::lock,
    requests::{Answered, Requests},
    state::{Keys, KeysKept, State},
};

/// What is on the disk, and how it fares.
#[derive(Debug, Default)]
struct Disk {
    batches: Vec<Arc<Batch>>,
    holds: Vec<(SessionName, Hold)>,
    requests: Vec<(SessionName, Answered)>,
    next: Next,
    /// How often it was read again.
    reopened: usize,
}

/// What becomes of the next write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Written,
    /// It is written, and an error is told.
    WrittenAndFailed,
    Failed,
    /// Nor can anything be read after it.
    FailedForGood,
}

/// A journal on such a disk.
#[derive(Debug, Clone, Default)]
struct Flaky(Arc<Mutex<Disk>>);

impl Journal for Flaky {
    const ENGINE: &'static str = "flaky";

    fn store_id(&self) -> &str {
        "store"
    }

    fn write(&mut self, transaction: &Transaction, _: &State) -> Result<(), WriteError> {
        let mut disk = lock(&self.0);
        let next = std::mem::take(&mut disk.next);
        if matches!(next, Next::Written | Next::WrittenAndFailed) {
            disk.batches.extend(transaction.batch.clone());
            disk.holds.extend(transaction.holds.iter().cloned());
            disk.requests.extend(transaction.requests.iter().cloned());
        }
        match next {
            Next::Written => Ok(()),
            Next::WrittenAndFailed | Next::Failed => Err(WriteError::Unknown("the cable fell out".into())),
            Next::FailedForGood => {
                disk.next = Next::FailedForGood;
                Err(WriteError::Unknown("the disk burns".into()))
            }
        }
    }

    fn defer(&mut self, _: Vec<(SessionName, Answered)>) {}

    fn spend_reserve(&mut self) {}

    fn keys(&mut self, _: &SessionName) -> Result<Keys, Error> {
        Ok(Keys::new())
    }

    fn log(&mut self, after: Revision, _: Revision) -> Result<Vec<Arc<Batch>>, LogError> {
        Ok(lock(&self.0).batches.iter().filter(|batch| batch.last() > after).cloned().collect())
    }

    fn reopen(&mut self) -> Result<Recovered, Error> {
        let mut disk = lock(&self.0);
        disk.reopened += 1;
        if disk.next == Next::FailedForGood {
            return Err(Error::StorageFailed);
        }
        let mut state = State { keys_kept: KeysKept::Always, ..State::default() };
        disk.batches.iter().flat_map(|batch| batch.commits()).for_each(|commit| state.apply(commit));
        disk.holds.iter().for_each(|(name, hold)| state.set_hold(name, hold.clone()));
        let mut requests = Requests::default();
        disk.requests.iter().for_each(|(name, answered)| requests.remember(name, *answered));
        Ok(Recovered { state, requests })
    }

    fn tidy(&mut self, _: &State) -> Revision {
        0
    }

    fn log_extent(&self) -> (Revision, u64) {
        (0, 0)
    }

    fn close(&mut self, _: &State) {}
}

fn name() -> SessionName {
    "a".parse().expect("valid")
}

fn advance(pts: i32) -> Write {
    let change = StateChange { pts: Some(pts), ..StateChange::default() };
    let key = u64::try_from(pts).expect("not negative");
    Write {
        bearer: Some(Bearer { token: TokenHash::of(b"token"), uid: 1 }),
        request: Some(Request { key, content: key }),
        ..Write::own(name(), Op::Advance(vec![change]))
    }
}

/// A committer on a disk, and a hold.
async fn holding() -> (Committer<Flaky>, Flaky) {
    let flaky = Flaky::default();
    let recovered = flaky.clone().reopen().expect("it can be read");
    let committer = Committer::start(flaky.clone(), recovered, Box::new(|_| {})).expect("a thread starts");
    let since = std::time::SystemTime::UNIX_EPOCH;
    let (label, executable, host, boot_id) = Default::default();
    let holder = Arc::new(Holder { label, pid: 1, uid: 1, executable, since, host, start_time: 0, boot_id });
    let op = Op::Grant { holder, token: TokenHash::of(b"token") };
    committer.commit(Write::own(name(), op)).await.expect("granted");
    (committer, flaky)
}

fn pts(committer: &Committer<Flaky>) -> Option<i32> {
    let state = committer.state();
    state.entry(&name())?.session.as_ref()?.state.as_ref().map(|state| state.pts)
}

#[tokio::test]
async fn a_write_of_unknown_outcome_is_not_seen_before_the_store_was_read_again() {
    for outcome in [Next::WrittenAndFailed, Next::Failed] {
        let (committer, flaky) = holding().await;
        committer.commit(advance(1)).await.expect("written");
        let subscription = committer.feed().subscribe(Selection { names: [name()].into(), prefix: None });
        let head = committer.state().revision;
        lock(&flaky.0).next = outcome;

        let refused = committer.commit(advance(2)).await;

        assert!(matches!(refused, Err(Error::StorageFailed)));
        let answered = committer.commit(advance(2)).await.expect("asked again with the same id").revision;
        assert_eq!((answered, pts(&committer)), (head + 1, Some(2)), "it took effect once: {outcome:?}");
        let News::Batches(told, through) = subscription.news(head) else { panic!("watchers are told") };
        assert_eq!((told.len(), through), (1, head + 1), "once: {outcome:?}");
    }
}

#[tokio::test]
async fn no_write_is_taken_while_the_store_cannot_be_read() {
    let (committer, flaky) = holding().await;
    lock(&flaky.0).next = Next::FailedForGood;
    for _ in 0..3 {
        assert!(matches!(committer.commit(advance(1)).await, Err(Error::StorageFailed)));
    }
    assert_eq!(pts(&committer), None);
    assert!(lock(&flaky.0).reopened > 1, "each write tries to read it");
    lock(&flaky.0).next = Next::Written;
    committer.commit(advance(1)).await.expect("written");
    assert_eq!(pts(&committer), Some(1));
}
