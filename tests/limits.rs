//! The limits that protect the daemon, and what is said beyond them.

use sessiond_proto::{Reason, v1};
use tonic::Code;

use crate::harness::{Daemon, channel, expect_reason, metadata_of, pts, random_session, within};

#[tokio::test]
async fn a_message_of_more_than_four_megabytes_is_refused_as_a_limit() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let mut session = random_session();
    session.user.as_mut().expect("there").username = Some("x".repeat(5 << 20));
    let refused = held.client.save(held.save_request(session.clone())).await.expect_err("refused");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);

    let name = "x".repeat(5 << 20);
    let refused = held.client.try_load(&name, &[]).await.expect_err("refused");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    let first = v1::AdvanceStreamRequest { name, sequence: 1, ..Default::default() };
    let answers = held.client.sessions.clone().advance_stream(tokio_stream::once(first)).await;
    let refused = match answers {
        Ok(answers) => answers.into_inner().message().await.expect_err("refused"),
        Err(refused) => refused,
    };
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);

    held.advance(pts(5)).await;
}

#[tokio::test]
async fn a_session_has_at_most_sixty_four_data_centers() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let dcs = |ids: std::ops::RangeInclusive<i32>| {
        let dcs = ids.map(|id| v1::DataCenter { id, ..Default::default() }).collect();
        v1::Session { version: 1, dcs, ..Default::default() }
    };
    let refused = held.client.save(held.save_request(dcs(1..=65))).await.expect_err("refused");
    expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    let revision = held.save(dcs(1..=64)).await;
    let mode = v1::SaveMode::Merge.into();
    let one_more = v1::SaveRequest { mode, ..held.save_request(dcs(65..=65)) };
    let refused = held.client.save(one_more).await.expect_err("refused");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    assert_eq!(held.load().await.1, revision);
}

#[tokio::test]
async fn a_session_has_at_most_a_hundred_thousand_channels() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let channels = |ids: std::ops::RangeInclusive<i64>| ids.map(|id| channel(id, 1)).collect::<Vec<_>>();
    let with = |channels| {
        let state = Some(v1::UpdateState { channels, ..Default::default() });
        v1::Session { version: 1, state, ..Default::default() }
    };
    let too_many = held.save_request(with(channels(1..=100_001)));
    let refused = held.client.save(too_many).await.expect_err("refused");
    expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);

    let revision = held.save(with(channels(1..=100_000))).await;
    let one_more = v1::StateChange { channels: vec![channel(100_001, 1)], ..Default::default() };
    let mode = v1::SaveMode::Merge.into();
    let merge = v1::SaveRequest { mode, ..held.save_request(with(vec![channel(100_001, 1)])) };
    let sequence = v1::AdvanceStreamRequest {
        name: held.name.clone(),
        token: held.token.clone(),
        change: Some(one_more.clone()),
        sequence: 1,
    };
    let answers = held.client.sessions.clone().advance_stream(tokio_stream::once(sequence)).await;
    for refused in [
        held.client.advance(held.advance_request(one_more.clone())).await.expect_err("refused"),
        held.client.save(merge).await.expect_err("refused"),
        answers.expect("begun").into_inner().message().await.expect_err("refused"),
    ] {
        expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    }
    assert_eq!(held.load().await.1, revision);
    // One for another is no more than there were.
    let exchange = v1::StateChange { removed_channels: vec![1], ..one_more };
    held.advance(exchange).await;
    let state = held.load().await.0.and_then(|session| session.state).expect("there");
    assert_eq!(state.channels, channels(2..=100_001));
}

#[tokio::test]
async fn a_watch_has_at_most_ten_thousand_names() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let watch = |count: i32| {
        let names = (1..=count).map(|n| format!("user-{n}")).collect();
        let mut sessions = client.sessions.clone();
        async move { sessions.watch(v1::WatchRequest { names, ..Default::default() }).await }
    };
    let refused = watch(10_001).await.expect_err("refused");
    expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    assert_eq!(metadata_of(&refused).remove("field").as_deref(), Some("names"));
    assert!(refused.message().contains("name_prefix"), "{refused:?}");
    watch(10_000).await.expect("begun");
}

#[tokio::test]
async fn the_one_thousand_and_first_waiter_is_refused() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let client = daemon.client().await;
    let mut waiters = Vec::new();
    for _ in 0..1_000 {
        waiters.push(client.wait_for("alice", "").await);
    }
    let request = v1::HoldRequest { name: "alice".into(), wait: true, ..Default::default() };
    let refused = client.ask_to_hold(request).await.err().expect("refused");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    let listed = client.list(v1::ListRequest::default()).await.expect("listed").sessions;
    assert_eq!(listed[0].waiting, 1_000);

    held.release().await;
    waiters.remove(0).granted().await;
    client.wait_for("alice", "").await.waiting().await;
}

#[tokio::test]
async fn a_connection_with_too_many_streams_is_refused_one_more_and_calls_go_on() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let watch = v1::WatchRequest { names: vec!["alice".into()], ..Default::default() };
    let mut watches = Vec::new();
    for _ in 0..1_024 {
        watches.push(client.sessions.clone().watch(watch.clone()).await.expect("there is room"));
    }
    let refused = client.sessions.clone().watch(watch).await.expect_err("there is none");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    client.load("alice").await;
    watches.pop();
    let hold = async || client.try_hold("alice").await.ok();
    within(async { while hold().await.is_none() {} }).await;
}
