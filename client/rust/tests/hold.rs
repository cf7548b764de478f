//! Holds: how they are taken, kept over everything that breaks, lost and let go.

use std::sync::{Arc, Mutex};

use sessiond_client::{Client, Error, Hold, LostReason, Reason, Session, StateChange};
use sessiond_proto::v1::{self, hold_response::Event};
use tokio::join;
use tonic::Code;

use crate::fake::{Call, Events, Fake, expect_call, refusal, refusal_with};

const TOKEN: [u8; 32] = [7; 32];

fn granted() -> v1::HoldResponse {
    let granted = v1::Granted { token: TOKEN.to_vec(), fence: 3, revision: 2, ..v1::Granted::default() };
    v1::HoldResponse { event: Some(Event::Granted(granted)) }
}

fn lost(reason: v1::LostReason) -> v1::HoldResponse {
    v1::HoldResponse { event: Some(Event::Lost(v1::Lost { reason: reason.into() })) }
}

/// Takes a hold, and gives its stream as the daemon has it.
pub(crate) async fn hold(fake: &mut Fake, client: &Client) -> (Hold, Events<v1::HoldResponse>) {
    let daemon = async {
        let (_, events) = expect_call!(fake, Hold);
        events.send(Ok(granted())).await.expect("the client listens");
        events
    };
    let (hold, events) = join!(client.hold("alice").into_future(), daemon);
    (hold.expect("it was granted"), events)
}

#[tokio::test]
async fn a_waiter_is_told_who_is_in_the_way() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let request = client.hold("alice").wait().label("second").on_waiting(move |waiting| {
        let holder = waiting.holder.as_ref().map(|holder| (holder.label.clone(), holder.pid));
        tell.lock().expect("no panic").push((holder, waiting.position));
    });
    let daemon = async {
        let (request, events) = expect_call!(fake, Hold);
        let holder = v1::Holder { label: "first".into(), pid: 42, ..v1::Holder::default() };
        for holder in [Some(holder), None] {
            let waiting = v1::Waiting { holder, position: 1 };
            let event = v1::HoldResponse { event: Some(Event::Waiting(waiting)) };
            events.send(Ok(event)).await.expect("the client listens");
        }
        events.send(Ok(granted())).await.expect("the client listens");
        (request, events)
    };
    let (hold, (request, _events)) = join!(request.into_future(), daemon);
    let hold = hold.expect("it was granted");
    assert_eq!((hold.fence(), hold.revision(), hold.session()), (3, 2, None));
    assert!(request.wait && request.token.is_empty());
    assert_eq!(request.label, "second");
    let told = told.lock().expect("no panic");
    assert_eq!(*told, [(Some(("first".to_owned(), Some(42))), 1), (None, 1)]);
}

#[tokio::test]
async fn a_waiter_queues_anew_after_the_daemons_restart() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let daemon = async {
        let (_, _cut) = expect_call!(fake, Hold);
        fake.restart();
        let (request, events) = expect_call!(fake, Hold);
        events.send(Ok(granted())).await.expect("the client listens");
        (request, events)
    };
    let (hold, (request, _events)) = join!(client.hold("alice").wait().into_future(), daemon);
    assert!(hold.is_ok(), "{hold:?}");
    assert!(request.token.is_empty());
}

#[tokio::test]
async fn who_does_not_wait_is_told_who_holds() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let daemon = async {
        let (_, events) = expect_call!(fake, Hold);
        let metadata = [("label", "first"), ("pid", "42")];
        let held = refusal_with(Code::FailedPrecondition, Reason::HeldByAnother, &metadata);
        events.send(Err(held)).await.expect("the client listens");
    };
    let (hold, ()) = join!(client.hold("alice").into_future(), daemon);
    assert!(matches!(hold, Err(Error::HeldByAnother { pid: Some(42), .. })), "{hold:?}");
}

#[tokio::test]
async fn a_hold_goes_on_by_its_token_after_the_stream_broke() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let (hold, _cut) = hold(&mut fake, &client).await;
    fake.restart();
    let (resumed, events) = expect_call!(fake, Hold);
    assert_eq!(resumed.token, TOKEN);
    events.send(Ok(granted())).await.expect("the client listens");
    // And once more, by a daemon that stops as it should.
    events.send(Err(refusal(Code::Unavailable, Reason::ShuttingDown))).await.expect("the client listens");
    let (resumed, events) = expect_call!(fake, Hold);
    assert_eq!(resumed.token, TOKEN);
    events.send(Ok(lost(v1::LostReason::EndedByAdmin))).await.expect("the client listens");
    assert_eq!(hold.lost().await, LostReason::EndedByAdmin);
}

#[tokio::test]
async fn a_daemon_in_trouble_has_not_ended_a_hold() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let (hold, events) = hold(&mut fake, &client).await;
    for (code, reason) in [
        (Code::Internal, Reason::StorageFailed),
        (Code::ResourceExhausted, Reason::LimitExceeded),
        (Code::Unavailable, Reason::Starting),
    ] {
        events.send(Err(refusal(code, reason))).await.ok();
        let (resumed, events) = expect_call!(fake, Hold);
        assert_eq!(resumed.token, TOKEN, "{reason:?}");
        events.send(Err(refusal(code, reason))).await.expect("the client listens");
    }
    let (_, events) = expect_call!(fake, Hold);
    events.send(Ok(granted())).await.expect("the client listens");
    let daemon = async {
        let (_, answer) = expect_call!(fake, Advance);
        let _ = answer.send(Ok(v1::AdvanceResponse { revision: 4 }));
    };
    let change = StateChange { pts: Some(1), ..StateChange::default() };
    let (revision, ()) = join!(hold.advance(change).into_future(), daemon);
    assert_eq!(revision.expect("it is held"), 4);
}

#[tokio::test]
async fn a_hold_that_cannot_go_on_is_lost_and_stays_so() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let (hold, _cut) = hold(&mut fake, &client).await;
    fake.restart();
    let (_, events) = expect_call!(fake, Hold);
    events.send(Err(refusal(Code::FailedPrecondition, Reason::Fenced))).await.expect("the client listens");
    assert_eq!(hold.lost().await, LostReason::Fenced);
    assert_eq!(hold.lost().await, LostReason::Fenced);
    let handle = hold.clone();
    let mut stream = handle.advance_stream();
    stream.push(StateChange::default()).await.expect("it is only put in line");
    let calls = [
        handle.save(&Session::default()).await.map(|_| ()),
        handle.advance(StateChange::default()).await.map(|_| ()),
        handle.delete().await.map(|_| ()),
        handle.load().await.map(|_| ()),
        stream.finish().await.map(|_| ()),
        hold.release().await,
    ];
    for call in calls {
        assert!(matches!(call, Err(Error::Lost { reason: LostReason::Fenced })), "{call:?}");
    }
}

#[tokio::test]
async fn a_lost_hold_lets_go_when_the_program_drops_it() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let (hold, events) = hold(&mut fake, &client).await;
    events.send(Ok(lost(v1::LostReason::EndedByAdmin))).await.expect("the client listens");
    hold.lost().await;
    let daemon = async {
        let (_, answer) = expect_call!(fake, Load);
        let _ = answer.send(Ok(v1::LoadResponse::default()));
    };
    // A stream that was closed on the way would be so by now.
    let (loaded, ()) = join!(client.load("alice"), daemon);
    loaded.expect("it is answered");
    assert!(!events.is_closed());
    drop(hold);
    events.closed().await;
}

#[tokio::test]
async fn a_fenced_write_is_a_lost_hold() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let (hold, _events) = hold(&mut fake, &client).await;
    let daemon = async {
        let (_, answer) = expect_call!(fake, Advance);
        let _ = answer.send(Err(refusal(Code::FailedPrecondition, Reason::Fenced)));
    };
    let (write, ()) = join!(hold.advance(StateChange::default()).into_future(), daemon);
    assert!(matches!(write, Err(Error::Lost { reason: LostReason::Fenced })), "{write:?}");
    assert_eq!(hold.lost().await, LostReason::Fenced);
}

#[tokio::test]
async fn a_released_hold_is_not_lost_and_its_token_still_deletes() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let (hold, events) = hold(&mut fake, &client).await;
    let handle = hold.clone();
    let daemon = async {
        let (request, answer) = expect_call!(fake, Release);
        drop(events);
        let _ = answer.send(Ok(v1::ReleaseResponse {}));
        let (_, answer) = expect_call!(fake, Delete);
        let _ = answer.send(Ok(v1::DeleteResponse { revision: 5 }));
        request
    };
    let release = async { (hold.release().await, handle.delete().await) };
    let ((released, deleted), request) = join!(release, daemon);
    assert!(released.is_ok(), "{released:?}");
    assert_eq!(deleted.expect("the token serves it"), 5);
    assert_eq!(request.token, TOKEN);
    let lost = handle.lost();
    assert!(futures_util::FutureExt::now_or_never(lost).is_none());
}

#[tokio::test]
async fn a_hold_whose_release_was_not_answered_is_released_when_another_has_it() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let (hold, _events) = hold(&mut fake, &client).await;
    let handle = hold.clone();
    let daemon = async {
        let (_, _unanswered) = expect_call!(fake, Release);
        fake.restart();
        loop {
            match fake.call().await {
                Call::Release(_, answer) => {
                    let _ = answer.send(Err(refusal(Code::FailedPrecondition, Reason::Fenced)));
                    return;
                }
                Call::Hold(_, events) => {
                    let _ = events.send(Err(refusal(Code::FailedPrecondition, Reason::Fenced))).await;
                }
                _ => panic!("another call came"),
            }
        }
    };
    let (released, ()) = join!(hold.release(), daemon);
    assert!(released.is_ok(), "{released:?}");
    assert!(futures_util::FutureExt::now_or_never(handle.lost()).is_none(), "it was let go, not lost");
}

#[tokio::test]
async fn a_hold_that_is_another_ones_when_it_is_to_be_released_was_lost() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let (hold, _events) = hold(&mut fake, &client).await;
    let daemon = async {
        let (_, answer) = expect_call!(fake, Release);
        let _ = answer.send(Err(refusal(Code::FailedPrecondition, Reason::Fenced)));
    };
    let (released, ()) = join!(hold.release(), daemon);
    assert!(matches!(released, Err(Error::Lost { reason: LostReason::Fenced })), "{released:?}");
}

#[tokio::test]
async fn no_secret_is_in_the_debug_output() {
    let mut fake = Fake::start().await;
    let client = fake.client().await;
    let (hold, _events) = hold(&mut fake, &client).await;
    let write = hold.advance(StateChange::default());
    let text = format!("{hold:?} {write:?} {:?}", hold.token());
    assert!(!text.contains("7, 7") && !text.contains("0707"), "{text}");
}
