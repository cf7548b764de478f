use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use sessiond_proto::SessionName;
use tokio::sync::watch;

use super::locks;

/// Lines of clients, one for each session that somebody waits for: first come, first served.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<HashMap<SessionName, Line>>>);

/// A place in a session's line. Dropping it leaves the line.
#[derive(Debug)]
pub(crate) struct Place {
    lines: Lines,
    name: SessionName,
    ticket: u64,
    moved: watch::Receiver<u64>,
}

#[derive(Debug)]
struct Line {
    tickets: VecDeque<u64>,
    next: u64,
    moved: watch::Sender<u64>,
}

impl Lines {
    /// Gets in line as the last one.
    pub(crate) fn join(&self, name: &SessionName) -> Place {
        let mut lines = self.lock();
        let line = lines.entry(name.clone()).or_insert_with(Line::new);
        let ticket = line.next;
        line.next += 1;
        line.tickets.push_back(ticket);
        Place { lines: self.clone(), name: name.clone(), ticket, moved: line.moved.subscribe() }
    }

    pub(crate) fn len(&self, name: &SessionName) -> usize {
        self.lock().get(name).map_or(0, |line| line.tickets.len())
    }

    /// How many wait, for any session.
    pub(crate) fn total(&self) -> usize {
        self.lock().values().map(|line| line.tickets.len()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionName, Line>> {
        locks::lock(&self.0)
    }
}

impl Place {
    /// The place: 1 is the next to be served.
    pub(crate) fn position(&self) -> usize {
        let lines = self.lines.lock();
        let line = lines.get(&self.name).expect("a line lasts as long as a place in it");
        1 + line
            .tickets
            .iter()
            .position(|ticket| *ticket == self.ticket)
            .expect("a place is left only on drop")
    }

    /// Waits until somebody has left the line. Cancel safe.
    pub(crate) async fn moved(&mut self) {
        // The line lasts as long as this place, so its sender does too.
        let _ = self.moved.changed().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get_mut(&self.name) {
            line.tickets.retain(|ticket| *ticket != self.ticket);
            line.moved.send_modify(|moves| *moves += 1);
            if line.tickets.is_empty() {
                lines.remove(&self.name);
            }
        }
    }
}

impl Line {
    fn new() -> Self {
        Self { tickets: VecDeque::new(), next: 0, moved: watch::Sender::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn a_line_is_first_come_first_served() {
        let lines = Lines::default();
        let name = "a".parse().expect("valid");
        let (first, second, third) = (lines.join(&name), lines.join(&name), lines.join(&name));
        assert_eq!((first.position(), second.position(), third.position()), (1, 2, 3));
        drop(second);
        assert_eq!((first.position(), third.position()), (1, 2));
        drop(first);
        assert_eq!((third.position(), lines.len(&name)), (1, 1));
        drop(third);
        assert_eq!((lines.len(&name), lines.total()), (0, 0));
    }
}
