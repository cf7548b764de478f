//! Going on with a watch: nothing is repeated and nothing is missing, whatever was restarted in between.

use sessiond_proto::v1;
use tokio::task::JoinSet;
use v1::{RestartReason, watch_response::Event};

use crate::harness::{Client, Daemon, Held, Random, View, Watch, pts, random_session};

/// Sessions written at the same time, and connections that write them.
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const WRITERS: usize = 4;

on_both_engines! {
    a_watch_goes_on_after_synced_after_a_commit_and_after_a_bookmark
    a_watch_that_goes_on_is_told_so_at_once
    a_watch_that_breaks_off_again_and_again_misses_nothing_of_many_writers
    a_selection_may_be_another_when_a_watch_goes_on
    a_place_in_another_store_starts_the_watch_over
    a_place_in_the_future_starts_the_watch_over
}

async fn a_watch_goes_on_after_synced_after_a_commit_and_after_a_bookmark(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.save(random_session()).await;
    let mut view = client.watch_all().await.begin().await;

    let revision = held.advance(pts(1)).await;
    let mut watch = client.watch(view.resume()).await;
    view.follow_to(&mut watch, revision).await;
    assert_eq!((view.commits, &view.load("alice")), (1, &client.load("alice").await));

    let last = held.advance_through(2..=100).await;
    let mut watch = client.watch(view.resume()).await;
    view.follow_to(&mut watch, revision + 10).await;
    let mut watch = client.watch(view.resume()).await;
    view.follow_to(&mut watch, last).await;
    assert_eq!((view.commits, &view.load("alice")), (100, &client.load("alice").await));

    let mut watch = client.watch(view.resume()).await;
    let bookmark = watch.next().await;
    assert!(matches!(bookmark.event, Some(Event::Bookmark(_))), "{bookmark:?}");
    view.take(bookmark);
    let last = held.advance(pts(1)).await;
    let mut watch = client.watch(view.resume()).await;
    view.follow_to(&mut watch, last).await;
    assert_eq!((view.commits, view.restarts), (101, vec![RestartReason::First]));
}

async fn a_watch_that_goes_on_is_told_so_at_once(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let _held = client.hold("alice").await;
    let view = client.watch_all().await.begin().await;
    let hour = Some(prost_types::Duration { seconds: 3_600, nanos: 0 });
    let request = v1::WatchRequest { bookmark_interval: hour, ..view.resume() };
    let told = client.watch(request).await.next().await;
    assert!(matches!(told.event, Some(Event::Bookmark(_))), "{told:?}");
    assert_eq!(told.revision, view.revision);
}

async fn a_watch_that_breaks_off_again_and_again_misses_nothing_of_many_writers(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut view = client.watch_all().await.begin().await;
    let mut writers = write_from_all_sides(&daemon).await;
    let mut random = Random::new();
    while !writers.is_empty() {
        let mut watch = client.watch(view.resume()).await;
        let enough = view.commits + 1 + random.below(200);
        tokio::select! {
            () = view.follow_until(&mut watch, |view| view.commits >= enough) => {}
            Some(done) = writers.join_next() => done.expect("a writer ends in order"),
        }
    }
    finish(&client, &mut view).await;
    assert_eq!(view.restarts, [RestartReason::First]);
}

async fn a_selection_may_be_another_when_a_watch_goes_on(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let (alice, bob) = (client.hold("alice").await, client.hold("bob").await);
    let view = client.watch_all().await.begin().await;
    alice.advance(pts(1)).await;
    let revision = bob.advance(pts(2)).await;
    let request = v1::WatchRequest { names: vec!["bob".into()], ..view.resume() };
    let told = client.watch(request).await.commit().await;
    assert_eq!((told.name.as_str(), told.revision), ("bob", revision));
}

async fn a_place_in_another_store_starts_the_watch_over(engine: &'static str) {
    let (one, other) = (Daemon::on(engine).await, Daemon::on(engine).await);
    let mut view = one.client().await.watch_all().await.begin().await;
    let client = other.client().await;
    let revision = client.hold("alice").await.advance(pts(1)).await;
    let mut watch = client.watch(view.resume()).await;
    starts_over(&mut view, &mut watch, revision, RestartReason::OtherStore).await;
    assert_eq!(view.store_id, client.info().await.store_id);
}

async fn a_place_in_the_future_starts_the_watch_over(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let revision = client.hold("alice").await.advance(pts(1)).await;
    let mut view = View::default();
    let request = v1::WatchRequest { after_revision: Some(revision + 1), ..Default::default() };
    let mut watch = client.watch(request).await;
    starts_over(&mut view, &mut watch, revision, RestartReason::OtherStore).await;
}

#[tokio::test]
async fn a_watch_goes_on_after_the_daemon_was_stopped() {
    goes_on_after_restarts(Daemon::restart).await;
}

#[tokio::test]
async fn a_watch_goes_on_after_the_daemon_was_killed() {
    goes_on_after_restarts(async |daemon| {
        daemon.kill().await;
        daemon.start_again().await;
    })
    .await;
}

#[tokio::test]
async fn without_a_store_id_a_place_is_taken_as_one_of_this_store() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let mut view = daemon.client().await.watch_all().await.begin().await;
    let revision = held.advance(pts(1)).await;
    daemon.restart().await;
    let request = v1::WatchRequest { store_id: String::new(), ..view.resume() };
    let mut watch = daemon.client().await.watch(request).await;
    view.follow_to(&mut watch, revision).await;
    assert_eq!((view.commits, view.restarts.len()), (1, 1));
}

#[tokio::test]
async fn the_memory_engine_starts_every_watch_over_when_it_starts() {
    let mut daemon = Daemon::on("memory").await;
    let mut view = daemon.client().await.watch_all().await.begin().await;
    daemon.restart().await;
    let mut watch = daemon.client().await.watch(view.resume()).await;
    view.follow_until(&mut watch, |view| view.restarts.len() == 2 && view.is_synced()).await;
    assert_eq!(view.restarts[1], RestartReason::OtherStore);
}

async fn goes_on_after_restarts(restart: impl AsyncFn(&mut Daemon)) {
    let mut daemon = Daemon::start().await;
    let mut view = daemon.client().await.watch_all().await.begin().await;
    for _ in 0..3 {
        let mut writers = write_from_all_sides(&daemon).await;
        let client = daemon.client().await;
        let mut watch = client.watch(view.resume()).await;
        let enough = view.commits + 100;
        view.follow_until(&mut watch, |view| view.commits >= enough).await;
        while let Some(done) = writers.join_next().await {
            done.expect("a writer ends in order");
        }
        restart(&mut daemon).await;
    }
    let client = daemon.client().await;
    finish(&client, &mut view).await;
    assert_eq!(view.restarts, [RestartReason::First]);
}

/// Writers on connections of their own, each with two sessions.
async fn write_from_all_sides(daemon: &Daemon) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    for names in NAMES.chunks(NAMES.len() / WRITERS) {
        let client = daemon.client().await;
        let mut random = Random::new();
        writers.spawn(async move {
            for _ in 0..20 {
                let holds: Vec<Held> =
                    futures_util::future::join_all(names.iter().map(|name| client.hold(name))).await;
                for _ in 0..10 {
                    holds[random.below(holds.len())].write_something(&mut random).await;
                }
                for held in &holds {
                    held.release().await;
                }
            }
        });
    }
    writers
}

/// Goes on to the end, and compares with what the daemon says.
async fn finish(client: &Client, view: &mut View) {
    let head = client.info().await.figures.expect("told").revision;
    let mut watch = client.watch(view.resume()).await;
    view.follow_to(&mut watch, head).await;
    assert_eq!(i64::try_from(view.commits).expect("few"), head, "every revision is a commit, and was told");
    for name in NAMES {
        assert_eq!(view.load(name), client.load(name).await);
    }
}

async fn starts_over(view: &mut View, watch: &mut Watch, revision: i64, why: RestartReason) {
    let restarts = view.restarts.len();
    view.follow_until(watch, |view| view.restarts.len() > restarts && view.is_synced()).await;
    assert_eq!((view.restarts.last(), view.revision), (Some(&why), revision));
    assert_eq!(view.sessions["alice"].revision, revision);
}
