//! A daemon that the test plays: it is handed every call, and answers when and what it likes.

use std::path::{Path, PathBuf};

use sessiond_client::{Client, Reason, Socket};
use sessiond_proto::{
    DOMAIN,
    v1::{
        self,
        session_service_server::{SessionService, SessionServiceServer},
    },
};
use tempfile::TempDir;
use tokio::{
    net::UnixListener,
    runtime::Runtime,
    sync::{mpsc, oneshot},
};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Code, Request, Response, Status, Streaming, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Messages that may wait in a stream whose client does not read, and calls that the test has not taken.
const QUEUE_LEN: usize = 64;

/// A socket, and whoever serves it.
pub(crate) struct Fake {
    directory: TempDir,
    server: Option<Runtime>,
    calls: mpsc::Receiver<Call>,
}

/// A call, and how to answer it.
pub(crate) enum Call {
    Hold(v1::HoldRequest, Events<v1::HoldResponse>),
    Release(v1::ReleaseRequest, Answer<v1::ReleaseResponse>),
    Load(v1::LoadRequest, Answer<v1::LoadResponse>),
    Save(v1::SaveRequest, Answer<v1::SaveResponse>),
    Advance(v1::AdvanceRequest, Answer<v1::AdvanceResponse>),
    AdvanceStream(Streaming<v1::AdvanceStreamRequest>, Events<v1::AdvanceStreamResponse>),
    Delete(v1::DeleteRequest, Answer<v1::DeleteResponse>),
    List(v1::ListRequest, Answer<v1::ListResponse>),
    Watch(v1::WatchRequest, Events<v1::WatchResponse>),
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, Status>>;
pub(crate) type Events<T> = mpsc::Sender<Result<T, Status>>;

/// An error as the daemon makes it.
pub(crate) fn refusal(code: Code, reason: Reason) -> Status {
    refusal_with(code, reason, &[])
}

pub(crate) fn refusal_with(code: Code, reason: Reason, metadata: &[(&str, &str)]) -> Status {
    let metadata: std::collections::HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let details = ErrorDetails::with_error_info(reason.name(), DOMAIN, metadata);
    Status::with_error_details(code, "the test refuses", details)
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (_, calls) = mpsc::channel(QUEUE_LEN);
        let mut fake = Self { directory, server: None, calls };
        fake.restart();
        fake
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("fake.sock")
    }

    pub(crate) async fn client(&self) -> Client {
        Client::builder().socket(Socket::Path(self.socket())).connect().await.expect("a client")
    }

    /// Ends as a killed process does: every connection is cut, and the socket stays behind.
    pub(crate) fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown_background();
        }
    }

    /// Serves anew.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let (calls, received) = mpsc::channel(QUEUE_LEN);
        self.calls = received;
        self.server = Some(serve(&self.socket(), Service(calls)));
    }

    /// The next call.
    pub(crate) async fn call(&mut self) -> Call {
        self.calls.recv().await.expect("the server runs")
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Takes the next call of a kind.
macro_rules! expect_call {
    ($fake:expr, $kind:ident) => {
        match $fake.call().await {
            $crate::fake::Call::$kind(request, answer) => (request, answer),
            _ => panic!("another call came than {}", stringify!($kind)),
        }
    };
}
pub(crate) use expect_call;

fn serve(socket: &Path, service: Service) -> Runtime {
    let _ = std::fs::remove_file(socket);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime of its own, so that all of it can be stopped");
    let listener = {
        let _inside = runtime.enter();
        UnixListener::bind(socket).expect("a socket")
    };
    let server = Server::builder().add_service(SessionServiceServer::new(service));
    runtime.spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));
    runtime
}

struct Service(mpsc::Sender<Call>);

impl Service {
    async fn unary<T>(&self, call: impl FnOnce(Answer<T>) -> Call) -> Result<Response<T>, Status> {
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(call(answer)).await;
        answered.await.expect("the test answers every call").map(Response::new)
    }

    async fn stream<T>(
        &self,
        call: impl FnOnce(Events<T>) -> Call,
    ) -> Result<Response<ReceiverStream<Result<T, Status>>>, Status> {
        let (events, receiver) = mpsc::channel(QUEUE_LEN);
        let _ = self.0.send(call(events)).await;
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

#[async_trait::async_trait]
impl SessionService for Service {
    type HoldStream = ReceiverStream<Result<v1::HoldResponse, Status>>;
    type AdvanceStreamStream = ReceiverStream<Result<v1::AdvanceStreamResponse, Status>>;
    type WatchStream = ReceiverStream<Result<v1::WatchResponse, Status>>;

    async fn hold(&self, request: Request<v1::HoldRequest>) -> Result<Response<Self::HoldStream>, Status> {
        self.stream(|events| Call::Hold(request.into_inner(), events)).await
    }

    async fn release(
        &self,
        request: Request<v1::ReleaseRequest>,
    ) -> Result<Response<v1::ReleaseResponse>, Status> {
        self.unary(|answer| Call::Release(request.into_inner(), answer)).await
    }

    async fn load(&self, request: Request<v1::LoadRequest>) -> Result<Response<v1::LoadResponse>, Status> {
        self.unary(|answer| Call::Load(request.into_inner(), answer)).await
    }

    async fn save(&self, request: Request<v1::SaveRequest>) -> Result<Response<v1::SaveResponse>, Status> {
        self.unary(|answer| Call::Save(request.into_inner(), answer)).await
    }

    async fn advance(
        &self,
        request: Request<v1::AdvanceRequest>,
    ) -> Result<Response<v1::AdvanceResponse>, Status> {
        self.unary(|answer| Call::Advance(request.into_inner(), answer)).await
    }

    async fn advance_stream(
        &self,
        request: Request<Streaming<v1::AdvanceStreamRequest>>,
    ) -> Result<Response<Self::AdvanceStreamStream>, Status> {
        self.stream(|events| Call::AdvanceStream(request.into_inner(), events)).await
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteRequest>,
    ) -> Result<Response<v1::DeleteResponse>, Status> {
        self.unary(|answer| Call::Delete(request.into_inner(), answer)).await
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        self.unary(|answer| Call::List(request.into_inner(), answer)).await
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        self.stream(|events| Call::Watch(request.into_inner(), events)).await
    }
}
