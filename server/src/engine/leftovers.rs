use std::collections::{HashMap, VecDeque};

use sessiond_proto::SessionName;

use super::{
    HoldStatus, Revision,
    journal::Transaction,
    state::{Entry, State},
};

/// Names without a session whose last hold has ended. Its token still serves to delete, so it is remembered as long as the
/// log has its end, and then forgotten: names that were only ever held cost nothing for ever.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// In the order in which they are to be looked at.
    order: VecDeque<(Revision, SessionName)>,
    newest: HashMap<SessionName, Revision>,
}

impl Leftovers {
    /// Those of a state.
    pub(crate) fn of(state: &State) -> Self {
        let mut leftovers = Self::default();
        for (name, _) in state.sessions.iter().filter(|(_, entry)| entry.is_leftover()) {
            leftovers.note(name, state.revision);
        }
        leftovers
    }

    /// Notes those that a transaction, which the state has taken over, has made.
    pub(crate) fn note_ended(&mut self, state: &State, transaction: &Transaction) {
        let ended = transaction.holds.iter().filter(|(_, hold)| hold.status != HoldStatus::Held);
        // A deletion takes the keys away.
        let deleted = transaction.keys.iter().filter(|(_, _, keys)| keys.is_empty()).map(|(name, _, _)| name);
        for name in ended.map(|(name, _)| name).chain(deleted) {
            if state.entry(name).is_some_and(Entry::is_leftover) {
                self.note(name, state.revision);
            }
        }
    }

    /// Has a name looked at once the log is trimmed past a revision. Each call begins the wait anew.
    pub(crate) fn note(&mut self, name: &SessionName, revision: Revision) {
        self.order.push_back((revision, name.clone()));
        self.newest.insert(name.clone(), revision);
    }

    /// Takes some of the names whose time has come, at most `count`.
    pub(crate) fn take(&mut self, trimmed: Revision, count: usize) -> Vec<SessionName> {
        let mut names = Vec::new();
        while names.len() < count
            && let Some((revision, name)) = self.order.pop_front_if(|(revision, _)| *revision <= trimmed)
        {
            if self.newest.get(&name) == Some(&revision) {
                self.newest.remove(&name);
                names.push(name);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::Leftovers;

    #[test]
    fn a_name_is_looked_at_when_the_log_is_past_its_latest_hold() {
        let mut leftovers = Leftovers::default();
        let (a, b) = ("a".parse().expect("valid"), "b".parse().expect("valid"));
        leftovers.note(&a, 1);
        leftovers.note(&b, 2);
        leftovers.note(&a, 3);
        assert!(leftovers.take(1, 9).is_empty(), "it was held again since");
        assert_eq!(leftovers.take(3, 1), [b]);
        assert_eq!(leftovers.take(3, 1), [a]);
        assert!(leftovers.take(9, 9).is_empty());
    }
}
