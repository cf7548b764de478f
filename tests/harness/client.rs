use std::path::Path;

use sessiond_proto::v1::{
    self, admin_service_client::AdminServiceClient, hold_response::Event,
    session_service_client::SessionServiceClient,
};
use tonic::{
    Status, Streaming,
    transport::{Channel, Endpoint},
};

use super::{DEADLINE, within};

/// A connection to a daemon, and the generated clients on it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) sessions: SessionServiceClient<Channel>,
    pub(crate) admin: AdminServiceClient<Channel>,
    pub(crate) channel: Channel,
}

/// A session that this process holds. Dropping it breaks the stream: no clean end.
pub(crate) struct Held {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) token: Vec<u8>,
    pub(crate) fence: i64,
    pub(crate) revision: i64,
    pub(crate) session: Option<v1::Session>,
    pub(crate) resume_within: prost_types::Duration,
    pub(crate) stream: HoldStream,
}

/// What a daemon tells of a hold.
pub(crate) struct HoldStream(Streaming<v1::HoldResponse>);

impl Client {
    pub(crate) async fn connect(socket: &Path) -> Self {
        let address = format!("unix://{}", socket.to_str().expect("UTF-8"));
        // Of a stream, the deadline is that of its beginning.
        let endpoint = Endpoint::from_shared(address).expect("an address").timeout(DEADLINE);
        Self::over(endpoint.connect().await.expect("the daemon serves"))
    }

    pub(crate) fn over(channel: Channel) -> Self {
        Self {
            sessions: SessionServiceClient::new(channel.clone()),
            admin: AdminServiceClient::new(channel.clone()),
            channel,
        }
    }

    /// Holds a session that nobody holds.
    pub(crate) async fn hold(&self, name: &str) -> Held {
        self.try_hold(name).await.expect("granted")
    }

    /// Holds a session, or is refused: without waiting for a living holder.
    pub(crate) async fn try_hold(&self, name: &str) -> Result<Held, Status> {
        let request = v1::HoldRequest { name: name.into(), label: "test".into(), ..Default::default() };
        let mut stream = self.ask_to_hold(request).await?;
        match stream.next().await? {
            Some(Event::Granted(granted)) => Ok(self.held(name, granted, stream)),
            event => panic!("neither granted nor refused: {event:?}"),
        }
    }

    /// Waits in line for a session. It is not known whether the daemon has put this client in line before the first event.
    pub(crate) async fn wait_for(&self, name: &str, label: &str) -> HoldStream {
        let request =
            v1::HoldRequest { name: name.into(), label: label.into(), wait: true, ..Default::default() };
        self.ask_to_hold(request).await.expect("put in line")
    }

    /// Goes on with a hold on a stream of this client.
    pub(crate) async fn resume(&self, name: &str, token: &[u8]) -> Result<Held, Status> {
        let request = v1::HoldRequest { name: name.into(), token: token.into(), ..Default::default() };
        let mut stream = self.ask_to_hold(request).await?;
        match stream.next().await? {
            Some(Event::Granted(granted)) => Ok(self.held(name, granted, stream)),
            event => panic!("neither resumed nor refused: {event:?}"),
        }
    }

    pub(crate) async fn ask_to_hold(&self, request: v1::HoldRequest) -> Result<HoldStream, Status> {
        Ok(HoldStream(self.sessions.clone().hold(request).await?.into_inner()))
    }

    /// The session that a stream was granted at last.
    pub(crate) async fn granted(&self, name: &str, mut stream: HoldStream) -> Held {
        let granted = stream.granted().await;
        self.held(name, granted, stream)
    }

    fn held(&self, name: &str, granted: v1::Granted, stream: HoldStream) -> Held {
        let v1::Granted { token, fence, revision, session, resume_within } = granted;
        let resume_within = resume_within.expect("it is always told");
        Held {
            client: self.clone(),
            name: name.into(),
            token,
            fence,
            revision,
            session,
            resume_within,
            stream,
        }
    }

    /// A session as anyone may read it.
    pub(crate) async fn load(&self, name: &str) -> v1::LoadResponse {
        self.try_load(name, &[]).await.expect("loaded")
    }

    pub(crate) async fn try_load(&self, name: &str, token: &[u8]) -> Result<v1::LoadResponse, Status> {
        let request = v1::LoadRequest { name: name.into(), token: token.into() };
        Ok(self.sessions.clone().load(request).await?.into_inner())
    }

    pub(crate) async fn save(&self, request: v1::SaveRequest) -> Result<i64, Status> {
        Ok(self.sessions.clone().save(request).await?.into_inner().revision)
    }

    pub(crate) async fn advance(&self, request: v1::AdvanceRequest) -> Result<i64, Status> {
        Ok(self.sessions.clone().advance(request).await?.into_inner().revision)
    }

    pub(crate) async fn delete(&self, request: v1::DeleteRequest) -> Result<i64, Status> {
        Ok(self.sessions.clone().delete(request).await?.into_inner().revision)
    }

    pub(crate) async fn release(&self, name: &str, token: &[u8]) -> Result<(), Status> {
        let request = v1::ReleaseRequest { name: name.into(), token: token.into() };
        self.sessions.clone().release(request).await.map(|_| ())
    }

    /// Settles a session's own file.
    pub(crate) async fn settle_mirror(
        &self,
        name: &str,
        action: v1::MirrorAction,
    ) -> Result<v1::SettleMirrorResponse, Status> {
        let request = v1::SettleMirrorRequest { name: name.into(), action: action.into() };
        Ok(self.admin.clone().settle_mirror(request).await?.into_inner())
    }

    pub(crate) async fn list(&self, request: v1::ListRequest) -> Result<v1::ListResponse, Status> {
        Ok(self.sessions.clone().list(request).await?.into_inner())
    }

    pub(crate) async fn end_hold(&self, name: &str) {
        let request = v1::EndHoldRequest { name: name.into() };
        self.admin.clone().end_hold(request).await.expect("ended");
    }

    pub(crate) async fn info(&self) -> v1::GetServerInfoResponse {
        let request = v1::GetServerInfoRequest {};
        self.admin.clone().get_server_info(request).await.expect("told").into_inner()
    }
}

impl Held {
    /// The session with its keys, and its revision.
    pub(crate) async fn load(&self) -> (Option<v1::Session>, i64) {
        let loaded = self.client.try_load(&self.name, &self.token).await.expect("loaded");
        (loaded.session, loaded.revision)
    }

    /// Saves exactly this.
    pub(crate) async fn save(&self, session: v1::Session) -> i64 {
        self.client.save(self.save_request(session)).await.expect("saved")
    }

    /// Saves by adding to what is there.
    pub(crate) async fn merge(&self, session: v1::Session) -> i64 {
        let request = v1::SaveRequest { mode: v1::SaveMode::Merge.into(), ..self.save_request(session) };
        self.client.save(request).await.expect("merged")
    }

    pub(crate) async fn advance(&self, change: v1::StateChange) -> i64 {
        self.client.advance(self.advance_request(change)).await.expect("advanced")
    }

    pub(crate) async fn delete(&self) -> i64 {
        self.client.delete(self.delete_request()).await.expect("deleted")
    }

    pub(crate) async fn release(&self) {
        self.client.release(&self.name, &self.token).await.expect("released");
    }

    pub(crate) fn save_request(&self, session: v1::Session) -> v1::SaveRequest {
        v1::SaveRequest {
            name: self.name.clone(),
            token: self.token.clone(),
            session: Some(session),
            ..Default::default()
        }
    }

    pub(crate) fn advance_request(&self, change: v1::StateChange) -> v1::AdvanceRequest {
        v1::AdvanceRequest {
            name: self.name.clone(),
            token: self.token.clone(),
            change: Some(change),
            ..Default::default()
        }
    }

    pub(crate) fn delete_request(&self) -> v1::DeleteRequest {
        v1::DeleteRequest { name: self.name.clone(), token: self.token.clone(), ..Default::default() }
    }
}

impl HoldStream {
    /// What happens next. `None`: the stream is at its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Status> {
        within(self.next_ever()).await
    }

    /// The same, however long it takes.
    pub(crate) async fn next_ever(&mut self) -> Result<Option<Event>, Status> {
        let message = self.0.message().await?;
        Ok(message.map(|response| response.event.expect("an event in every message")))
    }

    /// The place in the line, which is what happens next.
    pub(crate) async fn waiting(&mut self) -> v1::Waiting {
        match self.next().await {
            Ok(Some(Event::Waiting(waiting))) => waiting,
            event => panic!("not in line: {event:?}"),
        }
    }

    /// The grant, which comes when those before in the line have had theirs.
    pub(crate) async fn granted(&mut self) -> v1::Granted {
        loop {
            match self.next().await {
                Ok(Some(Event::Waiting(_))) => {}
                Ok(Some(Event::Granted(granted))) => return granted,
                event => panic!("not granted: {event:?}"),
            }
        }
    }

    /// Why the hold is lost, which is what happens next.
    pub(crate) async fn lost(&mut self) -> v1::LostReason {
        match self.next().await {
            Ok(Some(Event::Lost(lost))) => lost.reason(),
            event => panic!("not lost: {event:?}"),
        }
    }

    /// Why the stream is refused or broken off, which is what happens next.
    pub(crate) async fn refused(&mut self) -> Status {
        match self.next().await {
            Err(status) => status,
            event => panic!("not refused: {event:?}"),
        }
    }
}
