//! What makes a write safe to race and to repeat: expected revisions and request ids.

use sessiond_proto::{Reason, v1};
use tonic::Code;

use crate::harness::{Daemon, Held, expect_reason, metadata_of, pts, random_session};

on_both_engines! {
    of_two_writers_that_expect_the_same_revision_one_wins
    expecting_revision_zero_is_expecting_no_session
    the_current_revision_is_told_where_another_was_expected
    a_request_made_twice_takes_effect_once
    a_request_id_with_another_content_is_refused
    a_request_id_is_its_methods_and_its_sessions_own
    a_request_is_known_before_its_revision_is_compared
    a_request_that_was_refused_may_be_made_again
}

async fn of_two_writers_that_expect_the_same_revision_one_wins(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let mut revision = held.save(random_session()).await;
    let (one, other) = (daemon.client().await, daemon.client().await);
    for round in 0..20 {
        let request = |pts_: i32| v1::AdvanceRequest {
            expected_revision: Some(revision),
            ..held.advance_request(pts(pts_))
        };
        let (low, high) = (2000 + 2 * round, 2001 + 2 * round);
        let (first, second) = tokio::join!(one.advance(request(low)), other.advance(request(high)));
        let (won, lost, now) = match (first, second) {
            (Ok(won), Err(lost)) => (won, lost, low),
            (Err(lost), Ok(won)) => (won, lost, high),
            both => panic!("exactly one wins: {both:?}"),
        };
        expect_reason(&lost, Code::Aborted, Reason::RevisionMismatch);
        let (session, current) = held.load().await;
        assert_eq!((session.and_then(|session| session.state).expect("there").pts, current), (now, won));
        revision = won;
    }
}

async fn expecting_revision_zero_is_expecting_no_session(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let first = || v1::SaveRequest { expected_revision: Some(0), ..held.save_request(random_session()) };
    held.client.save(first()).await.expect("there is none yet");
    let refused = held.client.save(first()).await.expect_err("there is one");
    expect_reason(&refused, Code::Aborted, Reason::RevisionMismatch);
    held.delete().await;
    held.client.save(first()).await.expect("there is none any more");
}

async fn the_current_revision_is_told_where_another_was_expected(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let revision = held.save(random_session()).await;
    let expected_revision = Some(revision + 1);
    let save = v1::SaveRequest { expected_revision, ..held.save_request(random_session()) };
    let advance = v1::AdvanceRequest { expected_revision, ..held.advance_request(pts(1)) };
    let delete = v1::DeleteRequest { expected_revision, ..held.delete_request() };
    let refusals = [
        held.client.save(save).await.expect_err("refused"),
        held.client.advance(advance).await.expect_err("refused"),
        held.client.delete(delete).await.expect_err("refused"),
    ];
    for refused in refusals {
        expect_reason(&refused, Code::Aborted, Reason::RevisionMismatch);
        assert_eq!(metadata_of(&refused).get("revision"), Some(&revision.to_string()));
    }
    assert_eq!(held.load().await.1, revision);
}

async fn a_request_made_twice_takes_effect_once(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let repeated = Repeated::make(&held).await;
    repeated.make_again(&held).await;
}

#[tokio::test]
async fn a_request_made_again_after_a_restart_takes_effect_once() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let repeated = Repeated::make(&held).await;
    daemon.restart().await;
    let client = daemon.client().await;
    let held = client.resume("alice", &held.token).await.expect("a restart ends no hold");
    repeated.make_again(&held).await;
}

#[tokio::test]
async fn a_request_made_again_after_a_kill_takes_effect_once() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let repeated = Repeated::make(&held).await;
    daemon.kill().await;
    daemon.start_again().await;
    let client = daemon.client().await;
    let held = client.resume("alice", &held.token).await.expect("a kill ends no hold");
    repeated.make_again(&held).await;
}

/// Requests that were answered, and what was written after them.
struct Repeated {
    save: (v1::SaveRequest, i64),
    advance: (v1::AdvanceRequest, i64),
    delete: (v1::DeleteRequest, i64),
    last: v1::Session,
}

impl Repeated {
    async fn make(held: &Held) -> Self {
        let request_id = "once".to_owned();
        let save = v1::SaveRequest { request_id: request_id.clone(), ..held.save_request(random_session()) };
        let advance = v1::AdvanceRequest { request_id: request_id.clone(), ..held.advance_request(pts(5)) };
        let delete = v1::DeleteRequest { request_id, ..held.delete_request() };
        let saved = held.client.save(save.clone()).await.expect("saved");
        let advanced = held.client.advance(advance.clone()).await.expect("advanced");
        let deleted = held.client.delete(delete.clone()).await.expect("deleted");
        let last = random_session();
        held.save(last.clone()).await;
        Self { save: (save, saved), advance: (advance, advanced), delete: (delete, deleted), last }
    }

    async fn make_again(&self, held: &Held) {
        let Self { save, advance, delete, last } = self;
        let before = held.load().await;
        assert_eq!(before.0.as_ref(), Some(last));
        assert_eq!(held.client.save(save.0.clone()).await.expect("answered again"), save.1);
        assert_eq!(held.client.advance(advance.0.clone()).await.expect("answered again"), advance.1);
        assert_eq!(held.client.delete(delete.0.clone()).await.expect("answered again"), delete.1);
        assert_eq!(held.load().await, before, "nothing was done again");
    }
}

async fn a_request_id_with_another_content_is_refused(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let request_id = "once".to_owned();
    let first = v1::AdvanceRequest { request_id: request_id.clone(), ..held.advance_request(pts(5)) };
    let revision = held.client.advance(first.clone()).await.expect("advanced");
    let other_change = v1::AdvanceRequest { request_id, ..held.advance_request(pts(6)) };
    let other_condition = v1::AdvanceRequest { expected_revision: Some(revision), ..first };
    for other in [other_change, other_condition] {
        let refused = held.client.advance(other).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::RequestIdReused);
    }
    assert_eq!(held.load().await.1, revision);
}

async fn a_request_id_is_its_methods_and_its_sessions_own(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let (alice, bob) = (client.hold("alice").await, client.hold("bob").await);
    let id = || "once".to_owned();
    let advance = v1::AdvanceRequest { request_id: id(), ..alice.advance_request(pts(5)) };
    let save = v1::SaveRequest { request_id: id(), ..alice.save_request(random_session()) };
    let others = v1::AdvanceRequest { request_id: id(), ..bob.advance_request(pts(7)) };
    let first = client.advance(advance).await.expect("advanced");
    let second = client.save(save).await.expect("another method");
    let third = client.advance(others).await.expect("another session");
    assert!(first < second && second < third);
}

async fn a_request_is_known_before_its_revision_is_compared(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let request_id = "once".to_owned();
    let request =
        v1::SaveRequest { expected_revision: Some(0), request_id, ..held.save_request(random_session()) };
    let revision = held.client.save(request.clone()).await.expect("saved");
    assert_eq!(held.client.save(request).await.expect("the first answer"), revision);
}

async fn a_request_that_was_refused_may_be_made_again(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let request = v1::AdvanceRequest {
        request_id: "once".into(),
        expected_revision: Some(0),
        ..held.advance_request(pts(5))
    };
    held.advance(pts(1)).await;
    held.client.advance(request.clone()).await.expect_err("there is a session");
    held.delete().await;
    held.client.advance(request).await.expect("there is none any more");
}

#[tokio::test]
async fn the_newest_thousand_and_twenty_four_requests_are_known_after_a_restart_too() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let request = |number: i32| v1::AdvanceRequest {
        request_id: number.to_string(),
        ..held.advance_request(pts(number))
    };
    let mut answers = Vec::new();
    for number in 1..=1_030 {
        answers.push(held.client.advance(request(number)).await.expect("advanced"));
    }
    for restarted in [false, true] {
        if restarted {
            daemon.restart().await;
        }
        let client = daemon.client().await;
        for number in [7, 8, 500, 1_030] {
            let answer = client.advance(request(number)).await.expect("the first answer");
            assert_eq!(answer, answers[number as usize - 1], "{number}");
        }
    }
}

#[tokio::test]
async fn a_request_is_known_though_its_token_is_not_that_of_the_hold_any_more() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let request = v1::AdvanceRequest { request_id: "once".into(), ..held.advance_request(pts(5)) };
    let revision = client.advance(request.clone()).await.expect("advanced");
    held.release().await;
    let _next = client.hold("alice").await;
    assert_eq!(client.advance(request.clone()).await.expect("the first answer"), revision);
    let new = v1::AdvanceRequest { request_id: "twice".into(), ..request };
    let refused = client.advance(new).await.expect_err("refused");
    expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
}
