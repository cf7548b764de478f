use std::{
    future::Future,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout_at};
use tonic::Status;

use crate::{
    Error, Socket,
    error::{is_passing, no_answer},
};

const FIRST_DELAY: Duration = Duration::from_millis(20);
/// Attempts are at most this far apart, so that a daemon that is back is noticed at once (DESIGN.md 3.1).
const LONGEST_DELAY: Duration = Duration::from_secs(1);
/// Stands for no deadline where one is needed: far away, and safe to add to the clock.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// One call over all its attempts: while no daemon answers, it is tried again, at most a second apart, until a deadline.
#[derive(Debug)]
pub(crate) struct Retry {
    socket: Socket,
    patience: Duration,
    deadline: Instant,
    delay: Duration,
    heard: bool,
    last: Option<Status>,
}

impl Retry {
    /// Gives up after `patience`.
    pub(crate) fn within(patience: Duration, socket: &Socket) -> Self {
        let patience = patience.min(FOREVER);
        let deadline = Instant::now() + patience;
        Self { socket: socket.clone(), patience, deadline, delay: FIRST_DELAY, heard: false, last: None }
    }

    /// Never gives up.
    pub(crate) fn forever(socket: &Socket) -> Self {
        Self::within(FOREVER, socket)
    }

    /// Makes one attempt. `None`: no daemon answered, the delay is over, try again.
    ///
    /// # Errors
    /// The daemon refused, or the deadline passed.
    pub(crate) async fn attempt<T>(
        &mut self,
        attempt: impl Future<Output = Result<T, Status>>,
    ) -> Result<Option<T>, Error> {
        match timeout_at(self.deadline, attempt).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(status)) => self.pause(status).await.map(|()| None),
            Err(_) => Err(self.given_up()),
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The daemon refused, so that there is none, or the deadline comes before it.
    pub(crate) async fn pause(&mut self, status: Status) -> Result<(), Error> {
        if !is_passing(&status) {
            return Err(status.into());
        }
        if self.heard {
            self.restart();
        }
        self.last = Some(status);
        let delay = with_jitter(self.delay);
        if Instant::now() + delay >= self.deadline {
            return Err(self.given_up());
        }
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
        sleep(delay).await;
        Ok(())
    }

    /// A daemon was heard on a stream: when that breaks, it is the beginning of another outage.
    pub(crate) fn heard(&mut self) {
        self.heard = true;
    }

    /// Begins a new outage, with all of its patience.
    pub(crate) fn restart(&mut self) {
        (self.heard, self.delay) = (false, FIRST_DELAY);
        self.deadline = Instant::now() + self.patience;
    }

    fn given_up(&mut self) -> Error {
        match self.last.take() {
            Some(status)
                if sessiond_proto::reason(&status) == Some(sessiond_proto::Reason::StorageFailed) =>
            {
                status.into()
            }
            last => Error::Unavailable {
                socket: self.socket.clone(),
                detail: last.as_ref().map_or_else(|| "no answer in time".to_owned(), no_answer),
            },
        }
    }
}

/// Half of the delay to all of it, so that the clients of a daemon do not come back all at once.
fn with_jitter(delay: Duration) -> Duration {
    // The hasher's random keys are the standard library's one source of chance.
    let chance = RandomState::new().build_hasher().finish() % 512;
    delay / 2 + delay * u32::try_from(chance).expect("less than 512") / 1024
}
