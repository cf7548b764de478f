use std::{fmt, future::Future, path::PathBuf, sync::Arc, time::Duration};

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use sessiond_proto::{
    SessionName,
    v1::{
        self, admin_service_client::AdminServiceClient, attribute_service_client::AttributeServiceClient,
        peer_service_client::PeerServiceClient, session_service_client::SessionServiceClient,
    },
};
use tonic::{Response, Status, transport::Channel};

use crate::{
    Error, HeldSession, HoldRequest, Loaded, MirrorAction, ServerInfo, SessionSummary, SettledMirror, Socket,
    Token, Watch, WatchOptions,
    endpoint::{channel, endpoint},
    held::Origin,
    retry::Retry,
    socket::tls_from_environment,
};

/// How long a call waits for a daemon, unless [`ClientBuilder::deadline`] says otherwise.
const DEADLINE: Duration = Duration::from_secs(30);
/// Sessions on a page of a listing: the most that the daemon gives.
const PAGE_SIZE: i32 = 1000;

/// A client of the daemon. Clones are cheap and share two connections, one for watches and one for everything else; both
/// are made when they are needed, and again whenever they break.
///
/// While no daemon answers, calls are tried again, at most a second apart, until their deadline. A write goes through once
/// however often it is tried.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// Settings of a [`Client`].
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    socket: Option<Socket>,
    tls: Option<PathBuf>,
    deadline: Duration,
    label: String,
}

struct Shared {
    socket: Socket,
    deadline: Duration,
    label: String,
    calls: Channel,
    watches: Channel,
}

impl Client {
    /// A client of the daemon that `SESSIOND_SOCKET` names, else of the one at
    /// [`default_socket`](crate::default_socket). That daemon need not run yet.
    ///
    /// # Errors
    /// [`Error::InvalidEndpoint`].
    pub async fn connect() -> Result<Self, Error> {
        Self::builder().connect().await
    }

    /// Settings for a client, to be changed before it connects.
    pub fn builder() -> ClientBuilder {
        ClientBuilder { socket: None, tls: None, deadline: DEADLINE, label: String::new() }
    }

    /// Asks for a session, for this client alone: see [`HoldRequest`].
    pub fn hold(&self, name: impl AsRef<str>) -> HoldRequest {
        HoldRequest::new(self.clone(), name.as_ref())
    }

    /// A session that another process holds, which gave this one its token to work for it.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn with_token(&self, name: impl AsRef<str>, token: Token) -> Result<HeldSession, Error> {
        Ok(HeldSession::new(self.clone(), name.as_ref().parse()?, token, Origin::Given))
    }

    /// Reads a session without its keys. Anyone may, whether or not it is held.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::Unavailable`] and what reading a store may meet.
    pub async fn load(&self, name: impl AsRef<str>) -> Result<Loaded, Error> {
        let name: SessionName = name.as_ref().parse()?;
        let request = v1::LoadRequest { name: name.to_string(), token: Vec::new() };
        self.call(self.deadline(), || {
            let request = request.clone();
            let mut sessions = self.sessions();
            async move { sessions.load(request).await }
        })
        .await?
        .try_into()
    }

    /// The sessions whose names begin with `prefix`, by name. Pages are asked for as the stream is read.
    pub fn list(&self, prefix: &str) -> BoxStream<'static, Result<SessionSummary, Error>> {
        let first = v1::ListRequest {
            page_size: PAGE_SIZE,
            page_token: String::new(),
            name_prefix: prefix.to_owned(),
        };
        let client = self.clone();
        stream::try_unfold(Some(first), move |request| {
            let client = client.clone();
            async move {
                let Some(request) = request else { return Ok::<_, Error>(None) };
                let page = client.list_page(&request).await?;
                let next = Some(page.next_page_token)
                    .filter(|token| !token.is_empty())
                    .map(|page_token| v1::ListRequest { page_token, ..request });
                Ok(Some((stream::iter(page.sessions).map(SessionSummary::try_from), next)))
            }
        })
        .try_flatten()
        .boxed()
    }

    /// Follows sessions. The watch goes on by itself after every break, where it was.
    pub fn watch(&self, options: WatchOptions) -> Watch {
        Watch::new(self.clone(), options)
    }

    /// Ends a session's hold. The holder is told, and may write no more. Of a session that nobody holds: nothing happens.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::NotPermitted`], [`Error::Unavailable`].
    pub async fn end_hold(&self, name: impl AsRef<str>) -> Result<(), Error> {
        let name: SessionName = name.as_ref().parse()?;
        self.call(self.deadline(), || {
            let request = v1::EndHoldRequest { name: name.to_string() };
            let mut admin = self.admin();
            async move { admin.end_hold(request).await }
        })
        .await
        .map(|v1::EndHoldResponse {}| ())
    }

    /// What daemon it is, and how it fares.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn info(&self) -> Result<ServerInfo, Error> {
        self.call(self.deadline(), || {
            let mut admin = self.admin();
            async move { admin.get_server_info(v1::GetServerInfoRequest {}).await }
        })
        .await
        .map(Into::into)
    }

    /// Writes, replaces or takes in a session's mirror. Needs a session that nobody holds.
    ///
    /// # Errors
    /// [`Error::HeldByAnother`], [`Error::ForeignFile`], [`Error::FileInUse`], [`Error::Unavailable`] and others.
    pub async fn settle_mirror(
        &self,
        name: impl AsRef<str>,
        action: MirrorAction,
    ) -> Result<SettledMirror, Error> {
        let name: SessionName = name.as_ref().parse()?;
        self.call(self.deadline(), || {
            let action = v1::MirrorAction::from(action).into();
            let request = v1::SettleMirrorRequest { name: name.to_string(), action };
            let mut admin = self.admin();
            async move { admin.settle_mirror(request).await }
        })
        .await
        .map(Into::into)
    }

    /// Where the daemon is looked for.
    pub fn socket(&self) -> &Socket {
        &self.shared.socket
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.shared.deadline
    }

    pub(crate) fn label(&self) -> &str {
        &self.shared.label
    }

    /// The connection of holds and writes.
    pub(crate) fn sessions(&self) -> SessionServiceClient<Channel> {
        SessionServiceClient::new(self.shared.calls.clone())
    }

    /// The same, for what held sessions know of others.
    pub(crate) fn peers(&self) -> PeerServiceClient<Channel> {
        PeerServiceClient::new(self.shared.calls.clone())
    }

    /// The same, for what single libraries keep in held sessions.
    pub(crate) fn attributes(&self) -> AttributeServiceClient<Channel> {
        AttributeServiceClient::new(self.shared.calls.clone())
    }

    /// The connection of watches.
    pub(crate) fn watches(&self) -> SessionServiceClient<Channel> {
        SessionServiceClient::new(self.shared.watches.clone())
    }

    /// Makes a call, and again while no daemon answers.
    pub(crate) async fn call<T, F>(
        &self,
        deadline: Duration,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut retry = Retry::within(deadline, self.socket());
        loop {
            if let Some(response) = retry.attempt(attempt()).await? {
                return Ok(response.into_inner());
            }
        }
    }

    async fn list_page(&self, request: &v1::ListRequest) -> Result<v1::ListResponse, Error> {
        self.call(self.deadline(), || {
            let request = request.clone();
            let mut sessions = self.sessions();
            async move { sessions.list(request).await }
        })
        .await
    }

    pub(crate) fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.shared.calls.clone())
    }
}

impl ClientBuilder {
    /// Where the daemon serves: a path, `unix:PATH`, `unix-abstract:NAME`, or over TCP `https://HOST:PORT`.
    #[must_use]
    pub fn socket(mut self, socket: impl Into<Socket>) -> Self {
        self.socket = Some(socket.into());
        self
    }

    /// Whom this client is over https, and whom it trusts: a directory with `cert.pem`, `key.pem` and `ca.pem`, as
    /// `sessiond certs` writes it. The one that `SESSIOND_TLS` names, unless it is set.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, directory: impl Into<PathBuf>) -> Self {
        self.tls = Some(directory.into());
        self
    }

    /// How long a call waits for a daemon. 30 seconds, unless it is set.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What this client calls itself where it holds: at most 128 characters without control characters.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Makes the client. It connects when the first call needs it; async because connections live on the runtime that
    /// this is called on.
    ///
    /// # Errors
    /// [`Error::InvalidEndpoint`].
    pub async fn connect(self) -> Result<Client, Error> {
        let Self { socket, tls, deadline, label } = self;
        let socket = socket.unwrap_or_else(Socket::from_environment);
        let tls = tls.or_else(tls_from_environment);
        let endpoint = endpoint(&socket, tls.as_deref())?;
        let (calls, watches) = (channel(&endpoint, &socket), channel(&endpoint, &socket));
        Ok(Client { shared: Arc::new(Shared { socket, deadline, label, calls, watches }) })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("socket", self.socket()).finish_non_exhaustive()
    }
}
