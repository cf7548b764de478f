use std::{collections::HashMap, sync::Mutex};

use sessiond_proto::SessionName;

use crate::engine::locks::lock;

/// Which sessions' files have to stay locked, and why.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<SessionName, Use>>);

#[derive(Debug, Default)]
struct Use {
    held: bool,
    /// Grants that are under way.
    claims: usize,
}

impl Uses {
    pub(super) fn any(&self, name: &SessionName) -> bool {
        lock(&self.0).contains_key(name)
    }

    pub(super) fn set_held(&self, name: &SessionName, held: bool) {
        self.set(name, |used| used.held = held);
    }

    pub(super) fn begin_claim(&self, name: &SessionName) {
        self.set(name, |used| used.claims += 1);
    }

    pub(super) fn end_claim(&self, name: &SessionName) {
        self.set(name, |used| used.claims = used.claims.saturating_sub(1));
    }

    fn set(&self, name: &SessionName, set: impl FnOnce(&mut Use)) {
        let mut uses = lock(&self.0);
        let used = uses.entry(name.clone()).or_default();
        set(used);
        if !used.held && used.claims == 0 {
            uses.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Uses;

    #[test]
    fn a_file_is_used_while_its_session_is_held_or_about_to_be() {
        let uses = Uses::default();
        let name = "a".parse().expect("valid");
        uses.begin_claim(&name);
        uses.set_held(&name, true);
        uses.end_claim(&name);
        assert!(uses.any(&name));
        uses.set_held(&name, false);
        assert!(!uses.any(&name));
    }
}
