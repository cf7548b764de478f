use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::SystemTime,
};

use imbl::OrdMap;
use sessiond_proto::SessionName;
use sessiond_session::{Auth, AuthKey, Session};

use super::{Bearer, Commit, Error, Event, Hold, HoldStatus, Holder, Revision, journal::Transaction};
use crate::principal::Principal;

/// The sessions by name. A clone costs nothing and never changes.
pub(crate) type Sessions = OrdMap<SessionName, Entry>;

/// A session's keys, by data center.
pub(crate) type Keys = BTreeMap<i32, AuthKey>;

/// All sessions, as of the newest durable commit.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) revision: Revision,
    pub(crate) sessions: Sessions,
    /// How many are held.
    pub(crate) held: usize,
    /// Which keys are here.
    keys_kept: KeysKept,
    /// Stands for whoever held a session before, by user: all that matters of them then.
    former: HashMap<Principal, Arc<Holder>>,
}

/// Which keys are in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum KeysKept {
    /// Those of sessions that are held; the others' are on the disk.
    #[default]
    WhileHeld,
    /// All, for want of a disk.
    Always,
}

/// What is known under a name: a session, a hold, or both.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Revision of the last commit of data. 0: there is no session.
    pub(crate) revision: Revision,
    /// Time of the last commit of data.
    pub(crate) changed: SystemTime,
    /// The session without its keys.
    pub(crate) session: Option<Arc<Session>>,
    /// Its keys, while they are in memory.
    pub(crate) keys: Option<Arc<Keys>>,
    /// Its last hold.
    pub(crate) hold: Option<Arc<Hold>>,
    /// What is wrong with it.
    pub(crate) damage: Option<Damage>,
}

/// What is wrong with a session.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    /// Its data in the store cannot be read: why, and what to do.
    Stored(Arc<str>),
    /// Its own file is damaged, or was changed by another program. Its data is whole.
    File,
}

impl State {
    /// Nothing yet, with all keys in memory from now on.
    pub(crate) fn with_all_keys() -> Self {
        Self { keys_kept: KeysKept::Always, ..Self::default() }
    }

    pub(crate) fn entry(&self, name: &SessionName) -> Option<&Entry> {
        self.sessions.get(name)
    }

    /// Takes over a durable transaction.
    pub(crate) fn take(&mut self, transaction: &Transaction) {
        let commits = transaction.batch.iter().flat_map(|batch| batch.commits().chunk_by(same_session));
        commits.for_each(|commits| self.apply_all(commits));
        for (name, hold) in &transaction.holds {
            self.set_hold(name, hold.clone());
        }
        for (name, _, keys) in &transaction.keys {
            self.set_keys(name, keys);
        }
        for (name, keys) in &transaction.granted {
            self.set_keys(name, keys);
        }
    }

    /// Takes over what was read from the disk again, which knows nothing of the sessions' files.
    pub(crate) fn become_again(&mut self, read: Self) {
        let earlier = std::mem::replace(self, read);
        for (name, _) in earlier.sessions.iter().filter(|(_, entry)| entry.has_file_damage()) {
            self.set_file_damage(name, Some(Damage::File));
        }
    }

    /// Takes over a durable commit.
    pub(crate) fn apply(&mut self, commit: &Commit) {
        self.apply_all(std::slice::from_ref(commit));
    }

    /// Takes over durable commits of one session. The one way in which data changes, live and in recovery.
    fn apply_all(&mut self, commits: &[Commit]) {
        let Some(last) = commits.last() else { return };
        self.revision = last.revision;
        let mut data = commits.iter().filter(|commit| commit.event.is_data()).peekable();
        if data.peek().is_some() {
            let entry = self.entry_mut(&last.name);
            data.for_each(|commit| entry.apply(commit));
            self.forget_if_empty(&last.name);
        }
    }

    /// Takes over a session's last hold.
    pub(crate) fn set_hold(&mut self, name: &SessionName, mut hold: Hold) {
        let held = hold.status == HoldStatus::Held;
        if matches!(hold.status, HoldStatus::Released | HoldStatus::Over) {
            let former = self.former.entry(hold.holder.principal.clone());
            let former = former.or_insert_with_key(|principal| Holder::of(principal.clone()).into());
            hold.holder = Arc::clone(former);
        }
        let entry = self.entry_mut(name);
        let was_held = entry.holder().is_some();
        entry.hold = Some(Arc::new(hold));
        self.held = self.held + usize::from(held) - usize::from(was_held);
        if !held && self.keys_kept == KeysKept::WhileHeld {
            self.entry_mut(name).keys = None;
        }
    }

    /// Forgets a session's last hold.
    pub(crate) fn drop_hold(&mut self, name: &SessionName) {
        if let Some(entry) = self.sessions.get_mut(name) {
            self.held -= usize::from(entry.holder().is_some());
            entry.hold = None;
            self.forget_if_empty(name);
        }
    }

    /// Takes over a session's keys, if they are to be in memory.
    pub(crate) fn set_keys(&mut self, name: &SessionName, keys: &Arc<Keys>) {
        let always = self.keys_kept == KeysKept::Always;
        if let Some(entry) = self.sessions.get_mut(name)
            && (always || entry.held().is_some())
        {
            entry.keys = Some(Arc::clone(keys));
        }
    }

    /// Notes whether something is wrong with a known session's file.
    pub(crate) fn set_file_damage(&mut self, name: &SessionName, damage: Option<Damage>) {
        if let Some(entry) = self.sessions.get_mut(name)
            && !matches!(entry.damage, Some(Damage::Stored(_)))
        {
            entry.damage = damage;
            self.forget_if_empty(name);
        }
    }

    pub(crate) fn entry_mut(&mut self, name: &SessionName) -> &mut Entry {
        if !self.sessions.contains_key(name) {
            self.sessions.insert(name.clone(), Entry::default());
        }
        self.sessions.get_mut(name).expect("it was just made")
    }

    fn forget_if_empty(&mut self, name: &SessionName) {
        let empty = |entry: &Entry| entry.session.is_none() && entry.hold.is_none() && entry.damage.is_none();
        if self.sessions.get(name).is_some_and(empty) {
            self.sessions.remove(name);
        }
    }
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            revision: 0,
            changed: SystemTime::UNIX_EPOCH,
            session: None,
            keys: None,
            hold: None,
            damage: None,
        }
    }
}

impl Entry {
    /// Takes over a commit of data.
    fn apply(&mut self, commit: &Commit) {
        self.changed = commit.time;
        self.revision = commit.revision;
        match &commit.event {
            // In recovery: what the change was made to cannot be read.
            Event::Advanced(_) if matches!(self.damage, Some(Damage::Stored(_))) => {}
            Event::Advanced(change) => Arc::make_mut(self.session.get_or_insert_default()).advance(change),
            Event::Saved(session) => {
                self.session = Some(Arc::clone(session));
                self.damage = None;
            }
            Event::Deleted => {
                self.revision = 0;
                self.session = None;
                self.damage = None;
            }
            Event::HoldChanged { .. } | Event::Kept => {}
        }
    }

    /// The current hold.
    pub(crate) fn held(&self) -> Option<&Arc<Hold>> {
        self.hold.as_ref().filter(|hold| hold.status == HoldStatus::Held)
    }

    /// Checks a token that is shown to read what only the holder may.
    pub(crate) fn check(&self, bearer: &Bearer) -> Result<(), Error> {
        let hold = self.held().filter(|hold| hold.token == bearer.token).ok_or(Error::Fenced)?;
        if hold.holder.principal == bearer.principal { Ok(()) } else { Err(Error::NotPermitted) }
    }

    /// Who holds the session.
    pub(crate) fn holder(&self) -> Option<&Arc<Holder>> {
        self.held().map(|hold| &hold.holder)
    }

    /// Why its data cannot be told.
    pub(crate) fn unreadable(&self) -> Option<&Arc<str>> {
        match &self.damage {
            Some(Damage::Stored(why)) => Some(why),
            Some(Damage::File) | None => None,
        }
    }

    /// Whether something is wrong with its file.
    pub(crate) fn has_file_damage(&self) -> bool {
        matches!(self.damage, Some(Damage::File))
    }

    /// Whether there is nothing but a hold that has ended.
    pub(crate) fn is_leftover(&self) -> bool {
        self.hold.is_some() && !self.is_visible()
    }

    /// Whether it is to be listed and watched: it has data, is held, or is damaged.
    pub(crate) fn is_visible(&self) -> bool {
        self.session.is_some() || self.held().is_some() || self.damage.is_some()
    }
}

fn same_session(one: &Commit, other: &Commit) -> bool {
    one.name == other.name
}

/// A session with its keys put in.
pub(crate) fn with_keys(session: &Session, keys: &Keys) -> Session {
    let mut session = session.clone();
    for dc in &mut session.dcs {
        dc.auth = keys.get(&dc.id).cloned().map_or(Auth::Absent, Auth::Key);
    }
    session
}

/// A session's keys.
pub(crate) fn keys_of(session: &Session) -> Keys {
    session.dcs.iter().filter_map(|dc| Some((dc.id, dc.auth.key()?.clone()))).collect()
}
