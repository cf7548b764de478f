use std::{sync::Arc, time::Duration};

use bytes::{Buf as _, Bytes};
use prost::Message as _;
use sessiond_proto::v1::{RestartReason, WatchResponse, watch_response::Event as Told};
use sessiond_session::StateChange;

use super::{Mode, Snapshots, Source, Start, Watcher};
use crate::{
    engine::{Bearer, Engine, Holder, MemoryEngine, Op, Revision, Selection, TokenHash, Write},
    principal::Principal,
    shutdown::{self, Shutdown, Stopper},
};

/// A log so short that watchers fall out of it.
const LOG: usize = 100;

/// Commits that no watcher finds in memory or in the log any more.
const TOO_MANY: i32 = 200_000;

struct Subject {
    engine: Arc<dyn Engine>,
    stopper: Stopper,
    shutdown: Shutdown,
    pts: i32,
}

impl Subject {
    async fn new() -> Self {
        let engine = Arc::new(MemoryEngine::with_log(LOG).expect("a thread starts"));
        let (stopper, shutdown) = shutdown::channel();
        let since = std::time::SystemTime::UNIX_EPOCH;
        let (label, executable, boot_id) = Default::default();
        let holder =
            Holder { label, pid: 1, principal: Principal::Uid(1), executable, since, start_time: 0, boot_id };
        let op = Op::Grant { holder: Arc::new(holder), token: TokenHash::of(b"token") };
        engine.grant(Write::own("a".parse().expect("valid"), op)).await.expect("granted");
        Self { engine, stopper, shutdown, pts: 0 }
    }

    /// Commits so many changes, and answers the last one's revision.
    async fn advance(&mut self, count: i32) -> Revision {
        let mut revision = 0;
        let end = self.pts + count;
        while self.pts < end {
            let through = end.min(self.pts + 1_000);
            let changes =
                (self.pts + 1..=through).map(|pts| StateChange { pts: Some(pts), ..StateChange::default() });
            let bearer = Some(Bearer { token: TokenHash::of(b"token"), principal: Principal::Uid(1) });
            let op = Op::Advance(changes.collect());
            let write = Write { bearer, ..Write::own("a".parse().expect("valid"), op) };
            revision = self.engine.commit(write).await.expect("committed").revision;
            self.pts = through;
        }
        revision
    }

    fn watch(&self, mode: Mode, start: Start) -> Reader {
        let selection = Selection { names: ["a".parse().expect("valid")].into(), ..Selection::default() };
        let interval = Duration::from_secs(5);
        let (engine, shutdown) = (self.engine.clone(), self.shutdown.clone());
        let source = Source { engine, snapshots: Snapshots::default(), shutdown };
        let watcher = Watcher::new(source, selection, mode, interval).starting(start);
        Reader { watcher, read: Bytes::new() }
    }
}

/// Reads what a watcher tells, one message at a time.
struct Reader {
    watcher: Watcher,
    read: Bytes,
}

async fn response(reader: &mut Reader) -> WatchResponse {
    if reader.read.is_empty() {
        reader.read = reader.watcher.next().await.expect("it goes on");
    }
    assert_eq!(reader.read.get_u8(), 0, "it is not compressed");
    let length = reader.read.get_u32() as usize;
    WatchResponse::decode(reader.read.split_to(length)).expect("it is one")
}

async fn next(watcher: &mut Reader) -> (Revision, Told) {
    let response = response(watcher).await;
    (response.revision, response.event.expect("there is one"))
}

/// Up to synced: why it starts over, and the pts of the snapshot.
async fn beginning(watcher: &mut Reader) -> (RestartReason, i32) {
    let (_, Told::Restarted(restarted)) = next(watcher).await else { panic!("it starts over") };
    let (_, Told::Snapshot(snapshot)) = next(watcher).await else { panic!("then a snapshot") };
    let (_, Told::Synced(_)) = next(watcher).await else { panic!("then synced") };
    let state = snapshot.session.and_then(|session| session.state);
    (restarted.reason(), state.map_or(0, |state| state.pts))
}

#[tokio::test]
async fn a_watch_older_than_the_log_starts_over() {
    let mut subject = Subject::new().await;
    let revision = subject.advance(1).await;
    subject.advance(5_000).await;
    let mut watcher = subject.watch(Mode::EveryChange, Start::After { revision, store_id: None });
    assert_eq!(beginning(&mut watcher).await, (RestartReason::LogTrimmed, 5_001));
}

#[tokio::test]
async fn a_watcher_that_falls_out_of_memory_and_log_starts_over() {
    let mut subject = Subject::new().await;
    let mut watcher = subject.watch(Mode::EveryChange, Start::Anew);
    assert_eq!(beginning(&mut watcher).await, (RestartReason::First, 0));
    subject.advance(TOO_MANY).await;
    assert_eq!(beginning(&mut watcher).await, (RestartReason::Lagged, TOO_MANY));
    let revision = subject.advance(1).await;
    let (told, Told::Change(change)) = next(&mut watcher).await else { panic!("then commits") };
    assert_eq!((told, change.pts), (revision, Some(TOO_MANY + 1)));
}

#[tokio::test]
async fn a_watcher_of_the_latest_is_told_once_what_came_while_it_was_away() {
    let mut subject = Subject::new().await;
    let mut watcher = subject.watch(Mode::Latest, Start::Anew);
    beginning(&mut watcher).await;
    let before = subject.engine.snapshot().revision;
    let revision = subject.advance(10_000).await;
    let response = response(&mut watcher).await;
    let Some(Told::Change(change)) = response.event else { panic!("a change") };
    assert_eq!((response.revision, change.pts), (revision, Some(10_000)));
    assert!(response.previous_revision < before, "it is before all that it stands for");
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_never_silent_for_longer_than_its_interval() {
    let subject = Subject::new().await;
    let mut watcher = subject.watch(Mode::EveryChange, Start::Anew);
    beginning(&mut watcher).await;
    let start = tokio::time::Instant::now();
    assert!(matches!(next(&mut watcher).await, (_, Told::Bookmark(_))));
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn a_watch_ends_when_the_daemon_stops() {
    let subject = Subject::new().await;
    let mut watcher = subject.watch(Mode::EveryChange, Start::Anew);
    beginning(&mut watcher).await;
    subject.stopper.stop();
    assert!(watcher.watcher.next().await.is_err());
}

#[tokio::test]
async fn a_watcher_of_the_latest_is_told_where_to_go_on_after_each_lot() {
    let mut subject = Subject::new().await;
    let mut watcher = subject.watch(Mode::Latest, Start::Anew);
    beginning(&mut watcher).await;
    let head = subject.advance(3).await;
    let (revision, Told::Change(change)) = next(&mut watcher).await else { panic!("what they came to") };
    assert_eq!((revision, change.pts), (head, Some(3)));
    subject.advance(1).await;
    let (revision, Told::Bookmark(_)) = next(&mut watcher).await else { panic!("before anything newer") };
    assert_eq!(revision, head);
    let (_, Told::Change(change)) = next(&mut watcher).await else { panic!("then what is newer") };
    assert_eq!(change.pts, Some(4));
}
