//! What a held session knows of others.

use std::fmt;

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use sessiond_proto::v1::{self, peer_key::Key};
use sessiond_session::{Peer, PeerKind};

use crate::{Error, HeldSession};

/// Peers, or keys of them, that are sent in one message: the most that the daemon takes.
const AT_ONCE: usize = 1_000;
/// Bytes of peers that are sent in one message: the daemon takes 1 MiB, of which the name and the token need some.
const BYTES_AT_ONCE: usize = (1 << 20) - (4 << 10);

/// What writing peers or attributes came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// The store's revision after it. No session's revision moves. 0: there was nothing to send.
    pub revision: i64,
    /// How many of them changed.
    pub changed: usize,
}

/// What a peer is looked up by. Of several that have it, the one that was seen last is meant. `Debug` shows no name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum PeerKey {
    /// Its marked id.
    Id(i64),
    /// One of its usernames, without `@`, in any case. Not found by it is who is known only as `min`.
    Username(String),
    /// Its phone number, digits alone. Not found by it is who is known only as `min`.
    Phone(String),
    /// The name that people see, exactly.
    Name(String),
}

/// Which peers to list. All, unless something is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerFilter {
    /// Only these kinds. Empty: all.
    pub kinds: Vec<PeerKind>,
    /// Only those with a higher marked id.
    pub after_id: Option<i64>,
    /// Only those that were seen after this, in Unix seconds.
    pub seen_after: Option<i64>,
}

/// Peers are kept beside the session: writing them moves no revision of it, and no watcher is told. All of this needs the
/// session to be held.
///
/// ```no_run
/// # async fn example(hold: sessiond_client::Hold) -> Result<(), sessiond_client::Error> {
/// use futures_util::TryStreamExt as _;
/// use sessiond_client::{Peer, PeerFilter, PeerKey};
///
/// let anna = Peer { id: 5, access_hash: Some(17), usernames: Some(vec!["anna".into()]), ..Peer::default() };
/// let kept = hold.put_peers(&[anna]).await?;
/// println!("{} new or changed, durable as revision {}", kept.changed, kept.revision);
///
/// let found = hold.peers(&[PeerKey::Username("Anna".into()), PeerKey::Id(6)]).await?;
/// assert!(found[0].is_some() && found[1].is_none());
///
/// let mut all = hold.list_peers(PeerFilter::default());
/// while let Some(peer) = all.try_next().await? {
///     println!("{}", peer.id);
/// }
/// # Ok(())
/// # }
/// ```
impl HeldSession {
    /// Adds what is known of peers to what is stored, as [`Peer::merge`] does. Durable on Ok. As many calls as it takes, one
    /// after the other: what those before a failed one have put stays. To put them again changes nothing.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::Fenced`] where the session is not held any more, [`Error::InvalidArgument`],
    /// [`Error::LimitExceeded`], [`Error::StorageFull`], [`Error::Unavailable`] and others.
    pub async fn put_peers(&self, peers: &[Peer]) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        for peers in messages(peers) {
            let request =
                v1::PutPeersRequest { name: self.name().to_string(), token: self.token().to_wire(), peers };
            let call = || {
                let (request, mut service) = (request.clone(), self.client().peers());
                async move { service.put_peers(request).await }
            };
            let v1::PutPeersResponse { revision, changed } =
                self.call(self.client().deadline(), call).await?;
            kept.add(revision, changed);
        }
        Ok(kept)
    }

    /// Looks peers up: an answer for each key, in their order. `None`: none is known by it.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::Fenced`] where the session is not held any more, [`Error::LimitExceeded`] where the peers
    /// are too large to be answered together, [`Error::Unavailable`] and what reading a store may meet.
    pub async fn peers(&self, keys: &[PeerKey]) -> Result<Vec<Option<Peer>>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_ONCE) {
            let (name, token) = (self.name().to_string(), self.token().to_wire());
            let request = v1::GetPeersRequest { name, token, keys: keys.iter().map(Into::into).collect() };
            let call = || {
                let (request, mut service) = (request.clone(), self.client().peers());
                async move { service.get_peers(request).await }
            };
            let v1::GetPeersResponse { results, revision: _ } =
                self.call(self.client().deadline(), call).await?;
            for v1::PeerResult { peer } in results {
                found.push(peer.map(Peer::try_from).transpose().map_err(Error::unreadable)?);
            }
        }
        Ok(found)
    }

    /// The peers that a filter lets through, by ascending id and as they are when the stream is first read.
    ///
    /// A stream that breaks off ends with its error; [`PeerFilter::after_id`] goes on from where it was.
    pub fn list_peers(&self, filter: PeerFilter) -> BoxStream<'static, Result<Peer, Error>> {
        let held = self.clone();
        stream::once(async move {
            let PeerFilter { kinds, after_id, seen_after } = filter;
            let kinds = kinds.into_iter().map(|kind| v1::PeerKind::from(kind).into()).collect();
            let (name, token) = (held.name().to_string(), held.token().to_wire());
            let request = v1::ListPeersRequest { name, token, kinds, after_id, seen_after };
            let call = || {
                let (request, mut service) = (request.clone(), held.client().peers());
                async move { service.list_peers(request).await }
            };
            let messages = held.call(held.client().deadline(), call).await?;
            Ok::<_, Error>(messages.or_else(move |status| {
                let held = held.clone();
                async move { Err(held.lost_by(status.into()).await) }
            }))
        })
        .try_flatten()
        .map_ok(|v1::ListPeersResponse { peers, revision: _ }| {
            stream::iter(peers).map(|peer| Peer::try_from(peer).map_err(Error::unreadable))
        })
        .try_flatten()
        .boxed()
    }

    /// Forgets peers, by their marked ids. Those that are not known do not matter.
    ///
    /// # Errors
    /// As [`put_peers`](Self::put_peers).
    pub async fn delete_peers(&self, ids: &[i64]) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        for ids in ids.chunks(AT_ONCE) {
            let deleted = self.delete_some_peers(ids.to_vec(), false).await?;
            kept.add(deleted.revision, deleted.deleted);
        }
        Ok(kept)
    }

    /// Forgets all peers, as when another account logs in.
    ///
    /// # Errors
    /// As [`put_peers`](Self::put_peers).
    pub async fn delete_all_peers(&self) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        let deleted = self.delete_some_peers(Vec::new(), true).await?;
        kept.add(deleted.revision, deleted.deleted);
        Ok(kept)
    }

    async fn delete_some_peers(&self, ids: Vec<i64>, all: bool) -> Result<v1::DeletePeersResponse, Error> {
        let (name, token) = (self.name().to_string(), self.token().to_wire());
        let request = v1::DeletePeersRequest { name, token, ids, all };
        let call = || {
            let (request, mut service) = (request.clone(), self.client().peers());
            async move { service.delete_peers(request).await }
        };
        self.call(self.client().deadline(), call).await
    }
}

impl Kept {
    pub(crate) fn add(&mut self, revision: i64, changed: i32) {
        self.revision = revision;
        self.changed += usize::try_from(changed).unwrap_or(0);
    }
}

impl From<&PeerKey> for v1::PeerKey {
    fn from(key: &PeerKey) -> Self {
        let key = match key.clone() {
            PeerKey::Id(id) => Key::Id(id),
            PeerKey::Username(username) => Key::Username(username),
            PeerKey::Phone(phone) => Key::Phone(phone),
            PeerKey::Name(name) => Key::PeerName(name),
        };
        Self { key: Some(key) }
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "Id({id})"),
            Self::Username(_) => f.write_str("Username(..)"),
            Self::Phone(_) => f.write_str("Phone(..)"),
            Self::Name(_) => f.write_str("Name(..)"),
        }
    }
}

/// Peers in as few messages as the daemon takes them in.
fn messages(peers: &[Peer]) -> Vec<Vec<v1::Peer>> {
    let mut messages: Vec<Vec<v1::Peer>> = Vec::new();
    let mut room = 0;
    for peer in peers {
        let peer = v1::Peer::from(peer.clone());
        // Its tag and its length before it.
        let bytes = prost::Message::encoded_len(&peer) + 8;
        match messages.last_mut().filter(|message| message.len() < AT_ONCE && bytes <= room) {
            Some(message) => {
                message.push(peer);
                room -= bytes;
            }
            None => {
                room = BYTES_AT_ONCE.saturating_sub(bytes);
                messages.push(vec![peer]);
            }
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, BYTES_AT_ONCE, Peer, PeerKey, messages};

    #[test]
    fn peers_are_sent_in_messages_that_the_daemon_takes() {
        let small = vec![Peer { id: 1, ..Peer::default() }; 2 * AT_ONCE + 1];
        assert_eq!(messages(&small).iter().map(Vec::len).collect::<Vec<_>>(), [AT_ONCE, AT_ONCE, 1]);
        let extra = [("k".to_owned(), vec![1; 60_000])].into();
        let large = vec![Peer { id: 1, extra, ..Peer::default() }; 40];
        let fit = BYTES_AT_ONCE / 60_100;
        assert_eq!(messages(&large).iter().map(Vec::len).collect::<Vec<_>>(), [fit, fit, 40 - 2 * fit]);
        assert!(messages(&[]).is_empty());
    }

    #[test]
    fn a_name_is_not_in_the_debug_output() {
        assert_eq!(format!("{:?}", PeerKey::Username("anna".into())), "Username(..)");
    }
}
