//! What was read of a file, checked as what comes in messages is.

use sessiond_proto::v1;

use super::InvalidSession;
use crate::{Attribute, Contents, Peer};

impl Contents {
    /// The same, if a daemon takes it: a file may have a name that is longer than what is kept, say.
    ///
    /// # Errors
    /// The first field that has a value that it must not have.
    pub fn checked(self) -> Result<Self, InvalidSession> {
        let Self { session, peers, attributes } = self;
        let session = v1::Session::from(session).try_into()?;
        let peers = peers.into_iter().map(|peer| Peer::try_from(v1::Peer::from(peer)));
        let peers = peers.collect::<Result<_, _>>()?;
        let attributes = attributes.into_iter().map(|kept| Attribute::try_from(v1::Attribute::from(kept)));
        Ok(Self { session, peers, attributes: attributes.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Contents, Peer};

    #[test]
    fn what_a_daemon_takes_stays_as_it_is_and_the_rest_is_refused_by_its_field() {
        let whole = crate::formats::random::rich();
        assert!(whole.clone().checked().as_ref() == Ok(&whole));
        let long = Peer { id: 5, name: Some("a".repeat(1_025)), ..Peer::default() };
        let refused =
            Contents { peers: [long].into_iter().collect(), ..whole }.checked().expect_err("too long");
        assert_eq!(refused.field, "peers[id=5].name");
    }
}
