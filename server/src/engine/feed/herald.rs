use std::{
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use super::Subscriber;
use crate::engine::locks::lock;

/// Fewer are woken by the writer itself, which is fastest for them; more would hold it up.
const AT_ONCE: usize = 8;

/// How long the herald rests for each watcher that it woke, and at most how long: some times what it takes to serve one. What
/// comes meanwhile is told together, instead of each piece by itself and late.
const REST: Duration = Duration::from_micros(20);
const MOST: Duration = Duration::from_millis(4);

/// Wakes watchers, off the writer's way. Dropping it ends its thread.
#[derive(Debug)]
pub(super) struct Herald(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    rounds: Mutex<Round>,
    called: Condvar,
}

/// Whom to wake next.
#[derive(Debug, Default)]
struct Round {
    subscribers: Vec<Arc<Subscriber>>,
    closed: bool,
}

impl Herald {
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        thread::Builder::new().name("herald".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Self(shared))
    }

    /// Wakes some watchers: at once if they are few.
    pub(super) fn wake(&self, subscribers: Vec<Arc<Subscriber>>) {
        if subscribers.is_empty() {
            return;
        }
        let mut round = lock(&self.0.rounds);
        if round.subscribers.is_empty() && subscribers.len() <= AT_ONCE {
            drop(round);
            subscribers.iter().for_each(|subscriber| subscriber.waker.wake());
            return;
        }
        round.subscribers.extend(subscribers);
        drop(round);
        self.0.called.notify_one();
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        lock(&self.0.rounds).closed = true;
        self.0.called.notify_one();
    }
}

impl Shared {
    fn run(&self) {
        let mut round = lock(&self.rounds);
        while !round.closed {
            if round.subscribers.is_empty() {
                round = self.called.wait(round).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let subscribers = std::mem::take(&mut round.subscribers);
            drop(round);
            subscribers.iter().for_each(|subscriber| subscriber.waker.wake());
            let rest = REST.saturating_mul(u32::try_from(subscribers.len()).unwrap_or(u32::MAX)).min(MOST);
            round = lock(&self.rounds);
            // Woken up early by those who come meanwhile, it rests on.
            let ends = std::time::Instant::now() + rest;
            while !round.closed
                && let Some(left) = ends.checked_duration_since(std::time::Instant::now())
            {
                let waited = self.called.wait_timeout(round, left);
                round = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
        task::Wake,
        time::Duration,
    };

    use tokio::{sync::Notify, time::timeout};

    use super::{AT_ONCE, Herald};
    use crate::engine::feed::Subscriber;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count {
        woken: AtomicUsize,
        changed: Notify,
    }

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.woken.fetch_add(1, Relaxed);
            self.changed.notify_one();
        }
    }

    #[tokio::test]
    async fn many_or_few_all_are_woken() {
        let herald = Herald::start().expect("a thread starts");
        for count in [1, AT_ONCE, AT_ONCE + 1, 1_000] {
            let subscribers: Vec<_> = (0..count).map(|_| Arc::new(Subscriber::default())).collect();
            for _ in 0..3 {
                let counted = Arc::new(Count::default());
                let waker = Arc::clone(&counted).into();
                subscribers.iter().for_each(|subscriber| subscriber.waker.register(&waker));
                herald.wake(subscribers.clone());
                while counted.woken.load(Relaxed) < count {
                    let woken = timeout(Duration::from_secs(60), counted.changed.notified());
                    woken.await.expect("all are woken");
                }
            }
        }
    }
}
