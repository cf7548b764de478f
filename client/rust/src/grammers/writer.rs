use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sessiond_session::Session;
use tokio::{sync::Notify, task::JoinHandle, time::sleep};

use super::ledger::{Ledger, Part};
use crate::{Error, HeldSession};

/// How long to wait before a write that found a full disk is tried again.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(1);

/// Writes to the daemon what is noted in a ledger, in the background: at once, and together what was noted while an earlier
/// write was under way. A daemon that is away is waited for. Clones share the ledger.
#[derive(Clone)]
pub(super) struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    held: HeldSession,
    ledger: Mutex<Ledger>,
    /// Something was noted, or it is the end.
    noted: Notify,
    /// Something was written, or nothing will be any more.
    written: Notify,
}

impl Writer {
    /// Begins, with the session as it was granted. What is returned ends when the ledger is closed and everything written, or
    /// the hold lost.
    pub(super) fn start(held: HeldSession, session: Session) -> (Self, JoinHandle<()>) {
        let ledger = Mutex::new(Ledger::new(session));
        let shared = Shared { held, ledger, noted: Notify::new(), written: Notify::new() };
        let writer = Self { shared: Arc::new(shared) };
        let task = tokio::spawn(writer.clone().run());
        (writer, task)
    }

    pub(super) fn held(&self) -> &HeldSession {
        &self.shared.held
    }

    /// # Errors
    /// [`Error::Lost`], or [`Error::Fenced`] where the session was let go.
    pub(super) fn ledger(&self) -> Result<MutexGuard<'_, Ledger>, Error> {
        self.shared.held.check()?;
        let ledger = self.any_ledger();
        if ledger.is_closed() { Err(Error::Fenced) } else { Ok(ledger) }
    }

    /// Notes something.
    ///
    /// # Errors
    /// As [`ledger`](Self::ledger); or why something that was noted earlier could not be written.
    pub(super) fn note(&self, note: impl FnOnce(&mut Ledger)) -> Result<(), Error> {
        let mut ledger = self.ledger()?;
        note(&mut ledger);
        self.shared.noted.notify_one();
        ledger.refusal()
    }

    /// Waits until a peer may be noted.
    ///
    /// # Errors
    /// As [`ledger`](Self::ledger).
    pub(super) async fn room(&self) -> Result<(), Error> {
        loop {
            let written = self.shared.written.notified();
            if self.ledger()?.has_room() {
                return Ok(());
            }
            written.await;
        }
    }

    /// Takes nothing in any more, and ends when everything is written.
    pub(super) fn end(&self) {
        self.any_ledger().close();
        self.shared.noted.notify_one();
        self.shared.written.notify_waiters();
    }

    /// # Errors
    /// What was refused and nobody was told of.
    pub(super) fn refusal(&self) -> Result<(), Error> {
        self.any_ledger().refusal()
    }

    async fn run(self) {
        loop {
            let (part, closed) = {
                let mut ledger = self.any_ledger();
                (ledger.next(), ledger.is_closed())
            };
            match part {
                Some(part) => {
                    if self.write(part).await.is_err() {
                        break;
                    }
                    self.shared.written.notify_waiters();
                }
                None if closed => break,
                None => self.shared.noted.notified().await,
            }
        }
        self.shared.written.notify_waiters();
    }

    /// # Errors
    /// The hold was lost.
    async fn write(&self, part: Part) -> Result<(), Error> {
        let held = self.held();
        let written = match &part {
            Part::Session(session) => held.merge(session).await.map(|_| ()),
            Part::State(change) => held.advance(change.clone()).await.map(|_| ()),
            Part::Peers(peers) => held.put_peers(peers).await.map(|_| ()),
        };
        match written {
            Ok(()) => self.any_ledger().settle(&part),
            Err(error @ (Error::Lost { .. } | Error::Fenced)) => return Err(error),
            Err(Error::Unavailable { .. } | Error::StorageFailed { .. }) => self.any_ledger().put_back(part),
            Err(error @ Error::StorageFull { .. }) => {
                self.any_ledger().put_back(part);
                self.any_ledger().refuse(error);
                sleep(FULL_DISK_PAUSE).await;
            }
            Err(error) => {
                let mut ledger = self.any_ledger();
                ledger.settle(&part);
                ledger.refuse(error);
            }
        }
        Ok(())
    }

    /// The ledger, open or not. A panic elsewhere leaves it as it is: each note is whole.
    fn any_ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
