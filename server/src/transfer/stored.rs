use std::iter;

use sessiond_proto::SessionName;
use sessiond_session::{Attribute, Clear, Contents, Peers};

use super::Existing;
use crate::engine::{
    AttributeRange, Bearer, Engine, Error, Keep, Op, PeerFilter, Revision, SaveMode, Write, weight,
};

/// How many peers or attributes are in one write, and after how many bytes no more: others' writes go in between.
const AT_ONCE: usize = 1_000;
const BYTES_AT_ONCE: usize = 1 << 20;

/// How many bytes of attributes are read at a time.
const READ_AT_ONCE: usize = 4 << 20;

/// Everything that is kept of a session, for its holder, and its revision. `None`: there is no such session.
pub(crate) async fn contents(
    engine: &dyn Engine,
    name: &SessionName,
    bearer: &Bearer,
) -> Result<Option<(Contents, Revision)>, Error> {
    let loaded = engine.load(name, Some(bearer)).await?;
    let Some(session) = loaded.session else { return Ok(None) };
    let peers = peers(engine, name, bearer).await?;
    let attributes = attributes(engine, name, bearer).await?;
    Ok(Some((Contents { session, peers, attributes }, loaded.revision)))
}

async fn peers(engine: &dyn Engine, name: &SessionName, bearer: &Bearer) -> Result<Peers, Error> {
    let mut peers = Peers::default();
    let mut rest = Some(engine.list_peers(name, bearer.clone(), PeerFilter::default()).await?);
    while let Some(listing) = rest {
        let (next, after) = engine.next_peers(listing).await?;
        peers.extend(next);
        rest = after;
    }
    Ok(peers)
}

async fn attributes(
    engine: &dyn Engine,
    name: &SessionName,
    bearer: &Bearer,
) -> Result<Vec<Attribute>, Error> {
    let mut attributes: Vec<Attribute> = Vec::new();
    loop {
        let after = attributes.last().map(|attribute| attribute.key.clone());
        let range = AttributeRange { prefix: String::new(), after, count: AT_ONCE, bytes: READ_AT_ONCE };
        let (next, _) = engine.list_attributes(name, bearer.clone(), range).await?;
        if next.is_empty() {
            return Ok(attributes);
        }
        attributes.extend(next);
    }
}

/// Makes a session, its peers and its attributes exactly this, and gives its revision.
///
/// Whenever it breaks off, what is kept beside a session is that session's own, if not all of it; and where there was no
/// session, there is still none.
pub(super) async fn store(
    engine: &dyn Engine,
    name: &SessionName,
    bearer: &Bearer,
    contents: Contents,
    existing: Existing,
) -> Result<Revision, Error> {
    let Contents { session, peers, attributes } = contents;
    let write = |op| Write { bearer: Some(bearer.clone()), ..Write::own(name.clone(), op) };
    let earlier =
        [Keep::DeleteAllPeers, Keep::DeleteAttributes { keys: Vec::new(), prefix: Some(String::new()) }];
    let expected = (existing == Existing::Kept).then_some(0);
    let save = Op::Save { session: Box::new(session), mode: SaveMode::Replace, clear: Clear::default() };
    let save = Write { expected, ..write(save) };
    let peers = pieces(peers, weight::of_peer).map(Keep::PutPeers);
    let attributes = pieces(attributes, weight::of_attribute);
    let attributes = attributes.map(|attributes| Keep::PutAttributes { attributes, delete: Vec::new() });
    let mut beside = peers.chain(attributes);

    let is_new = engine.load(name, Some(bearer)).await?.session.is_none();
    for keep in earlier {
        engine.commit(write(Op::Keep(keep))).await?;
    }
    if is_new {
        for keep in beside.by_ref() {
            engine.commit(write(Op::Keep(keep))).await?;
        }
    }
    let revision = engine.commit(save).await?.revision;
    for keep in beside {
        engine.commit(write(Op::Keep(keep))).await?;
    }
    Ok(revision)
}

/// Things in pieces that are written at a time, each made when it is its turn.
fn pieces<T>(things: impl IntoIterator<Item = T>, weight: fn(&T) -> usize) -> impl Iterator<Item = Vec<T>> {
    let mut things = things.into_iter().peekable();
    iter::from_fn(move || {
        let first = things.next()?;
        let mut room = BYTES_AT_ONCE.saturating_sub(weight(&first));
        let mut piece = vec![first];
        while piece.len() < AT_ONCE
            && let Some(thing) = things.next_if(|thing| weight(thing) <= room)
        {
            room -= weight(&thing);
            piece.push(thing);
        }
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sessiond_session::{Attribute, Contents, MAX_ATTRIBUTES, Peer, Session};

    use super::{AT_ONCE, BYTES_AT_ONCE, Existing, contents, pieces, store};
    use crate::{
        engine::{Bearer, Engine, Error, Holder, MemoryEngine, Op, TokenHash, Write},
        principal::Principal,
    };

    /// A session with so many attributes and a peer.
    fn with(home_dc: i32, attributes: usize) -> Contents {
        let attributes = (0..attributes).map(|n| Attribute::number(format!("{home_dc}/{n:05}"), 1));
        Contents {
            session: Session { home_dc: Some(home_dc), ..Session::default() },
            peers: [Peer { id: home_dc.into(), seen: Some(1), ..Peer::default() }].into_iter().collect(),
            attributes: attributes.collect(),
        }
    }

    #[tokio::test]
    async fn what_breaks_off_leaves_no_session_where_there_was_none_and_else_one_with_its_own() {
        let engine = MemoryEngine::open().expect("a thread");
        let name = "alice".parse().expect("a name");
        let bearer = Bearer { token: TokenHash::of(&[7; 32]), principal: Principal::Uid(1) };
        let grant = Op::Grant { holder: Arc::new(Holder::of(Principal::Uid(1))), token: bearer.token };
        engine.grant(Write::own("alice".parse().expect("a name"), grant)).await.expect("granted");
        let there = async || contents(&engine, &name, &bearer).await.expect("held").map(|(there, _)| there);
        let put = async |contents, existing| store(&engine, &name, &bearer, contents, existing).await;

        let (whole, too_many) = (with(1, 2), with(2, MAX_ATTRIBUTES + 1));
        let broken = put(too_many.clone(), Existing::Kept).await;
        assert!(matches!(broken, Err(Error::Limit(_))), "{broken:?}");
        assert!(there().await.is_none());
        put(whole.clone(), Existing::Kept).await.expect("nothing is there");
        assert!(there().await.as_ref() == Some(&whole), "and nothing of what broke off");

        let again = put(whole.clone(), Existing::Kept).await;
        assert!(matches!(again, Err(Error::RevisionMismatch { .. })), "{again:?}");
        put(too_many.clone(), Existing::Replaced).await.expect_err("too many");
        let replaced = there().await.expect("one or the other");
        assert_eq!((&replaced.session, &replaced.peers), (&too_many.session, &too_many.peers));
        assert!(replaced.attributes.iter().all(|attribute| too_many.attributes.contains(attribute)));
    }

    #[test]
    fn pieces_are_of_bounded_count_and_size() {
        let sizes = |count, weight: fn(&i32) -> usize| {
            pieces(vec![0; count], weight).map(|piece| piece.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(2 * AT_ONCE + 1, |_| 1), [AT_ONCE, AT_ONCE, 1]);
        assert_eq!(sizes(3, |_| BYTES_AT_ONCE / 2), [2, 1]);
        assert_eq!(sizes(2, |_| 2 * BYTES_AT_ONCE), [1, 1]);
        assert!(sizes(0, |_| 1).is_empty());
    }
}
