use std::collections::{HashMap, VecDeque};

use sessiond_proto::SessionName;

use super::{Error, Request, Revision};

/// How many request ids of a session are remembered at the most.
const PER_SESSION: usize = 1_024;

/// The answers to recent requests, so that a retry gets the first one.
#[derive(Debug, Default)]
pub(crate) struct Requests(HashMap<SessionName, VecDeque<Answered>>);

/// A request, and what was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) request: Request,
    pub(crate) revision: Revision,
}

impl Requests {
    /// The first answer, if the request was made before.
    ///
    /// # Errors
    /// Its id was used for something else.
    pub(crate) fn answer(&self, name: &SessionName, request: Request) -> Result<Option<Revision>, Error> {
        let answered = self.0.get(name).map(|answers| answers.iter().rev());
        match answered.into_iter().flatten().find(|answered| answered.request.key == request.key) {
            Some(answered) if answered.request.content != request.content => Err(Error::RequestIdReused),
            answered => Ok(answered.map(|answered| answered.revision)),
        }
    }

    pub(crate) fn remember(&mut self, name: &SessionName, answered: Answered) {
        if !self.0.contains_key(name) {
            self.0.insert(name.clone(), VecDeque::new());
        }
        let answers = self.0.get_mut(name).expect("it was just made");
        if answers.len() == PER_SESSION {
            answers.pop_front();
        }
        answers.push_back(answered);
    }

    /// Forgets what the log no longer has.
    pub(crate) fn trim(&mut self, through: Revision) {
        self.0.retain(|_, answers| {
            while answers.front().is_some_and(|answered| answered.revision <= through) {
                answers.pop_front();
            }
            !answers.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Answered, PER_SESSION, Requests};
    use crate::engine::{Error, Request};

    #[test]
    fn a_request_is_remembered_until_a_thousand_newer_ones() {
        let name = "a".parse().expect("valid");
        let mut requests = Requests::default();
        let request = |key| Request { key, content: 1 };
        for key in 0..=PER_SESSION as u64 {
            requests.remember(&name, Answered { request: request(key), revision: 10 });
        }
        assert!(matches!(requests.answer(&name, request(0)), Ok(None)));
        assert!(matches!(requests.answer(&name, request(1)), Ok(Some(10))));
        let other = Request { key: 1, content: 2 };
        assert!(matches!(requests.answer(&name, other), Err(Error::RequestIdReused)));
    }

    #[test]
    fn what_the_log_no_longer_has_is_forgotten() {
        let name = "a".parse().expect("valid");
        let mut requests = Requests::default();
        let request = Request { key: 1, content: 1 };
        requests.remember(&name, Answered { request, revision: 10 });
        requests.trim(10);
        assert!(requests.0.is_empty());
    }
}
