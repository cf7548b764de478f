//! What a watcher is told, from the beginning on.

use std::{collections::BTreeSet, time::Duration};

use prost::Message as _;
use sessiond_proto::{Reason, v1};
use tonic::Code;
use v1::{WatchMode, watch_response::Event};

use crate::harness::{Daemon, Random, View, channel, expect_reason, key, pts, random_session};

on_both_engines! {
    a_watch_begins_with_a_snapshot_of_every_session_and_synced
    every_commit_follows_once_in_order_with_the_revision_before_it
    hold_changes_tell_the_holder_and_why_the_hold_ended
    names_and_prefix_are_a_union
    a_session_that_does_not_exist_yet_is_followed_once_it_is_made
    bookmarks_come_while_only_other_sessions_change
    the_longest_and_shortest_bookmark_intervals_are_taken
    whoever_watches_the_latest_arrives_at_the_same
    whoever_watches_the_latest_is_not_told_what_was_superseded
    no_event_has_a_key_or_a_token_in_it
    a_watch_ends_when_the_daemon_stops
}

async fn a_watch_begins_with_a_snapshot_of_every_session_and_synced(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let alice = client.hold("alice").await;
    let saved = alice.save(random_session()).await;
    alice.release().await;
    let bob = client.hold("bob").await;
    bob.advance(pts(7)).await;
    let _carol = client.hold("carol").await;
    let dave = client.hold("dave").await;
    dave.save(random_session()).await;
    dave.delete().await;
    dave.release().await;

    let view = client.watch_all().await.begin().await;
    assert_eq!(view.restarts, [v1::RestartReason::First]);
    let names: Vec<_> = view.sessions.keys().map(String::as_str).collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
    for name in names {
        assert_eq!(view.load(name), client.load(name).await);
    }
    let session = view.sessions["alice"].session.clone().expect("saved");
    assert_eq!((view.sessions["alice"].revision, session.dcs[1].has_auth), (saved, true));
    assert_eq!((view.sessions["carol"].revision, view.sessions["carol"].session.clone()), (0, None));
    let info = client.info().await;
    assert_eq!((view.store_id, view.revision), (info.store_id, info.figures.expect("told").revision));
}

async fn every_commit_follows_once_in_order_with_the_revision_before_it(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut watch = daemon.client().await.watch_all().await;
    let mut view = watch.begin().await;

    let alice = client.hold("alice").await;
    let session = random_session();
    let saved = alice.save(session.clone()).await;
    let change = v1::StateChange {
        date: Some(1_700_000_001),
        channels: vec![channel(5, 50)],
        removed_channels: vec![1_234_567_890],
        ..pts(1001)
    };
    let changed = alice.advance(change.clone()).await;
    let merged = alice.merge(v1::Session { dcs: vec![], ..session }).await;
    assert_eq!(merged, alice.load().await.1);
    let deleted = alice.delete().await;
    let again = alice.advance(pts(1)).await;
    alice.release().await;

    let mut told = Vec::new();
    for _ in 0..7 {
        let response = watch.commit().await;
        view.take(response.clone());
        let event = response.event.expect("there is one");
        if let Event::Change(told) = &event
            && response.revision == changed
        {
            assert_eq!(told, &change);
        }
        told.push((response.name, kind(&event), response.revision, response.previous_revision));
    }
    let alice_ = || "alice".to_owned();
    let released = client.info().await.figures.expect("told").revision;
    let expected = [
        (alice_(), "hold", alice.fence, 0),
        (alice_(), "saved", saved, 0),
        (alice_(), "change", changed, saved),
        (alice_(), "saved", merged, changed),
        (alice_(), "deleted", deleted, merged),
        (alice_(), "change", again, 0),
        (alice_(), "hold", released, again),
    ];
    assert_eq!(told, expected);
    assert_eq!(view.load("alice"), client.load("alice").await);
}

async fn hold_changes_tell_the_holder_and_why_the_hold_ended(engine: &'static str) {
    let daemon = Daemon::builder().engine(engine).resume_window(Duration::from_millis(100)).start().await;
    let client = daemon.client().await;
    let mut watch = client.watch_all().await;
    watch.begin().await;

    let held = client.hold("alice").await;
    let begun = hold_change(watch.commit().await);
    assert_eq!(begun.holder, client.load("alice").await.holder);
    assert_eq!(begun.holder.map(|holder| holder.label), Some("test".into()));
    held.release().await;
    assert_eq!(hold_change(watch.commit().await), v1::HoldChanged::default());

    let held = client.hold("alice").await;
    assert!(hold_change(watch.commit().await).holder.is_some());
    client.end_hold("alice").await;
    let ended = hold_change(watch.commit().await);
    assert_eq!((ended.reason(), ended.holder), (v1::LostReason::EndedByAdmin, None));
    drop(held);

    let held = client.hold("alice").await;
    assert!(hold_change(watch.commit().await).holder.is_some());
    drop(held);
    let gone = hold_change(watch.commit().await);
    assert_eq!((gone.reason(), gone.holder), (v1::LostReason::Unspecified, None));
}

async fn names_and_prefix_are_a_union(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let all = ["a", "bot.1", "bot.2", "bot", "bo", "z"];
    let mut holds = Vec::new();
    for name in all {
        let held = client.hold(name).await;
        held.advance(pts(1)).await;
        holds.push(held);
    }
    let request = |names: &[&str], prefix: &str| v1::WatchRequest {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        name_prefix: prefix.into(),
        ..Default::default()
    };
    let selections: [(v1::WatchRequest, &[&str]); 5] = [
        (request(&[], ""), &["a", "bo", "bot", "bot.1", "bot.2", "z"]),
        (request(&["z"], ""), &["z"]),
        (request(&[], "bot"), &["bot", "bot.1", "bot.2"]),
        (request(&["z", "a", "bot.1", "z"], "bot."), &["a", "bot.1", "bot.2", "z"]),
        (request(&["none"], "none"), &[]),
    ];
    let mut watches = Vec::new();
    for (request, expected) in selections {
        let mut watch = client.watch(request).await;
        let view = watch.begin().await;
        assert_eq!(view.sessions.keys().collect::<Vec<_>>(), expected);
        watches.push((watch, view, expected));
    }
    for held in &holds {
        held.advance(pts(2)).await;
    }
    for (watch, view, expected) in &mut watches {
        let mut changed = BTreeSet::new();
        for _ in 0..expected.len() {
            let response = watch.commit().await;
            changed.insert(response.name.clone());
            view.take(response);
        }
        assert!(changed.iter().eq(*expected), "{changed:?}");
    }
}

async fn a_session_that_does_not_exist_yet_is_followed_once_it_is_made(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    client.hold("other").await.advance(pts(1)).await;
    let by_name = v1::WatchRequest { names: vec!["new".into()], ..Default::default() };
    let by_prefix = v1::WatchRequest { name_prefix: "ne".into(), ..Default::default() };
    let mut watches = [client.watch(by_name).await, client.watch(by_prefix).await];
    let mut views = Vec::new();
    for watch in &mut watches {
        let view = watch.begin().await;
        assert!(view.sessions.is_empty());
        views.push(view);
    }
    let held = client.hold("new").await;
    let revision = held.save(random_session()).await;
    for (watch, view) in watches.iter_mut().zip(&mut views) {
        view.follow_to(watch, revision).await;
        assert_eq!(view.load("new"), client.load("new").await);
    }
}

async fn bookmarks_come_while_only_other_sessions_change(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let busy = daemon.client().await.hold("busy").await;
    let request = v1::WatchRequest {
        names: vec!["idle".into()],
        bookmark_interval: interval(Duration::from_millis(100)),
        ..Default::default()
    };
    let mut watch = daemon.client().await.watch(request).await;
    let start = watch.begin().await;
    let writer = tokio::spawn(async move {
        for counter in 1.. {
            busy.advance(pts(counter)).await;
        }
    });
    let mut last = start.revision;
    for _ in 0..3 {
        let response = watch.next().await;
        assert!(matches!(response.event, Some(Event::Bookmark(_))), "{response:?}");
        assert!(response.revision > last, "the other session's changes are behind it");
        last = response.revision;
    }
    writer.abort();
}

async fn the_longest_and_shortest_bookmark_intervals_are_taken(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    client.hold("alice").await.release().await;
    for length in [Duration::from_millis(100), Duration::from_secs(3_600)] {
        let request = v1::WatchRequest { bookmark_interval: interval(length), ..Default::default() };
        client.watch(request).await.begin().await;
    }
}

async fn whoever_watches_the_latest_arrives_at_the_same(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let request = v1::WatchRequest { mode: WatchMode::Latest.into(), ..Default::default() };
    let mut latest = daemon.narrow_client().await.watch(request).await;
    let mut every = daemon.client().await.watch_all().await;
    let (mut by_latest, mut by_every) = (latest.begin().await, every.begin().await);
    // More than a connection takes of a watcher that does not read, so that what follows waits together.
    let channels = (1..=20_000).map(|id| channel(id, 1)).collect();
    client.hold("jam").await.advance(v1::StateChange { channels, ..Default::default() }).await;
    let mut random = Random::new();
    for round in 0..200 {
        let name = ["a", "b", "c"][random.below(3)];
        let held = client.hold(name).await;
        for _ in 0..random.below(5) {
            held.write_something(&mut random).await;
        }
        if round % 3 > 0 {
            held.release().await;
        } else {
            client.end_hold(name).await;
        }
    }
    // What is written under the last hold comes after it, and what was written before goes with it.
    let held = client.hold("a").await;
    held.advance(pts(2_000)).await;
    let head = client.info().await.figures.expect("told").revision;
    by_latest.follow_to(&mut latest, head).await;
    by_every.follow_to(&mut every, head).await;
    assert_eq!(by_latest.sessions, by_every.sessions);
    assert!(by_latest.commits < by_every.commits, "some were superseded");
    for name in ["a", "b", "c"] {
        assert_eq!(by_latest.load(name), client.load(name).await);
    }
}

async fn whoever_watches_the_latest_is_not_told_what_was_superseded(engine: &'static str) {
    const CHANGES: i32 = 50_000;
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let request = v1::WatchRequest { mode: WatchMode::Latest.into(), ..Default::default() };
    let mut watch = daemon.client().await.watch(request).await;
    let mut view = watch.begin().await;

    let revision = held.advance_through(1..=CHANGES).await;
    view.follow_to(&mut watch, revision).await;
    assert!(view.commits < CHANGES.cast_unsigned() as usize / 10, "{} commits", view.commits);
    assert_eq!(view.load("alice"), held.client.load("alice").await);
}

async fn no_event_has_a_key_or_a_token_in_it(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let modes = [WatchMode::EveryChange, WatchMode::Latest].map(i32::from);
    let mut watches = Vec::new();
    for mode in modes {
        watches.push(client.watch(v1::WatchRequest { mode, ..Default::default() }).await);
    }
    let held = client.hold("alice").await;
    let mut session = random_session();
    held.save(session.clone()).await;
    let mut secrets = vec![held.token.clone()];
    secrets.extend(session.dcs.iter().filter_map(|dc| dc.auth.clone()));
    session.dcs[0].auth = Some(key());
    secrets.extend(session.dcs[0].auth.clone());
    held.merge(session).await;
    held.advance(pts(5)).await;
    for mode in modes {
        watches.push(client.watch(v1::WatchRequest { mode, ..Default::default() }).await);
    }
    held.delete().await;
    held.release().await;

    let head = client.info().await.figures.expect("told").revision;
    let (mut bytes, mut has_auth) = (Vec::new(), 0);
    for watch in &mut watches {
        let mut view = View::default();
        while view.revision < head {
            let response = watch.next().await;
            let session = match &response.event {
                Some(Event::Saved(session)) => Some(session),
                Some(Event::Snapshot(snapshot)) => snapshot.session.as_ref(),
                _ => None,
            };
            let dcs = session.into_iter().flat_map(|session| &session.dcs);
            has_auth += dcs.filter(|dc| dc.has_auth).count();
            response.encode(&mut bytes).expect("a vector takes everything");
            view.take(response);
        }
    }
    assert!(has_auth > 0, "that there are keys was told");
    assert_eq!(secrets.len(), 4);
    for piece in secrets.iter().flat_map(|secret| secret.chunks_exact(8)) {
        assert!(!bytes.windows(8).any(|window| window == piece));
    }
}

async fn a_watch_ends_when_the_daemon_stops(engine: &'static str) {
    let mut daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let _held = client.hold("alice").await;
    let mut watches = [client.watch_all().await, client.watch_all().await];
    for watch in &mut watches {
        watch.begin().await;
    }
    assert!(daemon.stop().await.success());
    for watch in &mut watches {
        expect_reason(&watch.broken_off().await, Code::Unavailable, Reason::ShuttingDown);
    }
}

fn interval(interval: Duration) -> Option<prost_types::Duration> {
    Some(interval.try_into().expect("short enough"))
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Change(_) => "change",
        Event::Saved(_) => "saved",
        Event::Deleted(_) => "deleted",
        Event::HoldChanged(_) => "hold",
        Event::Snapshot(_) | Event::Synced(_) | Event::Bookmark(_) | Event::Restarted(_) => "no commit",
    }
}

fn hold_change(response: v1::WatchResponse) -> v1::HoldChanged {
    match response.event {
        Some(Event::HoldChanged(changed)) => changed,
        event => panic!("no hold began or ended: {event:?}"),
    }
}
