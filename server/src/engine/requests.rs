use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
};

use sessiond_proto::SessionName;

use super::{Error, Request, Revision};

/// How many request ids of a session are remembered at the most.
const PER_SESSION: usize = 1_024;

/// How many sessions' answers are gone through at a time to forget old ones.
const TRIM_SESSIONS: usize = 1_024;

/// The answers to recent requests, so that a retry gets the first one.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    sessions: BTreeMap<SessionName, Answers>,
    /// The last session that was gone through.
    trimmed: Option<SessionName>,
}

/// A request, and what was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) request: Request,
    pub(crate) revision: Revision,
}

/// One session's, by their key.
#[derive(Debug, Default)]
struct Answers {
    by_key: HashMap<u64, Answered>,
    /// Oldest first, with the revision of the log row that has it; it is remembered as long as that. Not the one answered,
    /// which of a request that changed nothing may be much older.
    order: VecDeque<(u64, Revision)>,
}

impl Requests {
    /// The first answer, if the request was made before.
    ///
    /// # Errors
    /// Its id was used for something else.
    pub(crate) fn answer(&self, name: &SessionName, request: Request) -> Result<Option<Revision>, Error> {
        match self.sessions.get(name).and_then(|answers| answers.by_key.get(&request.key)) {
            Some(answered) if answered.request.content != request.content => Err(Error::RequestIdReused),
            answered => Ok(answered.map(|answered| answered.revision)),
        }
    }

    /// Remembers an answer as long as the log has the row that ends with `logged`.
    pub(crate) fn remember(&mut self, name: &SessionName, answered: Answered, logged: Revision) {
        if !self.sessions.contains_key(name) {
            self.sessions.insert(name.clone(), Answers::default());
        }
        let answers = self.sessions.get_mut(name).expect("it was just made");
        answers.forget_oldest_if(|answers| answers.order.len() == PER_SESSION);
        answers.by_key.insert(answered.request.key, answered);
        answers.order.push_back((answered.request.key, logged));
    }

    /// Forgets some of what the log no longer has. Called again and again, all of it.
    pub(crate) fn trim(&mut self, through: Revision) {
        let start = self.trimmed.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let sessions = self.sessions.range_mut::<SessionName, _>((start, Bound::Unbounded));
        let (mut names, mut emptied) = (Vec::new(), Vec::new());
        for (name, answers) in sessions.take(TRIM_SESSIONS) {
            let gone =
                |answers: &Answers| answers.order.front().is_some_and(|(_, logged)| *logged <= through);
            while answers.forget_oldest_if(gone) {}
            if answers.order.is_empty() {
                emptied.push(name.clone());
            }
            names.push(name.clone());
        }
        // After the last ones, from the beginning again.
        self.trimmed = if names.len() < TRIM_SESSIONS { None } else { names.pop() };
        emptied.iter().for_each(|name| drop(self.sessions.remove(name)));
    }
}

impl Answers {
    fn forget_oldest_if(&mut self, condition: impl FnOnce(&Self) -> bool) -> bool {
        let oldest = if condition(self) { self.order.pop_front() } else { None };
        if let Some((key, _)) = oldest {
            self.by_key.remove(&key);
        }
        oldest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{Answered, PER_SESSION, Requests, TRIM_SESSIONS};
    use crate::engine::{Error, Request};

    #[test]
    fn a_request_is_remembered_until_a_thousand_newer_ones() {
        let name = "a".parse().expect("valid");
        let mut requests = Requests::default();
        let request = |key| Request { key, content: 1 };
        for key in 0..=PER_SESSION as u64 {
            requests.remember(&name, Answered { request: request(key), revision: 10 }, 10);
        }
        assert!(matches!(requests.answer(&name, request(0)), Ok(None)));
        assert!(matches!(requests.answer(&name, request(1)), Ok(Some(10))));
        let other = Request { key: 1, content: 2 };
        assert!(matches!(requests.answer(&name, other), Err(Error::RequestIdReused)));
    }

    #[test]
    fn what_the_log_no_longer_has_is_forgotten() {
        let mut requests = Requests::default();
        let request = Request { key: 1, content: 1 };
        for number in 0..=TRIM_SESSIONS {
            let name = format!("s{number}").parse().expect("valid");
            requests.remember(&name, Answered { request, revision: 10 }, 10);
        }
        requests.trim(9);
        requests.trim(9);
        assert_eq!(requests.sessions.len(), TRIM_SESSIONS + 1);
        requests.trim(10);
        requests.trim(10);
        assert!(requests.sessions.is_empty());
    }

    #[test]
    fn an_answer_that_changed_nothing_is_remembered_as_long_as_the_row_that_has_it() {
        let name = "a".parse().expect("valid");
        let mut requests = Requests::default();
        let request = Request { key: 1, content: 1 };
        requests.remember(&name, Answered { request, revision: 0 }, 11);
        requests.trim(10);
        assert!(matches!(requests.answer(&name, request), Ok(Some(0))));
        requests.trim(11);
        assert!(matches!(requests.answer(&name, request), Ok(None)));
    }
}
