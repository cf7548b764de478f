use sessiond_proto::v1::{self, admin_service_server::AdminService};
use tonic::{Request, Response, Status, Streaming};
use tracing::instrument;

use super::{Daemon, FEATURES, Refusal, caller, export, import, parse, place, streams::ResponseStream};
use crate::{
    audit::{Event, Record},
    engine::{Figures, Protection, SealStatus, Settled},
    policy::Permission,
};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AdminService for Daemon {
    type ExportStream = ResponseStream<v1::ExportResponse>;

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn end_hold(&self, request: Request<v1::EndHoldRequest>) -> Answer<v1::EndHoldResponse> {
        let name = parse::name(&request.get_ref().name)?;
        let caller = caller(&request)?;
        self.permit(&caller, Permission::Admin, &name)?;
        self.holds.end(&caller, &name).await.map_err(Refusal::from)?;
        Ok(Response::new(v1::EndHoldResponse {}))
    }

    async fn get_server_info(
        &self,
        request: Request<v1::GetServerInfoRequest>,
    ) -> Answer<v1::GetServerInfoResponse> {
        self.permit_some(&caller(&request)?, Permission::List)?;
        let figures = self.engine.figures();
        Ok(Response::new(v1::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            engine: self.engine.kind().into(),
            store_id: self.engine.store_id(),
            features: FEATURES.map(Into::into).into(),
            figures: Some(v1::Figures { started: Some(self.started.into()), ..figures.into() }),
        }))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn settle_mirror(
        &self,
        request: Request<v1::SettleMirrorRequest>,
    ) -> Answer<v1::SettleMirrorResponse> {
        let caller = caller(&request)?;
        let v1::SettleMirrorRequest { name, action } = request.into_inner();
        let (name, action) = (parse::name(&name)?, parse::mirror_action(action)?);
        self.permit(&caller, Permission::Admin, &name)?;
        let record = Record::of_call(Event::MirrorSettled, "SettleMirror", &caller).session(&name);
        let pending = self.audit.begin(record).map_err(Refusal::from)?;
        let settled = match self.engine.settle_mirror(&name, action).await {
            Ok(settled) => settled,
            Err(error) => return Err(Refusal::from(pending.failed(error)).into()),
        };
        let Settled { revision, kept_as } = settled;
        pending.done(|record| record.at(revision)).map_err(Refusal::from)?;
        Ok(Response::new(v1::SettleMirrorResponse { revision, kept_as: kept_as.unwrap_or_default() }))
    }

    #[instrument(level = "debug", skip_all)]
    async fn import(&self, request: Request<Streaming<v1::ImportRequest>>) -> Answer<v1::ImportResponse> {
        let caller = caller(&request)?;
        let _place = place(&caller)?;
        Ok(Response::new(import::import(self, &caller, request.into_inner()).await?))
    }

    #[instrument(level = "debug", skip_all)]
    async fn get_seal(&self, request: Request<v1::GetSealRequest>) -> Answer<v1::GetSealResponse> {
        self.permit_some(&caller(&request)?, Permission::Admin)?;
        let status = self.engine.seal_status().await.map_err(Refusal::from)?;
        Ok(Response::new(status.into()))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn set_sealed(&self, request: Request<v1::SetSealedRequest>) -> Answer<v1::SetSealedResponse> {
        let caller = caller(&request)?;
        let v1::SetSealedRequest { name, sealed } = request.into_inner();
        let name = parse::name(&name)?;
        self.permit(&caller, Permission::Admin, &name)?;
        let protection = if sealed { Protection::Sealed } else { Protection::Open };
        let note = if sealed { "on" } else { "off" };
        let record = Record::of_call(Event::SealChanged, "SetSealed", &caller).session(&name).note(note);
        let pending = self.audit.begin(record).map_err(Refusal::from)?;
        match self.engine.protect(&name, protection).await {
            Ok(()) => pending.done(|record| record).map_err(Refusal::from)?,
            Err(error) => return Err(Refusal::from(pending.failed(error)).into()),
        }
        Ok(Response::new(v1::SetSealedResponse {}))
    }

    #[instrument(level = "debug", skip_all)]
    async fn rotate_master_key(
        &self,
        request: Request<v1::RotateMasterKeyRequest>,
    ) -> Answer<v1::RotateMasterKeyResponse> {
        let caller = caller(&request)?;
        self.permit_some(&caller, Permission::Admin)?;
        let record = Record::of_call(Event::SealChanged, "RotateMasterKey", &caller).note("rotated");
        let pending = self.audit.begin(record).map_err(Refusal::from)?;
        let status = match self.engine.rotate_master_key().await {
            Ok(status) => status,
            Err(error) => return Err(Refusal::from(pending.failed(error)).into()),
        };
        pending.done(|record| record).map_err(Refusal::from)?;
        Ok(Response::new(v1::RotateMasterKeyResponse { key_id: status.key_id.unwrap_or_default() }))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn export(&self, request: Request<v1::ExportRequest>) -> Answer<Self::ExportStream> {
        let caller = caller(&request)?;
        let place = place(&caller)?;
        let exported = export::export(self, &caller, request.into_inner()).await?;
        Ok(Response::new(export::messages(exported, place)))
    }
}

impl From<SealStatus> for v1::GetSealResponse {
    fn from(status: SealStatus) -> Self {
        let SealStatus { key_id, key_path, retired, sealed, open } = status;
        Self {
            key_id: key_id.unwrap_or_default(),
            key_path: key_path.map(|path| path.display().to_string()).unwrap_or_default(),
            retired_key_ids: retired,
            sealed_count: i64::try_from(sealed).unwrap_or(i64::MAX),
            open_names: open,
        }
    }
}

impl From<Figures> for v1::Figures {
    fn from(figures: Figures) -> Self {
        let Figures {
            revision,
            log_after,
            log_bytes,
            sessions,
            held,
            waiting,
            watchers,
            commits,
            batches,
            commit_p50,
            commit_p99,
        } = figures;
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            started: None,
            revision,
            log_after,
            log_bytes: log_bytes.cast_signed(),
            sessions: count(sessions),
            held: count(held),
            waiting: count(waiting),
            watchers: count(watchers),
            commits: commits.cast_signed(),
            batches: batches.cast_signed(),
            commit_p50: commit_p50.try_into().ok(),
            commit_p99: commit_p99.try_into().ok(),
        }
    }
}
