use std::{fmt, sync::Arc, time::Duration};

use sessiond_proto::TOKEN_LEN;
use sessiond_session::Session;
use tokio::{sync::watch, time::sleep};

use super::{Claim, End, Holds, Patience, SeatRef, tenure::Attachment};
use crate::{
    audit::Event,
    engine::{Bearer, Error, Holder, Loaded, LostReason, Place, Revision, TokenHash},
    process::Process,
};

/// How long to wait before a session is asked for again that another daemon on the same store granted.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A secret that shows who holds a session. `Debug` shows nothing.
#[derive(Clone)]
pub(crate) struct Token([u8; TOKEN_LEN]);

/// A client's hold, from its place in the line to its end. Dropping it leaves the line, or breaks the hold's life line.
#[derive(Debug)]
pub(crate) struct HoldStream {
    holds: Holds,
    claim: Claim,
    phase: Phase,
}

/// What happens to a hold.
#[derive(Debug)]
pub(crate) enum HoldEvent {
    Waiting {
        holder: Option<Arc<Holder>>,
        position: usize,
    },
    Granted(Granted),
    /// It has ended.
    Lost(LostReason),
}

/// A hold, and the session with its keys.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) token: Token,
    pub(crate) fence: Revision,
    pub(crate) revision: Revision,
    pub(crate) session: Option<Session>,
    pub(crate) resume_within: Duration,
}

/// Why a hold's stream ends with an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HoldEnd {
    #[error("the daemon is stopping; the hold goes on")]
    ShuttingDown,
    #[error(transparent)]
    Engine(#[from] Error),
}

#[derive(Debug)]
enum Phase {
    Queueing(Queueing),
    /// On the way to tell of the grant.
    Granted(Token, Attachment),
    Holding(Attachment),
    /// Told that it is lost; open until the client closes it, so that the next grant waits for that.
    Lost(Attachment),
    Done,
}

#[derive(Debug)]
struct Queueing {
    seat: SeatRef,
    changes: watch::Receiver<u64>,
    place: Place,
    told: Option<(Option<Arc<Holder>>, usize)>,
}

/// What a client in the line is to do.
enum Turn {
    Tell(HoldEvent),
    Take(Token, Attachment),
}

impl Token {
    /// A new token.
    pub(super) fn new() -> Result<Self, Error> {
        let mut bytes = [0; TOKEN_LEN];
        getrandom::fill(&mut bytes).map_err(|_| Error::Limit("the system gives no random numbers".into()))?;
        Ok(Self(bytes))
    }

    /// A token as a client shows it.
    pub(crate) fn from_bytes(bytes: [u8; TOKEN_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves. Never log or print them.
    pub(crate) fn expose(&self) -> &[u8; TOKEN_LEN] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl HoldStream {
    pub(super) fn queueing(holds: Holds, claim: Claim) -> Self {
        let seat = holds.seat(&claim.name);
        let changes = seat.changes.subscribe();
        let place = holds.0.engine.line_up(&claim.name);
        let phase = Phase::Queueing(Queueing { seat, changes, place, told: None });
        Self { holds, claim, phase }
    }

    pub(super) fn resumed(holds: Holds, claim: Claim, token: Token, attachment: Attachment) -> Self {
        Self { holds, claim, phase: Phase::Granted(token, attachment) }
    }

    /// What happens next; `None`: the stream is at its end. Not cancel safe: a future that is dropped half-way ends the hold's
    /// life line.
    pub(crate) async fn next(&mut self) -> Result<Option<HoldEvent>, HoldEnd> {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Done) {
                Phase::Queueing(mut queueing) => match self.turn(&mut queueing).await? {
                    Some(Turn::Tell(event)) => {
                        self.phase = Phase::Queueing(queueing);
                        return Ok(Some(event));
                    }
                    Some(Turn::Take(token, attachment)) => self.phase = Phase::Granted(token, attachment),
                    None => return Ok(None),
                },
                Phase::Granted(token, mut attachment) => {
                    let granted = self.granted(token, &attachment).await?;
                    attachment.tell();
                    self.phase = Phase::Holding(attachment);
                    return Ok(Some(HoldEvent::Granted(granted)));
                }
                Phase::Holding(attachment) => match self.ended(attachment).await? {
                    End::Released => return Ok(None),
                    End::Lost(reason) => return Ok(Some(HoldEvent::Lost(reason))),
                },
                Phase::Lost(attachment) => {
                    // Longer than the next grant waits for it, this stream need not stay open.
                    let mut shutdown = self.holds.0.shutdown.clone();
                    tokio::select! {
                        () = sleep(self.holds.0.timing.resume_window) => {}
                        () = shutdown.requested() => {}
                    }
                    drop(attachment);
                    return Ok(None);
                }
                Phase::Done => return Ok(None),
            }
        }
    }

    async fn turn(&self, queueing: &mut Queueing) -> Result<Option<Turn>, HoldEnd> {
        let mut shutdown = self.holds.0.shutdown.clone();
        loop {
            queueing.changes.borrow_and_update();
            let tenure = queueing.seat.tenure();
            let position = queueing.place.position();
            let mut elsewhere = false;
            if tenure.is_none() && position == 1 {
                match self.holds.grant(&self.claim).await {
                    Ok((token, attachment)) => return Ok(Some(Turn::Take(token, attachment))),
                    Err(Error::Held(_)) if self.claim.patience == Patience::Wait => elsewhere = true,
                    Err(error) => return Err(self.refused(error)),
                }
            }
            let holder = self.holds.current(&self.claim.name).map(|hold| Arc::clone(&hold.holder));
            if self.claim.patience == Patience::Wait {
                let now = (holder, position);
                if queueing.told.as_ref() != Some(&now) {
                    let (holder, position) = queueing.told.insert(now).clone();
                    return Ok(Some(Turn::Tell(HoldEvent::Waiting { holder, position })));
                }
            } else if tenure.is_some_and(|tenure| tenure.is_alive())
                && let Some(holder) = holder
            {
                return Err(self.refused(Error::Held(holder)));
            }
            tokio::select! {
                // The seat is kept here, so its sender is never gone.
                _ = queueing.changes.changed() => {}
                () = queueing.place.moved() => {}
                () = sleep(ASK_AGAIN), if elsewhere => {}
                () = gone(self.claim.caller.process()) => return Ok(None),
                () = shutdown.requested() => return Err(HoldEnd::ShuttingDown),
            }
        }
    }

    async fn granted(&self, token: Token, attachment: &Attachment) -> Result<Granted, HoldEnd> {
        let bearer =
            Bearer { token: TokenHash::of(token.expose()), principal: self.claim.caller.principal() };
        let loaded = self.holds.0.engine.load(&self.claim.name, Some(&bearer)).await;
        let Loaded { session, revision, holder: _ } = loaded.map_err(|error| self.refused(error))?;
        if let Some(session) = &session {
            let record = self.claim.record(Event::KeysHandedOut).keys_of(session).at(revision);
            if record.has_keys() {
                self.holds.0.audit.record(&record)?;
            }
        }
        let resume_within = self.holds.0.timing.resume_window;
        Ok(Granted { token, fence: attachment.fence(), revision, session, resume_within })
    }

    /// Records why this client does not get the session, if that is for want of rights.
    fn refused(&self, error: Error) -> HoldEnd {
        self.holds.0.audit.refused("Hold", &self.claim.caller, &self.claim.name, &error);
        error.into()
    }

    async fn ended(&mut self, mut attachment: Attachment) -> Result<End, HoldEnd> {
        let mut shutdown = self.holds.0.shutdown.clone();
        tokio::select! {
            end = attachment.ended() => {
                if end == End::Lost(LostReason::EndedByAdmin) {
                    self.phase = Phase::Lost(attachment);
                }
                Ok(end)
            }
            () = shutdown.requested() => Err(HoldEnd::ShuttingDown),
        }
    }
}

async fn gone(process: Option<&Process>) {
    match process {
        Some(process) => process.exited().await,
        None => std::future::pending().await,
    }
}
