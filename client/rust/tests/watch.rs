//! Watches: they go on where they were, tell nothing twice, and hold nothing up.

use sessiond_client::{
    Change, Error, LostReason, Reason, RestartReason, WatchEvent, WatchMode, WatchOptions, WatchPosition,
};
use sessiond_proto::v1::{self, watch_response::Event};
use tokio::{join, sync::mpsc};
use tonic::Code;

use crate::fake::{Events, Fake, expect_call, refusal};

fn event(revision: i64, name: &str, event: Event) -> v1::WatchResponse {
    v1::WatchResponse { revision, name: name.into(), event: Some(event), ..v1::WatchResponse::default() }
}

fn restarted(reason: v1::RestartReason) -> v1::WatchResponse {
    event(0, "", Event::Restarted(v1::Restarted { reason: reason.into() }))
}

fn snapshot(revision: i64) -> v1::WatchResponse {
    let session = Some(v1::Session::default());
    event(revision, "alice", Event::Snapshot(v1::Snapshot { session, holder: None }))
}

fn synced(revision: i64) -> v1::WatchResponse {
    event(revision, "", Event::Synced(v1::Synced { store_id: "store".into() }))
}

fn change(revision: i64) -> v1::WatchResponse {
    event(revision, "alice", Event::Change(v1::StateChange { pts: Some(1), ..v1::StateChange::default() }))
}

fn bookmark(revision: i64) -> v1::WatchResponse {
    event(revision, "", Event::Bookmark(v1::Bookmark {}))
}

async fn send(events: &Events<v1::WatchResponse>, responses: impl IntoIterator<Item = v1::WatchResponse>) {
    for response in responses {
        events.send(Ok(response)).await.expect("the client listens");
    }
}

/// Reads a watch, and passes on its events in short.
struct Reader(mpsc::Receiver<String>);

impl Reader {
    async fn start(fake: &Fake, options: WatchOptions) -> Self {
        let mut watch = fake.client().await.watch(options);
        let (tell, told) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Some(event) = watch.next().await {
                let _ = tell.send(in_short(event)).await;
            }
        });
        Self(told)
    }

    async fn expect(&mut self, events: &[&str]) {
        for event in events {
            assert_eq!(self.0.recv().await.as_deref(), Some(*event));
        }
    }
}

fn in_short(event: Result<WatchEvent, Error>) -> String {
    match event {
        Ok(WatchEvent::Restarted(reason)) => format!("restarted {reason:?}"),
        Ok(WatchEvent::Snapshot(snapshot)) => format!("snapshot {}", snapshot.revision),
        Ok(WatchEvent::Synced { revision, .. }) => format!("synced {revision}"),
        Ok(WatchEvent::Commit(commit)) => format!("commit {}", commit.revision),
        Ok(WatchEvent::Bookmark { revision }) => format!("bookmark {revision}"),
        other => format!("{other:?}"),
    }
}

fn after(request: &v1::WatchRequest) -> Option<(i64, &str)> {
    request.after_revision.map(|revision| (revision, request.store_id.as_str()))
}

#[tokio::test]
async fn a_watch_goes_on_after_what_it_has_told_and_repeats_nothing() {
    let mut fake = Fake::start().await;
    let mut reader = Reader::start(&fake, WatchOptions::names(["alice"]).expect("a name")).await;
    let (request, events) = expect_call!(fake, Watch);
    assert_eq!((request.names.as_slice(), after(&request)), (["alice".to_owned()].as_slice(), None));
    send(&events, [restarted(v1::RestartReason::First), snapshot(4), synced(5), change(6)]).await;
    reader.expect(&["restarted First", "snapshot 4", "synced 5", "commit 6"]).await;

    fake.restart();
    let (request, events) = expect_call!(fake, Watch);
    assert_eq!(after(&request), Some((6, "store")));
    send(&events, [synced(6), change(6), change(7), bookmark(9)]).await;
    reader.expect(&["commit 7", "bookmark 9"]).await;

    events.send(Err(refusal(Code::Unavailable, Reason::ShuttingDown))).await.expect("the client listens");
    let (request, events) = expect_call!(fake, Watch);
    assert_eq!(after(&request), Some((9, "store")));
    send(&events, [synced(9), change(10)]).await;
    reader.expect(&["commit 10"]).await;
}

#[tokio::test]
async fn a_watch_of_the_latest_goes_on_from_a_bookmark_and_from_no_commit() {
    let mut fake = Fake::start().await;
    let options = || WatchOptions { mode: WatchMode::Latest, ..WatchOptions::all() };
    let mut reader = Reader::start(&fake, options()).await;
    let (_, events) = expect_call!(fake, Watch);
    send(&events, [restarted(v1::RestartReason::First), synced(5), change(8)]).await;
    reader.expect(&["restarted First", "synced 5", "commit 8"]).await;

    // A commit of revision 7 may have been folded into one of revision 9, which was not told any more.
    fake.restart();
    let (request, events) = expect_call!(fake, Watch);
    assert_eq!(after(&request), Some((5, "store")));
    send(&events, [synced(5), change(8), change(9), bookmark(9), change(11)]).await;
    reader.expect(&["commit 8", "commit 9", "bookmark 9", "commit 11"]).await;

    fake.restart();
    let (request, _events) = expect_call!(fake, Watch);
    assert_eq!(after(&request), Some((9, "store")));

    let mut watch = fake.client().await.watch(options());
    let daemon = async {
        let (_, events) = expect_call!(fake, Watch);
        send(&events, [restarted(v1::RestartReason::First), synced(5), change(8), bookmark(8)]).await;
        events
    };
    let positions = async {
        let mut positions = Vec::new();
        for _ in 0..4 {
            watch.next().await.expect("it goes on").expect("an event");
            positions.push(watch.position().map(|position| position.revision));
        }
        positions
    };
    let (positions, _events) = join!(positions, daemon);
    assert_eq!(positions, [None, Some(5), Some(5), Some(8)], "as anybody else would go on from it");
}

#[tokio::test]
async fn a_watch_that_broke_amid_its_snapshots_starts_over() {
    let mut fake = Fake::start().await;
    let mut reader = Reader::start(&fake, WatchOptions::all()).await;
    let (_, events) = expect_call!(fake, Watch);
    send(&events, [restarted(v1::RestartReason::First), snapshot(4)]).await;
    reader.expect(&["restarted First", "snapshot 4"]).await;
    fake.restart();
    let (request, events) = expect_call!(fake, Watch);
    assert_eq!(after(&request), None);
    send(&events, [restarted(v1::RestartReason::First), snapshot(4), synced(5)]).await;
    reader.expect(&["restarted First", "snapshot 4", "synced 5"]).await;
}

#[tokio::test]
async fn a_watch_that_cannot_go_on_says_that_it_starts_over() {
    let mut fake = Fake::start().await;
    let mut reader = Reader::start(&fake, WatchOptions::all()).await;
    let (_, events) = expect_call!(fake, Watch);
    send(&events, [restarted(v1::RestartReason::First), synced(5)]).await;
    reader.expect(&["restarted First", "synced 5"]).await;
    fake.restart();
    let (_, events) = expect_call!(fake, Watch);
    send(&events, [restarted(v1::RestartReason::OtherStore), snapshot(2), synced(3), change(4)]).await;
    reader.expect(&["restarted OtherStore", "snapshot 2", "synced 3", "commit 4"]).await;
}

#[tokio::test]
async fn a_watch_begins_where_an_earlier_one_ended() {
    let mut fake = Fake::start().await;
    let position = WatchPosition { revision: 8, store_id: "store".into() };
    let options = WatchOptions { after: Some(position), ..WatchOptions::all() };
    let mut reader = Reader::start(&fake, options).await;
    let (request, events) = expect_call!(fake, Watch);
    assert_eq!(after(&request), Some((8, "store")));
    send(&events, [synced(8), change(9)]).await;
    reader.expect(&["synced 8", "commit 9"]).await;
}

#[tokio::test]
async fn a_refused_watch_ends_with_the_refusal() {
    let mut fake = Fake::start().await;
    let mut watch = fake.client().await.watch(WatchOptions::all());
    let daemon = async {
        let (_, events) = expect_call!(fake, Watch);
        let refused = refusal(Code::PermissionDenied, Reason::NotPermitted);
        events.send(Err(refused)).await.expect("the client listens");
    };
    let (event, ()) = join!(watch.next(), daemon);
    assert!(matches!(event, Some(Err(Error::NotPermitted { .. }))), "{event:?}");
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn an_event_is_told_as_plain_data() {
    let mut fake = Fake::start().await;
    let mut watch = fake.client().await.watch(WatchOptions::all());
    let daemon = async {
        let (_, events) = expect_call!(fake, Watch);
        let holder = v1::Holder { pid: 42, ..v1::Holder::default() };
        let ended = v1::LostReason::EndedByAdmin.into();
        let changed = v1::HoldChanged { holder: Some(holder), reason: ended };
        send(&events, [event(6, "alice", Event::HoldChanged(changed))]).await;
        events
    };
    let (told, _events) = join!(watch.next(), daemon);
    let Some(Ok(WatchEvent::Commit(commit))) = told else { panic!("{told:?}") };
    let Change::HoldChanged { holder, reason } = commit.change else { panic!("{commit:?}") };
    assert_eq!((commit.name.as_str(), commit.revision, commit.previous_revision), ("alice", 6, 0));
    assert_eq!(holder.and_then(|holder| holder.pid), Some(42));
    assert_eq!(reason, Some(LostReason::EndedByAdmin));
}

#[tokio::test]
async fn watches_that_nobody_reads_do_not_keep_a_call_from_its_answer() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let mut unread = Vec::new();
    for _ in 0..8 {
        let mut watch = client.watch(WatchOptions::all());
        let daemon = async {
            let (_, events) = expect_call!(fake, Watch);
            send(&events, [restarted(v1::RestartReason::First)]).await;
            events
        };
        let (first, events) = join!(watch.next(), daemon);
        assert!(matches!(first, Some(Ok(WatchEvent::Restarted(RestartReason::First)))), "{first:?}");
        // Much more than any window takes, until nothing goes in any more.
        let channels = (1..=10_000).map(|id| v1::ChannelState { id, pts: 1 }).collect();
        let state = Some(v1::UpdateState { channels, ..v1::UpdateState::default() });
        let large = event(1, "alice", Event::Saved(v1::Session { state, ..v1::Session::default() }));
        while events.try_send(Ok(large.clone())).is_ok() {}
        unread.push((watch, events));
    }
    for position in 0..20 {
        let daemon = async {
            let (_, answer) = expect_call!(fake, Load);
            let _ = answer.send(Ok(v1::LoadResponse { revision: position, ..v1::LoadResponse::default() }));
        };
        let (loaded, ()) = join!(client.load("alice"), daemon);
        assert_eq!(loaded.expect("it is answered").revision, position);
    }
    let mut another = client.watch(WatchOptions::all());
    let daemon = async {
        let (_, events) = expect_call!(fake, Watch);
        send(&events, [restarted(v1::RestartReason::First)]).await;
        events
    };
    let (first, _events) = join!(another.next(), daemon);
    assert!(matches!(first, Some(Ok(_))), "{first:?}");
}
