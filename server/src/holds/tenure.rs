use std::{
    future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::Timing;
use crate::{
    engine::{LostReason, Revision},
    process::Process,
};

/// One hold, from its grant until the next one may come: its streams, one after the other, and the process behind them.
#[derive(Debug)]
pub(super) struct Tenure {
    fence: Revision,
    status: watch::Sender<Status>,
    streams: AtomicU64,
}

/// A stream's part in a hold. Dropping it says that the stream is broken; or, before its client was told of the grant,
/// that the hold is over, since nobody has its token.
#[derive(Debug)]
pub(super) struct Attachment {
    tenure: Arc<Tenure>,
    id: u64,
    told: bool,
    status: watch::Receiver<Status>,
}

/// A stream's claim to go on with a hold. Dropping it leaves the hold as it is.
#[derive(Debug)]
pub(super) struct Resumption(Arc<Tenure>);

/// How a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Released,
    Lost(LostReason),
}

/// Why the next grant may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The hold had ended, and its client has let go or had its time.
    Ended,
    /// The client is gone and the hold is to be ended.
    Abandoned,
}

#[derive(Debug, Clone)]
struct Status {
    /// The stream that it is on now. `None`: it is broken.
    stream: Option<u64>,
    /// The process behind it. `None`: nothing is known of one.
    process: Option<Process>,
    dead: bool,
    /// The client went away before it was told of the grant.
    untold: bool,
    /// Streams that are about to go on with it: meanwhile it is not ended for want of one.
    resuming: usize,
    /// It is about to be ended, and no stream goes on with it.
    given_up: bool,
    end: Option<End>,
}

/// When a tenure's conditions began.
#[derive(Debug, Default)]
struct Since {
    dead: Option<Instant>,
    broken: Option<Instant>,
    ended: Option<Instant>,
}

impl Tenure {
    /// A hold from before the daemon's start. `process` is its holder, if that is alive.
    pub(super) fn restored(fence: Revision, process: Option<Process>, end: Option<End>) -> Arc<Self> {
        let dead = process.is_none();
        let status = Status { stream: None, process, dead, untold: false, resuming: 0, given_up: false, end };
        Arc::new(Self { fence, status: watch::Sender::new(status), streams: AtomicU64::new(1) })
    }

    pub(super) fn fence(&self) -> Revision {
        self.fence
    }

    /// Whether a living client has it, as far as can be known.
    pub(super) fn is_alive(&self) -> bool {
        let status = self.status.borrow();
        let alive = status.process.as_ref().is_none_or(Process::is_alive);
        status.end.is_none() && !status.dead && alive
    }

    /// Puts a new hold on its first stream, whose client is still to be told of the grant.
    pub(super) fn grant(fence: Revision, process: Option<Process>) -> (Arc<Self>, Attachment) {
        let stream = 0;
        let status = Status {
            stream: Some(stream),
            process,
            dead: false,
            untold: false,
            resuming: 0,
            given_up: false,
            end: None,
        };
        let tenure =
            Arc::new(Self { fence, status: watch::Sender::new(status), streams: AtomicU64::new(stream + 1) });
        let status = tenure.status.subscribe();
        let attachment = Attachment { tenure: Arc::clone(&tenure), id: stream, told: false, status };
        (tenure, attachment)
    }

    /// Keeps the hold for a stream that is to go on with it. `None`: it is too late, the hold has ended or is about to.
    pub(super) fn resume(self: &Arc<Self>) -> Option<Resumption> {
        let in_time = self.status.send_if_modified(|status| {
            let in_time = status.end.is_none() && !status.given_up;
            status.resuming += usize::from(in_time);
            in_time
        });
        in_time.then(|| Resumption(Arc::clone(self)))
    }

    pub(super) fn end(&self, end: End) {
        self.status.send_modify(|status| {
            status.end.get_or_insert(end);
        });
    }

    /// Waits until the next grant may come. `noticed` is called when the process has died, for those who wait.
    pub(super) async fn over(&self, timing: Timing, noticed: impl Fn()) -> Over {
        let mut changes = self.status.subscribe();
        let mut since = Since::default();
        loop {
            let status = changes.borrow_and_update().clone();
            match status.end {
                Some(End::Released) => return Over::Ended,
                None if status.untold && self.give_up() => return Over::Abandoned,
                _ => {}
            }
            since.update(&status);
            // Who is about to go on with it changes the status in either case.
            let deadline = since.deadline(timing).filter(|_| status.resuming == 0);
            tokio::select! {
                // The tenure has the sender, so it is never gone.
                _ = changes.changed() => {}
                () = died(&status) => {
                    let process = status.process;
                    self.status.send_if_modified(|now| {
                        let same = now.process.as_ref().map(Process::id) == process.as_ref().map(Process::id);
                        now.dead |= same;
                        same
                    });
                    noticed();
                }
                () = reached(deadline) => {
                    if status.end.is_some() {
                        return Over::Ended;
                    }
                    if self.give_up() {
                        return Over::Abandoned;
                    }
                }
            }
        }
    }

    /// Sees to it that no stream goes on with the hold, unless one has, or the hold has ended otherwise. A stream whose
    /// process is dead does not count.
    fn give_up(&self) -> bool {
        self.status.send_if_modified(|status| {
            let gone = (status.stream.is_none() || status.dead) && status.resuming == 0;
            status.given_up = gone && status.end.is_none();
            status.given_up
        })
    }
}

impl Resumption {
    /// Puts the hold on a new stream, of a process that may be another than before. The stream that it was on has lost it.
    pub(super) fn attach(self, process: Option<Process>) -> Attachment {
        let tenure = &self.0;
        let id = tenure.streams.fetch_add(1, Relaxed);
        tenure.status.send_modify(|status| {
            status.stream = Some(id);
            status.process = process;
            status.dead = false;
        });
        Attachment { tenure: Arc::clone(tenure), id, told: true, status: tenure.status.subscribe() }
    }
}

impl Drop for Resumption {
    fn drop(&mut self) {
        self.0.status.send_modify(|status| status.resuming -= 1);
    }
}

impl Attachment {
    pub(super) fn fence(&self) -> Revision {
        self.tenure.fence
    }

    /// Notes that the client is told of the grant.
    pub(super) fn tell(&mut self) {
        self.told = true;
    }

    /// Waits until this stream has lost the hold or let it go. Cancel safe.
    pub(super) async fn ended(&mut self) -> End {
        let id = self.id;
        let ended = self.status.wait_for(|status| status.end.is_some() || status.stream != Some(id)).await;
        // The tenure has the sender, so it is never gone.
        let end = ended.ok().and_then(|status| status.end);
        end.unwrap_or(End::Lost(LostReason::ResumedElsewhere))
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.tenure.status.send_if_modified(|status| {
            let mine = status.stream == Some(self.id);
            if mine {
                status.stream = None;
                status.untold = !self.told;
            }
            mine
        });
    }
}

impl Since {
    fn update(&mut self, status: &Status) {
        let now = Instant::now();
        let keep = |since: Option<Instant>, holds: bool| if holds { since.or(Some(now)) } else { None };
        self.dead = keep(self.dead, status.dead);
        self.broken = keep(self.broken, status.stream.is_none());
        self.ended = keep(self.ended, status.end.is_some());
    }

    /// When the next grant may come, as things stand.
    fn deadline(&self, timing: Timing) -> Option<Instant> {
        // A client whose stream was broken before has not been told of the end, and may go on using Telegram.
        let told = |broken: &Instant| self.ended.is_some_and(|ended| *broken >= ended);
        let let_go = self.dead.or(self.broken.filter(told));
        let by_delay =
            let_go.max(self.ended.filter(|_| let_go.is_some())).map(|since| since + timing.hand_over_delay);
        let by_window = self.ended.or(self.broken).map(|since| since + timing.resume_window);
        match (by_delay, by_window) {
            (Some(delay), Some(window)) if self.ended.is_some() => Some(delay.min(window)),
            (Some(delay), _) => Some(delay),
            (None, window) => window,
        }
    }
}

async fn died(status: &Status) {
    match &status.process {
        Some(process) if !status.dead => process.exited().await,
        _ => future::pending().await,
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Attachment, End, Over, Tenure};
    use crate::{engine::LostReason, holds::Timing};

    const TIMING: Timing =
        Timing { hand_over_delay: Duration::from_secs(1), resume_window: Duration::from_secs(10) };

    /// How long it takes until the next grant may come, and why it may.
    async fn over(tenure: &Tenure) -> (Over, Duration) {
        let start = Instant::now();
        let over = tenure.over(TIMING, || {}).await;
        (over, start.elapsed())
    }

    fn attached() -> (std::sync::Arc<Tenure>, Attachment) {
        let (tenure, mut attachment) = Tenure::grant(1, None);
        attachment.tell();
        (tenure, attachment)
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_stream_has_the_resume_window_to_come_back() {
        let (tenure, attachment) = attached();
        drop(attachment);
        assert_eq!(over(&tenure).await, (Over::Abandoned, TIMING.resume_window));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_whose_client_was_never_told_of_it_is_over_at_once() {
        let (tenure, attachment) = Tenure::grant(1, None);
        drop(attachment);
        assert_eq!(over(&tenure).await, (Over::Abandoned, Duration::ZERO));

        let (tenure, attachment) = attached();
        drop(attachment);
        assert_eq!(over(&tenure).await, (Over::Abandoned, TIMING.resume_window));
    }

    #[tokio::test(start_paused = true)]
    async fn a_resumed_hold_goes_on() {
        let (tenure, attachment) = attached();
        drop(attachment);
        let _resumed = tenure.resume().expect("in time").attach(None);
        let waiting = tokio::time::timeout(TIMING.resume_window * 5, tenure.over(TIMING, || {}));
        assert!(waiting.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_goes_on_with_a_hold_that_is_about_to_be_ended() {
        let (tenure, attachment) = attached();
        drop(attachment);
        assert_eq!(over(&tenure).await.0, Over::Abandoned);
        assert!(tenure.resume().is_none());

        let (tenure, attachment) = attached();
        drop(attachment);
        let resumed = tenure.resume().expect("in time");
        assert!(!tenure.give_up(), "somebody is about to go on with it");
        let attachment = resumed.attach(None);
        assert!(!tenure.give_up(), "somebody goes on with it");
        drop(attachment);
        assert!(tenure.give_up());
    }

    #[tokio::test(start_paused = true)]
    async fn a_resumption_that_comes_to_nothing_leaves_the_hold_as_it_was() {
        let (tenure, mut attachment) = attached();
        drop(tenure.resume().expect("in time"));
        let lost = tokio::time::timeout(TIMING.resume_window * 5, attachment.ended());
        assert!(lost.await.is_err(), "the stream that it was on still has it");
        drop(attachment);
        assert_eq!(over(&tenure).await, (Over::Abandoned, TIMING.resume_window));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_hold_whose_client_could_not_be_told_waits_for_the_resume_window() {
        let (tenure, attachment) = attached();
        drop(attachment);
        let ending = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            tenure.end(End::Lost(LostReason::EndedByAdmin));
        };
        let (over, ()) = tokio::join!(over(&tenure), ending);
        assert_eq!(over, (Over::Ended, TIMING.resume_window + Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_stream_that_a_hold_was_on_loses_it_to_the_one_that_resumes() {
        let (tenure, mut first) = attached();
        let _second = tenure.resume().expect("in time").attach(None);
        assert_eq!(first.ended().await, End::Lost(LostReason::ResumedElsewhere));
        drop(first);
        let waiting = tokio::time::timeout(TIMING.resume_window * 5, tenure.over(TIMING, || {}));
        assert!(waiting.await.is_err(), "its drop does not break the new one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_holder_is_followed_after_the_hand_over_delay() {
        let tenure = Tenure::restored(1, None, None);
        assert_eq!(over(&tenure).await, (Over::Abandoned, TIMING.hand_over_delay));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_hold_waits_for_its_client_to_close_the_stream() {
        let (tenure, mut attachment) = attached();
        tenure.end(End::Lost(LostReason::EndedByAdmin));
        assert_eq!(attachment.ended().await, End::Lost(LostReason::EndedByAdmin));
        drop(attachment);
        assert_eq!(over(&tenure).await, (Over::Ended, TIMING.hand_over_delay));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_hold_waits_for_its_client_no_longer_than_the_resume_window() {
        let (tenure, _attachment) = attached();
        tenure.end(End::Lost(LostReason::EndedByAdmin));
        assert_eq!(over(&tenure).await, (Over::Ended, TIMING.resume_window));
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_hold_is_followed_at_once() {
        let (tenure, _attachment) = attached();
        tenure.end(End::Released);
        assert_eq!(over(&tenure).await, (Over::Ended, Duration::ZERO));
    }
}
