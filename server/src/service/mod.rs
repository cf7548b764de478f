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
mod session;
mod status;
mod streams;
mod watch;

use std::sync::Arc;

use sessiond_proto::v1::{
    admin_service_server::AdminServiceServer, attribute_service_server::AttributeServiceServer,
    peer_service_server::PeerServiceServer,
};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Status, service::interceptor::InterceptedService};

use crate::{
    caller::Caller, engine::Engine, holds::Holds, shutdown::Shutdown, transfer::Transfers, watch::Snapshots,
};

use status::Refusal;
pub(crate) use status::in_our_words;
use watch::Sessions;

/// Largest message that is taken, in bytes.
pub(crate) const MAX_MESSAGE: usize = 4 << 20;

/// What this version can do beyond the first one.
const FEATURES: [&str; 4] = ["peers", "attributes", "import", "export"];

/// What the services work with. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) holds: Holds,
    pub(crate) snapshots: Snapshots,
    pub(crate) transfers: Transfers,
    pub(crate) shutdown: Shutdown,
    pub(crate) started: std::time::SystemTime,
}

/// Lets nobody in but the permitted.
pub(crate) type Gate = fn(Request<()>) -> Result<Request<()>, Status>;

/// The service of sessions.
pub(crate) fn session_service(daemon: Daemon) -> InterceptedService<Sessions, Gate> {
    InterceptedService::new(Sessions::new(daemon), permitted)
}

/// The service of what sessions know of others.
pub(crate) fn peer_service(daemon: Daemon) -> InterceptedService<PeerServiceServer<Daemon>, Gate> {
    InterceptedService::new(PeerServiceServer::new(daemon).max_decoding_message_size(MAX_MESSAGE), permitted)
}

/// The service of what single libraries keep.
pub(crate) fn attribute_service(daemon: Daemon) -> InterceptedService<AttributeServiceServer<Daemon>, Gate> {
    let service = AttributeServiceServer::new(daemon).max_decoding_message_size(MAX_MESSAGE);
    InterceptedService::new(service, permitted)
}

/// The service for operators.
pub(crate) fn admin_service(daemon: Daemon) -> InterceptedService<AdminServiceServer<Daemon>, Gate> {
    InterceptedService::new(AdminServiceServer::new(daemon).max_decoding_message_size(MAX_MESSAGE), permitted)
}

fn permitted(request: Request<()>) -> Result<Request<()>, Status> {
    let caller = request.extensions().get::<Caller>();
    if caller.is_some_and(Caller::is_permitted) { Ok(request) } else { Err(Refusal::NotPermitted.into()) }
}

/// A place for a stream on the caller's connection, until it is dropped.
fn place(caller: &Caller) -> Result<OwnedSemaphorePermit, Refusal> {
    Arc::clone(&caller.streams).try_acquire_owned().map_err(|_| Refusal::Streams)
}

/// Who calls.
fn caller<T>(request: &Request<T>) -> Result<Caller, Refusal> {
    request.extensions().get::<Caller>().cloned().ok_or(Refusal::NotPermitted)
}
