//! Holds: who gets a session next, and when a hold is over.
//!
//! The engine knows who holds a session, durably; this module knows the clients' life lines. Each hold has a [`Tenure`],
//! followed by a task of its own until it is over, and each client a [`HoldStream`].

mod stream;
mod tenure;

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use sessiond_proto::SessionName;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{
    audit::{Audit, Event, Record},
    caller::Caller,
    engine::{Bearer, Engine, Error, Hold, HoldStatus, Holder, LostReason, Op, Revision, TokenHash, Write},
    shutdown::Shutdown,
};

pub(crate) use stream::{Granted, HoldEnd, HoldEvent, HoldStream, Token};
use tenure::{End, Tenure};

/// Most clients that wait for one session.
const MAX_WAITING: usize = 1_000;

/// Grants sessions, and ends holds whose client is gone. Clones share the same holds.
#[derive(Clone)]
pub(crate) struct Holds(Arc<Inner>);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// From a holder's death to the next grant.
    pub(crate) hand_over_delay: Duration,
    /// From a broken stream to the end of a living holder's hold.
    pub(crate) resume_window: Duration,
}

/// What a client wants.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) name: SessionName,
    pub(crate) label: String,
    pub(crate) caller: Caller,
    /// Whether to wait while a living client holds the session.
    pub(crate) patience: Patience,
}

/// Whether to wait in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Wait,
    DoNotWait,
}

struct Inner {
    engine: Arc<dyn Engine>,
    audit: Audit,
    timing: Timing,
    shutdown: Shutdown,
    seats: Mutex<HashMap<SessionName, Arc<Seat>>>,
}

/// One session's place for a holder.
#[derive(Debug, Default)]
struct Seat {
    tenure: Mutex<Option<Arc<Tenure>>>,
    /// Counts what those who wait should look at.
    changes: watch::Sender<u64>,
}

/// A seat that is being used. Dropping the last one of a seat that nobody has removes it.
#[derive(Debug)]
struct SeatRef {
    holds: Holds,
    name: SessionName,
    seat: Arc<Seat>,
}

impl Holds {
    pub(crate) fn new(engine: Arc<dyn Engine>, audit: Audit, timing: Timing, shutdown: Shutdown) -> Self {
        Self(Arc::new(Inner { engine, audit, timing, shutdown, seats: Mutex::default() }))
    }

    /// Takes over the holds that the store has from before this start: those of living processes may be resumed, those of
    /// dead ones are dropped after the hand-over delay.
    pub(crate) fn restore(&self) {
        for (name, entry) in &self.0.engine.snapshot().sessions {
            let Some(hold) = &entry.hold else { continue };
            let end = match hold.status {
                HoldStatus::Held => None,
                HoldStatus::Ended => Some(End::Lost(LostReason::EndedByAdmin)),
                HoldStatus::Released | HoldStatus::Over => continue,
            };
            let process = hold.holder.process();
            info!(session = %name, pid = hold.holder.pid, alive = process.is_some(), "a hold goes on from before the start");
            let tenure = Tenure::restored(hold.fence, process, end);
            self.seat(name).take(&tenure);
            self.follow(name.clone(), tenure);
        }
    }

    /// Waits in line for a session and holds it.
    pub(crate) fn hold(&self, claim: Claim) -> Result<HoldStream, Error> {
        let waiting = self.0.engine.waiting(&claim.name);
        if claim.patience == Patience::Wait && waiting >= MAX_WAITING {
            return Err(Error::Limit(format!("{waiting} clients wait for {}, and no more can", claim.name)));
        }
        Ok(HoldStream::queueing(self.clone(), claim))
    }

    /// Goes on with a hold on a new stream. The stream that it had is told that it lost it.
    pub(crate) async fn resume(&self, claim: Claim, token: Token) -> Result<HoldStream, Error> {
        let pending = self.0.audit.begin(claim.record(Event::HoldResumed))?;
        match self.attach(&claim, &token).await {
            Ok(attachment) => {
                pending.done(|record| record.at(attachment.fence()))?;
                Ok(HoldStream::resumed(self.clone(), claim, token, attachment))
            }
            Err(error) => Err(pending.failed(error)),
        }
    }

    async fn attach(&self, claim: &Claim, token: &Token) -> Result<tenure::Attachment, Error> {
        let bearer = Bearer { token: TokenHash::of(token.expose()), principal: claim.caller.principal() };
        let current =
            self.current(&claim.name).filter(|hold| hold.token == bearer.token).ok_or(Error::Fenced)?;
        // Whoever is refused leaves the hold on the stream that it has.
        if current.holder.principal != bearer.principal {
            return Err(Error::NotPermitted);
        }
        let tenure = self.seat(&claim.name).tenure_of(current.fence).ok_or(Error::Fenced)?;
        let label = if claim.label.is_empty() { current.holder.label.clone() } else { claim.label.clone() };
        let holder = Arc::new(Holder { since: current.holder.since, ..holder(claim, label) });
        // Kept before the engine is asked, so that the hold cannot run out in between; and taken from the stream that it is
        // on only when the engine has agreed.
        let resumption = tenure.resume().ok_or(Error::Fenced)?;
        let write = Write { bearer: Some(bearer), ..Write::own(claim.name.clone(), Op::Resume { holder }) };
        self.0.engine.commit(write).await?;
        let attachment = resumption.attach(claim.caller.process().cloned());
        self.seat(&claim.name).changed();
        Ok(attachment)
    }

    /// Lets a hold go.
    pub(crate) async fn release(
        &self,
        caller: &Caller,
        name: &SessionName,
        bearer: Bearer,
    ) -> Result<(), Error> {
        let hold = self.0.engine.hold(name);
        let write = Write { bearer: Some(bearer), ..Write::own(name.clone(), Op::Release) };
        let released = self.0.engine.commit(write).await;
        released.inspect_err(|error| self.0.audit.refused("Release", caller, name, error))?;
        let record = Record::of_call(Event::HoldReleased, "Release", caller).session(name);
        self.0.audit.note(&record.of_hold(hold.as_deref()));
        if let Some(tenure) = hold.and_then(|hold| self.seat(name).tenure_of(hold.fence)) {
            tenure.end(End::Released);
            self.vacate(name, &tenure);
            info!(session = %name, "released");
        }
        Ok(())
    }

    /// Ends a session's hold, whoever has it.
    pub(crate) async fn end(&self, caller: &Caller, name: &SessionName) -> Result<(), Error> {
        let reason = LostReason::EndedByAdmin;
        let held = self.0.engine.hold(name).filter(|hold| hold.status == HoldStatus::Held);
        let Some(hold) = held else { return Ok(()) };
        self.0.engine.commit(Write::own(name.clone(), Op::End { fence: Some(hold.fence), reason })).await?;
        if let Some(tenure) = self.seat(name).tenure_of(hold.fence) {
            tenure.end(End::Lost(reason));
            self.seat(name).changed();
        }
        let record = Record::of_call(Event::HoldEnded, "EndHold", caller).session(name);
        self.0.audit.note(&record.of_hold(Some(&hold)));
        info!(session = %name, holder = hold.holder.describe(), "hold ended by an operator");
        Ok(())
    }

    /// Grants a session that nobody holds. Runs to its end even if who asked goes away: a grant that became durable always
    /// has somebody who ends it.
    async fn grant(&self, claim: &Claim) -> Result<(Token, tenure::Attachment), Error> {
        let (holds, claim) = (self.clone(), claim.clone());
        let granting = tokio::spawn(async move { holds.grant_to(&claim).await });
        granting.await.unwrap_or(Err(Error::Closed))
    }

    async fn grant_to(&self, claim: &Claim) -> Result<(Token, tenure::Attachment), Error> {
        let token = Token::new()?;
        let hash = TokenHash::of(token.expose());
        let holder = Arc::new(holder(claim, claim.label.clone()));
        let op = Op::Grant { holder: Arc::clone(&holder), token: hash };
        let pending = self.0.audit.begin(claim.record(Event::HoldGranted))?;
        let granted = match self.0.engine.grant(Write::own(claim.name.clone(), op)).await {
            // Whether that is a refusal is for the stream to say: it may wait.
            Err(error @ Error::Held(_)) => {
                pending.nothing();
                Err(error)
            }
            granted => pending.end(granted),
        };
        if matches!(granted, Err(Error::StorageFailed)) {
            self.take_back(claim, hash).await;
        }
        let fence = granted?.revision;
        let (tenure, attachment) = Tenure::grant(fence, claim.caller.process().cloned());
        self.seat(&claim.name).take(&tenure);
        self.follow(claim.name.clone(), tenure);
        info!(session = %claim.name, fence, holder = holder.describe(), "granted");
        Ok((token, attachment))
    }

    /// A grant of unknown outcome was not answered, so nobody has its token: if it is there, it is let go.
    async fn take_back(&self, claim: &Claim, token: TokenHash) {
        let bearer = Some(Bearer { token, principal: claim.caller.principal() });
        for _ in 0..100 {
            let write = Write { bearer: bearer.clone(), ..Write::own(claim.name.clone(), Op::Release) };
            match self.0.engine.commit(write).await {
                Err(Error::StorageFailed) => tokio::time::sleep(Duration::from_millis(100)).await,
                Ok(_) | Err(_) => return,
            }
        }
        warn!(session = %claim.name, "a grant of unknown outcome could not be taken back; end it with `sessiond end-hold`");
    }

    /// Sees to it that a hold ends when it is over.
    fn follow(&self, name: SessionName, tenure: Arc<Tenure>) {
        let holds = self.clone();
        tokio::spawn(async move {
            let mut shutdown = holds.0.shutdown.clone();
            let over = tokio::select! {
                over = tenure.over(holds.0.timing, || holds.seat(&name).changed()) => over,
                // A daemon that stops ends no hold: it goes on after the next start.
                () = shutdown.requested() => return,
            };
            match over {
                tenure::Over::Abandoned => holds.abandon(&name, &tenure).await,
                tenure::Over::Ended => holds.vacate(&name, &tenure),
            }
        });
    }

    /// Ends a hold whose client is gone, and vacates its seat.
    ///
    /// The next in line does not wait until the end is durable: its grant goes to the engine behind it, and where others
    /// write too, both are in one commit. A grant is never ahead of it, since nobody is granted what is held.
    async fn abandon(&self, name: &SessionName, tenure: &Arc<Tenure>) {
        let fence = Some(tenure.fence());
        let end = || {
            let op = Op::End { fence, reason: LostReason::Gone };
            self.0.engine.commit(Write::own(name.clone(), op))
        };
        let (mut ended, ()) = tokio::join!(biased; end(), async { self.vacate(name, tenure) });
        loop {
            match ended {
                Ok(_) | Err(Error::Closed) => break,
                Err(error) => {
                    warn!(session = %name, %error, "a hold that is over cannot be ended yet");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    ended = end().await;
                }
            }
        }
        tenure.end(End::Lost(LostReason::Gone));
        self.0.audit.note(&Record::of(Event::HoldLost).session(name).at(tenure.fence()));
        info!(session = %name, fence, "hold ended: its client is gone");
    }

    fn vacate(&self, name: &SessionName, tenure: &Arc<Tenure>) {
        let seat = self.seat(name);
        seat.leave(tenure);
        seat.changed();
    }

    fn seat(&self, name: &SessionName) -> SeatRef {
        let seat = Arc::clone(self.seats().entry(name.clone()).or_default());
        SeatRef { holds: self.clone(), name: name.clone(), seat }
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<SessionName, Arc<Seat>>> {
        // Every change of the map is complete before anything in it can panic.
        self.0.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self, name: &SessionName) -> Option<Arc<Hold>> {
        self.0.engine.hold(name).filter(|hold| hold.status == HoldStatus::Held)
    }
}

impl Claim {
    /// A record of what is done with the session for whoever claims it.
    fn record(&self, event: Event) -> Record {
        Record::of_call(event, "Hold", &self.caller).session(&self.name).label(&self.label)
    }
}

impl std::fmt::Debug for Holds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holds").field("timing", &self.0.timing).finish_non_exhaustive()
    }
}

impl Deref for SeatRef {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        &self.seat
    }
}

impl Drop for SeatRef {
    fn drop(&mut self) {
        let mut seats = self.holds.seats();
        // The map's and this one's: whoever else comes gets it from the map, which is locked.
        if Arc::strong_count(&self.seat) == 2 && self.seat.tenure().is_none() {
            seats.remove(&self.name);
        }
    }
}

impl Seat {
    /// Who has it, or has not quite left it.
    fn tenure(&self) -> Option<Arc<Tenure>> {
        self.lock().clone()
    }

    fn tenure_of(&self, fence: Revision) -> Option<Arc<Tenure>> {
        self.tenure().filter(|tenure| tenure.fence() == fence)
    }

    fn take(&self, tenure: &Arc<Tenure>) {
        *self.lock() = Some(Arc::clone(tenure));
        self.changed();
    }

    fn leave(&self, tenure: &Arc<Tenure>) {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, tenure)) {
            *current = None;
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Tenure>>> {
        self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn holder(claim: &Claim, label: String) -> Holder {
    let caller = &claim.caller;
    let (start_time, boot_id) = match caller.process() {
        Some(process) => (process.id().start_time, process.id().boot_id.clone()),
        None => (0, String::new()),
    };
    Holder {
        label,
        pid: caller.pid(),
        principal: caller.principal(),
        executable: caller.executable().to_owned(),
        since: SystemTime::now(),
        start_time,
        boot_id,
    }
}
