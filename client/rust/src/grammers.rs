//! The adapter for grammers.

mod conversion;
mod ledger;
mod writer;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use grammers_session::{
    BoxFuture, Session,
    types::{DcOption, PeerId, PeerInfo, UpdateState, UpdatesState},
};
use tokio::{runtime::Handle, task::JoinHandle, time::timeout};

use self::writer::Writer;
use crate::{Client, Error, Hold, LostReason, PeerKey};

/// A session of the daemon as grammers' [`Session`], in place of its `SqliteSession`.
///
/// The session is held from [`open`](Self::open) to [`close`](Self::close). It is read once, when it is granted, and peers
/// when they are asked for. What grammers tells is noted at once and written in the background, within milliseconds where the
/// daemon is there; `close` returns when it is written. A daemon that is away is waited for without an error. What a write
/// was refused for is the error of the next one.
///
/// What is told is added to what is stored: a key that grammers does not mention stays, and a counter of 0 changes nothing.
///
/// When the hold is lost every call fails with [`Error::Lost`], and with it every request that grammers makes from then on;
/// but connections that are open are not closed by that. [`on_lost`](Self::on_lost) is where a program closes them. After
/// `close` and [`delete`](Self::delete) calls fail with [`Error::Fenced`].
///
/// When the last `Arc` is dropped without `close`, the same is done in the background, as far as the runtime lives on.
pub struct GrammersSession {
    writer: Writer,
    open: Mutex<Option<Open>>,
}

/// What a session has while it is not closed.
struct Open {
    hold: Hold,
    writing: JoinHandle<()>,
}

impl GrammersSession {
    /// Takes the session of this name, in the daemon that [`Client::connect`] finds, waiting in line for as long as another
    /// has it.
    ///
    /// # Errors
    /// [`Error::LoggedOut`] where it was waited for and is logged out by now: a worker would ask for a phone number.
    /// [`Error::InvalidName`], [`Error::FileInUse`], [`Error::Unavailable`] and others as of a
    /// [`HoldRequest`](crate::HoldRequest).
    pub async fn open(name: impl AsRef<str>) -> Result<Self, Error> {
        let waited = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&waited);
        let client = Client::connect().await?;
        let request = client.hold(name).wait().on_waiting(move |_| noted.store(true, Ordering::Relaxed));
        let session = Self::new(request.await?);
        if waited.load(Ordering::Relaxed) && !session.is_logged_in() {
            session.close().await?;
            return Err(Error::LoggedOut { name: session.writer.held().name().clone() });
        }
        Ok(session)
    }

    /// The session that is held: for a client with settings of its own, or to be refused rather than to wait.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(hold: Hold) -> Self {
        let session = hold.session().cloned().unwrap_or_default();
        let (writer, writing) = Writer::start(hold.clone(), session);
        Self { writer, open: Mutex::new(Some(Open { hold, writing })) }
    }

    /// Whether somebody is logged in as far as is known here: there is a user, or a key of the home data center.
    pub fn is_logged_in(&self) -> bool {
        let Ok(ledger) = self.writer.ledger() else { return false };
        let session = ledger.session();
        let home = session.dc(session.home_dc_id());
        session.user.is_some() || home.is_some_and(|dc| dc.auth.is_present())
    }

    /// Is told when the hold is lost, at once if it is already: abort the task of grammers' runner then, which closes its
    /// connections. `quit` waits for one that is being made. Everyone who asks is told.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn on_lost(&self, told: impl FnOnce(LostReason) + Send + 'static) {
        let end = self.writer.held().end();
        tokio::spawn(async move {
            if let Some(reason) = end.await {
                told(reason);
            }
        });
    }

    /// Writes what is yet unwritten and lets the session go. First quit grammers' runner, and wait until it has ended. Of a
    /// session that was let go already: nothing happens.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: no daemon answered in time, and what was unwritten may be lost. [`Error::Lost`]: the hold had
    /// ended before. Others: why the last write was refused. The session is not held any more either way.
    pub async fn close(&self) -> Result<(), Error> {
        match self.take() {
            Some(open) => open.close(&self.writer).await,
            None => Ok(()),
        }
    }

    /// Deletes the session and lets it go, after grammers' `sign_out`, which its session is not told of.
    ///
    /// # Errors
    /// [`Error::Fenced`]: it was let go already. Others as of [`close`](Self::close); the session is not held any more either
    /// way, but may not be deleted.
    pub async fn delete(&self) -> Result<(), Error> {
        let hold = self.take().ok_or(Error::Fenced)?.written(&self.writer).await?;
        hold.delete().await?;
        hold.release().await
    }

    fn take(&self) -> Option<Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn known_peer(&self, peer: PeerId) -> Result<Option<PeerInfo>, Error> {
        let (id, user, unwritten) = {
            let ledger = self.writer.ledger()?;
            let id = peer.bot_api_dialog_id();
            let user = ledger.user(id).cloned();
            let Some(id) = id.or(user.as_ref().map(|user| user.id)) else { return Ok(None) };
            (id, user, ledger.peer(id))
        };
        // grammers tells all that it knows of a peer at once.
        if unwritten.as_ref().is_some_and(|peer| peer.access_hash.is_some()) {
            return Ok(conversion::peer_info(unwritten, user.as_ref()));
        }
        let mut stored = self.writer.held().peers(&[PeerKey::Id(id)]).await?.pop().flatten();
        match (&mut stored, unwritten) {
            (Some(stored), Some(unwritten)) => {
                stored.merge(unwritten);
            }
            (None, unwritten) => stored = unwritten,
            (Some(_), None) => {}
        }
        Ok(conversion::peer_info(stored, user.as_ref()))
    }
}

impl Open {
    async fn close(self, writer: &Writer) -> Result<(), Error> {
        self.written(writer).await?.release().await?;
        writer.refusal()
    }

    /// Takes nothing in any more, and waits until everything is written.
    async fn written(self, writer: &Writer) -> Result<Hold, Error> {
        let Self { hold, mut writing } = self;
        writer.end();
        let client = hold.client();
        if timeout(client.deadline(), &mut writing).await.is_err() {
            writing.abort();
            writer.refusal()?;
            let detail = "what was told could not be written in time".to_owned();
            return Err(Error::Unavailable { socket: client.socket().clone(), detail });
        }
        Ok(hold)
    }
}

impl Session for GrammersSession {
    type Error = Error;

    fn home_dc_id(&self) -> Result<i32, Error> {
        Ok(self.writer.ledger()?.session().home_dc_id())
    }

    fn set_home_dc_id(&self, dc_id: i32) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move { self.writer.note(|ledger| ledger.set_home_dc(dc_id)) })
    }

    fn dc_option(&self, dc_id: i32) -> Result<Option<DcOption>, Error> {
        let dc = self.writer.ledger()?.session().dc_with_addresses(dc_id);
        Ok(dc.as_ref().map(conversion::dc_option))
    }

    fn set_dc_option(&self, dc_option: &DcOption) -> BoxFuture<'_, Result<(), Error>> {
        let dc = conversion::data_center(dc_option);
        Box::pin(async move { self.writer.note(|ledger| ledger.set_dc(dc)) })
    }

    fn peer(&self, peer: PeerId) -> BoxFuture<'_, Result<Option<PeerInfo>, Error>> {
        Box::pin(self.known_peer(peer))
    }

    fn cache_peer(&self, peer: PeerInfo) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.writer.room().await?;
            self.writer.note(|ledger| {
                if let PeerInfo::User { id, bot, is_self: Some(true), .. } = peer {
                    ledger.set_user(id, bot);
                }
                ledger.note_peer(conversion::peer(&peer));
            })
        })
    }

    fn updates_state(&self) -> BoxFuture<'_, Result<UpdatesState, Error>> {
        Box::pin(async move { Ok(conversion::updates_state(self.writer.ledger()?.state())) })
    }

    fn set_update_state(&self, update: UpdateState) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.writer.note(|ledger| {
                let change = conversion::state_change(update, ledger.state());
                ledger.advance(change);
            })
        })
    }
}

impl Drop for GrammersSession {
    fn drop(&mut self) {
        let Some(open) = self.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            let writer = self.writer.clone();
            // Nobody is there to be told of an error; the daemon passes the session on by its own rules.
            runtime.spawn(async move { open.close(&writer).await });
        } else {
            self.writer.end();
        }
    }
}

impl fmt::Debug for GrammersSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrammersSession").field("held", self.writer.held()).finish_non_exhaustive()
    }
}
