use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::{Duration, Instant},
};

use sessiond_proto::SessionName;
use sessiond_session::{Opener, Session, formats};
use tracing::{debug, error, info, warn};

use super::{
    claim::Claim,
    due::Due,
    mirror_file::{Found, MirrorError, MirrorFile, Owner},
    session_files::{ENDING, SessionFiles},
    uses::Uses,
};
use crate::engine::{
    Error, Event, Revision, Sessions,
    journal::Transaction,
    locks::{lock, try_lock},
};

/// Least time between two writes of mirrors, so that they do not slow the store: 50 a second.
const WRITE_EVERY: Duration = Duration::from_millis(20);

/// How long closing may take. What is not written by then is written after the next start.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Reads a session with its keys, and its revision.
pub(crate) type Source =
    Box<dyn Fn(&SessionName) -> Result<Option<(Session, Revision)>, Error> + Send + Sync>;

/// Is told what became of a mirror.
pub(crate) type Note = Box<dyn Fn(&SessionName, Noted) + Send + Sync>;

/// What became of a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It has the session as of this revision.
    Written(Revision),
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
    slots: Mutex<HashMap<SessionName, Arc<Mutex<Slot>>>>,
    /// Who needs a file locked. Not in the slot: a slot's lock is held while the committer is asked for the session, and
    /// the committer tells of holds.
    uses: Uses,
    due: Due,
    source: OnceLock<(Source, Note)>,
    /// Sessions of the store as it was opened, for the first look at the directory.
    known: Mutex<Sessions>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

/// The file of one session.
#[derive(Debug, Default)]
struct Slot {
    file: Option<MirrorFile>,
    /// Revision in the file.
    revision: Revision,
}

impl Mirrors {
    pub(super) fn new(directory: &Path, store_ids: Vec<String>, budget: usize) -> Self {
        Self {
            files: SessionFiles::of(directory),
            store_ids,
            budget,
            slots: Mutex::default(),
            uses: Uses::default(),
            due: Due::default(),
            source: OnceLock::new(),
            known: Mutex::default(),
            thread: Mutex::default(),
        }
    }

    /// Says what the store has, for the time when [`Mirrors::start`] is called: files of held sessions are locked then,
    /// and those that are behind or missing are written.
    pub(super) fn expect(&self, sessions: &Sessions, behind: &[SessionName]) {
        for (name, _) in sessions.iter().filter(|(_, entry)| entry.held().is_some()) {
            self.uses.set_held(name, true);
        }
        behind.iter().for_each(|name| self.due.now(name));
        *lock(&self.known) = sessions.clone();
    }

    /// Starts the thread that writes.
    pub(crate) fn start(self: &Arc<Self>, source: Source, note: Note) -> io::Result<()> {
        if self.source.set((source, note)).is_err() {
            return Ok(());
        }
        let mirrors = Arc::clone(self);
        let thread = thread::Builder::new().name("mirrors".into()).spawn(move || mirrors.run())?;
        *lock(&self.thread) = Some(thread);
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
        let ours = try_lock(&slot)?.file.as_ref().is_some_and(MirrorFile::path_is_ours);
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
        if slot.file.as_ref().is_some_and(MirrorFile::path_is_ours) {
            return Ok(None);
        }
        if self.open_files() >= self.budget {
            return Err(Error::Limit(format!(
                "{} session files are open, and no more can be; raise the limit of open files (ulimit -n)",
                self.budget
            )));
        }
        slot.file = None;
        match self.find(name)? {
            Found::Missing => {
                if known > 0 {
                    self.due.now(name);
                }
                Ok(None)
            }
            Found::Ours(_, revision) if revision > known && known > 0 => {
                Err(Error::ForeignFile(format!("is newer (revision {revision}) than the store ({known})")))
            }
            Found::Ours(file, revision) => {
                slot.file = Some(file);
                slot.revision = revision;
                if revision != known {
                    self.due.now(name);
                }
                Ok(None)
            }
            Found::Unclaimed(session) if known == 0 => Ok(Some(session)),
            Found::Unclaimed(session) => self.adopt(name, &session, slot).map(|()| None),
            Found::Foreign(why) => Err(Error::ForeignFile(why)),
            Found::Damaged(why) => Err(Error::Damaged(format!(
                "the file {name}{ENDING} cannot be read ({why}); `sessiond mirror --force {name}` writes it anew"
            ))),
            Found::InUse(openers) => Err(in_use(&openers)),
        }
    }

    /// Makes a stock file ours that has just what the store has: it was taken in, and perhaps there was a crash since.
    fn adopt(&self, name: &SessionName, found: &Session, slot: &mut Slot) -> Result<(), Error> {
        let Some((source, _)) = self.source.get() else { return Err(Error::Closed) };
        match source(name)? {
            Some((session, revision)) if session == *found => {
                let owner = Owner { store_ids: &self.store_ids, name };
                let adopted = MirrorFile::adopt(&self.files.path(name), &owner, &session, revision);
                slot.file = Some(adopted.map_err(|error| self.refusal(name, &error))?);
                slot.revision = revision;
                Ok(())
            }
            _ => Err(Error::ForeignFile("was put there by another program".into())),
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

    /// Takes note of a durable transaction.
    pub(crate) fn note(&self, transaction: &Transaction) {
        let Some(batch) = &transaction.batch else { return };
        let mut last: Option<&SessionName> = None;
        for commit in batch.commits() {
            let name = &commit.name;
            match &commit.event {
                Event::Advanced(_) if last == Some(name) => {}
                Event::Advanced(_) => self.due.when_idle(name),
                Event::Saved(_) | Event::Deleted => self.due.now(name),
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
        let imported = formats::open_file(&path);
        Ok(imported
            .map_err(|error| Error::Damaged(format!("{name}{ENDING} cannot be taken: {error}")))?
            .session)
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
        let kept = if replace { self.clear_the_place(name, &mut slot)? } else { None };
        if self.claim_slot(name, known, &mut slot)?.is_some() {
            return Err(Error::ForeignFile("was put there by another program".into()));
        }
        let written = self.write(name, whole, &mut slot).map_err(|error| self.refusal(name, &error));
        self.close_if_unused(name, &mut slot);
        written.map(|()| kept)
    }

    /// Writes everything that is behind, and closes the files.
    pub(crate) fn close(&self) {
        self.due.close();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            error!("the mirrors' thread had panicked");
        }
    }

    fn run(&self) {
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
        let slot = self.slot(name);
        let mut slot = lock(&slot);
        let whole = match source(name) {
            Ok(whole) => whole,
            Err(error) => {
                error!(session = %name, %error, "the session's file cannot be written");
                return;
            }
        };
        match self.write(name, whole.as_ref(), &mut slot) {
            Ok(()) => {
                debug!(session = %name, revision = slot.revision, "session file written");
                note(name, Noted::Written(slot.revision));
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
        let closed = slot.file.is_none();
        drop(slot);
        if closed {
            self.forget(name);
        }
    }

    /// Makes the file as the session is: written, or removed.
    fn write(
        &self,
        name: &SessionName,
        whole: Option<&(Session, Revision)>,
        slot: &mut Slot,
    ) -> Result<(), MirrorError> {
        let path = self.files.path(name);
        let owner = Owner { store_ids: &self.store_ids, name };
        if slot.file.is_none() {
            match (MirrorFile::find(&path, &owner)?, whole) {
                (Found::Missing, _) => {}
                (Found::Ours(_, found), Some((_, revision))) if found > *revision => {
                    return Err(MirrorError::NotOurs(format!("is newer (revision {found}) than the store")));
                }
                (Found::Ours(file, revision), _) => {
                    slot.file = Some(file);
                    slot.revision = revision;
                }
                // Taken in, just before a crash: the next hold makes it ours.
                (Found::Unclaimed(found), Some((session, _))) if found == *session => return Ok(()),
                (_, None) => return Ok(()),
                (found, Some(_)) => return Err(found.refusal()),
            }
        }
        match (whole, slot.file.take()) {
            (Some((session, revision)), None) => {
                slot.file = Some(MirrorFile::create(&path, &owner, session, *revision)?);
                slot.revision = *revision;
            }
            (Some((session, revision)), Some(mut file)) => {
                if slot.revision != *revision {
                    file.write(&owner, session, *revision)?;
                }
                slot.revision = *revision;
                slot.file = Some(file);
            }
            (None, Some(file)) => {
                file.remove()?;
                info!(session = %name, "session file removed");
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// Compares the directory with the store: the files of sessions that are held are locked, those that are missing are
    /// written, and those of ours whose session was deleted just before a crash are removed.
    fn look_around(&self) {
        let known = std::mem::take(&mut *lock(&self.known));
        // At once, all of them: until then any program could open them.
        let held = known.iter().filter(|(_, entry)| entry.held().is_some());
        held.for_each(|(name, _)| self.bring_up_to_date(name));
        self.files.sweep();
        let Ok(names) = self.files.names() else { return };
        let missing = known.iter().filter(|(name, entry)| entry.session.is_some() && !names.contains(*name));
        missing.for_each(|(name, _)| self.due.now(name));
        names.iter().filter(|name| !known.contains_key(*name)).for_each(|name| self.due.now(name));
    }

    /// Has nothing at a session's path but what is ours. Whatever else was there is kept under another name, which is
    /// told; what a program is using is left to it.
    fn clear_the_place(&self, name: &SessionName, slot: &mut Slot) -> Result<Option<String>, Error> {
        if slot.file.as_ref().is_some_and(MirrorFile::path_is_ours) {
            return Ok(None);
        }
        slot.file = None;
        match self.find(name)? {
            Found::Missing | Found::Ours(..) => return Ok(None),
            Found::InUse(openers) => return Err(in_use(&openers)),
            Found::Unclaimed(_) | Found::Foreign(_) | Found::Damaged(_) => {}
        }
        let kept = self.files.keep_aside(name).map_err(|error| {
            error!(session = %name, %error, "the session's file cannot be kept aside");
            Error::StorageFailed
        })?;
        warn!(session = %name, kept, "the session's file is replaced");
        Ok(Some(kept))
    }

    fn find(&self, name: &SessionName) -> Result<Found, Error> {
        let owner = Owner { store_ids: &self.store_ids, name };
        MirrorFile::find(&self.files.path(name), &owner).map_err(|error| self.refusal(name, &error))
    }

    fn refusal(&self, name: &SessionName, error: &MirrorError) -> Error {
        match error {
            MirrorError::Full => Error::StorageFull,
            MirrorError::Swapped => Error::ForeignFile("was replaced by another program".into()),
            error => {
                error!(session = %name, %error, "the session's file cannot be used");
                Error::Damaged(format!("the file {name}{ENDING} cannot be used: {error}"))
            }
        }
    }

    fn open_files(&self) -> usize {
        // Slots are few and mostly open; the exact number does not matter.
        lock(&self.slots).len()
    }

    fn close_if_unused(&self, name: &SessionName, slot: &mut Slot) {
        if !self.uses.any(name)
            && let Some(file) = slot.file.take()
        {
            file.close();
        }
    }

    fn forget(&self, name: &SessionName) {
        let mut slots = lock(&self.slots);
        // Whoever else has the slot is about to use it.
        if slots.get(name).is_some_and(|slot| Arc::strong_count(slot) == 1 && lock(slot).file.is_none()) {
            slots.remove(name);
        }
    }

    fn slot(&self, name: &SessionName) -> Arc<Mutex<Slot>> {
        Arc::clone(lock(&self.slots).entry(name.clone()).or_default())
    }
}

impl std::fmt::Debug for Mirrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirrors").field("files", &self.files).finish_non_exhaustive()
    }
}

fn in_use(openers: &[Opener]) -> Error {
    let openers: Vec<_> = openers.iter().map(ToString::to_string).collect();
    Error::FileInUse(if openers.is_empty() { "another program".into() } else { openers.join(", ") })
}
