//! A daemon of the runner's own, for what a healthy one does not answer.

use std::{
    collections::{HashMap, VecDeque},
    future,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream, stream::BoxStream};
use serde::Deserialize;
use sessiond_proto::{
    DOMAIN, Reason, TOKEN_LEN,
    v1::{
        self,
        hold_response::Event,
        session_service_server::{SessionService, SessionServiceServer},
    },
};
use tokio::{net::UnixListener, sync::watch, task::JoinHandle, time::sleep};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Code, Request, Response, Status, Streaming, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};

/// How much later a hold's stream tells what a call was refused for: long enough for the refusal to be there first, and far
/// less than a client waits for it.
const A_LITTLE: Duration = Duration::from_millis(200);

/// What calls are answered, one after the other; the last answer is that of every further call. Calls that are not named are
/// answered in order: nothing is stored, everyone is granted a hold, and every write is taken as revision 7.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Answers {
    hold: VecDeque<Given>,
    load: VecDeque<Given>,
    advance: VecDeque<Given>,
    /// Why a hold is lost, as `ENDED_BY_ADMIN`: its stream tells a little after a token was refused. Absent: it never does.
    lost: Option<String>,
}

/// In order, or refused so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// The status code's name, as `RESOURCE_EXHAUSTED`. Absent: in order.
    code: Option<String>,
    /// The reason in its ErrorInfo.
    #[serde(default)]
    reason: String,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

/// Such a daemon. It is gone once this is dropped.
pub(super) struct Scripted(JoinHandle<()>);

struct Service {
    answers: Arc<Mutex<Answers>>,
    /// Of the first advance: all of its attempts have the same.
    request_id: Mutex<Option<String>>,
    /// Whether a token was refused.
    refused: watch::Sender<bool>,
}

impl Scripted {
    pub(super) fn start(socket: &Path, answers: Answers) -> Self {
        let listener = UnixListener::bind(socket).expect("a socket of ours");
        let answers = Arc::new(Mutex::new(answers));
        let service = Service { answers, request_id: Mutex::default(), refused: watch::Sender::default() };
        let server = Server::builder().add_service(SessionServiceServer::new(service));
        let serving = server.serve_with_incoming(UnixListenerStream::new(listener));
        Self(tokio::spawn(async { serving.await.expect("it serves") }))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Service {
    /// What a hold's stream tells a little after a token was refused; never, where the scenario does not have it.
    fn loss(&self) -> impl Future<Output = v1::HoldResponse> + Send + 'static {
        let lost = self.answers.lock().expect("whole").lost.clone();
        let mut refused = self.refused.subscribe();
        async move {
            let Some(lost) = lost else { return future::pending().await };
            let reason = v1::LostReason::from_str_name(&format!("LOST_REASON_{lost}"))
                .expect("there is such a reason");
            // Where it is not refused any more, nobody listens either.
            let _ = refused.wait_for(|refused| *refused).await;
            sleep(A_LITTLE).await;
            v1::HoldResponse { event: Some(Event::Lost(v1::Lost { reason: reason.into() })) }
        }
    }

    /// The next answer of a call: in order, or a refusal.
    fn next(&self, call: fn(&mut Answers) -> &mut VecDeque<Given>) -> Result<(), Status> {
        let mut answers = self.answers.lock().expect("whole");
        let answers = call(&mut answers);
        let given = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        match given {
            Some(Given { code: Some(code), reason, metadata }) => {
                if reason == Reason::Fenced.name() {
                    self.refused.send_replace(true);
                }
                let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
                Err(Status::with_error_details(self::code(&code), "the scenario refuses", details))
            }
            _ => Ok(()),
        }
    }
}

fn code(name: &str) -> Code {
    let codes = (0..17).map(Code::from_i32);
    let upper = |code: &Code| {
        let camel = format!("{code:?}");
        let spaced = camel.chars().map(|c| if c.is_uppercase() { format!("_{c}") } else { c.into() });
        spaced.collect::<String>().trim_start_matches('_').to_uppercase()
    };
    codes.into_iter().find(|code| upper(code) == name).unwrap_or_else(|| panic!("no such code: {name}"))
}

#[async_trait]
impl SessionService for Service {
    type HoldStream = BoxStream<'static, Result<v1::HoldResponse, Status>>;
    type AdvanceStreamStream = BoxStream<'static, Result<v1::AdvanceStreamResponse, Status>>;
    type WatchStream = BoxStream<'static, Result<v1::WatchResponse, Status>>;

    async fn hold(&self, _: Request<v1::HoldRequest>) -> Result<Response<Self::HoldStream>, Status> {
        self.next(|answers| &mut answers.hold)?;
        let granted = v1::Granted { token: vec![7; TOKEN_LEN], fence: 7, ..v1::Granted::default() };
        let granted = v1::HoldResponse { event: Some(Event::Granted(granted)) };
        let told = stream::iter([Ok(granted)]).chain(stream::once(self.loss()).map(Ok));
        Ok(Response::new(told.chain(stream::pending()).boxed()))
    }

    async fn load(&self, _: Request<v1::LoadRequest>) -> Result<Response<v1::LoadResponse>, Status> {
        self.next(|answers| &mut answers.load)?;
        Ok(Response::new(v1::LoadResponse::default()))
    }

    async fn advance(
        &self,
        request: Request<v1::AdvanceRequest>,
    ) -> Result<Response<v1::AdvanceResponse>, Status> {
        let request_id = request.into_inner().request_id;
        let first = self.request_id.lock().expect("whole").get_or_insert(request_id.clone()).clone();
        if request_id.is_empty() || request_id != first {
            return Err(Status::internal("all attempts of a write have one request id, and these have not"));
        }
        self.next(|answers| &mut answers.advance)?;
        Ok(Response::new(v1::AdvanceResponse { revision: 7 }))
    }

    async fn release(&self, _: Request<v1::ReleaseRequest>) -> Result<Response<v1::ReleaseResponse>, Status> {
        Ok(Response::new(v1::ReleaseResponse {}))
    }

    async fn save(&self, _: Request<v1::SaveRequest>) -> Result<Response<v1::SaveResponse>, Status> {
        Err(Status::unimplemented("no scenario needs it"))
    }

    async fn advance_stream(
        &self,
        _: Request<Streaming<v1::AdvanceStreamRequest>>,
    ) -> Result<Response<Self::AdvanceStreamStream>, Status> {
        Err(Status::unimplemented("no scenario needs it"))
    }

    async fn delete(&self, _: Request<v1::DeleteRequest>) -> Result<Response<v1::DeleteResponse>, Status> {
        Err(Status::unimplemented("no scenario needs it"))
    }

    async fn list(&self, _: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        Err(Status::unimplemented("no scenario needs it"))
    }

    async fn watch(&self, _: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("no scenario needs it"))
    }
}
