//! Calls: what is tried again, and what is not.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use sessiond_client::{Client, Error, Reason, Session, Socket, StateChange, Token};
use sessiond_proto::v1;
use tokio::join;
use tonic::{Code, Status};

use crate::fake::{Fake, expect_call, refusal, refusal_with};

fn token() -> Token {
    Token::try_from([1; 32].as_slice()).expect("32 bytes")
}

fn pts(pts: i32) -> StateChange {
    StateChange { pts: Some(pts), ..StateChange::default() }
}

#[tokio::test]
async fn a_write_is_tried_again_with_the_same_request_id_until_it_went_through() {
    let mut fake = Fake::start().await;
    let held = fake.client().await.with_token("alice", token()).expect("a name");
    let daemon = async {
        let (first, answer) = expect_call!(fake, Advance);
        let _ = answer.send(Err(refusal(Code::Unavailable, Reason::ShuttingDown)));
        let (second, answer) = expect_call!(fake, Advance);
        let _ = answer.send(Err(refusal(Code::Internal, Reason::StorageFailed)));
        let (third, _cut) = expect_call!(fake, Advance);
        fake.restart();
        let (fourth, answer) = expect_call!(fake, Advance);
        let _ = answer.send(Ok(v1::AdvanceResponse { revision: 9 }));
        [first, second, third, fourth].map(|request| request.request_id)
    };
    let (revision, ids) = join!(held.advance(pts(5)).into_future(), daemon);
    assert_eq!(revision.expect("it went through"), 9);
    assert!(!ids[0].is_empty());
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn two_writes_have_two_request_ids() {
    let mut fake = Fake::start().await;
    let held = fake.client().await.with_token("alice", token()).expect("a name");
    let daemon = async {
        let (first, answer) = expect_call!(fake, Advance);
        let _ = answer.send(Ok(v1::AdvanceResponse { revision: 1 }));
        let (second, answer) = expect_call!(fake, Advance);
        let _ = answer.send(Ok(v1::AdvanceResponse { revision: 2 }));
        (first.request_id, second.request_id)
    };
    let writes = async {
        held.advance(pts(5)).await.expect("it went through");
        held.advance(pts(5)).await.expect("it went through");
    };
    let ((), (first, second)) = join!(writes, daemon);
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let mut fake = Fake::start().await;
    let held = fake.client().await.with_token("alice", token()).expect("a name");
    let daemon = async {
        let (request, answer) = expect_call!(fake, Save);
        let mismatch = refusal_with(Code::Aborted, Reason::RevisionMismatch, &[("revision", "7")]);
        let _ = answer.send(Err(mismatch));
        let (_, answer) = expect_call!(fake, Delete);
        let _ = answer.send(Err(Status::unimplemented("")));
        request
    };
    let writes = async { (held.save(&Session::default()).if_revision(6).await, held.delete().await) };
    let ((save, delete), request) = join!(writes, daemon);
    assert!(matches!(save, Err(Error::RevisionMismatch { current: 7 })), "{save:?}");
    assert!(matches!(delete, Err(Error::Other(_))), "{delete:?}");
    assert_eq!(request.expected_revision, Some(6));
}

#[tokio::test]
async fn without_a_daemon_a_call_ends_at_its_deadline_and_says_where_it_looked() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = Socket::Path(directory.path().join("none.sock"));
    let client = Client::builder().socket(socket.clone()).deadline(Duration::from_millis(50)).connect().await;
    let error = client.expect("a client").load("alice").await.expect_err("there is no daemon");
    assert!(matches!(&error, Error::Unavailable { socket: at, .. } if *at == socket), "{error:?}");
    assert!(error.to_string().contains("sessiond serve"), "{error}");
}

#[tokio::test]
async fn a_call_that_a_daemon_never_answers_ends_at_its_deadline() {
    let mut fake = Fake::start().await;
    let held = fake.client().await.with_token("alice", token()).expect("a name");
    let (result, _unanswered) =
        join!(held.advance(pts(5)).deadline(Duration::from_millis(50)).into_future(), fake.call());
    assert!(matches!(result, Err(Error::Unavailable { .. })), "{result:?}");
}

#[tokio::test]
async fn a_bad_name_is_refused_before_it_is_sent() {
    let fake = Fake::start().await;
    let client = fake.client().await;
    assert!(matches!(client.load("../x").await, Err(Error::InvalidName(_))));
    assert!(matches!(client.hold("../x").await, Err(Error::InvalidName(_))));
}

#[tokio::test]
async fn a_session_whose_keys_were_withheld_does_not_replace_the_one_that_has_them() {
    let fake = Fake::start().await;
    let held = fake.client().await.with_token("alice", token()).expect("a name");
    let dc = v1::DataCenter { id: 2, has_auth: true, ..v1::DataCenter::default() };
    let read = Session::try_from(v1::Session { dcs: vec![dc], ..v1::Session::default() }).expect("a session");
    let saved = held.save(&read).await;
    assert!(matches!(saved, Err(Error::InvalidArgument { reason: Reason::InvalidSession, .. })), "{saved:?}");
}

#[tokio::test]
async fn a_listing_goes_on_to_the_last_page() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let summary = |name: &str| v1::SessionSummary { name: name.into(), ..v1::SessionSummary::default() };
    let daemon = async {
        let (first, answer) = expect_call!(fake, List);
        let _ = answer.send(Ok(v1::ListResponse {
            sessions: vec![summary("a1"), summary("a2")],
            next_page_token: "more".into(),
            ..v1::ListResponse::default()
        }));
        let (second, answer) = expect_call!(fake, List);
        let sessions = vec![summary("a3")];
        let _ = answer.send(Ok(v1::ListResponse { sessions, ..v1::ListResponse::default() }));
        (first, second)
    };
    let (names, (first, second)) =
        join!(client.list("a").map_ok(|summary| summary.name.to_string()).try_collect::<Vec<_>>(), daemon);
    assert_eq!(names.expect("the pages"), ["a1", "a2", "a3"]);
    assert_eq!((first.page_token.as_str(), second.page_token.as_str()), ("", "more"));
    assert_eq!((first.name_prefix.as_str(), second.name_prefix.as_str()), ("a", "a"));
}
