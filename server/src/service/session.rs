use sessiond_proto::v1::{self, session_service_server::SessionService};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, instrument};

use super::{
    Daemon, Refusal,
    advance_stream::{self, Changes},
    caller, list, parse,
    permit::Permit,
    place,
    streams::{self, ResponseStream},
};
use crate::{
    audit::Event,
    engine::Loaded,
    holds::{Claim, Patience},
    policy::Permission,
};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl SessionService for Daemon {
    type HoldStream = ResponseStream<v1::HoldResponse>;
    type AdvanceStreamStream = ResponseStream<v1::AdvanceStreamResponse>;
    type WatchStream = ResponseStream<v1::WatchResponse>;

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn hold(&self, request: Request<v1::HoldRequest>) -> Answer<Self::HoldStream> {
        let caller = caller(&request)?;
        let place = place(&caller)?;
        let (claim, token) = parse::hold(request.into_inner(), caller)?;
        let permit = Permit::to_hold(self, &claim, token.as_ref())?;
        let waiting = waiting(&claim)?;
        let stream = match token {
            Some(token) => self.holds.resume(claim, token).await,
            None => self.holds.hold(claim),
        };
        Ok(Response::new(streams::hold(stream.map_err(Refusal::from)?, permit, (place, waiting))))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn release(&self, request: Request<v1::ReleaseRequest>) -> Answer<v1::ReleaseResponse> {
        let caller = caller(&request)?;
        let v1::ReleaseRequest { name, token } = request.into_inner();
        let (name, bearer) = (parse::name(&name)?, parse::bearer(&token, &caller)?);
        self.permit_holder(&caller, Permission::Hold, &name, &bearer)?;
        self.holds.release(&caller, &name, bearer).await.map_err(Refusal::from)?;
        Ok(Response::new(v1::ReleaseResponse {}))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn load(&self, request: Request<v1::LoadRequest>) -> Answer<v1::LoadResponse> {
        let caller = caller(&request)?;
        let v1::LoadRequest { name, token } = request.into_inner();
        let name = parse::name(&name)?;
        let bearer = if token.is_empty() { None } else { Some(parse::bearer(&token, &caller)?) };
        match &bearer {
            Some(bearer) => self.permit_holder(&caller, Permission::Hold, &name, bearer)?,
            None => self.permit(&caller, Permission::Watch, &name)?,
        }
        let loaded = self.engine.load(&name, bearer.as_ref()).await;
        let Loaded { session, revision, holder } = self.noting("Load", &caller, &name, loaded)?;
        if let (Some(session), Some(_)) = (&session, &bearer) {
            self.record_keys(&caller, &name, session, revision)?;
        }
        let holder = holder.as_deref().map(Into::into);
        Ok(Response::new(v1::LoadResponse { session: session.map(Into::into), revision, holder }))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn save(&self, request: Request<v1::SaveRequest>) -> Answer<v1::SaveResponse> {
        let caller = caller(&request)?;
        let write = parse::save(request.into_inner(), &caller)?;
        self.permit_write(&caller, Permission::Hold, &write)?;
        let pending = self.begin_write(Event::Saved, "Save", &caller, &write)?;
        let revision = pending.end(self.engine.commit(write).await).map_err(Refusal::from)?.revision;
        debug!(revision, "saved");
        Ok(Response::new(v1::SaveResponse { revision }))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn advance(&self, request: Request<v1::AdvanceRequest>) -> Answer<v1::AdvanceResponse> {
        let caller = caller(&request)?;
        let write = parse::advance(request.into_inner(), &caller)?;
        self.permit_write(&caller, Permission::Hold, &write)?;
        let name = write.name.clone();
        let revision = self.noting("Advance", &caller, &name, self.engine.commit(write).await)?.revision;
        Ok(Response::new(v1::AdvanceResponse { revision }))
    }

    #[instrument(level = "debug", skip_all)]
    async fn advance_stream(
        &self,
        request: Request<Streaming<v1::AdvanceStreamRequest>>,
    ) -> Answer<Self::AdvanceStreamStream> {
        let caller = caller(&request)?;
        let place = place(&caller)?;
        let changes = request.into_inner();
        let changes = Changes::new(self.clone(), caller, changes, place);
        Ok(Response::new(advance_stream::serve(changes)))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::DeleteResponse> {
        let caller = caller(&request)?;
        let write = parse::delete(request.into_inner(), &caller)?;
        self.permit_write(&caller, Permission::Hold, &write)?;
        let pending = self.begin_write(Event::Deleted, "Delete", &caller, &write)?;
        let revision = pending.end(self.engine.commit(write).await).map_err(Refusal::from)?.revision;
        debug!(revision, "deleted");
        Ok(Response::new(v1::DeleteResponse { revision }))
    }

    #[instrument(level = "debug", skip_all)]
    async fn list(&self, request: Request<v1::ListRequest>) -> Answer<v1::ListResponse> {
        let caller = caller(&request)?;
        Ok(Response::new(list::page(self, &caller, request.into_inner())?))
    }

    async fn watch(&self, _: Request<v1::WatchRequest>) -> Answer<Self::WatchStream> {
        unreachable!("it is served beside this, as bytes: see `watch`")
    }
}

/// Room for one more who waits, if it is one.
fn waiting(claim: &Claim) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
    match (&claim.caller.allowance, claim.patience) {
        (Some(allowance), Patience::Wait) => allowance.wait().map(Some).ok_or(Refusal::Waits),
        _ => Ok(None),
    }
}
