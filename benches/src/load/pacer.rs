use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::{Interest, unix::AsyncFd};

use super::clock;

/// A schedule: one event each interval, whatever became of those before. Exact to microseconds, where the runtime's own
/// timers are to a millisecond.
#[derive(Debug)]
pub(super) struct Pacer {
    timer: AsyncFd<OwnedFd>,
    begun: u64,
    interval: u64,
    next: u64,
    events: u64,
}

impl Pacer {
    /// Begins now, for so many events.
    pub(super) fn new(rate: u32, events: u64) -> io::Result<Self> {
        let interval = 1_000_000_000 / u64::from(rate);
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let time = Timespec {
            tv_sec: i64::try_from(interval / 1_000_000_000).unwrap_or_default(),
            tv_nsec: i64::try_from(interval % 1_000_000_000).unwrap_or_default(),
        };
        let begun = clock::now();
        let every = Itimerspec { it_interval: time, it_value: time };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
        Ok(Self { timer: register(timer)?, begun, interval, next: 0, events })
    }

    /// How many there will be at a rate within a time.
    pub(super) fn events_within(rate: u32, span: Duration) -> u64 {
        (f64::from(rate) * span.as_secs_f64()) as u64
    }

    /// The next event's number, from 0, and the time at which it was to be. Waits for it; one that is late comes at once.
    /// `None`: that was the last.
    pub(super) async fn event(&mut self) -> io::Result<Option<(u64, u64)>> {
        if self.next == self.events {
            return Ok(None);
        }
        let due = self.begun + (self.next + 1) * self.interval;
        while clock::now() < due {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            // How often it has expired does not matter: the clock says what is due.
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut expirations)?));
            if let Ok(read) = read {
                read?;
            }
        }
        self.next += 1;
        Ok(Some((self.next - 1, due)))
    }
}

#[expect(
    deprecated,
    reason = "what follows it is unsafe; a descriptor that is owned here stays the same and open"
)]
fn register(timer: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(timer, Interest::READABLE)
}
