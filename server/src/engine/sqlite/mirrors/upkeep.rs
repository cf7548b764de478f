//! What the mirrors' thread does.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use sessiond_proto::SessionName;
use sessiond_session::Session;
use tracing::{debug, error, info, warn};

use super::{
    super::mirror_file::{Found, MirrorError, MirrorFile, Owner},
    Mirrors, Noted, Slot, newer,
};
use crate::engine::{Revision, locks::lock};

/// Least time between two writes of mirrors, so that they do not slow the store: 50 a second.
const WRITE_EVERY: Duration = Duration::from_millis(20);

/// How long closing may take. What is not written by then is written after the next start.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

impl Mirrors {
    pub(super) fn run(&self) {
        self.look_around();
        while let Some(name) = self.due.next(WRITE_EVERY) {
            self.bring_up_to_date(&name);
        }
        let deadline = Instant::now() + CLOSE_WITHIN;
        let slots: Vec<_> = lock(&self.slots).keys().cloned().collect();
        let open: HashSet<_> = self.due.take_all().into_iter().chain(slots).collect();
        for name in open {
            if Instant::now() > deadline {
                warn!(
                    "closing took too long: some session files are behind, and are written after the next start"
                );
                break;
            }
            self.bring_up_to_date(&name);
        }
        // Dropping the files unlocks and closes them.
        lock(&self.slots).clear();
    }

    fn bring_up_to_date(&self, name: &SessionName) {
        let Some((source, note)) = self.source.get() else { return };
        let place = self.slot(name);
        let mut slot = lock(&place);
        // Before the session is looked at: another deletion may come while its file is written.
        let removal = lock(&self.removals).get(name).copied();
        let whole = match source(name) {
            Ok(whole) => whole,
            Err(error) => {
                error!(session = %name, %error, "the session's file cannot be written");
                return;
            }
        };
        match self.write(name, whole.as_ref(), &mut slot) {
            Ok(()) => {
                self.removed(name, removal);
                debug!(session = %name, revision = slot.revision, "session file brought up to date");
                match (&whole, removal) {
                    (Some(_), _) => note(name, Noted::Written(slot.revision)),
                    (None, Some(removal)) => note(name, Noted::Removed(removal)),
                    (None, None) => {}
                }
            }
            Err(error @ (MirrorError::Full | MirrorError::InUse(_))) => {
                warn!(session = %name, %error, "the session's file stays behind for now");
                self.due.when_idle(name);
            }
            Err(error) => {
                slot.file = None;
                error!(session = %name, %error, "the session's file is not touched");
                if matches!(error, MirrorError::Swapped | MirrorError::NotOurs(_)) {
                    note(name, Noted::NotOurs);
                }
            }
        }
        self.close_if_unused(name, &mut slot);
        drop(slot);
        drop(place);
        self.forget_if_closed(name);
    }

    /// Makes the file as the session is: written, or removed.
    pub(super) fn write(
        &self,
        name: &SessionName,
        whole: Option<&(Session, Revision)>,
        slot: &mut Slot,
    ) -> Result<(), MirrorError> {
        let path = self.files.path(name);
        let owner = Owner { store_ids: &self.store_ids, name };
        let known = whole.map_or(0, |(_, revision)| *revision);
        if slot.file.is_none() {
            match (MirrorFile::find(&path, &owner)?, whole) {
                (Found::Missing, _) => {}
                (Found::Ours(_, found), _) if !self.is_known(name, found, known) => {
                    return Err(MirrorError::NotOurs(newer(found, known)));
                }
                (Found::Ours(file, revision), _) => self.keep_open(slot, file, revision),
                // Taken in, just before a crash: the next hold makes it ours.
                (Found::Unclaimed(found), Some((session, _))) if found == *session => return Ok(()),
                (_, None) => return Ok(()),
                (found, Some(_)) => return Err(found.refusal()),
            }
        }
        match (whole, slot.file.take()) {
            (Some((session, revision)), None) => {
                self.keep_open(slot, MirrorFile::create(&path, &owner, session, *revision)?, *revision);
            }
            (Some((session, revision)), Some(mut open)) => {
                if slot.revision != *revision {
                    open.file.write(&owner, session, *revision)?;
                }
                slot.revision = *revision;
                slot.file = Some(open);
            }
            (None, Some(open)) => {
                open.file.remove()?;
                info!(session = %name, "session file removed");
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// Notes that the file has no more to do with a deletion.
    fn removed(&self, name: &SessionName, removal: Option<Revision>) {
        let mut removals = lock(&self.removals);
        if removal.is_some() && removals.get(name).copied() == removal {
            removals.remove(name);
        }
    }

    /// Compares the directory with the store: the files of sessions that are held are locked, and those that are missing
    /// are written.
    fn look_around(&self) {
        let known = std::mem::take(&mut *lock(&self.known));
        // At once, all of them: until then any program could open them.
        let held = known.iter().filter(|(_, entry)| entry.held().is_some());
        held.for_each(|(name, _)| self.bring_up_to_date(name));
        self.files.sweep();
        let Ok(names) = self.files.names() else { return };
        let missing = known.iter().filter(|(name, entry)| entry.session.is_some() && !names.contains(*name));
        missing.for_each(|(name, _)| self.due.now(name));
    }

    pub(super) fn close_if_unused(&self, name: &SessionName, slot: &mut Slot) {
        if !self.uses.any(name)
            && let Some(open) = slot.file.take()
        {
            open.file.close();
        }
    }

    fn forget_if_closed(&self, name: &SessionName) {
        let mut slots = lock(&self.slots);
        // Whoever else has the slot is about to use it, and comes here in the end.
        if slots.get(name).is_some_and(|slot| Arc::strong_count(slot) == 1 && lock(slot).file.is_none()) {
            slots.remove(name);
        }
    }
}
