use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use sessiond_proto::{InvalidName, SessionName, v1};
use tonic::{Status, Streaming};

use crate::{Client, Error, WatchEvent, retry::Retry};

/// What to follow, and from where. With neither names nor prefix: every session that the caller may see.
#[derive(Debug, Clone, Default)]
pub struct WatchOptions {
    /// Sessions to follow. They need not exist yet.
    pub names: Vec<SessionName>,
    /// Follow every session whose name begins with this, too. Empty: no more than `names`.
    pub name_prefix: String,
    /// Go on from here. `None`: start with a snapshot of every session.
    pub after: Option<WatchPosition>,
    /// Which commits to be told.
    pub mode: WatchMode,
    /// How long the daemon may be silent when nothing happens: 0.1 s to 1 h. `None`: 5 s.
    pub bookmark_interval: Option<Duration>,
}

/// Which commits a watch is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WatchMode {
    /// Every one.
    #[default]
    EveryChange,
    /// When the watch is behind, not those that later ones superseded: several of a session may come as one.
    ///
    /// One that took in an earlier one may come after another session's, so that no commit says how far the watch has come;
    /// only synced and bookmarks do. After a broken connection, or from a [`WatchPosition`], it goes on from the last of
    /// those, and commits that were told since may come again, also as part of one that took them in.
    Latest,
}

/// How far a watch has come: what to go on from, also in another process or after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchPosition {
    /// Everything up to this revision was told.
    pub revision: i64,
    /// Identity of the store. Empty: whichever the daemon has.
    pub store_id: String,
}

/// Follows sessions: a stream of what happens to them.
///
/// It begins with restarted, a snapshot of each session, and synced; then comes every commit, in order, once, with none
/// left out. When the connection breaks or the daemon restarts it goes on where it was, for as long as it takes; where that
/// is not possible it says so by another restarted. Before the first event, no daemon for as long as the client's deadline
/// is [`Error::Unavailable`]. After an error it has ended. With [`WatchMode::Latest`], commits may be left out and come again.
///
/// A watch may be left unread: it holds nothing else up, and the daemon remembers for it within limits.
pub struct Watch {
    events: BoxStream<'static, Result<WatchEvent, Error>>,
    mode: WatchMode,
    position: Option<WatchPosition>,
}

/// What is behind a [`Watch`]: the connection, and what to ask for when it breaks.
struct Follower {
    client: Client,
    options: WatchOptions,
    retry: Retry,
    connection: Option<Streaming<v1::WatchResponse>>,
    /// What to go on from. `None` before synced: half of the snapshots are worth nothing.
    position: Option<WatchPosition>,
    /// Set while a connection goes on from a position that the reader has reached: what it knows is not told again.
    known: Option<i64>,
    begun: bool,
}

impl WatchOptions {
    /// Every session that the caller may see.
    pub fn all() -> Self {
        Self::default()
    }

    /// These sessions.
    ///
    /// # Errors
    /// One of them is not a session's name.
    pub fn names<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Self, InvalidName> {
        let names = names.into_iter().map(|name| name.as_ref().parse()).collect::<Result<_, _>>()?;
        Ok(Self { names, ..Self::default() })
    }

    fn request(&self, after: Option<&WatchPosition>) -> v1::WatchRequest {
        let Self { names, name_prefix, after: _, mode, bookmark_interval } = self;
        let mode = match mode {
            WatchMode::EveryChange => v1::WatchMode::EveryChange,
            WatchMode::Latest => v1::WatchMode::Latest,
        };
        v1::WatchRequest {
            names: names.iter().map(ToString::to_string).collect(),
            name_prefix: name_prefix.clone(),
            after_revision: after.map(|position| position.revision),
            mode: mode.into(),
            // One that a message cannot carry is far beyond the longest that the daemon takes.
            bookmark_interval: bookmark_interval.and_then(|interval| interval.try_into().ok()),
            store_id: after.map(|position| position.store_id.clone()).unwrap_or_default(),
        }
    }
}

impl Watch {
    pub(crate) fn new(client: Client, options: WatchOptions) -> Self {
        let (mode, position) = (options.mode, options.after.clone());
        let retry = Retry::within(client.deadline(), client.socket());
        let follower = Follower {
            client,
            options,
            retry,
            connection: None,
            position: position.clone(),
            known: None,
            begun: false,
        };
        let events = stream::unfold(Some(follower), |follower| async move {
            let mut follower = follower?;
            let event = follower.next().await;
            let rest = event.is_ok().then_some(follower);
            Some((event, rest))
        });
        Self { events: events.boxed(), mode, position }
    }

    /// The next event. `None`: the watch has ended, with the error before this. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<WatchEvent, Error>> {
        StreamExt::next(self).await
    }

    /// How far it has come, as far as its events were read: what another watch may go on from. `None` until synced.
    pub fn position(&self) -> Option<&WatchPosition> {
        self.position.as_ref()
    }
}

impl Stream for Watch {
    type Item = Result<WatchEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = self.events.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(event))) = &event {
            let mode = self.mode;
            advance(&mut self.position, event, mode);
        }
        event
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Follower {
    async fn next(&mut self) -> Result<WatchEvent, Error> {
        loop {
            let Some(connection) = &mut self.connection else {
                self.connect().await?;
                continue;
            };
            match connection.message().await {
                Ok(Some(response)) => {
                    if let Some(event) = self.fresh(response.try_into()?) {
                        return Ok(event);
                    }
                }
                Ok(None) => self.broken(Status::unavailable("the daemon closed the stream")).await?,
                Err(status) => self.broken(status).await?,
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let request = self.options.request(self.position.as_ref());
        let mut sessions = self.client.watches();
        if let Some(response) = self.retry.attempt(sessions.watch(request)).await? {
            self.connection = Some(response.into_inner());
            self.known = self.begun.then_some(self.position.as_ref()).flatten().map(|known| known.revision);
        }
        Ok(())
    }

    async fn broken(&mut self, status: Status) -> Result<(), Error> {
        self.connection = None;
        self.retry.pause(status).await
    }

    /// The event, unless the reader knows it.
    fn fresh(&mut self, event: WatchEvent) -> Option<WatchEvent> {
        if !self.begun {
            self.begun = true;
            self.retry = Retry::forever(self.client.socket());
        }
        self.retry.heard();
        let known = match &event {
            WatchEvent::Restarted(_) => {
                self.known = None;
                false
            }
            // The reader was told that it is in step, and never that it is not.
            WatchEvent::Synced { .. } => self.known.is_some(),
            WatchEvent::Commit(commit) => self.known.is_some_and(|known| commit.revision <= known),
            WatchEvent::Snapshot(_) | WatchEvent::Bookmark { .. } => false,
        };
        advance(&mut self.position, &event, self.options.mode);
        (!known).then_some(event)
    }
}

/// Moves a position past an event, if everything up to it has been told.
fn advance(position: &mut Option<WatchPosition>, event: &WatchEvent, mode: WatchMode) {
    let reached = match event {
        WatchEvent::Restarted(_) => return *position = None,
        WatchEvent::Snapshot(_) => return,
        // An earlier one of another session may be part of one that is still to come.
        WatchEvent::Commit(_) if mode == WatchMode::Latest => return,
        WatchEvent::Synced { revision, store_id } => {
            let position =
                position.get_or_insert_with(|| WatchPosition { revision: 0, store_id: String::new() });
            position.store_id.clone_from(store_id);
            *revision
        }
        WatchEvent::Commit(commit) => commit.revision,
        WatchEvent::Bookmark { revision } => *revision,
    };
    if let Some(position) = position {
        position.revision = position.revision.max(reached);
    }
}
