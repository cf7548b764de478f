use std::{
    fmt,
    future::{Future, IntoFuture},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use sessiond_proto::{SessionName, v1};
use sessiond_session::{Auth, Clear, InvalidSession, Session, StateChange};
use tokio::{sync::watch, time::timeout};
use tonic::{Response, Status};
use uuid::Uuid;

use crate::{AdvanceStream, Client, Error, Loaded, LostReason, Token};

/// How long a call whose token is refused waits for the hold's stream to say why: that is on its way then, unless the stream
/// is being opened again, which takes up to a second.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// A held session: what its keys can be read by and its data written with. Clones are cheap, and none of them keeps the
/// session held; the [`Hold`](crate::Hold) does.
#[derive(Clone)]
pub struct HeldSession {
    shared: Arc<Shared>,
}

/// A write that is sent when it is awaited, and gives the session's revision after it.
///
/// While no daemon answers it is tried again until its deadline, always with the same request id, so that it goes through
/// once. Dropped in the middle it may or may not have gone through.
///
/// Errors: [`Error::Lost`], or [`Error::Fenced`] of a token that was given, where the session is not held any more,
/// [`Error::RevisionMismatch`], [`Error::InvalidArgument`], [`Error::StorageFull`], [`Error::StorageFailed`],
/// [`Error::Unavailable`] and others.
#[must_use = "a write is sent when it is awaited"]
#[derive(Debug)]
pub struct Write {
    held: HeldSession,
    change: Result<Change, InvalidSession>,
    expected_revision: Option<i64>,
    request_id: Option<String>,
    deadline: Duration,
}

/// How a hold stands. What it became once, it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Held,
    Released,
    Lost(LostReason),
}

/// How this process came by the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The daemon granted it the hold.
    Granted,
    /// The holder gave it, to a process that works for it.
    Given,
}

struct Shared {
    client: Client,
    name: SessionName,
    token: Token,
    origin: Origin,
    standing: watch::Sender<Standing>,
}

#[derive(Debug)]
enum Change {
    Save { session: v1::Session, mode: v1::SaveMode, clear: Option<v1::SaveClear> },
    Advance(v1::StateChange),
    Delete,
}

impl HeldSession {
    pub(crate) fn new(client: Client, name: SessionName, token: Token, origin: Origin) -> Self {
        let standing = watch::Sender::new(Standing::Held);
        Self { shared: Arc::new(Shared { client, name, token, origin, standing }) }
    }

    /// The session's name.
    pub fn name(&self) -> &SessionName {
        &self.shared.name
    }

    /// The hold's token, for processes that work for this one. A secret.
    pub fn token(&self) -> &Token {
        &self.shared.token
    }

    /// Reads the session, with its keys.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::Fenced`] where the session is not held any more, [`Error::Unavailable`] and what reading
    /// a store may meet.
    pub async fn load(&self) -> Result<Loaded, Error> {
        let deadline = self.client().deadline();
        self.call(deadline, || {
            let request = v1::LoadRequest { name: self.name().to_string(), token: self.token().to_wire() };
            let mut sessions = self.client().sessions();
            async move { sessions.load(request).await }
        })
        .await?
        .try_into()
    }

    /// Makes the session exactly this.
    pub fn save(&self, session: &Session) -> Write {
        // The daemon would take a key that is not sent for one to be forgotten.
        let change = match session.dcs.iter().find(|dc| dc.auth == Auth::Withheld) {
            Some(dc) => Err(InvalidSession::new(
                format!("dcs[id={}].auth", dc.id),
                "was withheld, so it would be lost",
            )),
            None => {
                Ok(Change::Save { session: session.clone().into(), mode: v1::SaveMode::Replace, clear: None })
            }
        };
        self.write(change)
    }

    /// Adds what this session knows to what is stored, and takes nothing away ([`Session::merge`]).
    pub fn merge(&self, session: &Session) -> Write {
        self.write(Ok(Change::Save {
            session: session.clone().into(),
            mode: v1::SaveMode::Merge,
            clear: None,
        }))
    }

    /// Forgets what `clear` names and then merges, in one commit. This is how a library logs out.
    pub fn merge_after_clear(&self, session: &Session, clear: Clear) -> Write {
        let clear = Some(clear.into());
        self.write(Ok(Change::Save { session: session.clone().into(), mode: v1::SaveMode::Merge, clear }))
    }

    /// Sets the counters that the change mentions.
    pub fn advance(&self, change: StateChange) -> Write {
        self.write(Ok(Change::Advance(change.into())))
    }

    /// Opens a stream of such changes, that do not wait for each other's answers.
    pub fn advance_stream(&self) -> AdvanceStream {
        AdvanceStream::open(self.clone())
    }

    /// Deletes the session. `load` and `save` still work after it. Of nothing: the revision is 0.
    pub fn delete(&self) -> Write {
        self.write(Ok(Change::Delete))
    }

    /// Waits until the hold is lost, and says why. It cannot be missed: after a loss it is ready at once, however often it
    /// is asked. A hold that is released is never lost; a daemon that is down does not end one either.
    ///
    /// Without the [`Hold`](crate::Hold), in a process that was given the token, a loss shows itself at the next call.
    pub fn lost(&self) -> impl Future<Output = LostReason> + Send + 'static {
        let end = self.end();
        async move {
            match end.await {
                Some(reason) => reason,
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until the hold has ended: with a reason if it was lost, without when it was let go or nobody has it any more.
    pub(crate) fn end(&self) -> impl Future<Output = Option<LostReason>> + Send + 'static {
        let mut standing = self.shared.standing.subscribe();
        async move {
            let end = standing.wait_for(|standing| *standing != Standing::Held).await;
            match end.map(|standing| *standing) {
                Ok(Standing::Lost(reason)) => Some(reason),
                _ => None,
            }
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.shared.client
    }

    pub(crate) fn standing(&self) -> Standing {
        *self.shared.standing.borrow()
    }

    /// Ends the hold's standing, unless it has ended already.
    pub(crate) fn ended(&self, end: Standing) {
        self.shared.standing.send_if_modified(|standing| {
            let first = *standing == Standing::Held;
            if first {
                *standing = end;
            }
            first
        });
    }

    /// The error of a call as one of the hold: when the token is refused, the hold is lost. The reason is its stream's to tell,
    /// and is waited for a little.
    pub(crate) async fn lost_by(&self, error: Error) -> Error {
        if !matches!(error, Error::Fenced) {
            return error;
        }
        if self.shared.origin == Origin::Granted {
            // Too late or told: what comes first is the hold's end.
            let _ = timeout(TOLD_WITHIN, self.end()).await;
        }
        self.ended(Standing::Lost(LostReason::Fenced));
        self.check().err().unwrap_or(error)
    }

    /// # Errors
    /// The hold was lost. A process that was only given its token knows no more than that it is not the current one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.standing() {
            Standing::Lost(_) if self.shared.origin == Origin::Given => Err(Error::Fenced),
            Standing::Lost(reason) => Err(Error::Lost { reason }),
            Standing::Held | Standing::Released => Ok(()),
        }
    }

    /// Lets the hold go. Idempotent, also for the daemon until the next grant: a refusal after an attempt that was not answered
    /// is taken for that attempt having gone through.
    pub(crate) async fn release(&self) -> Result<(), Error> {
        self.check()?;
        self.ended(Standing::Released);
        let deadline = self.client().deadline();
        let mut attempts = 0;
        let released = self
            .client()
            .call(deadline, || {
                attempts += 1;
                let request =
                    v1::ReleaseRequest { name: self.name().to_string(), token: self.token().to_wire() };
                let mut sessions = self.client().sessions();
                async move { sessions.release(request).await }
            })
            .await;
        match released {
            Ok(v1::ReleaseResponse {}) => Ok(()),
            Err(Error::Fenced) if attempts > 1 => Ok(()),
            Err(Error::Fenced) => Err(Error::Lost { reason: LostReason::Fenced }),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn call<T, F>(&self, deadline: Duration, attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.check()?;
        match self.client().call(deadline, attempt).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.lost_by(error).await),
        }
    }

    fn write(&self, change: Result<Change, InvalidSession>) -> Write {
        let deadline = self.client().deadline();
        Write { held: self.clone(), change, expected_revision: None, request_id: None, deadline }
    }
}

impl fmt::Debug for HeldSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldSession")
            .field("name", self.name())
            .field("standing", &self.standing())
            .finish_non_exhaustive()
    }
}

impl Write {
    /// Refuses with [`Error::RevisionMismatch`] unless the session is at this revision. 0: there must be none yet.
    pub fn if_revision(mut self, revision: i64) -> Self {
        self.expected_revision = Some(revision);
        self
    }

    /// Sends this request id, at most 128 bytes, in place of a new one: for a program that repeats its writes after its own
    /// restart.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// How long this write waits for a daemon, in place of the client's own deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    async fn send(self) -> Result<i64, Error> {
        let Self { held, change, expected_revision, request_id, deadline } = self;
        let name = held.name().to_string();
        let token = held.token().to_wire();
        let request_id = request_id.unwrap_or_else(|| Uuid::new_v4().to_string());
        match change.map_err(Error::invalid)? {
            Change::Save { session, mode, clear } => {
                let (session, mode) = (Some(session), mode.into());
                let request =
                    v1::SaveRequest { name, token, session, mode, expected_revision, request_id, clear };
                let call = || {
                    let (request, mut sessions) = (request.clone(), held.client().sessions());
                    async move { sessions.save(request).await }
                };
                held.call(deadline, call).await.map(|v1::SaveResponse { revision }| revision)
            }
            Change::Advance(change) => {
                let change = Some(change);
                let request = v1::AdvanceRequest { name, token, change, expected_revision, request_id };
                let call = || {
                    let (request, mut sessions) = (request.clone(), held.client().sessions());
                    async move { sessions.advance(request).await }
                };
                held.call(deadline, call).await.map(|v1::AdvanceResponse { revision }| revision)
            }
            Change::Delete => {
                let request = v1::DeleteRequest { name, token, expected_revision, request_id };
                let call = || {
                    let (request, mut sessions) = (request.clone(), held.client().sessions());
                    async move { sessions.delete(request).await }
                };
                held.call(deadline, call).await.map(|v1::DeleteResponse { revision }| revision)
            }
        }
    }
}

impl IntoFuture for Write {
    type Output = Result<i64, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed()
    }
}
