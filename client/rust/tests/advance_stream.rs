//! Streams of changes: acknowledged in order, over any number of connections.

use sessiond_client::{
    Acknowledged, ChannelState, Error, HeldSession, LostReason, Reason, StateChange, Token,
};
use sessiond_proto::v1;
use tokio::join;
use tonic::{Code, Streaming};

use crate::fake::{Fake, expect_call, refusal, refusal_with};

fn pts(pts: i32) -> StateChange {
    StateChange { pts: Some(pts), ..StateChange::default() }
}

async fn held(fake: &Fake) -> HeldSession {
    let token = Token::try_from([1; 32].as_slice()).expect("32 bytes");
    fake.client().await.with_token("alice", token).expect("a name")
}

async fn take(changes: &mut Streaming<v1::AdvanceStreamRequest>) -> v1::AdvanceStreamRequest {
    changes.message().await.expect("the connection holds").expect("there is another change")
}

fn acknowledgement(sequence: i64, revision: i64) -> v1::AdvanceStreamResponse {
    v1::AdvanceStreamResponse { sequence, revision }
}

#[tokio::test]
async fn changes_are_numbered_and_finish_waits_for_the_last() {
    let mut fake = Fake::start().await;
    let mut stream = held(&fake).await.advance_stream();
    for n in 1..=3 {
        assert_eq!(stream.push(pts(n)).await.expect("it is open"), i64::from(n));
    }
    let (mut changes, events) = expect_call!(fake, AdvanceStream);
    let first = take(&mut changes).await;
    assert_eq!((first.name.as_str(), first.token.len(), first.sequence), ("alice", 32, 1));
    let second = take(&mut changes).await;
    assert_eq!((second.name.as_str(), second.token.len(), second.sequence), ("", 0, 2));
    take(&mut changes).await;
    events.send(Ok(acknowledgement(2, 12))).await.expect("the client listens");
    let acknowledged = stream.durable(2).await.expect("it is open");
    assert_eq!(acknowledged, Acknowledged { sequence: 2, revision: 12 });
    assert_eq!(stream.acknowledged(), acknowledged);
    let daemon = async {
        assert!(changes.message().await.expect("the connection holds").is_none());
        events.send(Ok(acknowledgement(3, 13))).await.expect("the client listens");
    };
    let (revision, ()) = join!(stream.finish(), daemon);
    assert_eq!(revision.expect("all is durable"), Some(13));
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again_as_one_change() {
    let mut fake = Fake::start().await;
    let mut stream = held(&fake).await.advance_stream();
    for n in 1..=4 {
        stream.push(pts(n)).await.expect("it is open");
    }
    let (mut changes, events) = expect_call!(fake, AdvanceStream);
    for _ in 1..=4 {
        take(&mut changes).await;
    }
    events.send(Ok(acknowledgement(1, 11))).await.expect("the client listens");
    stream.durable(1).await.expect("it is open");
    fake.restart();
    let (mut changes, events) = expect_call!(fake, AdvanceStream);
    let again = take(&mut changes).await;
    assert_eq!((again.name.as_str(), again.token.len(), again.sequence), ("alice", 32, 1));
    assert_eq!(again.change.and_then(|change| change.pts), Some(4));
    stream.push(pts(5)).await.expect("it is open");
    assert_eq!(take(&mut changes).await.sequence, 2);
    events.send(Ok(acknowledgement(1, 14))).await.expect("the client listens");
    assert_eq!(stream.durable(2).await.expect("it is open").sequence, 4);
    events.send(Ok(acknowledgement(2, 15))).await.expect("the client listens");
    assert_eq!(stream.finish().await.expect("all is durable"), Some(15));
}

#[tokio::test]
async fn what_is_sent_again_is_no_more_than_a_message_carries() {
    let mut fake = Fake::start().await;
    let mut stream = held(&fake).await.advance_stream();
    let removed =
        StateChange { pts: Some(1), removed_channels: (1..=60_000).collect(), ..StateChange::default() };
    stream.push(removed).await.expect("it is open");
    for n in 2..=3 {
        let ids = 60_000 * (i64::from(n) - 1)..60_000 * i64::from(n);
        let channels = ids.map(|id| ChannelState { id: id + 1, pts: n }).collect();
        stream
            .push(StateChange { pts: Some(n), channels, ..StateChange::default() })
            .await
            .expect("it is open");
    }
    let (mut changes, _cut) = expect_call!(fake, AdvanceStream);
    for _ in 1..=3 {
        take(&mut changes).await;
    }
    fake.restart();
    let (mut changes, events) = expect_call!(fake, AdvanceStream);
    let mut told = Vec::new();
    for sequence in 1..=3 {
        let again = take(&mut changes).await;
        assert_eq!(again.sequence, sequence);
        let v1::StateChange { pts, channels, removed_channels, .. } = again.change.expect("a change");
        told.push((pts, channels.len(), removed_channels.len()));
    }
    // First what goes, so that there are never more than before or after; the counters when all is said.
    assert_eq!(told, [(None, 0, 60_000), (None, 100_000, 0), (Some(3), 20_000, 0)]);
    events.send(Ok(acknowledgement(2, 15))).await.expect("the client listens");
    events.send(Ok(acknowledgement(3, 16))).await.expect("the client listens");
    let first = stream.durable(1).await.expect("it is open");
    assert_eq!(first, Acknowledged { sequence: 3, revision: 16 }, "with a part of them none is durable");
    assert_eq!(stream.finish().await.expect("all is durable"), Some(16));
}

#[tokio::test]
async fn the_first_refused_change_ends_the_stream_and_is_named() {
    let mut fake = Fake::start().await;
    let mut stream = held(&fake).await.advance_stream();
    for n in 1..=3 {
        stream.push(pts(n)).await.expect("it is open");
    }
    let (mut changes, events) = expect_call!(fake, AdvanceStream);
    for _ in 1..=3 {
        take(&mut changes).await;
    }
    events.send(Ok(acknowledgement(1, 11))).await.expect("the client listens");
    let full = refusal_with(Code::ResourceExhausted, Reason::StorageFull, &[("sequence", "2")]);
    events.send(Err(full)).await.expect("the client listens");
    let error = stream.durable(3).await.expect_err("it was refused");
    let Error::ChangeRefused { sequence: 2, refusal } = &error else { panic!("{error:?}") };
    assert!(matches!(**refusal, Error::StorageFull { .. }), "{refusal:?}");
    assert_eq!(stream.acknowledged().sequence, 1);
    assert!(stream.push(pts(4)).await.is_err());
    assert!(stream.finish().await.is_err());
}

#[tokio::test]
async fn a_fenced_stream_is_a_lost_hold() {
    let mut fake = Fake::start().await;
    let held = held(&fake).await;
    let mut stream = held.advance_stream();
    stream.push(pts(1)).await.expect("it is open");
    let (_changes, events) = expect_call!(fake, AdvanceStream);
    events.send(Err(refusal(Code::FailedPrecondition, Reason::Fenced))).await.expect("the client listens");
    let error = stream.finish().await.expect_err("the hold is lost");
    // This process was only given the token.
    assert!(matches!(error, Error::Fenced), "{error:?}");
    assert_eq!(held.lost().await, LostReason::Fenced);
}

#[tokio::test]
async fn a_stream_of_nothing_finishes_without_a_revision() {
    let fake = Fake::start().await;
    let stream = held(&fake).await.advance_stream();
    assert_eq!(stream.finish().await.expect("there was nothing to refuse"), None);
}
