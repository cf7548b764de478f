use std::{
    fmt,
    future::IntoFuture,
    ops::{ControlFlow, Deref},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use sessiond_proto::{
    InvalidName, SessionName,
    v1::{self, hold_response::Event},
};
use sessiond_session::Session;
use tokio::task::JoinHandle;
use tonic::{Status, Streaming};

use crate::{
    Client, Error, HeldSession, LostReason, Token, Waiting,
    held::{Origin, Standing},
    model,
    retry::Retry,
};

/// Asks for a session, for this client alone; sent when it is awaited, and gives a [`Hold`].
///
/// Dropped before it is ready, it leaves the line. Errors: [`Error::HeldByAnother`] unless it waits,
/// [`Error::FileInUse`], [`Error::ForeignFile`], [`Error::Damaged`], [`Error::Unavailable`] when no daemon answers for as
/// long as the client's deadline, and others.
#[must_use = "a hold is asked for when it is awaited"]
pub struct HoldRequest {
    client: Client,
    name: Result<SessionName, InvalidName>,
    label: Option<String>,
    wait: bool,
    on_waiting: Box<dyn FnMut(&Waiting) + Send>,
}

/// A session, held for this client alone. Reading and writing it are the [`HeldSession`]'s, which this derefs to.
///
/// A daemon that is down or restarts does not end a hold: it is taken up again by its token, for as long as it takes. Only
/// [`lost`](HeldSession::lost) says that it ended. To drop it then says that the keys are not in use any more; the daemon
/// waits for that before it grants the session to the next, though not longer than its resume window.
///
/// [`release`](Self::release) is the clean end. Merely dropped, the hold stays this process's until the daemon's resume
/// window is over, because the connection to Telegram may live on; if the process ends, until the hand-over delay is.
#[derive(Debug)]
pub struct Hold {
    held: HeldSession,
    fence: i64,
    revision: i64,
    session: Option<Session>,
    resume_within: Duration,
    life_line: JoinHandle<()>,
}

impl HoldRequest {
    pub(crate) fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.parse(), label: None, wait: false, on_waiting: Box::new(|_| ()) }
    }

    /// Waits in line while another client holds the session.
    pub fn wait(mut self) -> Self {
        self.wait = true;
        self
    }

    /// What this client calls itself with this hold, in place of the client's own label.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Is told who is in the way, at once and whenever that or the place in the line changes.
    pub fn on_waiting(mut self, told: impl FnMut(&Waiting) + Send + 'static) -> Self {
        self.on_waiting = Box::new(told);
        self
    }

    async fn granted(self) -> Result<Hold, Error> {
        let Self { client, name, label, wait, mut on_waiting } = self;
        let name = name?;
        let label = label.unwrap_or_else(|| client.label().to_owned());
        let request = v1::HoldRequest { name: name.to_string(), label, wait, token: Vec::new() };
        let mut retry = Retry::within(client.deadline(), client.socket());
        loop {
            let Some(mut stream) = retry.attempt(open(&client, &request)).await? else { continue };
            loop {
                match stream.message().await {
                    Ok(Some(response)) => {
                        retry.heard();
                        match response.event {
                            Some(Event::Waiting(waiting)) => on_waiting(&waiting.into()),
                            Some(Event::Granted(granted)) => {
                                return Hold::new(client, name, request, granted, stream);
                            }
                            Some(Event::Lost(lost)) => {
                                return Err(Error::Lost { reason: LostReason::from_wire(lost.reason()) });
                            }
                            None => {}
                        }
                    }
                    Ok(None) => break retry.pause(ended()).await?,
                    Err(status) => break retry.pause(status).await?,
                }
            }
        }
    }
}

impl IntoFuture for HoldRequest {
    type Output = Result<Hold, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.granted().boxed()
    }
}

impl fmt::Debug for HoldRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client: _, name, label, wait, on_waiting: _ } = self;
        f.debug_struct("HoldRequest")
            .field("name", name)
            .field("label", label)
            .field("wait", wait)
            .finish_non_exhaustive()
    }
}

impl Hold {
    /// Revision at which the hold was granted. A later hold of the session has a higher one.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// The session's revision when the hold was granted. 0: there was no session.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The session when the hold was granted, with its keys. `None`: there was none.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// How long this process may be out of touch with a running daemon before the hold is lost.
    pub fn resume_within(&self) -> Duration {
        self.resume_within
    }

    /// Lets the session go, at once and for good. Close the connection to Telegram first.
    ///
    /// # Errors
    /// [`Error::Lost`] if the hold had ended before. [`Error::Unavailable`]: the daemon was not told, and passes the session
    /// on by its own rules. Either way this process does not hold it any more.
    pub async fn release(self) -> Result<(), Error> {
        self.held.release().await
    }

    fn new(
        client: Client,
        name: SessionName,
        mut request: v1::HoldRequest,
        granted: v1::Granted,
        stream: Streaming<v1::HoldResponse>,
    ) -> Result<Self, Error> {
        let v1::Granted { token, fence, revision, session, resume_within } = granted;
        let session = model::read(session)?;
        let token = Token::try_from(token.as_slice()).map_err(|e| Error::Unexpected(e.to_string()))?;
        request.token = token.to_wire();
        let held = HeldSession::new(client, name, token, Origin::Granted);
        let life_line = tokio::spawn(keep(held.clone(), request, stream));
        let resume_within = model::duration(resume_within).unwrap_or_default();
        Ok(Self { held, fence, revision, session, resume_within, life_line })
    }
}

impl Deref for Hold {
    type Target = HeldSession;

    fn deref(&self) -> &HeldSession {
        &self.held
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.life_line.abort();
    }
}

async fn open(client: &Client, request: &v1::HoldRequest) -> Result<Streaming<v1::HoldResponse>, Status> {
    client.sessions().hold(request.clone()).await.map(tonic::Response::into_inner)
}

/// Keeps a hold's stream open until the hold ends.
async fn keep(held: HeldSession, request: v1::HoldRequest, stream: Streaming<v1::HoldResponse>) {
    let mut stream = Some(stream);
    let mut retry = Retry::forever(held.client().socket());
    while held.standing() == Standing::Held {
        let step = match &mut stream {
            Some(open) => listen(open, &mut retry).await,
            None => match open(held.client(), &request).await {
                Ok(opened) => {
                    stream = Some(opened);
                    continue;
                }
                Err(status) => after(status),
            },
        };
        match step {
            ControlFlow::Break(reason) => {
                held.ended(Standing::Lost(reason));
                // The session is granted to the next when this stream is closed: when the program drops the hold.
                if let Some(mut stream) = stream {
                    while let Ok(Some(_)) = stream.message().await {}
                }
                return;
            }
            ControlFlow::Continue(status) => {
                stream = None;
                // Whatever it was, it did not say that the hold has ended, and only that ends it.
                let again = Status::unavailable(status.message());
                retry.pause(again).await.expect("it never gives up on a daemon that is away");
            }
        }
    }
}

/// Listens to a hold's stream until it ends: with the loss of the hold, or with what broke it.
async fn listen(
    stream: &mut Streaming<v1::HoldResponse>,
    retry: &mut Retry,
) -> ControlFlow<LostReason, Status> {
    loop {
        match stream.message().await {
            Ok(Some(response)) => match response.event {
                Some(Event::Lost(lost)) => return ControlFlow::Break(LostReason::from_wire(lost.reason())),
                Some(Event::Granted(_) | Event::Waiting(_)) | None => retry.heard(),
            },
            Ok(None) => return ControlFlow::Continue(ended()),
            Err(status) => return after(status),
        }
    }
}

fn after(status: Status) -> ControlFlow<LostReason, Status> {
    if sessiond_proto::reason(&status) == Some(sessiond_proto::Reason::Fenced) {
        ControlFlow::Break(LostReason::Fenced)
    } else {
        ControlFlow::Continue(status)
    }
}

/// Stands for what a stream ended without.
fn ended() -> Status {
    Status::unavailable("the daemon closed the stream")
}
