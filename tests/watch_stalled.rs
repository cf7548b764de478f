//! A watcher that does not read costs itself alone.

use std::fs;

use sessiond_proto::v1;
use v1::{RestartReason, WatchMode};

use crate::harness::{Daemon, View, pts};

/// Watchers that do not read, and how many of them read in the end.
const WATCHERS: usize = 16;
const READERS: usize = 2;

/// Changes that they are not told in the meantime: some 12 MiB for each of them, as they are sent.
const CHANGES: i32 = 200_000;

/// What the daemon may need more, in KiB: what it keeps of recent commits for all watchers together is some 20 MiB, and the
/// rest is the allocator's.
const MAY_GROW: u64 = 64 << 10;

on_both_engines! {
    calls_go_on_beside_a_watch_that_is_not_read
    a_watch_that_is_not_read_does_not_keep_the_daemon_from_stopping
}

#[tokio::test]
async fn a_watcher_that_stops_reading_neither_slows_a_writer_nor_grows_the_daemon() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let first = held.advance_through(1..=10_000).await;
    let mut watchers = Vec::new();
    for _ in 0..WATCHERS {
        let mut watch = daemon.narrow_client().await.watch_all().await;
        let view = watch.begin().await;
        watchers.push((watch, view));
    }
    let before = memory(&daemon);

    let last = held.advance_through(10_001..=10_000 + CHANGES).await;
    assert_eq!(last, first + i64::from(CHANGES));
    let grown = memory(&daemon).saturating_sub(before);
    assert!(grown < MAY_GROW, "{grown} KiB for {WATCHERS} watchers");

    let expected = client.load("alice").await;
    for (watch, view) in &mut watchers[..READERS] {
        view.follow_to(watch, last).await;
        assert_eq!(view.load("alice"), expected);
        match view.restarts[1..] {
            [] => assert_eq!(view.commits, CHANGES.cast_unsigned() as usize),
            [RestartReason::Lagged] => {}
            _ => panic!("{:?}", view.restarts),
        }
    }
}

async fn calls_go_on_beside_a_watch_that_is_not_read(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let narrow = daemon.narrow_client().await;
    let mut every = narrow.watch_all().await;
    let request = v1::WatchRequest { mode: WatchMode::Latest.into(), ..Default::default() };
    let latest = daemon.narrow_client().await.watch(request).await;
    let mut view = every.begin().await;
    held.advance_through(1..=20_000).await;

    let last = held.advance(pts(1)).await;
    assert_eq!(client.load("alice").await.revision, last);
    let listed = client.list(v1::ListRequest::default()).await.expect("listed").sessions;
    assert_eq!((listed[0].revision, listed[0].watchers), (last, 2));
    let mut other = View::default();
    other.follow_to(&mut client.watch_all().await, last).await;
    drop(latest);
    view.follow_to(&mut every, last).await;
    assert_eq!(view.sessions, other.sessions);
}

async fn a_watch_that_is_not_read_does_not_keep_the_daemon_from_stopping(engine: &'static str) {
    let mut daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let mut watch = daemon.narrow_client().await.watch_all().await;
    let view = watch.begin().await;
    let last = held.advance_through(1..=20_000).await;
    assert!(daemon.stop().await.success());
    if engine == "sqlite" {
        daemon.start_again().await;
        let mut view = view;
        view.follow_to(&mut daemon.client().await.watch(view.resume()).await, last).await;
        assert_eq!((view.commits, view.restarts.len()), (20_000, 1));
    }
}

/// What a daemon has in memory, in KiB.
fn memory(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
