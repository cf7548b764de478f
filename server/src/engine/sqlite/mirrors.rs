mod upkeep;

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use sessiond_proto::SessionName;
use sessiond_session::{
    Session,
    formats::{self, ImportError, Reading},
};
use tracing::{error, warn};

use super::{
    claim::Claim,
    due::Due,
    mirror_file::{Found, MirrorError, MirrorFile, Owner},
    session_files::{ENDING, SessionFiles},
    store::Opened,
    uses::Uses,
};
use crate::engine::{
    Batch, Error, Event, Revision, Sessions,
    locks::{lock, try_lock},
};

/// How long closing may take. What is not written by then is written after the next start.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How much is sent through a channel that only tells its end.
const NOTHING: usize = 0;

/// Reads a session, and its revision.
pub(crate) type Read = Box<dyn Fn(&SessionName) -> Result<Option<(Session, Revision)>, Error> + Send + Sync>;

/// Where sessions are read.
pub(crate) struct Source {
    /// As its file is to have it: with its keys only where they are not sealed.
    pub(crate) image: Read,
    /// With its keys.
    pub(crate) whole: Read,
}

/// Is told what became of a mirror.
pub(crate) type Note = Box<dyn Fn(&SessionName, Noted) + Send + Sync>;

/// What became of a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It has the session as of this revision.
    Written(Revision),
    /// It is gone, as the session is, which was deleted at this revision.
    Removed(Revision),
    /// It is not as we left it, and was not touched.
    NotOurs,
}

/// The sessions' own files, `NAME.session`: what users know, in Telethon v2's format. A thread keeps them up to date; the
/// file of a session that is held is locked. A file that is not ours, or not as we left it, is never touched.
pub(crate) struct Mirrors {
    files: SessionFiles,
    store_ids: Vec<String>,
    /// Most files open at a time.
    budget: usize,
    /// Every open file has a clone: that is how they are counted.
    open: Arc<()>,
    slots: Mutex<HashMap<SessionName, Arc<Mutex<Slot>>>>,
    /// Who needs a file locked. Not in the slot: a slot's lock is held while the committer is asked for the session, and
    /// the committer tells of holds.
    uses: Uses,
    due: Due,
    /// Sessions that were deleted since their file was written, with the revision of that. What else the store does not know is not ours to remove: it
    /// may be newer than a store that was restored from a copy.
    removals: Mutex<HashMap<SessionName, Revision>>,
    /// The revision that each file was given last, as far as was noted. One that is older was put back by somebody.
    written: Mutex<HashMap<SessionName, Revision>>,
    source: OnceLock<(Source, Note)>,
    /// Sessions of the store as it was opened, for the first look at the directory.
    known: Mutex<Sessions>,
    thread: Mutex<Option<Thread>>,
}

/// The thread that writes.
#[derive(Debug)]
struct Thread {
    handle: thread::JoinHandle<()>,
    /// Disconnected when it has ended.
    ends: Receiver<()>,
}

/// The file of one session.
#[derive(Debug, Default)]
struct Slot {
    file: Option<OpenFile>,
    /// Revision in the file.
    revision: Revision,
}

/// A file that is open, and counted as such.
#[derive(Debug)]
struct OpenFile {
    file: MirrorFile,
    _counted: Arc<()>,
}

impl Mirrors {
    pub(super) fn new(directory: &Path, store_ids: Vec<String>, budget: usize) -> Self {
        Self {
            files: SessionFiles::of(directory),
            store_ids,
            budget,
            open: Arc::default(),
            slots: Mutex::default(),
            uses: Uses::default(),
            due: Due::default(),
            removals: Mutex::default(),
            written: Mutex::default(),
            source: OnceLock::new(),
            known: Mutex::default(),
            thread: Mutex::default(),
        }
    }

    /// Says what the store has, for the time when [`Mirrors::start`] is called: files of held sessions are locked then,
    /// those that are behind or missing are written, and those of deleted sessions are removed.
    pub(super) fn expect(&self, sessions: &Sessions, opened: &Opened) {
        let Opened { mirrored, removals, .. } = opened;
        for (name, entry) in sessions {
            if entry.held().is_some() {
                self.uses.set_held(name, true);
            }
            if mirrored.get(name) != Some(&entry.revision) {
                self.due.now(name);
            }
        }
        removals.iter().for_each(|(name, _)| self.due.now(name));
        let written = mirrored.iter().filter(|(_, revision)| **revision > 0);
        lock(&self.written).extend(written.map(|(name, revision)| (name.clone(), *revision)));
        lock(&self.removals).extend(removals.iter().cloned());
        *lock(&self.known) = sessions.clone();
    }

    /// Starts the thread that writes.
    pub(crate) fn start(self: &Arc<Self>, source: Source, note: Note) -> io::Result<()> {
        if self.source.set((source, note)).is_err() {
            return Ok(());
        }
        let mirrors = Arc::clone(self);
        let (end, ends) = mpsc::sync_channel(NOTHING);
        let handle = thread::Builder::new().name("mirrors".into()).spawn(move || {
            // Dropped at the end, however that comes.
            let _end = end;
            mirrors.run();
        })?;
        *lock(&self.thread) = Some(Thread { handle, ends });
        Ok(())
    }

    /// Whether there is a file by a session's name.
    pub(crate) fn exists(&self, name: &SessionName) -> bool {
        self.files.path(name).exists()
    }

    /// Claims a session's file if it is known to be open and locked, and still in its place.
    pub(crate) fn claim_open(self: &Arc<Self>, name: &SessionName) -> Option<Claim> {
        let slot = lock(&self.slots).get(name).cloned()?;
        let claim = Claim::new(self, name);
        // One that is being written is not waited for here: this does not block.
        let ours = try_lock(&slot)?.is_in_place();
        ours.then_some(claim)
    }

    /// Makes sure that a session's file is ours, and locks it. `known` is the session's revision in the store. Blocks.
    pub(crate) fn claim(self: &Arc<Self>, name: &SessionName, known: Revision) -> Result<Claim, Error> {
        let mut claim = Claim::new(self, name);
        let slot = self.slot(name);
        if let Some(session) = self.claim_slot(name, known, &mut lock(&slot))? {
            claim.set_stock(session);
        }
        Ok(claim)
    }

    /// Opens and locks a session's file, if there is one. Answers what is in it if it is a stock file that nobody has taken
    /// in yet; it is not locked then.
    fn claim_slot(
        &self,
        name: &SessionName,
        known: Revision,
        slot: &mut Slot,
    ) -> Result<Option<Session>, Error> {
        if slot.is_in_place() {
            return Ok(None);
        }
        if self.open_files() >= self.budget {
            return Err(Error::Limit(format!(
                "{} session files are open, and no more can be; raise the limit of open files (ulimit -n)",
                self.budget
            )));
        }
        slot.file = None;
        match self.find(name, known).map_err(|error| self.refusal(name, error))? {
            Found::Missing => {
                if known > 0 {
                    self.due.now(name);
                }
                Ok(None)
            }
            Found::Ours(file, revision) => {
                self.keep_open(slot, file, revision);
                if revision != known {
                    self.due.now(name);
                }
                Ok(None)
            }
            Found::Unclaimed(session) if known == 0 => Ok(Some(session)),
            Found::Unclaimed(session) => self.adopt(name, &session, slot).map(|()| None),
            Found::Foreign(why) => Err(foreign(name, &why)),
            Found::Damaged(why) => Err(Error::Damaged(format!(
                "the file {name}{ENDING} cannot be read ({why}); `sessiond mirror --force {name}` writes it anew"
            ))),
            Found::InUse(openers) => Err(Error::FileInUse(openers)),
        }
    }

    /// Makes a stock file ours that has just what the store has: it was taken in, and perhaps there was a crash since.
    fn adopt(&self, name: &SessionName, found: &Session, slot: &mut Slot) -> Result<(), Error> {
        let Some((source, _)) = self.source.get() else { return Err(Error::Closed) };
        match ((source.whole)(name)?, (source.image)(name)?) {
            (Some((session, _)), Some((image, revision))) if session == *found => {
                let owner = Owner { store_ids: &self.store_ids, name };
                let adopted = MirrorFile::adopt(&self.files.path(name), &owner, found, (&image, revision));
                lock(&self.written).insert(name.clone(), revision);
                self.keep_open(slot, adopted.map_err(|error| self.refusal(name, error))?, revision);
                Ok(())
            }
            _ => Err(foreign(name, "was put there by another program")),
        }
    }

    pub(super) fn begin_claim(&self, name: &SessionName) {
        self.uses.begin_claim(name);
    }

    /// Unless the session is held, its file is written if it is behind, and closed.
    pub(super) fn end_claim(&self, name: &SessionName) {
        self.uses.end_claim(name);
        if !self.uses.any(name) {
            self.due.now(name);
        }
    }

    /// Takes note of a durable batch.
    pub(crate) fn note(&self, batch: &Batch) {
        let mut last: Option<&SessionName> = None;
        for commit in batch.commits() {
            let name = &commit.name;
            match &commit.event {
                Event::Advanced(_) if last == Some(name) => {}
                Event::Advanced(_) => self.due.when_idle(name),
                Event::Saved(_) => self.due.now(name),
                Event::Deleted => {
                    lock(&self.removals).insert(name.clone(), commit.revision);
                    self.due.now(name);
                }
                // A file has no place for it.
                Event::Kept => continue,
                Event::HoldChanged { holder, .. } => {
                    self.uses.set_held(name, holder.is_some());
                    if holder.is_none() {
                        self.due.now(name);
                    }
                }
            }
            last = Some(name);
        }
    }

    /// What is in a session's file, whoever wrote it.
    pub(crate) fn read_foreign(&self, name: &SessionName) -> Result<Session, Error> {
        let path = self.files.path(name);
        if !path.exists() {
            return Err(Error::NoFile);
        }
        let imported = formats::read_path(&path, &Reading::default());
        match imported {
            Ok(imported) => {
                let first = imported.into_iter().next();
                first.map(|first| first.contents.session).ok_or(Error::NoFile)
            }
            Err(ImportError::InUse { openers, .. }) => Err(Error::FileInUse(openers)),
            Err(error) => Err(Error::Damaged(format!("{name}{ENDING} cannot be taken: {error}"))),
        }
    }

    /// Writes a session's file now. With `replace`, whatever is there is kept under another name, which is told.
    pub(crate) fn settle(
        &self,
        name: &SessionName,
        whole: Option<&(Session, Revision)>,
        replace: bool,
    ) -> Result<Option<String>, Error> {
        let slot = self.slot(name);
        let mut slot = lock(&slot);
        let known = whole.map_or(0, |(_, revision)| *revision);
        let kept = if replace { self.clear_the_place(name, known, &mut slot)? } else { None };
        if self.claim_slot(name, known, &mut slot)?.is_some() {
            return Err(foreign(name, "was put there by another program"));
        }
        let written = self.write(name, whole, &mut slot).map_err(|error| self.refusal(name, error));
        self.close_if_unused(name, &mut slot);
        // Whose place is not needed any more goes then.
        self.due.now(name);
        written.map(|()| kept)
    }

    /// Writes everything that is behind, and closes the files.
    pub(crate) fn close(&self) {
        self.due.close();
        let Some(Thread { handle, ends }) = lock(&self.thread).take() else { return };
        if ends.recv_timeout(CLOSE_WITHIN) == Err(RecvTimeoutError::Timeout) {
            warn!("some session files are behind, and are written after the next start");
        } else if handle.join().is_err() {
            error!("the mirrors' thread had panicked");
        }
    }

    /// Has nothing at a session's path but what is ours. Whatever else was there is kept under another name, which is
    /// told; what a program is using is left to it.
    fn clear_the_place(
        &self,
        name: &SessionName,
        known: Revision,
        slot: &mut Slot,
    ) -> Result<Option<String>, Error> {
        if slot.is_in_place() {
            return Ok(None);
        }
        slot.file = None;
        match self.find(name, known).map_err(|error| self.refusal(name, error))? {
            Found::Missing | Found::Ours(..) => return Ok(None),
            Found::InUse(openers) => return Err(Error::FileInUse(openers)),
            Found::Unclaimed(_) | Found::Foreign(_) | Found::Damaged(_) => {}
        }
        let kept = self.files.keep_aside(name).map_err(|error| {
            error!(session = %name, %error, "the session's file cannot be kept aside");
            Error::StorageFailed
        })?;
        warn!(session = %name, kept, "the session's file is replaced");
        Ok(Some(kept))
    }

    /// What is at a session's path. A file of ours counts as foreign if it is not the one that we left there last. `known` is
    /// the session's revision in the store.
    fn find(&self, name: &SessionName, known: Revision) -> Result<Found, MirrorError> {
        let owner = Owner { store_ids: &self.store_ids, name };
        let found = MirrorFile::find(&self.files.path(name), &owner)?;
        let wrong = match &found {
            Found::Ours(_, revision) => self.what_is_wrong(name, *revision, known),
            _ => None,
        };
        Ok(wrong.map_or(found, Found::Foreign))
    }

    /// What is wrong with a file of ours that has a revision.
    fn what_is_wrong(&self, name: &SessionName, revision: Revision, known: Revision) -> Option<String> {
        let written = lock(&self.written).get(name).copied().unwrap_or(0);
        if known == 0 && !lock(&self.removals).contains_key(name) {
            Some(format!("has a session (revision {revision}) that the store does not know"))
        } else if known > 0 && revision > known {
            Some(format!("is newer (revision {revision}) than the store ({known})"))
        } else if revision < written {
            Some(format!("is older (revision {revision}) than the daemon has left it ({written})"))
        } else {
            None
        }
    }

    fn refusal(&self, name: &SessionName, error: MirrorError) -> Error {
        match error {
            MirrorError::Full => Error::StorageFull,
            MirrorError::InUse(openers) => Error::FileInUse(openers),
            MirrorError::Swapped => foreign(name, "was replaced by another program"),
            MirrorError::NotOurs(why) => foreign(name, &why),
            error @ (MirrorError::Io(_) | MirrorError::Sqlite(_)) => {
                error!(session = %name, %error, "the session's file cannot be used");
                Error::StorageFailed
            }
        }
    }

    fn open_files(&self) -> usize {
        Arc::strong_count(&self.open) - 1
    }

    fn keep_open(&self, slot: &mut Slot, file: MirrorFile, revision: Revision) {
        slot.file = Some(OpenFile { file, _counted: Arc::clone(&self.open) });
        slot.revision = revision;
    }

    fn slot(&self, name: &SessionName) -> Arc<Mutex<Slot>> {
        Arc::clone(lock(&self.slots).entry(name.clone()).or_default())
    }
}

impl Slot {
    /// Whether the file is open, and its path still leads to it.
    fn is_in_place(&self) -> bool {
        self.file.as_ref().is_some_and(|open| open.file.path_is_ours())
    }
}

impl std::fmt::Debug for Mirrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirrors").field("files", &self.files).finish_non_exhaustive()
    }
}

/// A file that is not ours, or not as we left it, and the two ways out.
fn foreign(name: &SessionName, why: &str) -> Error {
    Error::ForeignFile(format!(
        "{why}; `sessiond import --force {name}` takes what is in it, `sessiond mirror --force {name}` writes over it"
    ))
}

#[cfg(test)]
mod tests;
