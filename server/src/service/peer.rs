use futures_util::stream;
use prost::Message as _;
use sessiond_proto::v1::{self, peer_key::Key, peer_service_server::PeerService};
use sessiond_session::{InvalidSession, Peer, peer_kind};
use tonic::{Request, Response, Status};
use tracing::{debug, instrument};

use super::{Daemon, Place, Refusal, caller, parse, place, streams::ResponseStream};
use crate::{
    engine::{Keep, Listing, Op, PeerFilter, PeerKey, Revision, Word},
    policy::Permission,
};

type Answer<T> = Result<Response<T>, Status>;

/// A listing on its way to a client.
struct Told {
    daemon: Daemon,
    revision: Revision,
    rest: Option<Listing>,
    _place: Place,
}

#[tonic::async_trait]
impl PeerService for Daemon {
    type ListPeersStream = ResponseStream<v1::ListPeersResponse>;

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn put_peers(&self, request: Request<v1::PutPeersRequest>) -> Answer<v1::PutPeersResponse> {
        let caller = caller(&request)?;
        let bytes = request.get_ref().encoded_len();
        let v1::PutPeersRequest { name, token, peers } = request.into_inner();
        parse::kept_at_once("peers", peers.len(), bytes)?;
        let peers = peers.into_iter().map(Peer::try_from).collect::<Result<_, _>>().map_err(Refusal::from)?;
        let write = parse::by_holder(&name, &token, &caller, Op::Keep(Keep::PutPeers(peers)))?;
        self.permit_write(&caller, Permission::Peers, &write)?;
        let name = write.name.clone();
        let result = self.engine.commit(write).await;
        let outcome = self.noting("PutPeers", &caller, &name, result)?;
        let (revision, changed) = (outcome.revision, parse::count(outcome.applied));
        debug!(revision, changed, "peers put");
        Ok(Response::new(v1::PutPeersResponse { revision, changed }))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn get_peers(&self, request: Request<v1::GetPeersRequest>) -> Answer<v1::GetPeersResponse> {
        let caller = caller(&request)?;
        let v1::GetPeersRequest { name, token, keys } = request.into_inner();
        parse::kept_at_once("keys", keys.len(), 0)?;
        let keys = keys.into_iter().map(key).collect::<Result<_, _>>()?;
        let (name, bearer) = (parse::name(&name)?, parse::bearer(&token, &caller)?);
        self.permit_holder(&caller, Permission::Peers, &name, &bearer)?;
        let result = self.engine.peers(&name, bearer, keys).await;
        let (found, revision) = self.noting("GetPeers", &caller, &name, result)?;
        let results = found.into_iter().map(|peer| v1::PeerResult { peer: peer.map(Into::into) }).collect();
        Ok(Response::new(v1::GetPeersResponse { results, revision }))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn list_peers(&self, request: Request<v1::ListPeersRequest>) -> Answer<Self::ListPeersStream> {
        let caller = caller(&request)?;
        let place = place(&caller)?;
        let v1::ListPeersRequest { name, token, kinds, after_id, seen_after } = request.into_inner();
        let kinds = kinds.into_iter().map(|kind| peer_kind("kinds", kind));
        let kinds = kinds.collect::<Result<_, _>>().map_err(Refusal::from)?;
        let (name, bearer) = (parse::name(&name)?, parse::bearer(&token, &caller)?);
        self.permit_holder(&caller, Permission::Peers, &name, &bearer)?;
        let filter = PeerFilter { kinds, after_id, seen_after };
        let result = self.engine.list_peers(&name, bearer, filter).await;
        let listing = self.noting("ListPeers", &caller, &name, result)?;
        let revision = listing.revision;
        Ok(Response::new(list(Told { daemon: self.clone(), revision, rest: Some(listing), _place: place })))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn delete_peers(
        &self,
        request: Request<v1::DeletePeersRequest>,
    ) -> Answer<v1::DeletePeersResponse> {
        let caller = caller(&request)?;
        let v1::DeletePeersRequest { name, token, ids, all } = request.into_inner();
        let keep = match (ids.is_empty(), all) {
            (true, true) => Keep::DeleteAllPeers,
            (false, true) => {
                return Err(Refusal::from(InvalidSession::new("ids", "go without all")).into());
            }
            (_, false) => {
                parse::kept_at_once("ids", ids.len(), 0)?;
                Keep::DeletePeers(ids)
            }
        };
        let write = parse::by_holder(&name, &token, &caller, Op::Keep(keep))?;
        self.permit_write(&caller, Permission::Peers, &write)?;
        let name = write.name.clone();
        let result = self.engine.commit(write).await;
        let outcome = self.noting("DeletePeers", &caller, &name, result)?;
        let (revision, deleted) = (outcome.revision, parse::count(outcome.applied));
        debug!(revision, deleted, "peers deleted");
        Ok(Response::new(v1::DeletePeersResponse { revision, deleted }))
    }
}

fn key(key: v1::PeerKey) -> Result<PeerKey, Refusal> {
    match key.key {
        Some(Key::Id(id)) => Ok(PeerKey::Id(id)),
        Some(Key::Username(username)) => Ok(PeerKey::Word(Word::username(&username))),
        Some(Key::Phone(phone)) => Ok(PeerKey::Word(Word::phone(phone))),
        Some(Key::PeerName(name)) => Ok(PeerKey::Word(Word::name(name))),
        None => Err(InvalidSession::new("keys", "has one that says nothing").into()),
    }
}

/// At least one message, which tells the revision where there is nothing else.
fn list(told: Told) -> ResponseStream<v1::ListPeersResponse> {
    Box::pin(stream::unfold(Some(told), |told| async {
        let Told { daemon, revision, rest, _place } = told?;
        match daemon.engine.next_peers(rest?).await {
            Ok((peers, rest)) => {
                let peers = peers.into_iter().map(Into::into).collect();
                let response = v1::ListPeersResponse { peers, revision };
                Some((Ok(response), Some(Told { daemon, revision, rest, _place })))
            }
            Err(error) => Some((Err(Refusal::from(error).into()), None)),
        }
    }))
}
