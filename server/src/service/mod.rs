//! The gRPC services: a request is parsed into model types, the engine, the holds or a watcher is asked once, and the
//! answer is put into words. Nothing is decided here.

mod admin;
mod advance_stream;
mod attribute;
mod export;
mod import;
mod list;
mod parse;
mod peer;
mod permit;
mod recorded;
mod session;
mod status;
mod streams;
mod unfinished;
mod watch;

use std::sync::Arc;

use sessiond_proto::v1::{
    admin_service_server::AdminServiceServer, attribute_service_server::AttributeServiceServer,
    peer_service_server::PeerServiceServer,
};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
};

use crate::{
    audit::Audit,
    caller::Caller,
    engine::Engine,
    holds::Holds,
    policy::{Denied, Policy},
    shutdown::Shutdown,
    transfer::Transfers,
    watch::Snapshots,
};

use recorded::note_denial;
use status::Refusal;
pub(crate) use status::in_our_words;
pub(crate) use unfinished::bounded;
use watch::Sessions;

/// Largest message that is taken, in bytes.
pub(crate) const MAX_MESSAGE: usize = 4 << 20;

/// What this version can do beyond the first one.
const FEATURES: [&str; 5] = ["peers", "attributes", "import", "export", "sealing"];

/// What the services work with. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) holds: Holds,
    pub(crate) snapshots: Snapshots,
    pub(crate) transfers: Transfers,
    pub(crate) policy: Policy,
    pub(crate) audit: Audit,
    pub(crate) shutdown: Shutdown,
    pub(crate) started: std::time::SystemTime,
}

/// Lets nobody in whom the policy does not know, nor who asks too often.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    policy: Policy,
    audit: Audit,
}

/// Any service behind the gate.
pub(crate) fn gated<S>(service: S, daemon: &Daemon) -> InterceptedService<S, Gate> {
    InterceptedService::new(service, Gate::of(daemon))
}

/// The service of sessions.
pub(crate) fn session_service(daemon: Daemon) -> InterceptedService<Sessions, Gate> {
    let gate = Gate::of(&daemon);
    InterceptedService::new(Sessions::new(daemon), gate)
}

/// The service of what sessions know of others.
pub(crate) fn peer_service(daemon: Daemon) -> InterceptedService<PeerServiceServer<Daemon>, Gate> {
    let gate = Gate::of(&daemon);
    InterceptedService::new(PeerServiceServer::new(daemon).max_decoding_message_size(MAX_MESSAGE), gate)
}

/// The service of what single libraries keep.
pub(crate) fn attribute_service(daemon: Daemon) -> InterceptedService<AttributeServiceServer<Daemon>, Gate> {
    let gate = Gate::of(&daemon);
    InterceptedService::new(AttributeServiceServer::new(daemon).max_decoding_message_size(MAX_MESSAGE), gate)
}

/// The service for operators.
pub(crate) fn admin_service(daemon: Daemon) -> InterceptedService<AdminServiceServer<Daemon>, Gate> {
    let gate = Gate::of(&daemon);
    InterceptedService::new(AdminServiceServer::new(daemon).max_decoding_message_size(MAX_MESSAGE), gate)
}

impl Gate {
    fn of(daemon: &Daemon) -> Self {
        Self { policy: daemon.policy.clone(), audit: daemon.audit.clone() }
    }
}

impl Interceptor for Gate {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let caller = request.extensions().get::<Caller>().ok_or(Refusal::Denied(Denied::Stranger))?;
        let admitted = self.policy.admits(caller);
        admitted.inspect_err(|denied| note_denial(&self.audit, caller, denied)).map_err(Refusal::from)?;
        match &caller.allowance {
            Some(allowance) if !allowance.ask() => Err(Refusal::Requests.into()),
            _ => Ok(request),
        }
    }
}

/// A place for a stream, on the caller's connection and among all that are the caller's, until it is dropped.
struct Place {
    _on_connection: OwnedSemaphorePermit,
    _of_caller: Option<OwnedSemaphorePermit>,
}

fn place(caller: &Caller) -> Result<Place, Refusal> {
    let on_connection = Arc::clone(&caller.streams).try_acquire_owned().map_err(|_| Refusal::Streams)?;
    let of_caller = caller.allowance.as_ref().map(|allowance| allowance.stream().ok_or(Refusal::AllStreams));
    Ok(Place { _on_connection: on_connection, _of_caller: of_caller.transpose()? })
}

/// Who calls.
fn caller<T>(request: &Request<T>) -> Result<Caller, Refusal> {
    request.extensions().get::<Caller>().cloned().ok_or(Refusal::Denied(Denied::Stranger))
}
