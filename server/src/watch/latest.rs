use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::SystemTime,
};

use sessiond_proto::SessionName;
use sessiond_session::{Session, StateChange};

use crate::engine::{Commit, Event, Revision};

/// What a row of commits came to: of each session the last state, and the last change of its hold.
#[derive(Default)]
pub(super) struct Latest {
    data: HashMap<SessionName, Folded>,
    holds: HashMap<SessionName, Commit>,
    /// Commits gone through.
    pub(super) read: usize,
}

/// One session's commits of data, to be told as one with the same effect.
struct Folded {
    /// Revision before the first.
    previous: Revision,
    last: Revision,
    time: SystemTime,
    /// What it was saved as, or that it was deleted.
    base: Option<Event>,
    /// What was set since.
    changes: Vec<StateChange>,
}

impl Latest {
    pub(super) fn add(&mut self, commit: Commit) {
        let Commit { revision, previous, name, time, event } = commit;
        if !event.is_data() {
            self.holds.insert(name.clone(), Commit { revision, previous, name, time, event });
            return;
        }
        let new = || Folded { previous, last: revision, time, base: None, changes: Vec::new() };
        let folded = self.data.entry(name).or_insert_with(new);
        (folded.last, folded.time) = (revision, time);
        match event {
            Event::Advanced(change) => folded.changes.push(change),
            base => {
                folded.changes.clear();
                folded.base = Some(base);
            }
        }
    }

    /// In the order of their revisions.
    pub(super) fn commits(self) -> VecDeque<Commit> {
        let Self { data, mut holds, read: _ } = self;
        for hold in holds.values_mut() {
            // What came before it is told with what came after it.
            if let Some(data) = data.get(&hold.name).filter(|data| data.last > hold.revision) {
                hold.previous = data.previous;
            }
        }
        let data = data.into_iter().map(|(name, folded)| folded.into_commit(name));
        let mut commits: Vec<_> = data.chain(holds.into_values()).collect();
        commits.sort_unstable_by_key(|commit| commit.revision);
        commits.into()
    }
}

impl Folded {
    fn into_commit(self, name: SessionName) -> Commit {
        let Self { previous, last: revision, time, base, changes } = self;
        let changed = !changes.is_empty();
        let change = StateChange::joined(changes);
        let event = match base {
            None => Event::Advanced(change),
            Some(base) if !changed => base,
            Some(Event::Saved(mut session)) => {
                Arc::make_mut(&mut session).advance(&change);
                Event::Saved(session)
            }
            Some(_) => {
                let mut session = Session::default();
                session.advance(&change);
                Event::Saved(Arc::new(session))
            }
        };
        Commit { revision, previous, name, time, event }
    }
}
