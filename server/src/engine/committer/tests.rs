//! A disk that fails in mid-write: the outcome is unknown until the store was read again.

use std::sync::{Arc, Mutex};

use sessiond_proto::SessionName;
use sessiond_session::StateChange;

use super::Committer;
use crate::{
    engine::{
        Batch, Bearer, Error, Hold, Holder, Keeper, LogError, LostReason, News, Op, Request, Revision,
        Selection, Sessions, TokenHash, VolatileKeeper, Write,
        journal::{Journal, Recovered, Transaction, WriteError},
        locks::lock,
        requests::{Answered, Requests},
        state::{Keys, State},
    },
    principal::Principal,
};

/// What is on the disk, and how it fares.
#[derive(Debug, Default)]
struct Disk {
    batches: Vec<Arc<Batch>>,
    holds: Vec<(SessionName, Hold)>,
    requests: Vec<(SessionName, Answered)>,
    next: Next,
    /// Whether the log cannot be read the next time.
    log_fails: bool,
    /// Revision through which the log is trimmed.
    trimmed: Revision,
    forgotten: Vec<SessionName>,
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
#[derive(Debug, Default)]
struct Flaky(Arc<Mutex<Disk>>, VolatileKeeper);

impl Clone for Flaky {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), VolatileKeeper::default())
    }
}

impl Journal for Flaky {
    const ENGINE: &'static str = "flaky";

    type LogPart = Vec<Arc<Batch>>;

    fn store_id(&self) -> &str {
        "store"
    }

    fn write(&mut self, transaction: &Transaction, _: &Sessions) -> Result<(), WriteError> {
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

    fn keeper(&mut self) -> &mut dyn Keeper {
        &mut self.1
    }

    fn log(&mut self, after: Revision, _: Revision) -> Result<Self::LogPart, LogError> {
        let mut disk = lock(&self.0);
        if std::mem::take(&mut disk.log_fails) {
            return Err(LogError::Trimmed);
        }
        Ok(disk.batches.iter().filter(|batch| batch.last() > after).cloned().collect())
    }

    fn batches(part: Self::LogPart) -> Result<Vec<Arc<Batch>>, LogError> {
        Ok(part)
    }

    fn forget_holds(&mut self, names: &[SessionName]) -> Result<(), WriteError> {
        lock(&self.0).forgotten.extend_from_slice(names);
        Ok(())
    }

    fn reopen(&mut self) -> Result<Recovered, Error> {
        let mut disk = lock(&self.0);
        disk.reopened += 1;
        if disk.next == Next::FailedForGood {
            return Err(Error::StorageFailed);
        }
        let mut state = State::with_all_keys();
        disk.batches.iter().flat_map(|batch| batch.commits()).for_each(|commit| state.apply(commit));
        disk.holds.iter().for_each(|(name, hold)| state.set_hold(name, hold.clone()));
        let mut requests = Requests::default();
        disk.requests.iter().for_each(|(name, answered)| requests.remember(name, *answered, state.revision));
        Ok(Recovered { state, requests })
    }

    fn tidy(&mut self, _: &Sessions) -> Result<Revision, WriteError> {
        Ok(lock(&self.0).trimmed)
    }

    fn log_extent(&self) -> (Revision, u64) {
        (0, 0)
    }

    fn close(&mut self, _: &Sessions) {}
}

fn name() -> SessionName {
    "a".parse().expect("valid")
}

fn by_holder(op: Op) -> Write {
    Write {
        bearer: Some(Bearer { token: TokenHash::of(b"token"), principal: Principal::Uid(1) }),
        ..Write::own(name(), op)
    }
}

fn advance(pts: i32) -> Write {
    let change = StateChange { pts: Some(pts), ..StateChange::default() };
    let key = u64::try_from(pts).expect("not negative");
    Write { request: Some(Request { key, content: key }), ..by_holder(Op::Advance(vec![change])) }
}

/// A committer on a disk, and a hold.
async fn holding() -> (Committer<Flaky>, Flaky) {
    let flaky = Flaky::default();
    let recovered = flaky.clone().reopen().expect("it can be read");
    let committer = Committer::start(flaky.clone(), recovered, Box::new(|_| {})).expect("a thread starts");
    let since = std::time::SystemTime::UNIX_EPOCH;
    let (label, executable, boot_id) = Default::default();
    let holder = Arc::new(Holder {
        label,
        pid: 1,
        principal: Principal::Uid(1),
        executable,
        since,
        start_time: 0,
        boot_id,
    });
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
        let subscription =
            committer.feed().subscribe(Selection { names: [name()].into(), ..Selection::default() });
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
async fn a_watcher_misses_nothing_when_the_log_cannot_be_read_at_once() {
    let (committer, flaky) = holding().await;
    let subscription =
        committer.feed().subscribe(Selection { names: [name()].into(), ..Selection::default() });
    let head = committer.state().revision;
    {
        let mut disk = lock(&flaky.0);
        (disk.next, disk.log_fails) = (Next::WrittenAndFailed, true);
    }
    assert!(matches!(committer.commit(advance(1)).await, Err(Error::StorageFailed)));
    assert!(matches!(committer.commit(advance(2)).await, Err(Error::StorageFailed)), "nor can it be read");
    assert_eq!(committer.state().revision, head, "nothing is taken before all of it is known");

    committer.commit(advance(2)).await.expect("written");

    let News::Batches(told, _) = subscription.news(head) else { panic!("watchers are told") };
    let told: Vec<_> = told.iter().flat_map(|batch| batch.commits()).map(|commit| commit.revision).collect();
    assert_eq!(told, [head + 1, head + 2]);
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

#[tokio::test]
async fn a_request_that_changed_nothing_changes_nothing_later_however_old_its_answer() {
    let (committer, flaky) = holding().await;
    let delete = || Write { request: Some(Request { key: 9, content: 9 }), ..by_holder(Op::Delete) };
    committer.commit(delete()).await.expect("there is nothing to delete");
    let head = committer.state().revision;
    lock(&flaky.0).trimmed = head;
    committer.core.tidy();
    committer.commit(advance(1)).await.expect("advanced");

    let again = committer.commit(delete()).await.expect("answered").revision;

    assert_eq!((again, pts(&committer)), (0, Some(1)));
    lock(&flaky.0).trimmed = head + 1;
    committer.core.tidy();
    committer.commit(delete()).await.expect("deleted: the log no longer has the first one");
    assert_eq!(pts(&committer), None);
}

#[tokio::test]
async fn a_name_that_was_only_ever_held_is_forgotten_with_the_log() {
    let (committer, flaky) = holding().await;
    committer.commit(by_holder(Op::Release)).await.expect("released");
    let head = committer.state().revision;
    committer.core.tidy();
    committer.commit(by_holder(Op::Delete)).await.expect("a released token still deletes");
    assert!(committer.state().entry(&name()).is_some());

    lock(&flaky.0).trimmed = head;
    committer.core.tidy();

    assert!(committer.state().entry(&name()).is_none());
    assert_eq!(lock(&flaky.0).forgotten, [name()]);
}

#[tokio::test]
async fn who_was_refused_for_what_did_not_come_about_is_told_that_it_did_not() {
    let (committer, flaky) = holding().await;
    let end = Write::own(name(), Op::End { fence: None, reason: LostReason::EndedByAdmin });
    lock(&flaky.0).next = Next::Failed;

    let mut waiting = [(end, ()), (advance(1), ())].into();
    let answers = committer.core.commit_some(&mut lock(&committer.core.writer), &mut waiting);

    for (answer, ()) in answers {
        assert!(matches!(answer, Err(Error::StorageFailed)), "{answer:?}");
    }
    committer.commit(advance(1)).await.expect("the hold goes on");
}
