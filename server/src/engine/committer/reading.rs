//! What is kept beside sessions, read from where it is written. Nobody else has the store open, so a reader keeps the writer
//! waiting: for a piece at a time, and a piece takes less than a commit does.

use std::thread;

use sessiond_proto::SessionName;
use sessiond_session::{Attribute, Peer};

use super::Committer;
use crate::engine::{
    AttributeRange, Bearer, Belongings, Error, Keeper, Listing, PeerFilter, PeerKey, Piece, Revision,
    journal::Journal, locks::lock, weight,
};

/// Keys that are looked up in one piece.
const KEYS: usize = 100;

/// Most bytes of an answer, so that a message has room for it.
const ANSWER_BYTES: usize = 3 << 20;

/// A message of a listing takes no more pieces once it has so many peers, or so many bytes: a piece has about as many again
/// at the most.
const LISTED: usize = 500;
const LISTED_BYTES: usize = 256 << 10;

impl<J: Journal> Committer<J> {
    /// Looks up peers. Reads the disk.
    pub(crate) fn peers(
        &self,
        name: &SessionName,
        bearer: &Bearer,
        keys: &[PeerKey],
    ) -> Result<(Vec<Option<Peer>>, Revision), Error> {
        let mut answer = Answer::default();
        for keys in keys.chunks(KEYS) {
            self.let_writers_go_first();
            let (found, revision) = self.read(name, bearer, |keeper, belongings| {
                keys.iter().map(|key| find(keeper, name, belongings, key)).collect::<Result<Vec<_>, _>>()
            })?;
            let bytes = found.iter().flatten().map(weight::of_peer).sum();
            answer.add(found, revision, bytes)?;
        }
        Ok((answer.found, answer.revision))
    }

    /// Begins to list peers, as they are now. Reads the disk.
    pub(crate) fn list_peers(
        &self,
        name: SessionName,
        bearer: Bearer,
        filter: PeerFilter,
    ) -> Result<Listing, Error> {
        let mut writer = lock(&self.core.writer);
        self.core.make_ready(&mut writer)?;
        self.check(&name, &bearer)?;
        let revision = self.state().revision;
        let owner = writer.journal.keeper().belongings(&name)?.peers;
        Ok(writer.listings.begin((name, bearer), filter, owner, revision))
    }

    /// The next peers of a listing, and how to go on. Reads the disk.
    pub(crate) fn next_peers(&self, mut listing: Listing) -> Result<(Vec<Peer>, Option<Listing>), Error> {
        let (mut told, mut bytes) = (Vec::new(), 0);
        while told.len() < LISTED && bytes < LISTED_BYTES {
            self.let_writers_go_first();
            let Piece { peers, through } = {
                let mut writer = lock(&self.core.writer);
                self.core.make_ready(&mut writer)?;
                self.check(&listing.name, &listing.bearer)?;
                listing.next(writer.journal.keeper())?
            };
            bytes += peers.iter().map(weight::of_peer).sum::<usize>();
            told.extend(peers);
            if through.is_none() {
                return Ok((told, None));
            }
        }
        Ok((told, Some(listing)))
    }

    /// Looks up attributes. Reads the disk.
    pub(crate) fn attributes(
        &self,
        name: &SessionName,
        bearer: &Bearer,
        keys: &[String],
    ) -> Result<(Vec<Attribute>, Revision), Error> {
        let mut answer = Answer::default();
        for keys in keys.chunks(KEYS) {
            let (found, revision) = self.read(name, bearer, |keeper, belongings| {
                let Some(owner) = belongings.attributes else { return Ok(Vec::new()) };
                keys.iter().filter_map(|key| keeper.attribute(name, owner, key).transpose()).collect()
            })?;
            let bytes = found.iter().map(weight::of_attribute).sum();
            answer.add(found, revision, bytes)?;
        }
        Ok((answer.found, answer.revision))
    }

    /// Some of a session's attributes by key. Reads the disk.
    pub(crate) fn list_attributes(
        &self,
        name: &SessionName,
        bearer: &Bearer,
        range: &AttributeRange,
    ) -> Result<(Vec<Attribute>, Revision), Error> {
        self.read(name, bearer, |keeper, belongings| match belongings.attributes {
            Some(owner) => keeper.attributes(name, owner, range),
            None => Ok(Vec::new()),
        })
    }

    /// Reads what is kept beside a session, for its holder, and tells the revision as of which it is.
    fn read<T>(
        &self,
        name: &SessionName,
        bearer: &Bearer,
        read: impl FnOnce(&mut dyn Keeper, &Belongings) -> Result<T, Error>,
    ) -> Result<(T, Revision), Error> {
        let mut writer = lock(&self.core.writer);
        self.core.make_ready(&mut writer)?;
        self.check(name, bearer)?;
        let keeper = writer.journal.keeper();
        let belongings = keeper.belongings(name)?;
        Ok((read(keeper, &belongings)?, self.state().revision))
    }

    /// A lock goes to whoever asks first once it is free, and who just had it is quick to ask again.
    fn let_writers_go_first(&self) {
        if !self.is_quiet() {
            thread::yield_now();
        }
    }

    fn check(&self, name: &SessionName, bearer: &Bearer) -> Result<(), Error> {
        self.state().entry(name).ok_or(Error::Fenced)?.check(bearer)
    }
}

/// What was found, piece by piece.
struct Answer<T> {
    found: Vec<T>,
    bytes: usize,
    /// That of the first piece: the others may be newer.
    revision: Revision,
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self { found: Vec::new(), bytes: 0, revision: Revision::MAX }
    }
}

impl<T> Answer<T> {
    fn add(&mut self, found: Vec<T>, revision: Revision, bytes: usize) -> Result<(), Error> {
        self.found.extend(found);
        self.bytes += bytes;
        self.revision = self.revision.min(revision);
        if self.bytes > ANSWER_BYTES {
            return Err(Error::Limit(format!(
                "the answer would have more than {ANSWER_BYTES} bytes; ask for fewer at a time"
            )));
        }
        Ok(())
    }
}

fn find(
    keeper: &mut dyn Keeper,
    name: &SessionName,
    belongings: &Belongings,
    key: &PeerKey,
) -> Result<Option<Peer>, Error> {
    let Some(owner) = belongings.peers else { return Ok(None) };
    let id = match key {
        PeerKey::Id(id) => Some(*id),
        PeerKey::Word(word) => keeper.find_peer(owner, word)?,
    };
    id.map_or(Ok(None), |id| keeper.peer(name, owner, id))
}
