//! The audit record: who was given which session, and what they did with it.
//!
//! It is `audit.jsonl` in the data directory, one object a line, and each line has the SHA-256 of the line before it, so that
//! nothing in the middle can be changed, removed, put in or moved without [`verify()`] saying where.
//!
//! **What a chain does not do**: whoever can write the file (the daemon's user, and root) can write all of it anew, from any
//! line on, with hashes that fit, and can cut lines off its end. That is told only by a hash that was kept where they cannot
//! write: the daemon logs the newest one when it starts, when it begins a new file and when it stops, `sessiond audit verify`
//! prints it, and `sessiond audit verify --expect HASH` checks that the line is still there.
//!
//! **What is recorded before what**: of what changes a session, the disk keeps room for the record before it is done
//! ([`Audit::begin`]), and the record is written after the commit and before the answer, with its revision. A key leaves after
//! its record is written ([`Audit::record`]). Where that cannot be, the call is refused, and so is every later one until what is
//! missing is recorded as missing. Letting go of a session, ending a hold and refusing a call are never refused for want of a
//! record ([`Audit::note`]): what could not be recorded is counted, and that is the next record.
//!
//! **When it is on the disk**: a record is in the system's memory before the answer, which outlives the daemon, and at most a
//! second later on the disk, so a power cut may take the last second of it. A key is given out only after its hold is durable
//! in the store, so the store still has who was granted what.
//!
//! **What is not recorded**: Advance, what a holder keeps beside its session (peers and attributes), and what anybody may see.
//! The hold is, and they are the holder's alone.

mod appender;
mod files;
mod record;
mod verify;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sessiond_proto::SessionName;
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tracing::{error, info, warn};

use crate::{
    caller::Caller,
    engine::{Error, Outcome},
    shutdown::Shutdown,
};

use appender::Appender;
pub(crate) use appender::OpenError;
pub(crate) use record::{Event, LineHash, Record};
pub(crate) use verify::{Fault, Summary, read, verify};

/// How long a record may be in the system's memory alone.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Refusals that are recorded one by one, in a second: more are counted, so that nobody fills the record with them.
const MAX_REFUSALS: u64 = 100;

/// Lines for which room is kept beside those that are promised: letting go of sessions is recorded on a full disk too, as
/// long as that lasts.
const SPARE_LINES: u64 = 32;

/// The record that is written to, if there is one. Clones are cheap and share it.
#[derive(Debug, Clone)]
pub(crate) struct Audit(Option<Arc<Mutex<Inner>>>);

/// Something that changes a session and is under way. There is room for its record. Dropped before its end, it is recorded as
/// what may have happened: a caller that goes away takes nothing back.
#[derive(Debug)]
#[must_use = "it is recorded by its end"]
pub(crate) struct Pending {
    audit: Audit,
    record: Option<Record>,
}

#[derive(Debug)]
struct Inner {
    appender: Appender,
    /// Lines that were promised, and are not written yet.
    promised: u64,
    /// Records that could not be written.
    missed: u64,
    /// The log was told that it cannot be written.
    failing: bool,
    refusals: Refusals,
    unsynced: bool,
    /// The disk did not keep what it was given.
    sync_failed: bool,
}

/// The refusals of this second.
#[derive(Debug)]
struct Refusals {
    since: Instant,
    recorded: u64,
    left_out: u64,
}

impl Audit {
    /// No record: nothing is kept on a disk.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Goes on with the record of a directory, or begins one.
    ///
    /// # Errors
    /// Where its files cannot be used.
    pub(crate) fn open(directory: &Path) -> Result<Self, OpenError> {
        let (mut appender, torn) = Appender::open(directory)?;
        let (number, newest) = appender.newest();
        // On a full disk there is none, and whatever has to be recorded is refused.
        let _ = appender.make_room(SPARE_LINES);
        let refusals = Refusals { since: Instant::now(), recorded: 0, left_out: 0 };
        let inner = Inner {
            appender,
            promised: 0,
            missed: 0,
            failing: false,
            refusals,
            unsynced: false,
            sync_failed: false,
        };
        let audit = Self(Some(Arc::new(Mutex::new(inner))));
        if !torn.is_empty() {
            warn!(bytes = torn.len(), "the end of the audit record was torn; it was cut off");
            audit.note(&Record::mended(&torn));
        }
        info!(number, %newest, "the audit record goes on; keep this hash elsewhere to tell whether it is changed");
        Ok(audit)
    }

    /// Begins what changes a session: makes sure that it can be recorded. `record` is of what is done when it succeeds.
    ///
    /// # Errors
    /// Where it cannot; nothing may be done then.
    pub(crate) fn begin(&self, record: Record) -> Result<Pending, Error> {
        if let Some(mut inner) = self.lock() {
            inner.settle()?;
            let lines = inner.promised + 1 + SPARE_LINES;
            let room = inner.appender.make_room(lines);
            room.map_err(|error| inner.refusal(&error))?;
            inner.promised += 1;
        }
        Ok(Pending { audit: self.clone(), record: Some(record) })
    }

    /// Records what is about to leave.
    ///
    /// # Errors
    /// Where it cannot: then it may not leave.
    pub(crate) fn record(&self, record: &Record) -> Result<(), Error> {
        let Some(mut inner) = self.lock() else { return Ok(()) };
        inner.settle()?;
        let written = inner.write(record);
        written.map_err(|error| inner.refusal(&error))
    }

    /// Records what happens in any case.
    pub(crate) fn note(&self, record: &Record) {
        if let Some(mut inner) = self.lock() {
            let _ = inner.write_or_miss(record);
        }
    }

    /// Records that a call was refused, if it was for want of rights.
    pub(crate) fn refused(&self, call: &'static str, caller: &Caller, name: &SessionName, error: &Error) {
        if let Some(record) = Record::of_call(Event::Refused, call, caller).session(name).refusal(error) {
            self.note_refusal(&record);
        }
    }

    /// Records a refusal, unless there are too many.
    pub(crate) fn note_refusal(&self, record: &Record) {
        let Some(mut inner) = self.lock() else { return };
        inner.tell_of_refusals();
        if inner.refusals.recorded < MAX_REFUSALS {
            inner.refusals.recorded += 1;
            let _ = inner.write_or_miss(record);
        } else {
            inner.refusals.left_out += 1;
        }
    }

    /// Brings records to the disk, and begins new files, until the daemon stops.
    pub(crate) async fn tend(self, mut shutdown: Shutdown) {
        let mut ticks = interval(SYNC_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = shutdown.requested() => return,
            }
            self.clone().blocking(Self::upkeep).await;
        }
    }

    /// Brings all of it to the disk.
    pub(crate) async fn close(self) {
        self.blocking(|audit| {
            audit.sync();
            let Some(mut inner) = audit.lock() else { return };
            // It is room alone, and the next start has use for it.
            let _ = inner.appender.trim();
            let (number, newest) = inner.appender.newest();
            info!(number, %newest, "the audit record ends; keep this hash elsewhere to tell whether it is changed");
        })
        .await;
    }

    fn upkeep(&self) {
        if let Some(mut inner) = self.lock() {
            inner.tell_of_refusals();
            if inner.appender.is_full() {
                inner.rotate();
            }
        }
        self.sync();
    }

    /// Nobody waits for the disk who writes meanwhile.
    fn sync(&self) {
        let Some(file) = self.lock().and_then(|mut inner| inner.unsynced_file()) else { return };
        let synced = file.sync_data();
        let Some(mut inner) = self.lock() else { return };
        inner.sync_failed = synced.is_err();
        if let Err(error) = synced {
            error!(%error, "the audit record does not reach the disk: what has to be recorded is refused");
            inner.unsynced = true;
        }
    }

    async fn blocking(self, work: impl FnOnce(&Self) + Send + 'static) {
        if self.0.is_some() {
            spawn_blocking(move || work(&self)).await.expect("it does not panic, and is never cancelled");
        }
    }

    /// Held for one write to a file at the most, or a change of files.
    fn lock(&self) -> Option<MutexGuard<'_, Inner>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Pending {
    /// Records what came of a write.
    ///
    /// # Errors
    /// What it failed with; and where it was done and cannot be recorded, that its outcome is unknown.
    pub(crate) fn end(self, result: Result<Outcome, Error>) -> Result<Outcome, Error> {
        match result {
            Ok(outcome) => self.done(|record| record.at(outcome.revision)).map(|()| outcome),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Records that it was done, with what is known of it now.
    ///
    /// # Errors
    /// Where it cannot be recorded: its outcome is as good as unknown then.
    pub(crate) fn done(mut self, known: impl FnOnce(Record) -> Record) -> Result<(), Error> {
        let Some(record) = self.record.take().map(known) else { return Ok(()) };
        self.written(&record).map_err(|_| Error::StorageFailed)
    }

    /// Records why it was not done, if that is for want of rights, or that nobody knows whether it was. Gives the error back.
    pub(crate) fn failed(mut self, error: Error) -> Error {
        let Some(record) = self.record.take() else { return error };
        if let Some(refusal) = record.refusal(&error) {
            self.give_back();
            self.audit.note_refusal(&refusal);
        } else if matches!(error, Error::StorageFailed) {
            let _ = self.written(&record.of_unknown_outcome());
        } else {
            self.give_back();
        }
        error
    }

    /// Nothing was done.
    pub(crate) fn nothing(mut self) {
        if self.record.take().is_some() {
            self.give_back();
        }
    }

    fn written(&self, record: &Record) -> io::Result<()> {
        let Some(mut inner) = self.audit.lock() else { return Ok(()) };
        inner.promised -= 1;
        inner.write_or_miss(record)
    }

    fn give_back(&self) {
        if let Some(mut inner) = self.audit.lock() {
            inner.promised -= 1;
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            let _ = self.written(&record.of_unknown_outcome());
        }
    }
}

impl Inner {
    /// Nothing is done that has to be recorded before what is missing is recorded as missing, and on the disk.
    fn settle(&mut self) -> Result<(), Error> {
        if self.sync_failed {
            return Err(Error::StorageFailed);
        }
        if self.missed > 0 {
            let told = self.tell_of_missed();
            told.map_err(|error| self.refusal(&error))?;
        }
        Ok(())
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.appender.append(record)?;
        self.unsynced = true;
        if std::mem::take(&mut self.failing) {
            info!("the audit record can be written again");
        }
        Ok(())
    }

    fn write_or_miss(&mut self, record: &Record) -> io::Result<()> {
        let told = if self.missed > 0 { self.tell_of_missed() } else { Ok(()) };
        let written = told.and_then(|()| self.write(record));
        if let Err(error) = &written {
            self.refusal(error);
            self.missed += 1;
        }
        written
    }

    fn tell_of_missed(&mut self) -> io::Result<()> {
        self.write(&Record::of(Event::Missed).count(self.missed))?;
        self.missed = 0;
        Ok(())
    }

    /// Begins a new second, and tells how many refusals were left out of the last.
    fn tell_of_refusals(&mut self) {
        if self.refusals.since.elapsed() < SYNC_EVERY {
            return;
        }
        let left_out = self.refusals.left_out;
        self.refusals = Refusals { since: Instant::now(), recorded: 0, left_out: 0 };
        if left_out > 0 {
            let _ = self.write_or_miss(&Record::of(Event::RefusalsLeftOut).count(left_out));
        }
    }

    fn rotate(&mut self) {
        let rotated = self.appender.rotate();
        let (number, newest) = self.appender.newest();
        match rotated {
            Ok(()) => {
                info!(number, %newest, "the audit record goes on in a new file; keep this hash elsewhere");
            }
            Err(error) => warn!(%error, "the audit record goes on in a file that is full"),
        }
    }

    fn unsynced_file(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.unsynced).then(|| self.appender.file())
    }

    /// Why nothing may be done that cannot be recorded. The log is told once.
    fn refusal(&mut self, error: &io::Error) -> Error {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        if !std::mem::replace(&mut self.failing, true) {
            error!(%error, "the audit record cannot be written: what has to be recorded is refused");
        }
        match error.kind() {
            StorageFull | QuotaExceeded => Error::StorageFull,
            _ => Error::StorageFailed,
        }
    }
}
