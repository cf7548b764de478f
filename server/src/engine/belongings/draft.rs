use std::collections::{BTreeMap, HashMap};

use sessiond_proto::SessionName;
use sessiond_session::{Attribute, MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_EXTRA, Peer};

use super::{Belongings, Keep, Keeper, Kept, KeptPeer, Owner};
use crate::engine::{Error, Revision};

/// The belongings of sessions as they will be after the writes of a batch so far.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    sessions: HashMap<SessionName, Draft>,
}

#[derive(Debug)]
struct Draft {
    /// Whose.
    name: SessionName,
    /// As they are durable.
    durable: Belongings,
    now: Belongings,
    /// Revision of the last commit that changed them. 0: none did.
    revision: Revision,
    /// Peers that were changed, before and after, of the owner of now.
    peers: BTreeMap<i64, (Option<Peer>, Option<Peer>)>,
    /// Attributes that were changed, likewise.
    attributes: BTreeMap<String, Option<Attribute>>,
    dropped: Vec<Owner>,
}

impl Drafts {
    /// Does something with a session's belongings, if it can be done, and tells how many of them that changed. `revision` is
    /// that of the commit which is to be made if any, `now` the time in Unix seconds.
    ///
    /// # Errors
    /// A limit, or a secret that would become none. Nothing was changed.
    pub(crate) fn keep(
        &mut self,
        keeper: &mut dyn Keeper,
        name: &SessionName,
        keep: Keep,
        (revision, now): (Revision, i64),
    ) -> Result<usize, Error> {
        let draft = self.draft(keeper, name)?;
        let changed = match keep {
            Keep::PutPeers(peers) => draft.put_peers(keeper, peers, revision, now),
            Keep::DeletePeers(ids) => draft.delete_peers(keeper, ids),
            Keep::DeleteAllPeers => Ok(draft.drop_peers()),
            Keep::PutAttributes { attributes, delete } => {
                draft.put_attributes(keeper, attributes, delete, revision)
            }
            Keep::DeleteAttributes { keys, prefix } => {
                draft.delete_attributes(keeper, keys, prefix.as_deref())
            }
        }?;
        if changed > 0 {
            draft.revision = revision;
        }
        Ok(changed)
    }

    /// Drops all of a session's belongings, and tells whether there were any.
    pub(crate) fn drop_all(
        &mut self,
        keeper: &mut dyn Keeper,
        name: &SessionName,
        revision: Revision,
    ) -> Result<bool, Error> {
        let draft = self.draft(keeper, name)?;
        let any = draft.drop_peers() + draft.drop_attributes() > 0;
        if any {
            draft.revision = revision;
        }
        Ok(any)
    }

    /// What is to be made durable.
    pub(crate) fn finish(self) -> Vec<Kept> {
        let changed = self.sessions.into_iter().filter(|(_, draft)| draft.revision > 0);
        changed.map(|(_, draft)| draft.finish()).collect()
    }

    fn draft(&mut self, keeper: &mut dyn Keeper, name: &SessionName) -> Result<&mut Draft, Error> {
        if !self.sessions.contains_key(name) {
            let durable = keeper.belongings(name)?;
            self.sessions.insert(name.clone(), Draft::of(name, durable));
        }
        Ok(self.sessions.get_mut(name).expect("it was just made"))
    }
}

impl Draft {
    fn of(name: &SessionName, durable: Belongings) -> Self {
        Self {
            name: name.clone(),
            now: durable.clone(),
            durable,
            revision: 0,
            peers: BTreeMap::new(),
            attributes: BTreeMap::new(),
            dropped: Vec::new(),
        }
    }

    fn finish(self) -> Kept {
        let Self { name, durable: _, now, revision, peers, attributes, dropped } = self;
        let peers = peers.into_iter().filter(|(_, (before, after))| before != after);
        let peers = peers.map(|(id, (before, after))| KeptPeer { id, before, after }).collect();
        Kept { name, revision, belongings: now, peers, attributes: attributes.into_iter().collect(), dropped }
    }

    /// All of them or none.
    fn put_peers(
        &mut self,
        keeper: &mut dyn Keeper,
        given: Vec<Peer>,
        revision: Revision,
        now: i64,
    ) -> Result<usize, Error> {
        let mut changed = 0;
        let mut self_id = self.now.self_id;
        // What is known of each, and what it will be.
        let mut put: BTreeMap<i64, (Option<Peer>, Peer)> = BTreeMap::new();
        for mut peer in given {
            let id = peer.id;
            peer.seen = peer.seen.or(Some(now));
            let known = match put.remove(&id) {
                Some(known) => Some(known),
                None => self.peer(keeper, id)?.map(|known| (Some(known.clone()), known)),
            };
            let (before, after, is_new) = match known {
                Some((before, mut after)) => {
                    let is_new = after.merge(peer);
                    (before, after, is_new)
                }
                None => (None, Peer::new(peer), true),
            };
            check_extra(&after)?;
            changed += usize::from(is_new);
            match after.is_self {
                Some(true) if self_id != Some(id) => {
                    if let Some(other) = self_id.replace(id) {
                        self.not_self(keeper, &mut put, other)?;
                    }
                }
                Some(false) if self_id == Some(id) => self_id = None,
                _ => {}
            }
            put.insert(id, (before, after));
        }
        if changed == 0 {
            return Ok(0);
        }
        self.now.peers.get_or_insert(revision);
        self.now.self_id = self_id;
        for (id, (before, after)) in put {
            self.now.peer_count += usize::from(before.is_none());
            self.set_peer(id, before, Some(after));
        }
        Ok(changed)
    }

    /// The account is another one.
    fn not_self(
        &self,
        keeper: &mut dyn Keeper,
        put: &mut BTreeMap<i64, (Option<Peer>, Peer)>,
        other: i64,
    ) -> Result<(), Error> {
        if let Some((_, after)) = put.get_mut(&other) {
            after.is_self = Some(false);
        } else if let Some(known) = self.peer(keeper, other)? {
            let after = Peer { is_self: Some(false), ..known.clone() };
            put.insert(other, (Some(known), after));
        }
        Ok(())
    }

    fn delete_peers(&mut self, keeper: &mut dyn Keeper, ids: Vec<i64>) -> Result<usize, Error> {
        let mut known = BTreeMap::new();
        for id in ids {
            if let Some(peer) = self.peer(keeper, id)? {
                known.insert(id, peer);
            }
        }
        let deleted = known.len();
        for (id, peer) in known {
            self.now.peer_count -= 1;
            if self.now.self_id == Some(id) {
                self.now.self_id = None;
            }
            self.set_peer(id, Some(peer), None);
        }
        if self.now.peer_count == 0 {
            self.drop_peers();
        }
        Ok(deleted)
    }

    fn drop_peers(&mut self) -> usize {
        let deleted = std::mem::take(&mut self.now.peer_count);
        self.peers.clear();
        self.now.self_id = None;
        if let Some(owner) = self.now.peers.take().filter(|owner| self.durable.peers == Some(*owner)) {
            self.dropped.push(owner);
        }
        deleted
    }

    fn put_attributes(
        &mut self,
        keeper: &mut dyn Keeper,
        attributes: Vec<Attribute>,
        delete: Vec<String>,
        revision: Revision,
    ) -> Result<usize, Error> {
        let (mut count, mut bytes) = (self.now.attribute_count, self.now.attribute_bytes);
        let mut changes = BTreeMap::new();
        for key in delete {
            if let Some(known) = self.attribute(keeper, &key)? {
                // The same key a second time changes nothing.
                if changes.insert(key, None).is_none() {
                    (count, bytes) = (count - 1, bytes - known.bytes());
                }
            }
        }
        for attribute in attributes {
            let known = self.attribute(keeper, &attribute.key)?;
            if known.as_ref().is_some_and(|known| known.secret && !attribute.secret) {
                return Err(Error::Secret(attribute.key));
            }
            if known.as_ref() == Some(&attribute) {
                continue;
            }
            count += usize::from(known.is_none());
            bytes = bytes + attribute.bytes() - known.map_or(0, |known| known.bytes());
            changes.insert(attribute.key.clone(), Some(attribute));
        }
        check_attributes(count, bytes)?;
        let changed = changes.len();
        if changed > 0 {
            self.now.attributes.get_or_insert(revision);
            (self.now.attribute_count, self.now.attribute_bytes) = (count, bytes);
            self.attributes.extend(changes);
            self.drop_attributes_if_none();
        }
        Ok(changed)
    }

    fn delete_attributes(
        &mut self,
        keeper: &mut dyn Keeper,
        keys: Vec<String>,
        prefix: Option<&str>,
    ) -> Result<usize, Error> {
        let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
        for key in keys {
            if let Some(known) = self.attribute(keeper, &key)? {
                sizes.insert(key, known.bytes());
            }
        }
        if let Some(prefix) = prefix {
            if let Some(owner) = self.durable_attributes() {
                sizes.extend(keeper.attribute_sizes(&self.name, owner, prefix)?);
            }
            for (key, attribute) in &self.attributes {
                match attribute {
                    Some(attribute) if key.starts_with(prefix) => {
                        sizes.insert(key.clone(), attribute.bytes());
                    }
                    Some(_) => {}
                    None => drop(sizes.remove(key)),
                }
            }
        }
        let deleted = sizes.len();
        for (key, bytes) in sizes {
            self.now.attribute_count -= 1;
            self.now.attribute_bytes -= bytes;
            self.attributes.insert(key, None);
        }
        self.drop_attributes_if_none();
        Ok(deleted)
    }

    fn drop_attributes_if_none(&mut self) {
        if self.now.attribute_count == 0 {
            self.drop_attributes();
        }
    }

    fn drop_attributes(&mut self) -> usize {
        let deleted = std::mem::take(&mut self.now.attribute_count);
        self.now.attribute_bytes = 0;
        self.attributes.clear();
        if let Some(owner) =
            self.now.attributes.take().filter(|owner| self.durable.attributes == Some(*owner))
        {
            self.dropped.push(owner);
        }
        deleted
    }

    fn peer(&self, keeper: &mut dyn Keeper, id: i64) -> Result<Option<Peer>, Error> {
        match self.peers.get(&id) {
            Some((_, after)) => Ok(after.clone()),
            None => match self.now.peers.filter(|owner| self.durable.peers == Some(*owner)) {
                Some(owner) => keeper.peer(&self.name, owner, id),
                None => Ok(None),
            },
        }
    }

    /// Sets what a peer will be; `before` is what it is if nothing in this batch has changed it.
    fn set_peer(&mut self, id: i64, before: Option<Peer>, after: Option<Peer>) {
        self.peers.entry(id).or_insert((before, None)).1 = after;
    }

    fn attribute(&self, keeper: &mut dyn Keeper, key: &str) -> Result<Option<Attribute>, Error> {
        match self.attributes.get(key) {
            Some(attribute) => Ok(attribute.clone()),
            None => match self.durable_attributes() {
                Some(owner) => keeper.attribute(&self.name, owner, key),
                None => Ok(None),
            },
        }
    }

    fn durable_attributes(&self) -> Option<Owner> {
        self.now.attributes.filter(|owner| self.durable.attributes == Some(*owner))
    }
}

fn check_extra(peer: &Peer) -> Result<(), Error> {
    match peer.extra_bytes() {
        bytes if bytes > MAX_EXTRA => Err(Error::Limit(format!(
            "extra of peer {} would have {bytes} bytes, and at most {MAX_EXTRA} are kept",
            peer.id
        ))),
        _ => Ok(()),
    }
}

fn check_attributes(count: usize, bytes: usize) -> Result<(), Error> {
    if count > MAX_ATTRIBUTES {
        return Err(Error::Limit(format!(
            "the session would have {count} attributes, and at most {MAX_ATTRIBUTES} are kept"
        )));
    }
    if bytes > MAX_ATTRIBUTE_BYTES {
        return Err(Error::Limit(format!(
            "the session's attributes would have {bytes} bytes, and at most {MAX_ATTRIBUTE_BYTES} are kept"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sessiond_session::{Attribute, Peer};

    use super::Drafts;
    use crate::engine::{Keep, VolatileKeeper};

    fn peer() -> impl Strategy<Value = Peer> {
        let maybe = || proptest::option::of(any::<bool>());
        (1..4_i64, "[a-c]?", maybe(), maybe(), 0..2_000_i64).prop_map(|(id, name, is_self, min, seen)| Peer {
            id,
            name: Some(name),
            is_self,
            min,
            seen: Some(seen),
            ..Peer::default()
        })
    }

    fn attribute() -> impl Strategy<Value = Attribute> {
        ("[ab]{1,2}", prop::collection::vec(0..2_u8, 0..2), any::<bool>())
            .prop_map(|(key, value, secret)| Attribute { key, value: value.into(), secret })
    }

    /// What to do, or `None`: the session is deleted.
    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => prop::collection::vec(peer(), 1..3).prop_map(Step::PutPeers),
            2 => prop::collection::vec(1..4_i64, 1..3).prop_map(Step::DeletePeers),
            1 => Just(Step::DeleteAllPeers),
            4 => (prop::collection::vec(attribute(), 0..3), "[a-c]{1,2}")
                .prop_map(|(attributes, delete)| Step::PutAttributes(attributes, delete)),
            2 => ("[ab]", "[ab]{1,2}").prop_map(|(prefix, key)| Step::DeleteAttributes(prefix, key)),
            1 => Just(Step::DropAll),
        ]
    }

    #[derive(Debug, Clone)]
    enum Step {
        PutPeers(Vec<Peer>),
        DeletePeers(Vec<i64>),
        DeleteAllPeers,
        PutAttributes(Vec<Attribute>, String),
        DeleteAttributes(String, String),
        DropAll,
    }

    fn take(drafts: &mut Drafts, keeper: &mut VolatileKeeper, step: Step, revision: i64) -> String {
        let name = "a".parse().expect("valid");
        let keep = match step {
            Step::PutPeers(peers) => Keep::PutPeers(peers),
            Step::DeletePeers(ids) => Keep::DeletePeers(ids),
            Step::DeleteAllPeers => Keep::DeleteAllPeers,
            Step::PutAttributes(mut attributes, delete) => {
                // A request has each key once.
                attributes.sort_by(|one, other| one.key.cmp(&other.key));
                attributes.dedup_by(|one, other| one.key == other.key);
                attributes.retain(|attribute| attribute.key != delete);
                Keep::PutAttributes { attributes, delete: vec![delete] }
            }
            Step::DeleteAttributes(prefix, key) => {
                Keep::DeleteAttributes { keys: vec![key], prefix: Some(prefix) }
            }
            Step::DropAll => return format!("{:?}", drafts.drop_all(keeper, &name, revision).expect("done")),
        };
        match drafts.keep(keeper, &name, keep, (revision, 0)) {
            Ok(changed) => changed.to_string(),
            Err(error) => error.to_string(),
        }
    }

    proptest! {
        #[test]
        fn writes_come_to_the_same_together_as_one_by_one(
            before in prop::collection::vec(step(), 0..6),
            together in prop::collection::vec(step(), 1..8),
        ) {
            let mut keepers = [VolatileKeeper::default(), VolatileKeeper::default()];
            let mut answers = [Vec::new(), Vec::new()];
            for (at, keeper) in keepers.iter_mut().enumerate() {
                let mut revision = 0;
                for step in &before {
                    revision += 1;
                    let mut drafts = Drafts::default();
                    take(&mut drafts, keeper, step.clone(), revision);
                    keeper.take(&drafts.finish());
                }
                let mut drafts = Drafts::default();
                for step in &together {
                    revision += 1;
                    answers[at].push(take(&mut drafts, keeper, step.clone(), revision));
                    if at == 0 {
                        keeper.take(&std::mem::take(&mut drafts).finish());
                    }
                }
                keeper.take(&drafts.finish());
            }
            prop_assert_eq!(&answers[0], &answers[1]);
            let [one_by_one, together] = keepers;
            prop_assert!(one_by_one == together);
        }
    }
}
