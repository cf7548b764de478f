use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, Weak},
};

use sessiond_proto::SessionName;
use sessiond_session::Peer;

use super::{Keeper, Kept, Owner, PIECE_BYTES, PeerFilter, Piece};
use crate::engine::{Bearer, Error, Revision, locks::lock, weight};

/// Most bytes, about, of what a listing still has to tell as it was.
const MEANWHILE_BYTES: usize = 8 << 20;

/// A place among a session's peers, all of them as of one revision. It costs nobody anything while it is not asked; what is
/// changed meanwhile is kept for it as it was.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) name: SessionName,
    pub(crate) bearer: Bearer,
    pub(crate) revision: Revision,
    filter: PeerFilter,
    owner: Option<Owner>,
    after: Option<i64>,
    meanwhile: Arc<Mutex<Meanwhile>>,
}

/// Who is listing. Asked before anything changes.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    open: Vec<Weak<Mutex<Meanwhile>>>,
}

/// What was changed while a listing went on, as it was before.
#[derive(Debug, Default)]
struct Meanwhile {
    owner: Option<Owner>,
    /// What comes after this is still to be told.
    after: Option<i64>,
    before: BTreeMap<i64, Option<Peer>>,
    bytes: usize,
    /// It cannot go on.
    lost: bool,
}

impl Listings {
    /// Begins a listing.
    pub(crate) fn begin(
        &mut self,
        (name, bearer): (SessionName, Bearer),
        filter: PeerFilter,
        owner: Option<Owner>,
        revision: Revision,
    ) -> Listing {
        let after = filter.after_id;
        let meanwhile = Arc::new(Mutex::new(Meanwhile { owner, after, ..Meanwhile::default() }));
        if owner.is_some() {
            self.open.push(Arc::downgrade(&meanwhile));
        }
        Listing { name, bearer, revision, filter, owner, after, meanwhile }
    }

    /// Keeps what is about to be changed as it is, for those that have not told it yet. Nothing is lost by it if the change
    /// does not come about.
    pub(crate) fn note(&mut self, changes: &[Kept]) {
        if self.open.is_empty() || changes.is_empty() {
            return;
        }
        self.open.retain(|listing| {
            let Some(listing) = listing.upgrade() else { return false };
            let mut listing = lock(&listing);
            changes.iter().for_each(|kept| listing.note(kept));
            !listing.lost
        });
    }
}

impl Meanwhile {
    fn note(&mut self, kept: &Kept) {
        if kept.dropped.iter().any(|owner| self.owner == Some(*owner)) {
            self.lost = true;
        } else if kept.belongings.peers == self.owner {
            let to_tell = |id: i64| self.after.is_none_or(|after| id > after);
            for peer in kept.peers.iter().filter(|peer| to_tell(peer.id)) {
                if let Entry::Vacant(vacant) = self.before.entry(peer.id) {
                    self.bytes += weight_before(vacant.insert(peer.before.clone()));
                }
            }
            self.lost |= self.bytes > MEANWHILE_BYTES;
        }
        if self.lost {
            self.before.clear();
        }
    }
}

impl Meanwhile {
    /// What was told need not be kept.
    fn forget_through(&mut self, through: i64) {
        self.before.retain(|id, _| *id > through);
        self.bytes = self.before.values().map(weight_before).sum();
    }
}

fn weight_before(peer: &Option<Peer>) -> usize {
    peer.as_ref().map_or(0, weight::of_peer) + size_of::<Peer>()
}

/// How many of these make a piece: at least one, if there is one.
fn count_that_fit(peers: &[Peer]) -> Option<usize> {
    let mut room = PIECE_BYTES;
    let mut fits = |peer: &Peer| {
        let fits = room > 0;
        room = room.saturating_sub(weight::of_peer(peer));
        fits
    };
    peers.iter().position(|peer| !fits(peer))
}

impl Listing {
    /// The next peers. Quick, since writers wait.
    pub(crate) fn next(&mut self, keeper: &mut dyn Keeper) -> Result<Piece, Error> {
        let Some(owner) = self.owner else { return Ok(Piece::default()) };
        let mut meanwhile = lock(&self.meanwhile);
        if meanwhile.lost {
            return Err(Error::Limit(
                "the peers were deleted, or most of them changed, before they were told; list them again"
                    .into(),
            ));
        }
        let Piece { mut peers, mut through } = keeper.peers(&self.name, owner, self.after, &self.filter)?;
        if !meanwhile.before.is_empty() {
            // As they were, in place of what they are.
            peers.retain(|peer| !meanwhile.before.contains_key(&peer.id));
            let (before, filter) = (&meanwhile.before, &self.filter);
            let told = before.range(..=through.unwrap_or(i64::MAX)).filter_map(|(_, peer)| peer.as_ref());
            peers.extend(told.filter(|peer| filter.takes(peer.kind, peer.seen)).cloned());
            peers.sort_unstable_by_key(|peer| peer.id);
            if let Some(fit) = count_that_fit(&peers).filter(|fit| *fit < peers.len()) {
                peers.truncate(fit);
                through = peers.last().map(|peer| peer.id);
            }
            meanwhile.forget_through(through.unwrap_or(i64::MAX));
        }
        (self.after, meanwhile.after) = (through, through);
        Ok(Piece { peers, through })
    }
}
