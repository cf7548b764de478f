//! A server that takes streams of changes and does nothing with them, and that has changes for whoever watches: what streams
//! cost in gRPC alone.

use std::{path::Path, pin::Pin, time::SystemTime};

use futures_util::{Stream, StreamExt as _, stream};
use sessiond_proto::v1::{
    self,
    session_service_server::{SessionService, SessionServiceServer},
    watch_response::Event,
};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};

use super::{clock, telling::Telling};
use crate::sample;

/// Most messages that one acknowledgement is for: as many as the daemon takes into one transaction.
const CHUNK: usize = 1_024;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

pub(super) async fn run(telling: Telling, socket: &Path) -> anyhow::Result<()> {
    let listener = UnixListener::bind(socket)?;
    telling.say(&())?;
    let ending = telling.ending();
    let server = Server::builder().add_service(SessionServiceServer::new(Echo));
    tokio::select! {
        served = server.serve_with_incoming(UnixListenerStream::new(listener)) => Ok(served?),
        ended = ending => ended?,
    }
}

#[derive(Debug)]
struct Echo;

/// What nobody asks this server for.
fn no() -> Status {
    Status::unimplemented("only streams of changes")
}

#[tonic::async_trait]
impl SessionService for Echo {
    type HoldStream = Answers<v1::HoldResponse>;
    type AdvanceStreamStream = Answers<v1::AdvanceStreamResponse>;
    type WatchStream = Answers<v1::WatchResponse>;

    async fn advance_stream(
        &self,
        request: Request<Streaming<v1::AdvanceStreamRequest>>,
    ) -> Result<Response<Self::AdvanceStreamStream>, Status> {
        let answers = request.into_inner().ready_chunks(CHUNK).map(|chunk| {
            let messages: Vec<_> = chunk.into_iter().collect::<Result<_, _>>()?;
            let sequence = messages.last().map(|message| message.sequence).unwrap_or_default();
            Ok(v1::AdvanceStreamResponse { sequence, revision: sequence })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn hold(&self, _: Request<v1::HoldRequest>) -> Result<Response<Self::HoldStream>, Status> {
        Err(no())
    }

    async fn release(&self, _: Request<v1::ReleaseRequest>) -> Result<Response<v1::ReleaseResponse>, Status> {
        Err(no())
    }

    async fn load(&self, _: Request<v1::LoadRequest>) -> Result<Response<v1::LoadResponse>, Status> {
        Err(no())
    }

    async fn save(&self, _: Request<v1::SaveRequest>) -> Result<Response<v1::SaveResponse>, Status> {
        Err(no())
    }

    async fn advance(&self, _: Request<v1::AdvanceRequest>) -> Result<Response<v1::AdvanceResponse>, Status> {
        Err(no())
    }

    async fn delete(&self, _: Request<v1::DeleteRequest>) -> Result<Response<v1::DeleteResponse>, Status> {
        Err(no())
    }

    async fn list(&self, _: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        Err(no())
    }

    /// Changes without an end, as fast as they are read.
    async fn watch(&self, _: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let synced = Event::Synced(v1::Synced { store_id: "none".into() });
        let synced = v1::WatchResponse { event: Some(synced), ..Default::default() };
        let events = stream::iter(1_i32..).map(|number| v1::WatchResponse {
            revision: number.into(),
            name: "watched".into(),
            time: Some(SystemTime::now().into()),
            previous_revision: i64::from(number) - 1,
            event: Some(Event::Change(sample::change(number, clock::now().cast_signed()))),
        });
        Ok(Response::new(Box::pin(stream::iter([synced]).chain(events).map(Ok))))
    }
}
