use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sessiond_proto::SessionName;

use crate::engine::locks;

/// How long a session has to be quiet before its file is written.
const IDLE: Duration = Duration::from_secs(2);

/// Which sessions' files are to be written, and when.
#[derive(Debug, Default)]
pub(super) struct Due {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    now: VecDeque<SessionName>,
    /// Which those are: each once.
    in_now: HashSet<SessionName>,
    /// With the time at which to look again, earliest first.
    idle: VecDeque<(Instant, SessionName)>,
    /// When each of those changed last.
    changed: HashMap<SessionName, Instant>,
    last: Option<Instant>,
    closed: bool,
}

impl Due {
    /// Has a session written as soon as it can be.
    pub(super) fn now(&self, name: &SessionName) {
        let mut queue = self.lock();
        if queue.in_now.insert(name.clone()) {
            queue.now.push_back(name.clone());
            self.changed.notify_one();
        }
    }

    /// Has a session written once it was quiet for a while. Each call begins the while anew.
    pub(super) fn when_idle(&self, name: &SessionName) {
        let now = Instant::now();
        let mut queue = self.lock();
        if queue.changed.insert(name.clone(), now).is_some() {
            return;
        }
        let first = queue.idle.is_empty();
        queue.idle.push_back((now + IDLE, name.clone()));
        if first {
            self.changed.notify_one();
        }
    }

    /// The next session to be written, at the earliest `apart` after the one before. Blocks. `None`: it is closed.
    pub(super) fn next(&self, apart: Duration) -> Option<SessionName> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            let now = Instant::now();
            let wait = match queue.last.map(|last| last + apart).filter(|at| *at > now) {
                Some(at) => Some(at - now),
                None => match queue.take(now) {
                    Take::Session(name) => {
                        queue.last = Some(now);
                        return Some(name);
                    }
                    Take::Wait(wait) => wait,
                },
            };
            queue = match wait {
                Some(wait) => {
                    self.changed.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Ends [`Due::next`].
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Everything that waits, perhaps twice.
    pub(super) fn take_all(&self) -> Vec<SessionName> {
        let mut queue = self.lock();
        queue.in_now.clear();
        queue.idle.clear();
        let mut names: Vec<_> = queue.now.drain(..).collect();
        names.extend(queue.changed.drain().map(|(name, _)| name));
        names
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        locks::lock(&self.queue)
    }
}

/// What a queue has.
enum Take {
    Session(SessionName),
    /// Nothing, for so long; `None`: until something is put in.
    Wait(Option<Duration>),
}

impl Queue {
    fn take(&mut self, now: Instant) -> Take {
        if let Some(name) = self.now.pop_front() {
            self.in_now.remove(&name);
            return Take::Session(name);
        }
        while let Some((at, _)) = self.idle.front() {
            if *at > now {
                return Take::Wait(Some(*at - now));
            }
            let Some((_, name)) = self.idle.pop_front() else { break };
            match self.changed.get(&name).map(|changed| *changed + IDLE).filter(|quiet| *quiet > now) {
                Some(quiet) => self.idle.push_back((quiet, name)),
                None => {
                    self.changed.remove(&name);
                    return Take::Session(name);
                }
            }
        }
        Take::Wait(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Due, IDLE, Take};

    #[test]
    fn a_session_waits_once_however_often_it_changes() {
        let due = Due::default();
        let name = "a".parse().expect("valid");
        due.now(&name);
        due.now(&name);
        assert_eq!(due.next(Duration::ZERO), Some(name));
        assert!(due.take_all().is_empty());
    }

    #[test]
    fn a_change_begins_the_quiet_time_anew() {
        let due = Due::default();
        let name = "a".parse().expect("valid");
        due.when_idle(&name);
        let mut queue = due.lock();
        let later = Instant::now() + IDLE;
        queue.changed.insert(name, later);
        assert!(matches!(queue.take(later), Take::Wait(Some(_))));
        assert!(matches!(queue.take(later + IDLE), Take::Session(_)));
        assert!(matches!(queue.take(later + IDLE), Take::Wait(None)));
    }
}
