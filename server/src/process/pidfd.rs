use std::{
    future, io,
    os::fd::OwnedFd,
    sync::{Arc, OnceLock},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use tokio::io::{Interest, unix::AsyncFd};

/// The kernel's handle of a process, which no later process with its pid is taken for (pidfd_open(2)).
#[derive(Debug)]
pub(super) struct Pidfd {
    fd: Arc<OwnedFd>,
    /// Made when somebody first waits: most processes are never waited for. None: the runtime would not take it.
    events: OnceLock<Option<AsyncFd<Arc<OwnedFd>>>>,
}

impl Pidfd {
    /// The process that has a pid now.
    pub(super) fn open(pid: Pid) -> io::Result<Self> {
        Ok(pidfd_open(pid, PidfdFlags::empty())?.into())
    }

    /// Whether the process has not ended. A zombie has.
    pub(super) fn is_alive(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        // An error leaves it open, and who is not known to be dead is taken for alive.
        !matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
    }

    /// Completes when the process has ended. Any number may wait at a time.
    pub(super) async fn exited(&self) {
        let Some(events) = self.events.get_or_init(|| register(&self.fd).ok()) else {
            return future::pending().await;
        };
        while let Ok(mut ready) = events.readable().await {
            if !self.is_alive() {
                return;
            }
            ready.clear_ready();
        }
        // The runtime is stopping.
        future::pending::<()>().await;
    }
}

impl From<OwnedFd> for Pidfd {
    fn from(fd: OwnedFd) -> Self {
        Self { fd: Arc::new(fd), events: OnceLock::new() }
    }
}

#[expect(
    deprecated,
    reason = "unsound only for what does not own its descriptor; the other constructors are unsafe"
)]
fn register(fd: &Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(Arc::clone(fd), Interest::READABLE)
}
