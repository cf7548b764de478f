//! When a hold is over: holders that die, are stopped, lose their connection, or see the daemon restart.

use std::time::{Duration, Instant};

use sessiond_proto::{Reason, v1};
use tonic::Code;

use crate::harness::{Actor, Daemon, HoldStream, expect_reason, pts, random_session};

on_both_engines! {
    a_killed_holders_session_is_granted_on
    the_next_grant_comes_no_sooner_than_the_hand_over_delay
    who_does_not_wait_for_a_living_holder_waits_out_a_dead_ones_hand_over
    a_child_that_keeps_the_holders_connection_does_not_keep_the_hold
    a_waiter_that_was_killed_is_never_granted
    a_broken_stream_keeps_a_living_holders_hold
    a_living_holder_that_does_not_come_back_is_followed_and_fenced
    a_broken_stream_is_resumed_with_the_same_token_and_fence
    a_holder_whose_hold_was_resumed_by_another_process_may_die
    a_stopped_holder_keeps_its_hold
    a_stopped_holder_that_goes_on_after_its_hold_was_ended_is_fenced
    a_client_that_does_not_let_go_of_an_ended_hold_is_waited_for_no_longer_than_the_resume_window
}

const SHORT: Duration = Duration::from_millis(300);

async fn a_killed_holders_session_is_granted_on(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut actor = Actor::start(&daemon);
    let old = actor.hold("alice").await;
    let revision = actor.advance("alice", &old.token, 5).await.expect("it holds it");
    let waiter = in_line(&daemon).await;
    actor.kill().await;
    let new = client.granted("alice", waiter).await;
    assert!(new.fence > revision);
    assert_eq!(new.revision, revision, "what it wrote is there");
    let stale = client.try_load("alice", &old.token).await.expect_err("refused");
    expect_reason(&stale, Code::FailedPrecondition, Reason::Fenced);
}

async fn the_next_grant_comes_no_sooner_than_the_hand_over_delay(engine: &'static str) {
    let daemon = Daemon::builder().engine(engine).hand_over_delay(SHORT).start().await;
    let mut actor = Actor::start(&daemon);
    actor.hold("alice").await;
    let mut waiter = in_line(&daemon).await;
    let before = Instant::now();
    actor.kill().await;
    waiter.granted().await;
    assert!(before.elapsed() >= SHORT);
}

async fn who_does_not_wait_for_a_living_holder_waits_out_a_dead_ones_hand_over(engine: &'static str) {
    let daemon = Daemon::builder().engine(engine).hand_over_delay(SHORT).start().await;
    let client = daemon.client().await;
    let mut actor = Actor::start(&daemon);
    actor.hold("alice").await;
    let refused = client.try_hold("alice").await.err().expect("it lives");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    let before = Instant::now();
    actor.kill().await;
    client.hold("alice").await;
    assert!(before.elapsed() >= SHORT);
}

async fn a_child_that_keeps_the_holders_connection_does_not_keep_the_hold(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let mut actor = Actor::start(&daemon);
    actor.hold("alice").await;
    actor.fork().await;
    let mut waiter = in_line(&daemon).await;
    actor.kill().await;
    waiter.granted().await;
}

async fn a_waiter_that_was_killed_is_never_granted(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let mut actor = Actor::start(&daemon);
    actor.wait_for("alice").await;
    assert_eq!(actor.event().await, "waiting 1 test");
    actor.fork().await;
    let mut second = client.wait_for("alice", "second").await;
    assert_eq!(second.waiting().await.position, 2);
    actor.kill().await;
    assert_eq!(second.waiting().await.position, 1);
    held.release().await;
    let granted = second.granted().await;
    assert_eq!(granted.fence, held.fence + 2, "the release came between them, and nothing else");
}

async fn a_broken_stream_keeps_a_living_holders_hold(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut actor = Actor::start(&daemon);
    let hold = actor.hold("alice").await;
    actor.close_stream().await;
    let refused = client.try_hold("alice").await.err().expect("it is held");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    let _waiter = in_line(&daemon).await;
    actor.advance("alice", &hold.token, 5).await.expect("the token is good without a stream");
    client.release("alice", &hold.token).await.expect("that too");
}

async fn a_living_holder_that_does_not_come_back_is_followed_and_fenced(engine: &'static str) {
    let daemon = Daemon::builder().engine(engine).resume_window(SHORT).start().await;
    let mut actor = Actor::start(&daemon);
    let old = actor.hold("alice").await;
    let waiter = in_line(&daemon).await;
    let before = Instant::now();
    actor.close_stream().await;
    let new = daemon.client().await.granted("alice", waiter).await;
    assert!(before.elapsed() >= SHORT && new.fence > old.fence);
    assert_eq!(Duration::try_from(new.resume_within), Ok(SHORT), "that is what holders are told");
    assert_eq!(actor.advance("alice", &old.token, 5).await, Err("FENCED".into()));
    actor.resume("alice", &old.token).await;
    assert_eq!(actor.event().await, "FENCED");
}

async fn a_broken_stream_is_resumed_with_the_same_token_and_fence(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let mut actor = Actor::start(&daemon);
    let hold = actor.hold("alice").await;
    let mut waiter = in_line(&daemon).await;
    actor.close_stream().await;
    actor.resume("alice", &hold.token).await;
    let again = actor.granted().await;
    assert_eq!((&again.token, again.fence), (&hold.token, hold.fence));
    actor.kill().await;
    waiter.granted().await;
}

async fn a_holder_whose_hold_was_resumed_by_another_process_may_die(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let (mut first, mut second) = (Actor::start(&daemon), Actor::start(&daemon));
    let hold = first.hold("alice").await;
    second.resume("alice", &hold.token).await;
    second.granted().await;
    assert_eq!(first.event().await, "lost LOST_REASON_RESUMED_ELSEWHERE");
    let holder = client.load("alice").await.holder.expect("it is held");
    assert_eq!(holder.pid.cast_unsigned(), second.pid());
    let mut waiter = in_line(&daemon).await;
    first.kill().await;
    let refused = client.try_hold("alice").await.err().expect("the second lives");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    second.advance("alice", &hold.token, 5).await.expect("it holds it");
    second.kill().await;
    waiter.granted().await;
}

async fn a_stopped_holder_keeps_its_hold(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut actor = Actor::start(&daemon);
    let hold = actor.hold("alice").await;
    actor.pause();
    let refused = client.try_hold("alice").await.err().expect("it is held");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    actor.go_on();
    actor.advance("alice", &hold.token, 5).await.expect("it holds it still");
}

async fn a_stopped_holder_that_goes_on_after_its_hold_was_ended_is_fenced(engine: &'static str) {
    let daemon = Daemon::builder().engine(engine).resume_window(SHORT).start().await;
    let client = daemon.client().await;
    let mut actor = Actor::start(&daemon);
    let old = actor.hold("alice").await;
    actor.advance("alice", &old.token, 5).await.expect("it holds it");
    actor.pause();
    client.end_hold("alice").await;
    let new = client.hold("alice").await;
    let revision = new.advance(pts(6)).await;
    // What it was about to write when it was stopped.
    actor.begin_to_advance("alice", &old.token, 7).await;
    actor.go_on();
    assert_eq!(actor.answer().await, "FENCED");
    assert_eq!(actor.event().await, "lost LOST_REASON_ENDED_BY_ADMIN");
    let (session, current) = new.load().await;
    assert_eq!((session.and_then(|session| session.state).expect("there").pts, current), (6, revision));
}

async fn a_client_that_does_not_let_go_of_an_ended_hold_is_waited_for_no_longer_than_the_resume_window(
    engine: &'static str,
) {
    let daemon = Daemon::builder().engine(engine).resume_window(SHORT).start().await;
    let client = daemon.client().await;
    let mut held = client.hold("alice").await;
    let mut waiter = in_line(&daemon).await;
    let before = Instant::now();
    client.end_hold("alice").await;
    waiter.granted().await;
    assert!(before.elapsed() >= SHORT);
    assert_eq!(held.stream.lost().await, v1::LostReason::EndedByAdmin);
    assert_eq!(held.stream.next().await.expect("a clean end"), None, "nobody waits for it any more");
}

#[tokio::test]
async fn a_hold_survives_a_clean_restart_and_no_waiter_gets_in_between() {
    a_hold_survives(|mut daemon| async {
        daemon.restart().await;
        daemon
    })
    .await;
}

#[tokio::test]
async fn a_hold_survives_a_kill_of_the_daemon_and_no_waiter_gets_in_between() {
    a_hold_survives(|mut daemon| async {
        daemon.kill().await;
        daemon.start_again().await;
        daemon
    })
    .await;
}

async fn a_hold_survives<F: Future<Output = Daemon>>(restart: impl FnOnce(Daemon) -> F) {
    let daemon = Daemon::start().await;
    let mut actor = Actor::start(&daemon);
    let old = actor.hold("alice").await;
    let mut waiter = in_line(&daemon).await;
    let daemon = restart(daemon).await;
    waiter.refused().await;
    let client = daemon.client().await;

    // Whoever asks now finds it held, though its holder has not come back yet.
    let mut waiter = in_line(&daemon).await;
    let refused = client.try_hold("alice").await.err().expect("it is held");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    let loaded = client.try_load("alice", &old.token).await.expect("the token is good");
    assert_eq!(loaded.holder.expect("it is held").pid.cast_unsigned(), actor.pid());

    actor.event().await;
    actor.reconnect().await;
    actor.resume("alice", &old.token).await;
    let again = actor.granted().await;
    assert_eq!((&again.token, again.fence), (&old.token, old.fence));
    let revision = actor.advance("alice", &old.token, 5).await.expect("it holds it");
    actor.kill().await;
    assert!(waiter.granted().await.fence > revision);
}

#[tokio::test]
async fn streams_are_told_that_the_daemon_stops_and_no_hold_is_lost() {
    let mut daemon = Daemon::start().await;
    let client = daemon.client().await;
    let mut held = client.hold("alice").await;
    let mut waiter = in_line(&daemon).await;
    assert!(daemon.stop().await.success());
    for refused in [held.stream.refused().await, waiter.refused().await] {
        expect_reason(&refused, Code::Unavailable, Reason::ShuttingDown);
    }
}

#[tokio::test]
async fn a_dead_holders_hold_is_dropped_after_a_restart() {
    let mut daemon = Daemon::start().await;
    for name in ["alice", "bob"] {
        let mut actor = Actor::start(&daemon);
        let old = actor.hold(name).await;
        if name == "alice" {
            assert!(daemon.stop().await.success());
        } else {
            daemon.kill().await;
        }
        actor.kill().await;
        daemon.start_again().await;
        let client = daemon.client().await;
        let new = client.hold(name).await;
        assert!(new.fence > old.fence);
        let refused = client.resume(name, &old.token).await.err().expect("refused");
        expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    }
}

#[tokio::test]
async fn a_holder_that_does_not_come_back_after_a_restart_is_followed() {
    let mut daemon = Daemon::builder().resume_window(SHORT).start().await;
    let mut actor = Actor::start(&daemon);
    let old = actor.hold("alice").await;
    daemon.restart().await;
    // The window begins with the daemon: it is as long as ever.
    let client = daemon.client().await;
    let mut waiter = client.wait_for("alice", "next").await;
    assert!(waiter.granted().await.fence > old.fence);
    actor.reconnect().await;
    assert_eq!(actor.advance("alice", &old.token, 5).await, Err("FENCED".into()));
}

#[tokio::test]
async fn an_ended_hold_stays_ended_over_a_restart() {
    let mut daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.save(random_session()).await;
    client.end_hold("alice").await;
    daemon.kill().await;
    daemon.start_again().await;
    let client = daemon.client().await;
    let refused = client.resume("alice", &held.token).await.err().expect("refused");
    expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    client.hold("alice").await;
}

#[tokio::test]
async fn a_released_token_deletes_after_a_restart_too() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    held.save(random_session()).await;
    held.release().await;
    daemon.restart().await;
    let client = daemon.client().await;
    client.delete(held.delete_request()).await.expect("deleted");
    assert_eq!(client.load("alice").await.session, None);
}

/// The first in line for `alice`.
async fn in_line(daemon: &Daemon) -> HoldStream {
    let mut waiter = daemon.client().await.wait_for("alice", "next").await;
    assert_eq!(waiter.waiting().await.position, 1);
    waiter
}
