//! What is refused, with which code and which reason: the arguments of every call, and the daemon's limits.

use std::{iter, time::Duration};

use sessiond_proto::{Reason, v1};
use tonic::{Code, Request, Status};

use crate::harness::{Client, Daemon, Held, channel, expect_reason, metadata_of, pts, random_session};

#[tokio::test]
async fn a_bad_name_is_refused_by_every_call() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let too_long = "x".repeat(129);
    for name in ["", ".hidden", "-rf", "a/b", "../alice", "a b", "a\n", "a\0", "é", &too_long] {
        for refused in calls_with_name(&held, name).await {
            expect_reason(&refused, Code::InvalidArgument, Reason::InvalidName);
        }
    }
    client.hold(&"x".repeat(128)).await;
}

#[tokio::test]
async fn a_bad_field_is_refused_and_named() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    for (field, session) in bad_sessions() {
        for mode in [v1::SaveMode::Replace, v1::SaveMode::Merge] {
            let request = v1::SaveRequest { mode: mode.into(), ..held.save_request(session.clone()) };
            let refused = held.client.save(request).await.err();
            let refused = refused.unwrap_or_else(|| panic!("refused for {field}: {session:?}"));
            expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
            let named = metadata_of(&refused).remove("field").expect("the field is named");
            assert!(named.contains(field), "{named} is {field}");
        }
    }
    assert_eq!(held.load().await, (None, 0), "nothing was written");
}

#[tokio::test]
async fn a_bad_change_is_refused() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let none = v1::StateChange::default;
    let changes = [
        none(),
        pts(-1),
        v1::StateChange { qts: Some(-1), ..none() },
        v1::StateChange { date: Some(-1), ..none() },
        v1::StateChange { seq: Some(i32::MIN), ..none() },
        v1::StateChange { channels: vec![channel(0, 1)], ..none() },
        v1::StateChange { channels: vec![channel(-1_001_234_567_890, 1)], ..none() },
        v1::StateChange { channels: vec![channel(5, -1)], ..none() },
        v1::StateChange { channels: vec![channel(5, 1), channel(6, 1), channel(5, 2)], ..none() },
        v1::StateChange { removed_channels: vec![-5], ..none() },
        v1::StateChange { removed_channels: vec![5, 5], ..none() },
        v1::StateChange { channels: vec![channel(5, 1)], removed_channels: vec![5], ..none() },
    ];
    for change in changes {
        let refused = held.client.advance(held.advance_request(change.clone())).await.err();
        let refused = refused.unwrap_or_else(|| panic!("refused: {change:?}"));
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    }
    let missing = v1::AdvanceRequest { change: None, ..held.advance_request(pts(1)) };
    let refused = held.client.advance(missing).await.expect_err("refused");
    expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    assert_eq!(held.load().await, (None, 0), "nothing was written");
}

#[tokio::test]
async fn a_save_needs_a_session_and_a_meaning() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let whole = held.save_request(random_session());
    let clear = Some(v1::SaveClear { all_auth: true, ..Default::default() });
    let requests = [
        v1::SaveRequest { session: None, ..whole.clone() },
        v1::SaveRequest { mode: 99, ..whole.clone() },
        // REPLACE forgets whatever it does not have: to clear as well would mean nothing.
        v1::SaveRequest { clear, ..whole.clone() },
        v1::SaveRequest { expected_revision: Some(-1), ..whole.clone() },
        v1::SaveRequest { request_id: "x".repeat(129), ..whole.clone() },
    ];
    for request in requests {
        let refused = held.client.save(request).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    }
    let longest = v1::SaveRequest { request_id: "x".repeat(128), ..whole };
    held.client.save(longest).await.expect("saved");
}

#[tokio::test]
async fn a_write_without_a_token_or_with_one_of_another_size_is_refused() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    for size in [0, 1, 31, 33, 4096] {
        let token = vec![7; size];
        let save = v1::SaveRequest { token: token.clone(), ..held.save_request(random_session()) };
        let advance = v1::AdvanceRequest { token: token.clone(), ..held.advance_request(pts(1)) };
        let delete = v1::DeleteRequest { token: token.clone(), ..held.delete_request() };
        let mut refusals = vec![
            client.save(save).await.expect_err("refused"),
            client.advance(advance).await.expect_err("refused"),
            advance_stream(&client, "alice", &token).await,
            client.delete(delete).await.expect_err("refused"),
            client.release("alice", &token).await.expect_err("refused"),
        ];
        if size > 0 {
            refusals.push(client.try_load("alice", &token).await.expect_err("refused"));
            refusals.push(client.resume("alice", &token).await.err().expect("refused"));
        }
        for refused in refusals {
            expect_reason(&refused, Code::InvalidArgument, Reason::TokenRequired);
        }
    }
}

#[tokio::test]
async fn arguments_are_checked_before_the_hold() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let (name, token) = ("alice".to_owned(), vec![7; 32]);
    let save = v1::SaveRequest { name: name.clone(), token: token.clone(), ..Default::default() };
    let advance = v1::AdvanceRequest { name, token, ..Default::default() };
    for refused in
        [client.save(save).await.expect_err("refused"), client.advance(advance).await.expect_err("refused")]
    {
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    }
}

#[tokio::test]
async fn a_label_is_short_and_fit_for_a_terminal() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let hold = |label: &str| {
        let request = v1::HoldRequest { name: "alice".into(), label: label.into(), ..Default::default() };
        client.ask_to_hold(request)
    };
    for label in ["x".repeat(129).as_str(), "a\nb", "\u{1b}[31m", "a\0", "\u{85}"] {
        let refused = hold(label).await.err().expect("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    }
    // Characters, not bytes.
    let longest = "é".repeat(128);
    hold(&longest).await.expect("asked").granted().await;
    assert_eq!(client.load("alice").await.holder.expect("it is held").label, longest);
}

#[tokio::test]
async fn a_message_that_cannot_be_decoded_is_refused() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    // A number where there is to be a name.
    let message = v1::ListRequest { page_size: 5, ..Default::default() };
    let mut grpc = tonic::client::Grpc::new(held.client.channel.clone());
    for method in ["Load", "AdvanceStream"] {
        grpc.ready().await.expect("connected");
        let codec = tonic_prost::ProstCodec::<v1::ListRequest, v1::AdvanceStreamResponse>::default();
        let path = format!("/sessiond.v1.SessionService/{method}").parse().expect("a path");
        let requests = Request::new(tokio_stream::once(message.clone()));
        let refused = match grpc.streaming(requests, path, codec).await {
            Ok(answers) => answers.into_inner().message().await.expect_err("refused"),
            Err(refused) => refused,
        };
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    }
    held.advance(pts(5)).await;
}

#[tokio::test]
async fn a_bad_listing_is_refused() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let negative = v1::ListRequest { page_size: -1, ..Default::default() };
    let refused = client.list(negative).await.expect_err("refused");
    expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    for page_token in ["x", "####", "AAAA", "YQ", "Ci4uL2E"] {
        let request = v1::ListRequest { page_token: page_token.into(), ..Default::default() };
        let refused = client.list(request).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidPageToken);
    }
}

#[tokio::test]
async fn a_negative_revision_is_refused_by_the_field_that_has_it() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let expected_revision = Some(-1);
    let save = v1::SaveRequest { expected_revision, ..held.save_request(random_session()) };
    let advance = v1::AdvanceRequest { expected_revision, ..held.advance_request(pts(1)) };
    let delete = v1::DeleteRequest { expected_revision, ..held.delete_request() };
    let watch = v1::WatchRequest { after_revision: Some(-1), ..Default::default() };
    for (field, refused) in [
        ("expected_revision", client.save(save).await.expect_err("refused")),
        ("expected_revision", client.advance(advance).await.expect_err("refused")),
        ("expected_revision", client.delete(delete).await.expect_err("refused")),
        ("after_revision", client.sessions.clone().watch(watch).await.expect_err("refused")),
    ] {
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
        assert_eq!(metadata_of(&refused).remove("field").as_deref(), Some(field), "{refused:?}");
    }
}

#[tokio::test]
async fn a_bad_watch_is_refused() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let interval = |interval: Duration| Some(prost_types::Duration::try_from(interval).expect("short"));
    let whole = v1::WatchRequest::default;
    let bad = [
        v1::WatchRequest { after_revision: Some(-1), ..whole() },
        v1::WatchRequest { mode: 99, ..whole() },
        v1::WatchRequest { bookmark_interval: interval(Duration::from_millis(99)), ..whole() },
        v1::WatchRequest { bookmark_interval: interval(Duration::from_secs(3601)), ..whole() },
        v1::WatchRequest {
            bookmark_interval: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
            ..whole()
        },
    ];
    for request in bad {
        let refused = client.sessions.clone().watch(request).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    }
}

#[tokio::test]
async fn a_mirror_action_that_is_not_known_is_refused() {
    let daemon = Daemon::start().await;
    let request = v1::SettleMirrorRequest { name: "alice".into(), action: 99 };
    let refused = daemon.client().await.admin.settle_mirror(request).await.expect_err("refused");
    expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
}

/// Sessions with one field that must not be so, and its name.
fn bad_sessions() -> Vec<(&'static str, v1::Session)> {
    let whole = v1::Session::default;
    let dc = |dc: v1::DataCenter| v1::Session { dcs: vec![v1::DataCenter { id: 2, ..dc }], ..whole() };
    let state = |state| v1::Session { state: Some(state), ..whole() };
    let user = |id, dc| Some(v1::User { id, dc, ..Default::default() });
    let username = Some("x".repeat(1_025));
    let long_name = Some(v1::User { id: 5, dc: 2, username, ..Default::default() });
    let auth = |size| dc(v1::DataCenter { auth: Some(vec![7; size]), ..Default::default() });
    let ids = |ids: &[i32]| {
        let dcs = ids.iter().map(|id| v1::DataCenter { id: *id, ..Default::default() }).collect();
        v1::Session { dcs, ..whole() }
    };
    let ipv4 = |text: &str| dc(v1::DataCenter { ipv4_addr: Some(text.into()), ..Default::default() });
    let ipv6 = |text: &str| dc(v1::DataCenter { ipv6_addr: Some(text.into()), ..Default::default() });
    let channels = |channels| state(v1::UpdateState { channels, ..Default::default() });
    let sized = [1, 255, 257].map(|size| ("auth", auth(size)));
    let addresses = ["", "149.154.167.51", "149.154.167.51:", "149.154.167.51:65536", "a:443", "2001::a:443"];
    let addresses = addresses.map(|text| ("ipv4_addr", ipv4(text)));
    let addresses6 = ["", "2001:67c::a]:443", "149.154.167.51:443", "[2001::a]"];
    let addresses6 = addresses6.map(|text| ("ipv6_addr", ipv6(text)));
    let others = [
        ("version", v1::Session { version: 2, ..whole() }),
        ("version", v1::Session { version: -1, ..whole() }),
        ("dcs", ids(&[0])),
        ("dcs", ids(&[-2])),
        ("dcs", ids(&[2, 1, 2])),
        ("user.id", v1::Session { user: user(0, 2), ..whole() }),
        ("user.id", v1::Session { user: user(-5, 2), ..whole() }),
        ("user.dc", v1::Session { user: user(5, 0), ..whole() }),
        ("user.username", v1::Session { user: long_name, ..whole() }),
        ("home_dc", v1::Session { home_dc: Some(0), ..whole() }),
        ("home_dc", v1::Session { home_dc: Some(3), user: user(5, 2), ..whole() }),
        ("state.pts", state(v1::UpdateState { pts: -1, ..Default::default() })),
        ("state.qts", state(v1::UpdateState { qts: -1, ..Default::default() })),
        ("state.date", state(v1::UpdateState { date: -1, ..Default::default() })),
        ("state.seq", state(v1::UpdateState { seq: -1, ..Default::default() })),
        ("state.channels", channels(vec![channel(0, 1)])),
        ("state.channels", channels(vec![channel(-1_001_234_567_890, 1)])),
        ("state.channels", channels(vec![channel(5, -1)])),
        ("state.channels", channels(vec![channel(5, 1), channel(6, 1), channel(5, 1)])),
    ];
    sized.into_iter().chain(addresses).chain(addresses6).chain(others).collect()
}

/// What every call with this name is refused with.
async fn calls_with_name(held: &Held, bad: &str) -> Vec<Status> {
    let client = &held.client;
    let name = || bad.to_owned();
    let hold = v1::HoldRequest { name: name(), ..Default::default() };
    let save = v1::SaveRequest { name: name(), ..held.save_request(random_session()) };
    let advance = v1::AdvanceRequest { name: name(), ..held.advance_request(pts(1)) };
    let delete = v1::DeleteRequest { name: name(), ..held.delete_request() };
    let settle = v1::SettleMirrorRequest { name: name(), action: 0 };
    let mut refusals = vec![
        client.ask_to_hold(hold).await.err().expect("refused"),
        client.release(bad, &held.token).await.expect_err("refused"),
        client.try_load(bad, &[]).await.expect_err("refused"),
        client.save(save).await.expect_err("refused"),
        client.advance(advance).await.expect_err("refused"),
        advance_stream(client, bad, &held.token).await,
        client.delete(delete).await.expect_err("refused"),
        client.admin.clone().end_hold(v1::EndHoldRequest { name: name() }).await.expect_err("refused"),
        client.admin.clone().settle_mirror(settle).await.expect_err("refused"),
    ];
    let names = iter::once(name()).collect();
    let watch = v1::WatchRequest { names, ..Default::default() };
    refusals.push(client.sessions.clone().watch(watch).await.expect_err("refused"));
    refusals
}

async fn advance_stream(client: &Client, name: &str, token: &[u8]) -> Status {
    let first = v1::AdvanceStreamRequest {
        name: name.into(),
        token: token.into(),
        change: Some(pts(1)),
        sequence: 1,
    };
    let answers = client.sessions.clone().advance_stream(tokio_stream::once(first)).await;
    answers.expect("begun").into_inner().message().await.expect_err("refused")
}
