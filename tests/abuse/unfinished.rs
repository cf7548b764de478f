//! Messages that are begun and not finished.

use std::{fs, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::poll_fn, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use sessiond_proto::{Reason, v1};
use tokio::{task::JoinSet, time::timeout};
use tonic::{Code, Status, body::Body, transport::Channel};
use tower::Service as _;

use crate::harness::{Daemon, channel, expect_reason};

/// Bytes of a message just below the largest that there may be, and how many of them are more than the daemon collects.
const LARGE: u32 = (4 << 20) - 1;
const TOO_MANY: usize = 64;

/// Calls Save with all of a message but its last byte.
async fn begin(mut channel: Channel) -> Result<Response<Body>, tonic::transport::Error> {
    let head = [&[0][..], &LARGE.to_be_bytes()].concat();
    let parts = (1..LARGE).step_by(1 << 16).map(|at| vec![0; (1 << 16).min(LARGE - at) as usize]);
    let frames =
        std::iter::once(head).chain(parts).map(|part| Ok::<_, Status>(Frame::data(Bytes::from(part))));
    let body = Body::new(StreamBody::new(stream::iter(frames).chain(stream::pending())));
    let request = Request::post("http://localhost/sessiond.v1.SessionService/Save")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .expect("valid");
    poll_fn(|context| channel.poll_ready(context)).await?;
    channel.call(request).await
}

/// How much memory a process has had at the most, in kB.
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    peak.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test]
async fn messages_that_are_not_finished_cost_bounded_memory_and_those_of_others_are_taken() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let mut calls = JoinSet::new();
    for _ in 0..TOO_MANY {
        calls.spawn(begin(client.channel.clone()));
    }
    let mut refused = 0;
    // Those for which there is no room are refused; the others wait.
    while let Ok(Some(ended)) = timeout(Duration::from_secs(3), calls.join_next()).await {
        let answer = ended.expect("no panic").expect("answered");
        let status = Status::from_header_map(answer.headers()).expect("refused");
        expect_reason(&status, Code::ResourceExhausted, Reason::LimitExceeded);
        refused += 1;
    }
    assert_eq!(refused, TOO_MANY - 32, "as many are collected as there is room for");
    let peak = peak_memory(daemon.pid());
    assert!(peak < 400 << 10, "{peak} kB");

    // Another connection is not concerned, and this one neither, once there is room again.
    let state =
        v1::UpdateState { channels: (1..=50_000).map(|id| channel(id, 1)).collect(), ..Default::default() };
    let large = v1::Session { version: 1, state: Some(state), ..Default::default() };
    let held = daemon.client().await.hold("alice").await;
    held.save(large.clone()).await;
    let held = client.hold("bob").await;
    let refusal = client.save(held.save_request(large.clone())).await.expect_err("no room");
    expect_reason(&refusal, Code::ResourceExhausted, Reason::LimitExceeded);
    calls.shutdown().await;
    crate::harness::within(async { while client.save(held.save_request(large.clone())).await.is_err() {} })
        .await;
}
