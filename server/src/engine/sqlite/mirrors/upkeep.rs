//! What the mirrors' thread does.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sessiond_proto::SessionName;
use sessiond_session::Session;
use tracing::{debug, error, info, warn};

use super::{
    super::mirror_file::{Found, MirrorError, MirrorFile, Owner},
    Mirrors, Noted, Slot,
};
use crate::engine::{Error, Revision, locks::lock};

/// Least time between two writes of mirrors, so that they do not slow the store: 50 a second.
const WRITE_EVERY: Duration = Duration::from_millis(20);

impl Mirrors {
    pub(super) fn run(&self) {
        self.look_around();
        while let Some(name) = self.due.next(WRITE_EVERY) {
            self.bring_up_to_date(&name);
        }
        let slots: Vec<_> = lock(&self.slots).keys().cloned().collect();
        let open: HashSet<_> = self.due.take_all().into_iter().chain(slots).collect();
        // Whoever closes waits for so long, and not for the last one.
        open.iter().for_each(|name| self.bring_up_to_date(name));
        // Dropping the files unlocks and closes them.
        lock(&self.slots).clear();
    }

    fn bring_up_to_date(&self, name: &SessionName) {
        let Some((source, note)) = self.source.get() else { return };
        let place = self.slot(name);
        let mut slot = lock(&place);
        // Before the session is looked at: another deletion may come while its file is written.
        let removal = lock(&self.removals).get(name).copied();
        let image = match (source.image)(name) {
            Ok(image) => image,
            // It is written after the next start.
            Err(Error::Closed) => return,
            Err(error) => {
                error!(session = %name, %error, "the session's file cannot be written");
                return;
            }
        };
        match self.write(name, image.as_ref(), &mut slot) {
            Ok(()) => {
                self.removed(name, removal);
                debug!(session = %name, revision = slot.revision, "session file brought up to date");
                match (&image, removal) {
                    (Some(_), _) => note(name, Noted::Written(slot.revision)),
                    (None, Some(removal)) => note(name, Noted::Removed(removal)),
                    (None, None) => {}
                }
            }
            // A file that is open stays open, and locked.
            Err(
                error @ (MirrorError::Full
                | MirrorError::InUse(_)
                | MirrorError::Io(_)
                | MirrorError::Sqlite(_)),
            ) => {
                warn!(session = %name, %error, "the session's file stays behind for now");
                self.due.when_idle(name);
            }
            Err(error @ (MirrorError::Swapped | MirrorError::NotOurs(_))) => {
                slot.file = None;
                error!(session = %name, %error, "the session's file is not touched");
                note(name, Noted::NotOurs);
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
        image: Option<&(Session, Revision)>,
        slot: &mut Slot,
    ) -> Result<(), MirrorError> {
        let known = image.map_or(0, |(_, revision)| *revision);
        if !slot.is_in_place() {
            slot.file = None;
            match (self.find(name, known)?, image) {
                (Found::Missing, _) => {}
                (Found::Ours(file, revision), _) => self.keep_open(slot, file, revision),
                // Taken in, just before a crash: the next hold makes it ours.
                (Found::Unclaimed(found), Some((session, _))) if found == *session => return Ok(()),
                (Found::InUse(openers), _) => return Err(MirrorError::InUse(openers)),
                (_, None) => return Ok(()),
                (found, Some(_)) => return Err(found.refusal()),
            }
        }
        match image {
            Some((session, revision)) => self.fill(name, session, *revision, slot),
            None => self.remove(name, slot),
        }
    }

    fn fill(
        &self,
        name: &SessionName,
        session: &Session,
        revision: Revision,
        slot: &mut Slot,
    ) -> Result<(), MirrorError> {
        let owner = Owner { store_ids: &self.store_ids, name };
        match &mut slot.file {
            None => {
                let file = MirrorFile::create(&self.files.path(name), &owner, session, revision)?;
                self.keep_open(slot, file, revision);
            }
            Some(open) if open.file.has_keys()? && !has_keys(session) => {
                self.replace(name, session, revision, slot)?;
            }
            Some(open) if slot.revision != revision || open.file.has_keys()? != has_keys(session) => {
                open.file.write(&owner, session, revision)?;
                slot.revision = revision;
            }
            Some(_) => {}
        }
        lock(&self.written).insert(name.clone(), revision);
        Ok(())
    }

    /// Makes a new file in place of one that had keys, and is to have none: what is written over may leave some of them.
    fn replace(
        &self,
        name: &SessionName,
        session: &Session,
        revision: Revision,
        slot: &mut Slot,
    ) -> Result<(), MirrorError> {
        if let Some(open) = slot.file.take() {
            open.file.remove()?;
        }
        let owner = Owner { store_ids: &self.store_ids, name };
        let file = MirrorFile::create(&self.files.path(name), &owner, session, revision)?;
        self.keep_open(slot, file, revision);
        Ok(())
    }

    fn remove(&self, name: &SessionName, slot: &mut Slot) -> Result<(), MirrorError> {
        if let Some(open) = slot.file.take() {
            open.file.remove()?;
            info!(session = %name, "session file removed");
        }
        lock(&self.written).remove(name);
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
        for (name, _) in held {
            if self.due.is_closed() {
                return;
            }
            self.bring_up_to_date(name);
        }
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

/// Whether a session has keys that are told.
fn has_keys(session: &Session) -> bool {
    session.dcs.iter().any(|dc| dc.auth.key().is_some())
}
