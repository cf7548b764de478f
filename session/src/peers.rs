mod packed;

use std::{fmt, iter, mem, vec};

use crate::Peer;
use packed::Unpacking;

/// Bytes of a piece, if it is not of one peer alone. A larger one is never copied as it grows.
const PIECE: usize = 32 << 10;

/// Peers by ascending id, each id once. They are kept packed, in about as many bytes as a library's row has, and not as
/// [`Peer`]s, which take ten times as much: a session can have a million. `Debug` shows what that of a [`Peer`] does.
///
/// ```
/// use sessiond_session::{Peer, Peers};
///
/// let peer = |id| Peer { id, ..Peer::default() };
/// let peers: Peers = [peer(7), peer(-5)].into_iter().collect();
/// assert_eq!(peers.len(), 2);
/// assert!(peers.iter().eq([peer(-5), peer(7)]));
/// assert_eq!(peers.find(7), Some(peer(7)));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Peers {
    /// Whole peers each, one after the other.
    pieces: Vec<Vec<u8>>,
    count: usize,
    bytes: usize,
    last: Option<i64>,
}

impl Peers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Peer> + '_ {
        self.pieces.iter().flat_map(|piece| Unpacking::of(piece))
    }

    /// The one of an id. It looks through all that are before it.
    pub fn find(&self, id: i64) -> Option<Peer> {
        self.iter().find(|peer| peer.id >= id).filter(|peer| peer.id == id)
    }

    /// The last one's id, above which the next one's has to be to follow it.
    pub(crate) fn last_id(&self) -> Option<i64> {
        self.last
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the one that follows.
    fn append(&mut self, peer: &Peer) {
        let packed = packed::packed(peer);
        if self.pieces.last().is_none_or(|piece| piece.len() + packed.len() > PIECE) {
            // The first one grows, for most sessions have few.
            let room = if self.pieces.is_empty() { packed.len() } else { PIECE.max(packed.len()) };
            self.pieces.push(Vec::with_capacity(room));
            self.bytes += room;
        }
        self.pieces.last_mut().expect("there is one now").extend_from_slice(&packed);
        self.count += 1;
        self.last = Some(peer.id);
    }
}

/// Of several with the same id the last one stays. Those that come by ascending id, behind those that are there, take no
/// more room than they will have; any other makes it necessary to sort them all.
impl Extend<Peer> for Peers {
    fn extend<I: IntoIterator<Item = Peer>>(&mut self, peers: I) {
        let mut peers = peers.into_iter();
        while let Some(peer) = peers.next() {
            if self.last.is_some_and(|last| peer.id <= last) {
                let mut all: Vec<Peer> = mem::take(self).into_iter().chain([peer]).chain(peers).collect();
                all.reverse();
                all.sort_by_key(|peer| peer.id);
                all.dedup_by_key(|peer| peer.id);
                all.iter().for_each(|peer| self.append(peer));
                return;
            }
            self.append(&peer);
        }
    }
}

impl FromIterator<Peer> for Peers {
    fn from_iter<I: IntoIterator<Item = Peer>>(peers: I) -> Self {
        let mut all = Self::default();
        all.extend(peers);
        all
    }
}

/// Each of them, while those before it go out of memory.
impl IntoIterator for Peers {
    type Item = Peer;
    type IntoIter = iter::FlatMap<vec::IntoIter<Vec<u8>>, Vec<Peer>, fn(Vec<u8>) -> Vec<Peer>>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter().flat_map(|piece| Unpacking::of(&piece).collect())
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
