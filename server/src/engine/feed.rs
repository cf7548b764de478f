mod herald;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    future::poll_fn,
    io,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    task::Poll,
};

use futures_util::task::AtomicWaker;
use sessiond_proto::SessionName;

use self::herald::Herald;
use super::{Batch, Revision, locks::lock};
use crate::pattern::Visible;

/// How many commits are kept for watchers, so that one which is a little behind need not read the log, and how many bytes
/// of them, about: most are small, some 200 bytes each, but sessions that are saved whole may be large.
const RING_COMMITS: usize = 65_536;
const RING_BYTES: usize = 32 << 20;

/// About how many bytes of commits a watcher takes at a time. One that stops reading keeps no more than these in memory, or
/// than the one batch that it is at.
const TAKE_BYTES: usize = 256 << 10;

/// How many batches are looked through one by one for a watcher's place, before it is searched for among all of them.
const NEAR: usize = 8;

/// Recent commits, and who wants to know of them. A watcher that is slow costs a writer nothing: it finds its place here,
/// or reads the log.
#[derive(Debug)]
pub(crate) struct Feed {
    ring: Arc<Mutex<Ring>>,
    herald: Herald,
}

/// Which sessions a watcher follows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub(crate) names: BTreeSet<SessionName>,
    /// Names that begin with this, of those that may be seen. `Some("")`: all of those.
    pub(crate) prefix: Option<String>,
    pub(crate) visible: Visible,
}

/// A place among the commits of the selected sessions. Dropping it unsubscribes.
#[derive(Debug)]
pub(crate) struct Subscription {
    subscriber: Arc<Subscriber>,
    ring: Weak<Mutex<Ring>>,
}

/// What a subscription finds after a revision.
#[derive(Debug)]
pub(crate) enum News {
    /// Nothing on the selected sessions, up to this revision.
    None(Revision),
    /// Batches with something, and the revision up to which they tell everything.
    Batches(Vec<Arc<Batch>>, Revision),
    /// Something, but longer ago than is kept here: ask the log for what came after this revision.
    InLog(Revision),
}

#[derive(Debug, Default)]
struct Ring {
    batches: VecDeque<Arc<Batch>>,
    commits: usize,
    bytes: usize,
    /// Everything after this revision is here.
    floor: Revision,
    head: Revision,
    by_name: HashMap<SessionName, Vec<Arc<Subscriber>>>,
    by_prefix: Vec<Arc<Subscriber>>,
    subscribers: usize,
}

#[derive(Debug, Default)]
struct Subscriber {
    selection: Selection,
    /// First revision on a selected session that it has not taken. 0: none.
    pending: AtomicI64,
    /// The task of its watcher. There is one, and it is told more cheaply than by a `Notify`, which keeps a list.
    waker: AtomicWaker,
}

impl Feed {
    /// A feed that begins after a revision.
    pub(crate) fn after(head: Revision) -> io::Result<Self> {
        let ring = Arc::new(Mutex::new(Ring { floor: head, head, ..Ring::default() }));
        Ok(Self { ring, herald: Herald::start()? })
    }

    /// Tells watchers of a durable batch.
    pub(crate) fn publish(&self, batch: Arc<Batch>) {
        let mut ring = lock(&self.ring);
        ring.head = batch.last();
        let to_wake = ring.note(&batch);
        ring.commits += batch.commits().len();
        ring.bytes += batch.weight();
        ring.batches.push_back(batch);
        while (ring.commits > RING_COMMITS || ring.bytes > RING_BYTES) && ring.batches.len() > 1 {
            if let Some(oldest) = ring.batches.pop_front() {
                ring.commits -= oldest.commits().len();
                ring.bytes -= oldest.weight();
                ring.floor = oldest.last();
            }
        }
        drop(ring);
        self.herald.wake(to_wake);
    }

    pub(crate) fn subscribe(&self, selection: Selection) -> Subscription {
        let subscriber = Arc::new(Subscriber { selection, ..Subscriber::default() });
        let mut ring = lock(&self.ring);
        ring.subscribers += 1;
        if subscriber.selection.prefix.is_some() {
            ring.by_prefix.push(Arc::clone(&subscriber));
        } else {
            for name in &subscriber.selection.names {
                ring.by_name.entry(name.clone()).or_default().push(Arc::clone(&subscriber));
            }
        }
        Subscription { subscriber, ring: Arc::downgrade(&self.ring) }
    }

    /// How many subscriptions selected a session.
    pub(crate) fn watchers(&self, name: &SessionName) -> usize {
        let ring = lock(&self.ring);
        let by_prefix = ring.by_prefix.iter().filter(|subscriber| subscriber.selection.matches(name)).count();
        by_prefix + ring.by_name.get(name).map_or(0, Vec::len)
    }

    pub(crate) fn subscribers(&self) -> usize {
        lock(&self.ring).subscribers
    }
}

impl Subscription {
    pub(crate) fn selection(&self) -> &Selection {
        &self.subscriber.selection
    }

    /// What there is after a revision. Taken as seen: the next call is to be made with the revision that this one told.
    pub(crate) fn news(&self, after: Revision) -> News {
        let Some(ring) = self.ring.upgrade() else { return News::None(after) };
        let ring = lock(&ring);
        let pending = self.subscriber.pending.load(Relaxed);
        if pending == 0 {
            return News::None(ring.head.max(after));
        }
        let from = after.max(pending - 1);
        if from < ring.floor {
            return News::InLog(from);
        }
        let start = ring.position(from);
        let mut room = TAKE_BYTES;
        let fits = |batch: &&Arc<Batch>| {
            let fits = room > 0;
            room = room.saturating_sub(batch.weight());
            fits
        };
        let batches: Vec<_> = ring.batches.range(start..).take_while(fits).cloned().collect();
        let through = batches.last().map_or(ring.head, |batch| batch.last()).max(after);
        self.subscriber.pending.store(if through >= ring.head { 0 } else { through + 1 }, Relaxed);
        News::Batches(batches, through)
    }

    /// Makes everything after a revision count as not seen, for a watcher that begins there.
    pub(crate) fn rewind(&self, after: Revision) {
        let Some(ring) = self.ring.upgrade() else { return };
        let ring = lock(&ring);
        let pending = if after < ring.head { after + 1 } else { 0 };
        self.subscriber.pending.store(pending, Relaxed);
    }

    /// Waits until there is something new. Cancel safe. One task at a time may wait.
    pub(crate) async fn changed(&self) {
        poll_fn(|context| {
            // Registered first, so that what is noted in between is not missed.
            self.subscriber.waker.register(context.waker());
            if self.subscriber.pending.load(Relaxed) == 0 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(ring) = self.ring.upgrade() else { return };
        let mut ring = lock(&ring);
        ring.subscribers -= 1;
        let others = |subscriber: &Arc<Subscriber>| !Arc::ptr_eq(subscriber, &self.subscriber);
        ring.by_prefix.retain(others);
        for name in &self.subscriber.selection.names {
            if let Some(subscribers) = ring.by_name.get_mut(name) {
                subscribers.retain(others);
                if subscribers.is_empty() {
                    ring.by_name.remove(name);
                }
            }
        }
    }
}

impl Selection {
    pub(crate) fn matches(&self, name: &SessionName) -> bool {
        self.matches_by_prefix(name) || self.names.contains(name)
    }

    /// Whether a session is one of those that are not named one by one.
    pub(crate) fn matches_by_prefix(&self, name: &SessionName) -> bool {
        let begins = self.prefix.as_ref().is_some_and(|prefix| name.as_str().starts_with(prefix));
        begins && self.visible.has(name.as_str())
    }
}

impl Ring {
    /// Where the batches begin that have something after a revision.
    fn position(&self, after: Revision) -> usize {
        // Most who ask are near the end.
        let newer = self.batches.iter().rev().take(NEAR).take_while(|batch| batch.last() > after).count();
        if newer < NEAR {
            self.batches.len() - newer
        } else {
            self.batches.partition_point(|batch| batch.last() <= after)
        }
    }

    /// Notes a batch for whoever selected a session of it. Tells whom to wake.
    fn note(&self, batch: &Batch) -> Vec<Arc<Subscriber>> {
        let mut to_wake = Vec::new();
        let mut last: Option<&SessionName> = None;
        for commit in batch.commits().iter().filter(|commit| commit.event.is_told()) {
            if last == Some(&commit.name) {
                continue;
            }
            last = Some(&commit.name);
            let by_name = self.by_name.get(&commit.name).into_iter().flatten();
            let by_prefix =
                self.by_prefix.iter().filter(|subscriber| subscriber.selection.matches(&commit.name));
            let news = by_name.chain(by_prefix).filter(|subscriber| subscriber.note(commit.revision));
            to_wake.extend(news.cloned());
        }
        to_wake
    }
}

impl Subscriber {
    /// Notes that there is something at a revision. Tells whether that is news: otherwise it was woken before, and has not
    /// taken that yet.
    fn note(&self, revision: Revision) -> bool {
        // The ring's lock orders this with `news`.
        let is_news = self.pending.load(Relaxed) == 0;
        if is_news {
            self.pending.store(revision, Relaxed);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::SystemTime};

    use sessiond_session::{ChannelState, StateChange};

    use super::{Feed, News, RING_BYTES, Selection, TAKE_BYTES};
    use crate::engine::{Batch, Commit, Event};

    /// A commit that takes about a MiB.
    fn large(revision: i64) -> Arc<Batch> {
        let channels = vec![ChannelState { id: 1, pts: 1 }; 1 << 16];
        let event = Event::Advanced(StateChange { channels, ..StateChange::default() });
        let name = "a".parse().expect("valid");
        let commit = Commit { revision, previous: revision - 1, name, time: SystemTime::UNIX_EPOCH, event };
        Arc::new(Batch::new(vec![commit]).expect("there is one"))
    }

    #[test]
    fn what_is_kept_and_what_is_taken_is_bounded_by_its_size() {
        let feed = Feed::after(0).expect("a thread starts");
        let subscription = feed.subscribe(Selection { prefix: Some(String::new()), ..Selection::default() });
        let weight = large(1).weight();
        let fits = i64::try_from(RING_BYTES / weight).expect("a few");
        (1..=fits).for_each(|revision| feed.publish(large(revision)));
        let News::Batches(taken, through) = subscription.news(0) else { panic!("all of it is here") };
        assert_eq!((taken.len(), through), (TAKE_BYTES.div_ceil(weight), 1));
        feed.publish(large(fits + 1));
        subscription.rewind(0);
        assert!(matches!(subscription.news(0), News::InLog(0)), "the oldest is not kept any more");
    }
}
