//! Who gets a session next, and what a token is good for.

use std::env;

use rustix::process::geteuid;
use sessiond_proto::{Reason, v1};
use tonic::{Code, Status};

use crate::harness::{Actor, Client, Daemon, expect_reason, metadata_of, pts, random_session};

on_both_engines! {
    a_held_session_refuses_others_and_says_who_holds_it
    everyone_is_told_who_holds_a_session
    waiters_are_granted_in_order_and_told_their_place_and_the_holder
    a_waiter_that_leaves_gives_up_its_place
    a_hold_has_a_higher_fence_than_the_one_before
    a_token_is_fenced_when_another_hold_was_granted
    a_token_that_is_not_the_current_one_is_fenced_and_never_put_in_line
    release_ends_the_stream_and_may_be_repeated
    a_released_token_deletes_until_the_next_grant_and_does_nothing_else
    resuming_gives_the_same_hold_and_takes_it_from_the_old_stream
    a_hold_that_was_resumed_outlasts_the_old_stream
    a_released_hold_cannot_be_resumed
    ending_the_hold_of_nobody_is_ok
    an_ended_hold_is_fenced_at_once_and_its_holder_told
    the_grant_after_an_ended_hold_waits_for_the_client_to_close_its_stream
    a_fenced_client_that_tries_to_resume_does_not_hasten_the_next_grant
}

async fn a_held_session_refuses_others_and_says_who_holds_it(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let mut actor = Actor::start(&daemon);
    actor.hold("alice").await;
    let refused = daemon.client().await.try_hold("alice").await.err().expect("refused");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    let metadata = metadata_of(&refused);
    assert_eq!(metadata.get("label").map(String::as_str), Some("actor"));
    assert_eq!(metadata.get("pid"), Some(&actor.pid().to_string()));
    let since: jiff::Timestamp = metadata["since"].parse().expect("RFC 3339");
    assert!(since <= jiff::Timestamp::now());
}

async fn everyone_is_told_who_holds_a_session(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut actor = Actor::start(&daemon);
    let hold = actor.hold("alice").await;
    let holder = client.load("alice").await.holder.expect("it is held");
    let v1::Holder { label, pid, uid, executable, since, host } = holder.clone();
    assert_eq!((label.as_str(), pid.cast_unsigned()), ("actor", actor.pid()));
    assert_eq!(uid.cast_unsigned(), geteuid().as_raw());
    assert_eq!(executable, env::current_exe().expect("known").to_string_lossy());
    assert_eq!((since.is_some(), host.as_str()), (true, ""));
    let listed = client.list(v1::ListRequest::default()).await.expect("listed").sessions;
    assert_eq!(listed[0].holder, Some(holder));

    client.release("alice", &hold.token).await.expect("released");
    assert_eq!(client.load("alice").await.holder, None);
}

async fn waiters_are_granted_in_order_and_told_their_place_and_the_holder(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let place = |label: &str, position| (Some(label.to_owned()), position);
    let mut waiters = Vec::new();
    for position in 1..=4 {
        let mut stream = daemon.client().await.wait_for("alice", &format!("waiter{position}")).await;
        assert_eq!(told(stream.waiting().await), place("test", position));
        waiters.push(stream);
    }

    held.release().await;
    let mut fence = held.fence;
    for turn in 1..=4 {
        let now = client.granted("alice", waiters.remove(0)).await;
        assert!(now.fence > fence);
        fence = now.fence;
        for (behind, waiter) in (1..).zip(&mut waiters) {
            // On the way there it may be told that nobody holds it, or that it has moved up already.
            while told(waiter.waiting().await) != place(&format!("waiter{turn}"), behind) {}
        }
        now.release().await;
    }
}

async fn a_waiter_that_leaves_gives_up_its_place(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let mut first = client.wait_for("alice", "first").await;
    assert_eq!(first.waiting().await.position, 1);
    let mut second = client.wait_for("alice", "second").await;
    assert_eq!(second.waiting().await.position, 2);
    drop(first);
    assert_eq!(second.waiting().await.position, 1);
    held.release().await;
    second.granted().await;
}

async fn a_hold_has_a_higher_fence_than_the_one_before(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut fence = 0;
    for _ in 0..3 {
        let held = client.hold("alice").await;
        assert!(held.fence > fence && held.token.len() == 32);
        fence = held.advance(pts(7)).await.max(held.fence);
        held.release().await;
    }
}

async fn a_token_is_fenced_when_another_hold_was_granted(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let old = client.hold("alice").await;
    let revision = old.save(random_session()).await;
    old.release().await;
    let new = client.hold("alice").await;
    for refused in refusals(&client, "alice", &old.token).await {
        expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    }
    assert_eq!(new.load().await.1, revision, "nothing was written");
    new.advance(pts(5)).await;
}

async fn a_token_that_is_not_the_current_one_is_fenced_and_never_put_in_line(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    // Made up, of a session that is held and of one that nobody knows; and one of another session.
    for (name, token) in [("alice", vec![7; 32]), ("bob", vec![7; 32]), ("bob", held.token.clone())] {
        for refused in refusals(&client, name, &token).await {
            expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
        }
    }
    assert_eq!(client.info().await.figures.expect("told").waiting, 0);
    assert_eq!(client.load("bob").await, v1::LoadResponse::default());
}

async fn release_ends_the_stream_and_may_be_repeated(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut held = client.hold("alice").await;
    held.release().await;
    assert_eq!(held.stream.next().await.expect("a clean end"), None);
    held.release().await;

    let _next = client.hold("alice").await;
    let refused = client.release("alice", &held.token).await.expect_err("another holds it");
    expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
}

async fn a_released_token_deletes_until_the_next_grant_and_does_nothing_else(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.save(random_session()).await;
    held.release().await;
    let fenced = [
        client.try_load("alice", &held.token).await.expect_err("refused"),
        client.save(held.save_request(random_session())).await.expect_err("refused"),
        client.advance(held.advance_request(pts(5))).await.expect_err("refused"),
    ];
    for refused in fenced {
        expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    }
    held.delete().await;
    assert_eq!(client.load("alice").await.session, None);

    let next = client.hold("alice").await;
    next.save(random_session()).await;
    let refused = client.delete(held.delete_request()).await.expect_err("refused");
    expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    next.release().await;
    let refused = client.delete(held.delete_request()).await.expect_err("refused");
    expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    next.delete().await;
}

async fn resuming_gives_the_same_hold_and_takes_it_from_the_old_stream(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut old = client.hold("alice").await;
    let session = random_session();
    let revision = old.save(session.clone()).await;
    let before = client.load("alice").await.holder.expect("it is held");

    let new = daemon.client().await.resume("alice", &old.token).await.expect("resumed");
    assert_eq!((&new.token, new.fence), (&old.token, old.fence));
    assert_eq!((new.session.clone(), new.revision), (Some(session), revision), "with its keys");
    assert_eq!(old.stream.lost().await, v1::LostReason::ResumedElsewhere);
    assert_eq!(old.stream.next().await.expect("a clean end"), None);
    assert_eq!(client.load("alice").await.holder, Some(before), "it is the same hold");
    old.advance(pts(5)).await;
}

async fn a_hold_that_was_resumed_outlasts_the_old_stream(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let (one, other) = (daemon.client().await, daemon.client().await);
    let mut held = one.hold("alice").await;
    for _ in 0..3 {
        let resumed = other.resume("alice", &held.token).await.expect("resumed");
        drop(held);
        held = resumed;
    }
    drop(one);
    let refused = other.try_hold("alice").await.err().expect("it is held");
    expect_reason(&refused, Code::FailedPrecondition, Reason::HeldByAnother);
    held.advance(pts(5)).await;
    held.release().await;
    assert_eq!(held.stream.next().await.expect("a clean end"), None);
}

async fn a_released_hold_cannot_be_resumed(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.release().await;
    let refused = client.resume("alice", &held.token).await.err().expect("refused");
    expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    client.hold("alice").await;
}

async fn ending_the_hold_of_nobody_is_ok(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    client.end_hold("alice").await;
    let held = client.hold("alice").await;
    held.release().await;
    client.end_hold("alice").await;
    client.hold("alice").await;
}

async fn an_ended_hold_is_fenced_at_once_and_its_holder_told(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut held = client.hold("alice").await;
    let revision = held.save(random_session()).await;
    daemon.client().await.end_hold("alice").await;
    // The stream is still open, and nobody else has been granted the session.
    for refused in refusals(&client, "alice", &held.token).await {
        expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    }
    let loaded = client.load("alice").await;
    assert_eq!((loaded.revision, loaded.holder), (revision, None));
    assert_eq!(held.stream.lost().await, v1::LostReason::EndedByAdmin);
}

async fn the_grant_after_an_ended_hold_waits_for_the_client_to_close_its_stream(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut held = client.hold("alice").await;
    let mut waiter = client.wait_for("alice", "next").await;
    assert_eq!(told(waiter.waiting().await), (Some("test".into()), 1));
    client.end_hold("alice").await;
    assert_eq!(told(waiter.waiting().await), (None, 1));
    assert_eq!(held.stream.lost().await, v1::LostReason::EndedByAdmin);
    for _ in 0..50 {
        let figures = client.info().await.figures.expect("told");
        assert_eq!((figures.held, figures.waiting), (0, 1), "the client has not let go yet");
    }
    drop(held);
    waiter.granted().await;
}

async fn a_fenced_client_that_tries_to_resume_does_not_hasten_the_next_grant(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let mut waiter = client.wait_for("alice", "next").await;
    waiter.waiting().await;
    client.end_hold("alice").await;
    let refused = client.resume("alice", &held.token).await.err().expect("it is ended");
    expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    for _ in 0..50 {
        let figures = client.info().await.figures.expect("told");
        assert_eq!((figures.held, figures.waiting), (0, 1), "its first stream is still open");
    }
    drop(held);
    waiter.granted().await;
}

/// What every call with this token is refused with.
async fn refusals(client: &Client, name: &str, token: &[u8]) -> Vec<Status> {
    let (name, token) = (name.to_owned(), token.to_vec());
    let save = v1::SaveRequest {
        name: name.clone(),
        token: token.clone(),
        session: Some(random_session()),
        ..Default::default()
    };
    let change = Some(pts(9));
    let advance = v1::AdvanceRequest {
        name: name.clone(),
        token: token.clone(),
        change: change.clone(),
        ..Default::default()
    };
    let delete = v1::DeleteRequest { name: name.clone(), token: token.clone(), ..Default::default() };
    let first = v1::AdvanceStreamRequest { name: name.clone(), token: token.clone(), change, sequence: 1 };
    let changes = client.sessions.clone().advance_stream(tokio_stream::once(first)).await;
    vec![
        client.try_load(&name, &token).await.expect_err("refused"),
        client.save(save).await.expect_err("refused"),
        client.advance(advance).await.expect_err("refused"),
        changes.expect("begun").into_inner().message().await.expect_err("refused"),
        client.delete(delete).await.expect_err("refused"),
        client.resume(&name, &token).await.err().expect("refused"),
        client.release(&name, &token).await.expect_err("refused"),
    ]
}

/// Who is said to hold, by label, and the place in the line.
fn told(waiting: v1::Waiting) -> (Option<String>, i32) {
    (waiting.holder.map(|holder| holder.label), waiting.position)
}
