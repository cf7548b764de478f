use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

use sessiond_proto::SessionName;
use sessiond_session::{Attribute, Peer};

use super::{AttributeRange, Belongings, Keeper, Kept, Owner, PIECE_BYTES, PeerFilter, Piece, Word};
use crate::engine::{Error, weight};

/// Peers that are looked at at a time.
const PEERS: usize = 500;

/// Belongings in memory alone.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct VolatileKeeper {
    belongings: HashMap<SessionName, Belongings>,
    peers: HashMap<Owner, Peers>,
    attributes: HashMap<Owner, BTreeMap<String, Attribute>>,
}

#[derive(Debug, Default, PartialEq)]
struct Peers {
    by_id: BTreeMap<i64, Peer>,
    /// What they are found by, then when they were seen, and their id.
    words: BTreeSet<(Word, i64, i64)>,
}

impl VolatileKeeper {
    /// Takes over what a transaction makes of sessions' belongings.
    pub(crate) fn take(&mut self, changes: &[Kept]) {
        for Kept { name, revision: _, belongings, peers, attributes, dropped } in changes {
            for owner in dropped {
                self.peers.remove(owner);
                self.attributes.remove(owner);
            }
            if let Some(owner) = belongings.peers {
                let kept = self.peers.entry(owner).or_default();
                peers.iter().for_each(|peer| kept.set(peer.id, peer.after.as_ref()));
            }
            if let Some(owner) = belongings.attributes {
                let kept = self.attributes.entry(owner).or_default();
                for (key, attribute) in attributes {
                    match attribute {
                        Some(attribute) => drop(kept.insert(key.clone(), attribute.clone())),
                        None => drop(kept.remove(key)),
                    }
                }
            }
            self.belongings.insert(name.clone(), belongings.clone());
            if *belongings == Belongings::default() {
                self.belongings.remove(name);
            }
        }
    }
}

impl Peers {
    fn set(&mut self, id: i64, peer: Option<&Peer>) {
        if let Some(before) = self.by_id.remove(&id) {
            let seen = before.seen.unwrap_or(0);
            for word in Word::all_of(&before) {
                self.words.remove(&(word, seen, id));
            }
        }
        if let Some(peer) = peer {
            let seen = peer.seen.unwrap_or(0);
            self.words.extend(Word::all_of(peer).into_iter().map(|word| (word, seen, id)));
            self.by_id.insert(id, peer.clone());
        }
    }
}

impl Keeper for VolatileKeeper {
    fn belongings(&mut self, name: &SessionName) -> Result<Belongings, Error> {
        Ok(self.belongings.get(name).cloned().unwrap_or_default())
    }

    fn peer(&mut self, _: &SessionName, owner: Owner, id: i64) -> Result<Option<Peer>, Error> {
        Ok(self.peers.get(&owner).and_then(|peers| peers.by_id.get(&id).cloned()))
    }

    fn find_peer(&mut self, owner: Owner, word: &Word) -> Result<Option<i64>, Error> {
        let Some(peers) = self.peers.get(&owner) else { return Ok(None) };
        let all = (word.clone(), i64::MIN, i64::MIN)..=(word.clone(), i64::MAX, i64::MAX);
        Ok(peers.words.range(all).next_back().map(|(_, _, id)| *id))
    }

    fn peers(
        &mut self,
        _: &SessionName,
        owner: Owner,
        after: Option<i64>,
        filter: &PeerFilter,
    ) -> Result<Piece, Error> {
        let Some(peers) = self.peers.get(&owner) else { return Ok(Piece::default()) };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = peers.by_id.range((start, Bound::Unbounded));
        let (mut taken, mut bytes, mut through) = (Vec::new(), 0, None);
        for (id, peer) in rest.by_ref().take(PEERS) {
            through = Some(*id);
            if filter.takes(peer.kind, peer.seen) {
                bytes += weight::of_peer(peer);
                taken.push(peer.clone());
            }
            if bytes > PIECE_BYTES {
                break;
            }
        }
        Ok(Piece { peers: taken, through: rest.next().and(through) })
    }

    fn attribute(&mut self, _: &SessionName, owner: Owner, key: &str) -> Result<Option<Attribute>, Error> {
        Ok(self.attributes.get(&owner).and_then(|attributes| attributes.get(key).cloned()))
    }

    fn attributes(
        &mut self,
        _: &SessionName,
        owner: Owner,
        range: &AttributeRange,
    ) -> Result<Vec<Attribute>, Error> {
        let AttributeRange { prefix, after, count, bytes } = range;
        let Some(attributes) = self.attributes.get(&owner) else { return Ok(Vec::new()) };
        let start: Bound<&str> = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let rest = attributes.range::<str, _>((start, Bound::Unbounded));
        let mut room = *bytes;
        let fits = |(key, attribute): &(&String, &Attribute)| {
            let fits = room > 0 && key.starts_with(prefix.as_str());
            room = room.saturating_sub(attribute.bytes());
            fits
        };
        Ok(rest.take_while(fits).take(*count).map(|(_, attribute)| attribute.clone()).collect())
    }

    fn attribute_sizes(
        &mut self,
        _: &SessionName,
        owner: Owner,
        prefix: &str,
    ) -> Result<Vec<(String, usize)>, Error> {
        let attributes = self.attributes.get(&owner).into_iter().flatten();
        let begins_so = attributes.filter(|(key, _)| key.starts_with(prefix));
        Ok(begins_so.map(|(key, attribute)| (key.clone(), attribute.bytes())).collect())
    }
}
