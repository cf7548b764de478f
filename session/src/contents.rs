use crate::{Attribute, Peers, Session};

/// Everything that is kept of one session: the session of the reference, and what libraries keep beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The session.
    pub session: Session,
    /// The peers that its account met.
    pub peers: Peers,
    /// What only some libraries need, by ascending key, each key once.
    pub attributes: Vec<Attribute>,
}

impl Contents {
    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&[u8]> {
        let found = self.attributes.binary_search_by(|attribute| attribute.key.as_str().cmp(key));
        found.ok().map(|at| self.attributes[at].value.as_slice())
    }

    /// The value of an attribute that is a number: 8 bytes, the lowest first.
    pub fn number(&self, key: &str) -> Option<i64> {
        Some(i64::from_le_bytes(self.attribute(key)?.try_into().ok()?))
    }
}
