use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, interval};
use tracing::warn;

use crate::{engine::Sessions, shutdown::Shutdown};

/// How long a watcher may take from one snapshot to the next. One that reads at all takes far less.
const IDLE: Duration = Duration::from_secs(10);

/// How often to look for those that take longer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What watchers go through before they follow: all sessions, as they were at one revision. It costs nothing at first, and
/// more with every session that changes; so a watcher that has stopped reading loses it, and starts over when it goes on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshots(Arc<Mutex<Vec<Weak<Mutex<Kept>>>>>);

/// One watcher's snapshot.
#[derive(Debug)]
pub(super) struct Snapshot(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    sessions: Option<Sessions>,
    asked: Instant,
}

impl Snapshots {
    /// Gives up the snapshots of watchers that have stopped reading, until the daemon stops.
    pub(crate) async fn tend(self, mut shutdown: Shutdown) {
        let mut looks = interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = looks.tick() => self.give_up(),
                () = shutdown.requested() => return,
            }
        }
    }

    pub(super) fn keep(&self, sessions: Sessions) -> Snapshot {
        let kept = Arc::new(Mutex::new(Kept { sessions: Some(sessions), asked: Instant::now() }));
        lock(&self.0).push(Arc::downgrade(&kept));
        Snapshot(kept)
    }

    fn give_up(&self) {
        let mut stopped = 0;
        lock(&self.0).retain(|kept| {
            let Some(kept) = kept.upgrade() else { return false };
            let mut kept = lock(&kept);
            let asked = kept.asked.elapsed() < IDLE;
            if !asked {
                kept.sessions = None;
                stopped += 1;
            }
            asked
        });
        if stopped > 0 {
            warn!(watchers = stopped, "watchers stopped reading amid their snapshots");
        }
    }
}

impl Snapshot {
    /// The sessions. `None`: too much time has passed since they were asked for last.
    pub(super) fn sessions(&self) -> Option<Sessions> {
        let mut kept = lock(&self.0);
        kept.asked = Instant::now();
        kept.sessions.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is complete before anything in it can panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, pause};

    use super::{IDLE, Sessions, Snapshots};

    #[tokio::test]
    async fn a_snapshot_that_nobody_asks_for_is_given_up() {
        pause();
        let snapshots = Snapshots::default();
        let (read, stalled) = (snapshots.keep(Sessions::default()), snapshots.keep(Sessions::default()));
        drop(snapshots.keep(Sessions::default()));
        advance(IDLE / 2).await;
        assert!(read.sessions().is_some());
        advance(IDLE / 2).await;
        snapshots.give_up();
        assert!(read.sessions().is_some());
        assert!(stalled.sessions().is_none());
    }
}
