//! SessionService, with Watch beside what was generated: most of what watchers are told, all of them are told, so it is encoded
//! once, and each stream passes on the same bytes.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::{BufMut as _, Bytes};
use futures_util::future::BoxFuture;
use http::Request;
use prost::Message as _;
use sessiond_proto::v1::{self, session_service_server::SessionServiceServer};
use tonic::{
    Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService, ServerStreamingService},
};
use tower::Service;

use super::{Daemon, MAX_MESSAGE, Refusal, caller, parse, place, streams};
use crate::watch::{Source, Watcher};

/// The path of a call to Watch.
const PATH: &str = "/sessiond.v1.SessionService/Watch";

/// The service of sessions.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    generated: SessionServiceServer<Daemon>,
    daemon: Daemon,
}

/// The method Watch.
struct Watch(Daemon);

/// Events as the bytes that they are.
#[derive(Debug, Clone, Copy)]
struct Encoded;

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
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.generated, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() != PATH {
            return self.generated.call(request);
        }
        let watch = Watch(self.daemon.clone());
        Box::pin(async move {
            let mut grpc = Grpc::new(Encoded).max_decoding_message_size(MAX_MESSAGE);
            Ok(grpc.server_streaming(watch, request).await)
        })
    }
}

impl ServerStreamingService<v1::WatchRequest> for Watch {
    type Response = Bytes;
    type ResponseStream = streams::ResponseStream<Bytes>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<v1::WatchRequest>) -> Self::Future {
        ready(self.begin(request).map(tonic::Response::new).map_err(Status::from))
    }
}

impl Watch {
    fn begin(
        &self,
        request: tonic::Request<v1::WatchRequest>,
    ) -> Result<streams::ResponseStream<Bytes>, Refusal> {
        let place = place(&caller(&request)?)?;
        let (selection, start, mode, bookmark_interval) = parse::watch(request.into_inner())?;
        let Daemon { engine, snapshots, shutdown, .. } = self.0.clone();
        let source = Source { engine, snapshots, shutdown };
        let watcher = Watcher::new(source, selection, mode, bookmark_interval).starting(start);
        Ok(streams::watch(watcher, place))
    }
}

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = v1::WatchRequest;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, event: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(event);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = v1::WatchRequest;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<v1::WatchRequest>, Status> {
        // As tonic's own codec says it: the layer above puts it into our words.
        v1::WatchRequest::decode(buffer).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
