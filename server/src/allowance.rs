//! How much one caller may have of the daemon at a time, so that it keeps nobody else out.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::principal::{self, Principal};

/// Of all connections that there may be, one caller gets one in this many.
const CONNECTIONS_SHARE: usize = 4;

/// Most streams open at a time, on all of its connections.
pub(crate) const STREAMS: usize = 4_096;

/// Most holds that it waits for at a time: a quarter of a session's line, so that no caller fills one alone.
pub(crate) const WAITING: usize = 250;

/// Requests in a second, and how many at once after a rest. A stream is one request, however much goes through it.
pub(crate) const REQUESTS: u32 = 10_000;
const REQUESTS_AT_ONCE: u32 = 2 * REQUESTS;

/// Bytes of the large messages that are being sent at a time, on all connections of a caller; of one that has no allowance, on
/// each.
pub(crate) const ROOM: usize = 128 << 20;

/// What callers may have, by who they are. The user that runs the daemon and root may have everything: they could stop it as
/// well. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Allowances {
    /// Connections of one caller.
    connections: usize,
    own: Principal,
    by_principal: Arc<Mutex<HashMap<Principal, Arc<Allowance>>>>,
}

/// What one caller may have, on all its connections together.
#[derive(Debug)]
pub(crate) struct Allowance {
    connections: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    room: Arc<Semaphore>,
    requests: Rate,
}

/// So many times in a second. The whole state is one number: when the requests so far would have been over, had they come one
/// after the other.
#[derive(Debug)]
struct Rate {
    since: Instant,
    over: AtomicU64,
}

impl Allowances {
    /// Of so many connections in all.
    pub(crate) fn of_connections(all: usize) -> Self {
        let connections = (all / CONNECTIONS_SHARE).max(1);
        Self { connections, own: Principal::own(), by_principal: Arc::default() }
    }

    /// What a caller may have. `None`: everything.
    pub(crate) fn of(&self, principal: &Principal) -> Option<Arc<Allowance>> {
        if *principal == self.own || *principal == principal::ROOT {
            return None;
        }
        // Every change of the map is complete before anything in it can panic.
        let mut by_principal = self.by_principal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(allowance) = by_principal.get(principal) {
            return Some(Arc::clone(allowance));
        }
        // Whoever comes back at once has not rested.
        by_principal
            .retain(|_, allowance| Arc::strong_count(allowance) > 1 || !allowance.requests.is_rested());
        let allowance = Arc::new(Allowance::new(self.connections));
        by_principal.insert(principal.clone(), Arc::clone(&allowance));
        Some(allowance)
    }
}

impl Allowance {
    fn new(connections: usize) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(connections)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            room: Arc::new(Semaphore::new(ROOM)),
            requests: Rate { since: Instant::now(), over: AtomicU64::new(0) },
        }
    }

    /// One more connection, until it is dropped. `None`: it has as many as it may.
    pub(crate) fn connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// One more stream, until it is dropped. `None`: it has as many as it may.
    pub(crate) fn stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }

    /// One more hold to wait for, until it is dropped. `None`: it waits for as many as it may.
    pub(crate) fn wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.waiting).try_acquire_owned().ok()
    }

    /// Room for the large messages that it is sending, in bytes.
    pub(crate) fn room(&self) -> Arc<Semaphore> {
        Arc::clone(&self.room)
    }

    /// Whether it may ask once more now.
    pub(crate) fn ask(&self) -> bool {
        self.requests.take(self.requests.since.elapsed())
    }
}

impl Rate {
    fn take(&self, now: Duration) -> bool {
        let each = Duration::from_secs(1) / REQUESTS;
        let at_most = now + each * (REQUESTS_AT_ONCE - 1);
        let (now, each, at_most) = (nanos(now), nanos(each), nanos(at_most));
        let next = |over: u64| (over <= at_most).then_some(over.max(now) + each);
        self.over.fetch_update(Relaxed, Relaxed, next).is_ok()
    }

    fn is_rested(&self) -> bool {
        self.over.load(Relaxed) <= nanos(self.since.elapsed())
    }
}

/// More than five hundred years have room.
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{Allowances, REQUESTS, REQUESTS_AT_ONCE, STREAMS, WAITING};
    use crate::principal::{self, Principal};

    fn other(n: u32) -> Principal {
        Principal::Uid(principal::own_uid() + n)
    }

    #[test]
    fn whoever_runs_the_daemon_is_not_limited_and_everybody_else_is_together() {
        let allowances = Allowances::of_connections(40);
        assert!(allowances.of(&Principal::own()).is_none());
        assert!(allowances.of(&principal::ROOT).is_none());
        let (one, same) = (allowances.of(&other(1)), allowances.of(&other(1)));
        let (one, same) = (one.expect("limited"), same.expect("limited"));
        assert!(Arc::ptr_eq(&one, &same));
        let connections: Vec<_> = (0..10).map(|_| one.connection().expect("there is room")).collect();
        assert!(same.connection().is_none());
        let remote = allowances.of(&Principal::Remote("worker".into())).expect("limited");
        assert!(remote.connection().is_some(), "another's is another's");
        drop(connections);
        assert!(same.connection().is_some());
    }

    #[test]
    fn streams_and_waiting_holds_are_counted() {
        let allowance = Allowances::of_connections(4).of(&other(1)).expect("limited");
        let streams: Vec<_> = std::iter::from_fn(|| allowance.stream()).collect();
        let waiting: Vec<_> = std::iter::from_fn(|| allowance.wait()).collect();
        assert_eq!((streams.len(), waiting.len()), (STREAMS, WAITING));
    }

    #[test]
    fn requests_are_as_many_as_at_once_and_then_as_many_as_in_a_second() {
        let allowance = Allowances::of_connections(4).of(&other(1)).expect("limited");
        let taken = |now: Duration| (0_u32..).take_while(|_| allowance.requests.take(now)).count();
        let start = Duration::from_secs(5);
        assert_eq!(taken(start), REQUESTS_AT_ONCE as usize);
        assert_eq!(taken(start), 0);
        assert_eq!(taken(start + Duration::from_millis(500)), REQUESTS as usize / 2);
        assert_eq!(taken(start + Duration::from_hours(1)), REQUESTS_AT_ONCE as usize);
    }

    #[test]
    fn coming_back_at_once_is_no_rest() {
        let allowances = Allowances::of_connections(4);
        let allowance = allowances.of(&other(1)).expect("limited");
        let far = allowance.requests.since.elapsed() + Duration::from_hours(1);
        assert!(allowance.requests.take(far));
        let same = Arc::downgrade(&allowance);
        drop(allowance);
        allowances.of(&other(2)).expect("limited");
        assert!(same.upgrade().is_some());
    }
}
