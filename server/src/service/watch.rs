//! SessionService, with Watch beside what was generated: most of what a watcher is told, all of them are told, so it is encoded
//! and framed once, and each stream passes on the same bytes.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use sessiond_proto::v1::{self, session_service_server::SessionServiceServer};
use tonic::{Status, Streaming, body::Body, codec::Codec as _, server::NamedService};
use tonic_prost::ProstCodec;
use tower::Service;

use super::{Daemon, MAX_MESSAGE, Refusal, parse, permit::Permit, place, streams};
use crate::{
    caller::Caller,
    policy::Denied,
    watch::{Source, Watcher},
};

/// The path of a call to Watch.
const PATH: &str = "/sessiond.v1.SessionService/Watch";

/// The service of sessions.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    generated: SessionServiceServer<Daemon>,
    daemon: Daemon,
}

impl Sessions {
    pub(super) fn new(daemon: Daemon) -> Self {
        // Saves may be as large as a message; what is answered may be larger than what one client sent at a time.
        let generated = SessionServiceServer::new(daemon.clone()).max_decoding_message_size(MAX_MESSAGE);
        Self { generated, daemon }
    }
}

impl NamedService for Sessions {
    const NAME: &'static str = <SessionServiceServer<Daemon> as NamedService>::NAME;
}

impl Service<Request<Body>> for Sessions {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.generated, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() != PATH {
            return self.generated.call(request);
        }
        let daemon = self.daemon.clone();
        Box::pin(async move {
            let answer = watch(daemon, request).await;
            Ok(answer.unwrap_or_else(Status::into_http))
        })
    }
}

async fn watch(daemon: Daemon, request: Request<Body>) -> Result<Response<Body>, Status> {
    let caller = request.extensions().get::<Caller>().cloned().ok_or(Refusal::Denied(Denied::Stranger))?;
    let place = place(&caller)?;
    let decoder = ProstCodec::<v1::WatchResponse, v1::WatchRequest>::default().decoder();
    let mut messages = Streaming::new_request(decoder, request.into_body(), None, Some(MAX_MESSAGE));
    let asked = messages.message().await?;
    let asked = asked.ok_or(Refusal::Undecodable)?;
    let (mut selection, start, mode, bookmark_interval) = parse::watch(asked)?;
    let permit = Permit::to_watch(&daemon, &caller, &mut selection)?;
    let Daemon { engine, snapshots, shutdown, .. } = daemon;
    let source = Source { engine, snapshots, shutdown };
    let watcher = Watcher::new(source, selection, mode, bookmark_interval).starting(start);
    let body = StreamBody::new(streams::watch(watcher, permit, place)).map_err(|never| match never {});
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// What a stream ends with.
pub(super) fn trailers(status: &Status) -> Frame<bytes::Bytes> {
    let mut headers = http::HeaderMap::new();
    status.add_header(&mut headers).expect("our words and details are valid as headers");
    Frame::trailers(headers)
}
