use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::{Error, Outcome, Write};

/// Most bytes of writes that wait: what clients send while the disk stands still does not fill the memory.
const MOST_BYTES: usize = 128 << 20;

/// What a write came to.
pub(super) type Answer = Result<Outcome, Error>;

/// A write, and who waits for its answer.
pub(super) type Waiting = (Write, oneshot::Sender<Answer>);

/// Writes that wait for the committer's thread.
#[derive(Default)]
pub(super) struct Queue {
    writes: VecDeque<Waiting>,
    weight: usize,
    closed: bool,
}

impl Queue {
    /// Puts a write in, as the last one.
    ///
    /// # Errors
    /// The queue is closed, or too much waits.
    pub(super) fn push(&mut self, write: Write) -> Result<oneshot::Receiver<Answer>, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let weight = write.weight();
        if self.weight + weight > MOST_BYTES && !self.writes.is_empty() {
            let waiting = self.writes.len();
            return Err(Error::Limit(format!(
                "{waiting} writes wait for the disk, and no more can; ask again in a moment"
            )));
        }
        let (sender, receiver) = oneshot::channel();
        self.weight += weight;
        self.writes.push_back((write, sender));
        Ok(receiver)
    }

    /// Takes the oldest ones out, at most `count`.
    pub(super) fn take(&mut self, count: usize) -> VecDeque<Waiting> {
        let count = count.min(self.writes.len());
        let taken: VecDeque<_> = self.writes.drain(..count).collect();
        self.weight -= taken.iter().map(|(write, _)| write.weight()).sum::<usize>();
        taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Refuses whatever comes from now on.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}

#[cfg(test)]
mod tests {
    use sessiond_session::{ChannelState, StateChange};

    use super::{MOST_BYTES, Queue};
    use crate::engine::{Error, Op, Write};

    fn large() -> Write {
        let channels = vec![ChannelState { id: 1, pts: 1 }; 1 << 20];
        let change = StateChange { channels, ..StateChange::default() };
        Write::own("a".parse().expect("valid"), Op::Advance(vec![change]))
    }

    #[test]
    fn what_waits_is_bounded_by_its_size() {
        let mut queue = Queue::default();
        let most = MOST_BYTES / large().weight();
        let waiting: Vec<_> = (0..most).map(|_| queue.push(large()).expect("there is room")).collect();
        assert!(matches!(queue.push(large()), Err(Error::Limit(_))));
        assert_eq!(queue.take(2).len(), 2);
        queue.push(large()).expect("there is room again");
        drop(waiting);
    }

    #[test]
    fn a_closed_queue_takes_nothing() {
        let mut queue = Queue::default();
        queue.close();
        assert!(matches!(queue.push(large()), Err(Error::Closed)));
    }
}
