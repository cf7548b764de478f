//! TCP: who gets in, who does not, and that those who do have all that a client on a Unix socket has.

mod activation;
mod place;
mod refused;

use std::{future::IntoFuture as _, time::Duration};

use rustix::process::Signal;
use sessiond_client::StateChange;
use sessiond_proto::{Reason, v1};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::Instant};
use tonic::Code;

use self::place::Place;
use crate::{
    cli::run::Ran,
    harness::{Daemon, expect_reason, pts, within},
};

/// How long a client has to make the handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_client_on_another_host_holds_writes_and_watches() {
    let place = Place::start(Daemon::builder()).await;
    let client = place.sessiond_client("worker-1").await;
    let hold = client.hold("alice").label("nightly").await.expect("granted");
    hold.advance(StateChange { pts: Some(5), ..StateChange::default() }).await.expect("durable");

    let holder = place.daemon.client().await.load("alice").await.holder.expect("it is held");
    let v1::Holder { label, pid, uid: _, executable, since: _, host } = holder;
    assert_eq!((label.as_str(), host.as_str()), ("nightly", "worker-1"));
    assert!(pid == 0 && executable.is_empty(), "of another host nothing is known");
    hold.release().await.expect("released");
    assert_eq!(client.load("alice").await.expect("loaded").holder, None);
}

#[tokio::test]
async fn commands_work_from_another_host() {
    let place = Place::start(Daemon::builder()).await;
    let script = r#""$0" advance "$SESSIOND_NAME" --pts 5 && echo "$SESSIOND_SOCKET $SESSIOND_TLS""#;
    let args = ["hold", "alice", "--", "sh", "-c", script, env!("CARGO_BIN_EXE_sessiond")];
    let told = Ran::of(&mut place.command("worker-1", &args)).await.text();
    let identity = place.identity("worker-1");
    assert!(told.ends_with(&format!("{} {}\n", place.url(), identity.display())), "{told}");
    let listed = Ran::of(&mut place.command("worker-2", &["ls", "--json"])).await.object();
    assert_eq!((&listed["name"], &listed["pts"]), (&"alice".into(), &5.into()));
}

#[tokio::test]
async fn a_certificate_gives_what_the_policy_says_and_no_more() {
    let place = Place::start(Daemon::builder()).await;
    let viewer = place.client("viewer").await;
    viewer.list(v1::ListRequest::default()).await.expect("permitted");
    let refused = viewer.try_hold("alice").await.err().expect("refused");
    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
    let refused = place.client("stranger").await.list(v1::ListRequest::default()).await.expect_err("refused");
    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
}

#[tokio::test]
async fn without_a_policy_a_certificate_permits_nothing() {
    let place = Place::without_policy(Daemon::builder()).await;
    let client = place.client("worker-1").await;
    for refused in [
        client.list(v1::ListRequest::default()).await.expect_err("refused"),
        client.try_load("alice", &[]).await.expect_err("refused"),
        client.try_hold("alice").await.err().expect("refused"),
    ] {
        expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
        assert!(refused.message().contains("policy"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_token_serves_the_certificate_alone_that_it_was_given_to() {
    let place = Place::start(Daemon::builder()).await;
    let held = place.client("worker-1").await.hold("alice").await;
    for other in [place.client("worker-2").await, place.daemon.client().await] {
        let refused = other.try_load("alice", &held.token).await.expect_err("refused");
        expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
        let refused = other.resume("alice", &held.token).await.err().expect("refused");
        expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
    }
    held.advance(pts(5)).await;
    let resumed = place.client("worker-1").await.resume("alice", &held.token).await.expect("its own");
    assert_eq!(resumed.fence, held.fence);
}

#[tokio::test]
async fn a_killed_client_on_another_host_is_followed_after_the_resume_window() {
    let window = Duration::from_millis(1_500);
    let place = Place::start(Daemon::builder().resume_window(window)).await;
    let script = "echo held; exec sleep 600";
    let mut holder = place.start_command("worker-1", &["hold", "alice", "--", "sh", "-c", script]);
    assert_eq!(holder.line().await, "held");

    holder.signal(Signal::KILL);
    holder.end().await;
    let killed = Instant::now();
    let next = place.sessiond_client("worker-2").await;
    within(next.hold("alice").wait().into_future()).await.expect("granted");
    assert!(killed.elapsed() > window / 2, "nobody can know that its process is dead");
}

#[tokio::test]
async fn a_hold_of_another_host_outlasts_a_restart_of_the_daemon() {
    let mut place = Place::start(Daemon::builder()).await;
    let held = place.client("worker-1").await.hold("alice").await;
    place.restart().await;
    let refused = place.client("worker-2").await.try_hold("alice").await.err().expect("it is not over");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    let resumed = place.client("worker-1").await.resume("alice", &held.token).await.expect("in time");
    assert_eq!(resumed.fence, held.fence);
}

#[tokio::test]
async fn clients_that_do_not_say_who_they_are_keep_nobody_waiting_and_are_let_go() {
    let place = Place::start(Daemon::builder()).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(place.address()).await.expect("taken in"));
    }
    let begun = Instant::now();
    place.client("worker-1").await.hold("alice").await.advance(pts(5)).await;
    assert!(begun.elapsed() < HANDSHAKE_WITHIN, "it waited for the others");
    let mut byte = [0];
    for mut stream in silent {
        let closed = within(stream.read(&mut byte)).await;
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    }
}

#[tokio::test]
async fn a_client_on_this_host_may_do_without_tls_where_the_daemon_was_told_so() {
    let place = Place::plaintext(Daemon::builder()).await;
    let client = place.plaintext_client().await;
    client.hold("alice").await.advance(pts(5)).await;
    // Nothing of TLS is understood there.
    let hello = place.handshake("worker-1").await;
    assert!(hello.is_err(), "{hello:?}");
}
