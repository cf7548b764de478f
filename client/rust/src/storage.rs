use std::{fmt, sync::Arc};

use async_trait::async_trait;
use sessiond_proto::SessionName;
use sessiond_session::{Session, Storage, StorageError};
use tokio::sync::Mutex;

use crate::{Client, Error, HeldSession, Hold, LostReason};

/// A session of the daemon as a [`Storage`], in place of a file or memory.
///
/// It takes the hold when it is first used, waiting in line for as long as another has it; `save` adds to what is stored
/// ([`Session::merge`]), because the libraries that save whole sessions forget keys; [`close`](Self::close) lets the session
/// go. Used again after `close`, it takes the hold anew; only a `delete` then goes by the hold that was let go, as libraries
/// do it when they log out, and fails if another client has held the session since: what is there now is that one's.
///
/// A hold that was lost stays so until `close`: every call fails with [`Error::Lost`], inside
/// [`StorageError::Other`]. No library asks its storage while it is connected, so [`on_lost`](Self::on_lost) is where a
/// program closes its connection to Telegram.
///
/// Dropped without `close`, the hold is left as a dropped [`Hold`] is.
pub struct DaemonSession {
    client: Client,
    name: SessionName,
    on_lost: Arc<dyn Fn(LostReason) + Send + Sync>,
    line: Mutex<Line>,
}

/// Where the storage stands with its hold.
enum Line {
    Out,
    Holding(Hold),
    /// Let go; a library deletes after it closed.
    Released(HeldSession),
}

impl DaemonSession {
    /// The session of this name, in the daemon that [`Client::connect`] finds. Nothing is asked of it before `load`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub async fn open(name: impl AsRef<str>) -> Result<Self, Error> {
        Self::new(Client::connect().await?, name)
    }

    /// The session of this name, over a client.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn new(client: Client, name: impl AsRef<str>) -> Result<Self, Error> {
        let name = name.as_ref().parse()?;
        Ok(Self { client, name, on_lost: Arc::new(|_| ()), line: Mutex::new(Line::Out) })
    }

    /// Is told when the hold is lost: close the connection to Telegram then, at once.
    #[must_use]
    pub fn on_lost(mut self, told: impl Fn(LostReason) + Send + Sync + 'static) -> Self {
        self.on_lost = Arc::new(told);
        self
    }

    /// Lets the session go, after the connection to Telegram was closed. Of a session that is not held: nothing happens.
    ///
    /// # Errors
    /// As [`Hold::release`]. The session is not held by this storage any more either way.
    pub async fn close(&self) -> Result<(), Error> {
        let mut line = self.line.lock().await;
        match std::mem::replace(&mut *line, Line::Out) {
            Line::Holding(hold) => {
                *line = Line::Released(hold.clone());
                hold.release().await
            }
            other => {
                *line = other;
                Ok(())
            }
        }
    }

    /// The session as held, taking the hold if need be.
    async fn held<'a>(&self, line: &'a mut Line) -> Result<&'a Hold, Error> {
        if !matches!(line, Line::Holding(_)) {
            let hold = self.client.hold(self.name.as_str()).wait().await?;
            let (end, on_lost) = (hold.end(), Arc::clone(&self.on_lost));
            tokio::spawn(async move {
                if let Some(reason) = end.await {
                    on_lost(reason);
                }
            });
            *line = Line::Holding(hold);
        }
        match line {
            Line::Holding(hold) => Ok(hold),
            Line::Out | Line::Released(_) => unreachable!("the hold was taken above"),
        }
    }
}

#[async_trait]
impl Storage for DaemonSession {
    async fn load(&self) -> Result<Option<Session>, StorageError> {
        let mut line = self.line.lock().await;
        let loaded = self.held(&mut line).await.map_err(StorageError::other)?.load().await;
        loaded.map(|loaded| loaded.session).map_err(StorageError::other)
    }

    async fn save(&self, session: &Session) -> Result<(), StorageError> {
        let mut line = self.line.lock().await;
        let saved = self.held(&mut line).await.map_err(StorageError::other)?.merge(session).await;
        saved.map(|_| ()).map_err(StorageError::other)
    }

    async fn delete(&self) -> Result<(), StorageError> {
        let mut line = self.line.lock().await;
        if let Line::Released(held) = &*line {
            return held.delete().await.map(|_| ()).map_err(StorageError::other);
        }
        let deleted = self.held(&mut line).await.map_err(StorageError::other)?.delete().await;
        deleted.map(|_| ()).map_err(StorageError::other)
    }
}

impl fmt::Debug for DaemonSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DaemonSession").field("name", &self.name).finish_non_exhaustive()
    }
}
