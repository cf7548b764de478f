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

/// Is told of a mirror that has a session as of a revision.
pub(crate) type Note = Box<dyn Fn(&SessionName, Revision) + Send + Sync>;

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

/// What is found when a session's file is claimed.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is ours and locked, or there is none.
    Ours,
    /// It is a stock file that nobody has taken in yet, with this in it.
    Unclaimed(Box<Session>),
}

/// The file of one session.
#[derive(Debug, Default)]
struct Slot {
    file: Option<MirrorFile>,
    /// Revision in the file.
    revision: Revision,
    /// It is a stock file that was taken in with this in it, and is to become ours.
    taken: Option<Box<Session>>,
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
            self.due.now(name);
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

    /// Whether a session's file is known to be open and locked, and still in its place; it counts as claimed then.
    pub(crate) fn claimed(&self, name: &SessionName) -> bool {
        let Some(slot) = lock(&self.slots).get(name).cloned() else { return false };
        self.uses.begin_claim(name);
        // One that is being written is not waited for here: this does not block.
        let slot = try_lock(&slot);
        let claimed = slot.is_some_and(|slot| slot.file.as_ref().is_some_and(MirrorFile::path_is_ours));
        if !claimed {
            self.let_go(name);
        }
        claimed
    }

    /// Makes sure that a session's file is ours, and locks it. `known` is the session's revision in the store. Blocks.
    /// To be followed by [`Mirrors::let_go`], unless it fails.
    pub(crate) fn claim(&self, name: &SessionName, known: Revision) -> Result<Claim, Error> {
        self.uses.begin_claim(name);
        let slot = self.slot(name);
        let claim = self.claim_slot(name, known, &mut lock(&slot));
        if claim.is_err() {
            self.let_go(name);
        }
        claim
    }

    fn claim_slot(&self, name: &SessionName, known: Revision, slot: &mut Slot) -> Result<Claim, Error> {
        if slot.file.as_ref().is_some_and(MirrorFile::path_is_ours) {
            return Ok(Claim::Ours);
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
                Ok(Claim::Ours)
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
                Ok(Claim::Ours)
            }
            Found::Unclaimed(session) if known == 0 => {
                slot.taken = Some(Box::new(session.clone()));
                Ok(Claim::Unclaimed(Box::new(session)))
            }
            Found::Unclaimed(_) => Err(Error::ForeignFile("was put there by another program".into())),
            Found::Foreign(why) => Err(Error::ForeignFile(why)),
            Found::Damaged(why) => Err(Error::Damaged(format!(
                "the file {name}{ENDING} cannot be read ({why}); `sessiond mirror --force {name}` writes it anew"
            ))),
            Found::InUse(openers) => Err(in_use(&openers)),
        }
    }

    /// Ends a claim. Unless the session is held, its file is written if it is behind, and closed.
    pub(crate) fn let_go(&self, name: &SessionName) {
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
            return Err(Error::ForeignFile("is not there".into()));
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
        slot.taken = None;
        let known = whole.map_or(0, |(_, revision)| *revision);
        let kept = if replace { self.clear_the_place(name, &mut slot)? } else { None };
        match self.claim_slot(name, known, &mut slot)? {
            Claim::Ours => {}
            Claim::Unclaimed(_) => return Err(Error::ForeignFile("was put there by another program".into())),
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
                note(name, slot.revision);
            }
            Err(MirrorError::Full) => {
                warn!(session = %name, "the disk is full: the session's file stays behind for now");
                self.due.when_idle(name);
            }
            Err(error) => {
                slot.file = None;
                error!(session = %name, %error, "the session's file is not touched");
            }
        }
        self.close_if_unused(name, &mut slot);
        let closed = slot.file.is_none() && slot.taken.is_none();
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
        if let (Some(taken), Some((session, revision))) = (slot.taken.take(), whole) {
            slot.file = Some(MirrorFile::adopt(&path, &owner, &taken, (session, *revision))?);
            slot.revision = *revision;
        }
        if slot.file.is_none() {
            match MirrorFile::find(&path, &owner)? {
                Found::Missing => {}
                Found::Ours(file, revision) => {
                    slot.file = Some(file);
                    slot.revision = revision;
                }
                found => return if whole.is_none() { Ok(()) } else { Err(found.refusal()) },
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

    /// Compares the directory with the store: files that are missing are written, and those of ours whose session was
    /// deleted just before a crash are removed.
    fn look_around(&self) {
        let known = std::mem::take(&mut *lock(&self.known));
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
