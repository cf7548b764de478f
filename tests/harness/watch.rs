use std::collections::BTreeMap;

use sessiond_proto::v1::{self, RestartReason, WatchResponse, watch_response::Event};
use sessiond_session::{Session, StateChange};
use tonic::{Status, Streaming, transport::Endpoint};

use super::{Client, Daemon, within};

/// What a narrow client's connection takes before somebody reads: the least that HTTP/2 allows everywhere, in bytes.
const NARROW: u32 = 65_535;

/// A watch of a test. Nothing is read before it is asked for.
pub(crate) struct Watch(Streaming<WatchResponse>);

/// What a watcher has come to know. Each event is checked against those before it: no gap, no repetition, no disorder.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// By name: the sessions that exist, and those that are held.
    pub(crate) sessions: BTreeMap<String, Seen>,
    /// Where the watch can be resumed.
    pub(crate) revision: i64,
    pub(crate) store_id: String,
    /// Why it started over, each time.
    pub(crate) restarts: Vec<RestartReason>,
    /// Commits that it was told of.
    pub(crate) commits: usize,
    /// Between restarted and synced.
    starting: bool,
}

/// What is known of one session.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Seen {
    /// 0: there is none.
    pub(crate) revision: i64,
    pub(crate) session: Option<v1::Session>,
    pub(crate) holder: Option<v1::Holder>,
}

impl Daemon {
    /// A client for whom a watch that is not read is soon full.
    pub(crate) async fn narrow_client(&self) -> Client {
        let address = format!("unix://{}", self.socket().to_str().expect("UTF-8"));
        let endpoint = Endpoint::from_shared(address).expect("an address");
        let endpoint = endpoint.initial_stream_window_size(NARROW).initial_connection_window_size(NARROW);
        Client::over(within(endpoint.connect()).await.expect("the daemon serves"))
    }
}

impl Client {
    pub(crate) async fn watch(&self, request: v1::WatchRequest) -> Watch {
        self.try_watch(request).await.expect("begun")
    }

    /// Watches every session, from the beginning.
    pub(crate) async fn watch_all(&self) -> Watch {
        self.watch(v1::WatchRequest::default()).await
    }

    pub(crate) async fn try_watch(&self, request: v1::WatchRequest) -> Result<Watch, Status> {
        Ok(Watch(self.sessions.clone().watch(request).await?.into_inner()))
    }
}

impl Watch {
    /// What is told next.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = WatchResponse> {
        let message = within(self.0.message());
        async { message.await.expect("it goes on").expect("it does not end") }
    }

    /// The next commit, past bookmarks.
    pub(crate) async fn commit(&mut self) -> WatchResponse {
        loop {
            match self.next().await {
                WatchResponse { event: Some(Event::Bookmark(_)), .. } => {}
                response => return response,
            }
        }
    }

    /// Why it breaks off, after whatever it still had to tell.
    pub(crate) async fn broken_off(&mut self) -> Status {
        loop {
            match within(self.0.message()).await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended in order"),
                Err(status) => return status,
            }
        }
    }

    /// Why it ends, before any other commit is told.
    pub(crate) async fn end_before_a_commit(&mut self) -> Status {
        loop {
            match within(self.0.message()).await {
                Ok(Some(WatchResponse { event: Some(Event::Bookmark(_)), .. })) => {}
                Err(status) => return status,
                told => panic!("it does not end: {told:?}"),
            }
        }
    }

    /// What is told from the beginning up to synced.
    pub(crate) async fn begin(&mut self) -> View {
        let mut view = View::default();
        view.follow_until(self, View::is_synced).await;
        view
    }
}

impl View {
    /// The request that goes on where this ends.
    pub(crate) fn resume(&self) -> v1::WatchRequest {
        v1::WatchRequest {
            after_revision: Some(self.revision),
            store_id: self.store_id.clone(),
            ..Default::default()
        }
    }

    /// Takes what a watch tells, until there is enough.
    pub(crate) async fn follow_until(&mut self, watch: &mut Watch, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let response = watch.next().await;
            self.take(response);
        }
    }

    /// The same, until everything up to a revision was told.
    pub(crate) async fn follow_to(&mut self, watch: &mut Watch, revision: i64) {
        self.follow_until(watch, |view| view.is_synced() && view.revision >= revision).await;
    }

    /// Whether it knows every session selected.
    pub(crate) fn is_synced(&self) -> bool {
        !self.starting && !self.store_id.is_empty()
    }

    /// Takes one thing that a watch told.
    pub(crate) fn take(&mut self, response: WatchResponse) {
        let WatchResponse { revision, name, time, event, previous_revision } = response;
        assert!(time.is_some(), "everything has its time");
        match event.expect("an event in every message") {
            Event::Restarted(restarted) => {
                assert_eq!((revision, name.as_str()), (0, ""));
                self.restarts.push(restarted.reason());
                self.sessions.clear();
                self.starting = true;
            }
            Event::Snapshot(v1::Snapshot { session, holder }) => {
                assert!(self.starting, "a snapshot of {name} in the middle");
                assert_eq!(session.is_some(), revision > 0, "the revision of {name} is that of its data");
                let seen = Seen { revision, session, holder };
                assert_ne!(seen, Seen::default(), "{name} exists or is held");
                assert_eq!(self.sessions.insert(name, seen), None, "one snapshot of each session");
            }
            Event::Synced(synced) => {
                assert!(self.starting, "synced twice");
                assert_eq!(name, "");
                self.starting = false;
                self.store_id = synced.store_id;
                self.revision = revision;
            }
            Event::Bookmark(_) => {
                assert!(!self.starting, "a bookmark among the snapshots");
                assert_eq!(name, "");
                assert!(revision >= self.revision, "a bookmark at {revision}, after {}", self.revision);
                self.revision = revision;
            }
            event => self.take_commit(&name, revision, previous_revision, event),
        }
    }

    fn take_commit(&mut self, name: &str, revision: i64, previous: i64, event: Event) {
        assert!(!self.starting, "{revision}, a commit, among the snapshots");
        assert!(revision > self.revision, "{revision} of {name} after {}", self.revision);
        self.revision = revision;
        self.commits += 1;
        let seen = self.sessions.entry(name.into()).or_default();
        assert_eq!(previous, seen.revision, "what was before {revision} of {name}");
        match event {
            Event::Change(change) => {
                let session = seen.session.take().unwrap_or(v1::Session { version: 1, ..Default::default() });
                seen.session = Some(advanced(session, change));
                seen.revision = revision;
            }
            Event::Saved(session) => *seen = Seen { revision, session: Some(session), ..seen.clone() },
            Event::Deleted(_) => *seen = Seen { revision: 0, session: None, ..seen.clone() },
            Event::HoldChanged(changed) => seen.holder = changed.holder,
            event => panic!("no commit: {event:?}"),
        }
        if *seen == Seen::default() {
            self.sessions.remove(name);
        }
    }

    /// What everyone may know of a session, as Load tells it.
    pub(crate) fn load(&self, name: &str) -> v1::LoadResponse {
        let Seen { revision, session, holder } = self.sessions.get(name).cloned().unwrap_or_default();
        v1::LoadResponse { session, revision, holder }
    }
}

fn advanced(session: v1::Session, change: v1::StateChange) -> v1::Session {
    let mut session = Session::try_from(session).expect("a valid session");
    session.advance(&StateChange::try_from(change).expect("a valid change"));
    session.into()
}
