//! What is kept beside a session: its peers and its attributes. They are in no memory but that of the engine `memory`: a
//! session may have a hundred thousand peers, and there may be a hundred thousand sessions.

mod draft;
mod listing;
mod volatile;

use sessiond_proto::SessionName;
use sessiond_session::{Attribute, Peer, PeerKind};

pub(crate) use self::{
    draft::Drafts,
    listing::{Listing, Listings},
    volatile::VolatileKeeper,
};
use super::{Error, Revision, weight};

/// A listing takes no more peers in one piece after so many bytes, about: a writer waits for it.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// Whose peers, or whose attributes: the revision of the commit that began them. One that was deleted never comes back, so
/// its rows can be removed at leisure.
pub(crate) type Owner = Revision;

/// What a session has beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Belongings {
    /// `None`: it has no peers.
    pub(crate) peers: Option<Owner>,
    pub(crate) peer_count: usize,
    /// Which peer is the account itself.
    pub(crate) self_id: Option<i64>,
    /// `None`: it has no attributes.
    pub(crate) attributes: Option<Owner>,
    pub(crate) attribute_count: usize,
    pub(crate) attribute_bytes: usize,
}

/// What to do with them.
#[derive(Debug)]
pub(crate) enum Keep {
    PutPeers(Vec<Peer>),
    DeletePeers(Vec<i64>),
    DeleteAllPeers,
    /// No key is both set and deleted.
    PutAttributes {
        attributes: Vec<Attribute>,
        delete: Vec<String>,
    },
    DeleteAttributes {
        keys: Vec<String>,
        prefix: Option<String>,
    },
}

/// What a transaction makes of one session's belongings.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) name: SessionName,
    /// Revision of its last commit that did.
    pub(crate) revision: Revision,
    pub(crate) belongings: Belongings,
    /// Peers that it changes, by id.
    pub(crate) peers: Vec<KeptPeer>,
    /// Attributes that it sets, or deletes, by key.
    pub(crate) attributes: Vec<(String, Option<Attribute>)>,
    /// Whose peers and attributes are gone altogether.
    pub(crate) dropped: Vec<Owner>,
}

/// A peer before a transaction, and after it.
#[derive(Debug)]
pub(crate) struct KeptPeer {
    pub(crate) id: i64,
    pub(crate) before: Option<Peer>,
    pub(crate) after: Option<Peer>,
}

/// What a peer is looked up by.
#[derive(Clone)]
pub(crate) enum PeerKey {
    Id(i64),
    Word(Word),
}

/// What may be known of several peers. Ordered, so that it can be the beginning of a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word {
    pub(crate) kind: WordKind,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WordKind {
    Username,
    Phone,
    Name,
}

/// Which peers to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerFilter {
    /// `None` among them: those whose kind is not known. Empty: all.
    pub(crate) kinds: Vec<Option<PeerKind>>,
    pub(crate) after_id: Option<i64>,
    pub(crate) seen_after: Option<i64>,
}

/// Some of an owner's peers, by id.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) peers: Vec<Peer>,
    /// All up to this id were looked at. `None`: all there are.
    pub(crate) through: Option<i64>,
}

/// Which attributes to tell.
#[derive(Debug, Clone, Default)]
pub(crate) struct AttributeRange {
    pub(crate) prefix: String,
    pub(crate) after: Option<String>,
    /// At most so many, and no more after so many bytes.
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

/// Where belongings are kept, to be read. Whoever reads keeps the writer waiting, so all of this is quick.
pub(crate) trait Keeper {
    fn belongings(&mut self, name: &SessionName) -> Result<Belongings, Error>;

    /// `name` is here and below the session whose owner it is.
    fn peer(&mut self, name: &SessionName, owner: Owner, id: i64) -> Result<Option<Peer>, Error>;

    /// Of those of whom this is known, the one that was seen last; among equals, the one of the highest id.
    fn find_peer(&mut self, owner: Owner, word: &Word) -> Result<Option<i64>, Error>;

    /// The next peers after an id that a filter lets through.
    fn peers(
        &mut self,
        name: &SessionName,
        owner: Owner,
        after: Option<i64>,
        filter: &PeerFilter,
    ) -> Result<Piece, Error>;

    fn attribute(&mut self, name: &SessionName, owner: Owner, key: &str) -> Result<Option<Attribute>, Error>;

    fn attributes(
        &mut self,
        name: &SessionName,
        owner: Owner,
        range: &AttributeRange,
    ) -> Result<Vec<Attribute>, Error>;

    /// How many bytes each attribute has whose key begins so.
    fn attribute_sizes(
        &mut self,
        name: &SessionName,
        owner: Owner,
        prefix: &str,
    ) -> Result<Vec<(String, usize)>, Error>;
}

impl Keep {
    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let keys = |keys: &[String]| keys.iter().map(|key| size_of::<String>() + key.len()).sum::<usize>();
        match self {
            Self::PutPeers(peers) => peers.iter().map(weight::of_peer).sum(),
            Self::DeletePeers(ids) => ids.len() * size_of::<i64>(),
            Self::DeleteAllPeers => 0,
            Self::PutAttributes { attributes, delete } => {
                attributes.iter().map(weight::of_attribute).sum::<usize>() + keys(delete)
            }
            Self::DeleteAttributes { keys: deleted, .. } => keys(deleted),
        }
    }

    /// How many rows it may change at the most, as far as it says.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::PutPeers(peers) => peers.len(),
            Self::DeletePeers(ids) => ids.len(),
            Self::DeleteAllPeers => 1,
            Self::PutAttributes { attributes, delete } => attributes.len() + delete.len(),
            Self::DeleteAttributes { keys, .. } => keys.len().max(1),
        }
    }
}

impl Word {
    pub(crate) fn username(username: &str) -> Self {
        Self { kind: WordKind::Username, text: Peer::folded(username) }
    }

    pub(crate) fn phone(phone: String) -> Self {
        Self { kind: WordKind::Phone, text: phone }
    }

    pub(crate) fn name(name: String) -> Self {
        Self { kind: WordKind::Name, text: name }
    }

    /// What a peer is found by, each once. Who is known only as `min` has no username and no phone number of which Telegram
    /// was asked.
    pub(crate) fn all_of(peer: &Peer) -> Vec<Self> {
        let mut words = Vec::new();
        if peer.min != Some(true) {
            words.extend(peer.usernames.iter().flatten().map(|username| Self::username(username)));
            words.extend(peer.phone.iter().cloned().map(Self::phone));
        }
        words.extend(peer.name.iter().cloned().map(Self::name));
        words.sort_unstable();
        words.dedup();
        words
    }
}

/// It may be a name or a phone number.
impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Word").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(f, "Id({id})"),
            Self::Word(word) => write!(f, "{word:?}"),
        }
    }
}

impl PeerFilter {
    /// Whether it lets a peer of this kind through that was last seen then.
    pub(crate) fn takes(&self, kind: Option<PeerKind>, seen: Option<i64>) -> bool {
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&kind);
        of_kind && self.seen_after.is_none_or(|after| seen.is_some_and(|seen| seen > after))
    }
}
