//! Advance and AdvanceStream: the small write that follows every update.

use futures_util::stream;
use sessiond_proto::{Reason, v1};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::harness::{Daemon, Held, channel, expect_reason, metadata_of, pts, random_session, within};

on_both_engines! {
    an_advance_sets_what_it_mentions_and_nothing_else
    an_advance_sets_counters_to_zero_and_to_their_limits
    an_advance_makes_a_session_where_there_is_none
    an_advance_sets_and_removes_channels
    an_advance_keeps_the_keys
    a_stream_acknowledges_each_change_as_a_revision_of_its_own
    acknowledgements_are_coalesced_and_the_last_one_covers_all
    a_refused_change_ends_the_stream_with_its_sequence_and_nothing_after_it_is_applied
    a_wrong_sequence_ends_the_stream
    the_first_change_names_the_session_and_later_ones_do_not_change_it
    a_stream_ends_where_its_hold_does
    a_stream_of_nothing_ends_at_once
}

async fn an_advance_sets_what_it_mentions_and_nothing_else(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let mut expected = held.load().await.0.expect("saved");
    let changes = [
        v1::StateChange { pts: Some(5), ..Default::default() },
        v1::StateChange { qts: Some(6), ..Default::default() },
        v1::StateChange { date: Some(7), ..Default::default() },
        v1::StateChange { seq: Some(8), ..Default::default() },
    ];
    let mut revision = 0;
    for (number, change) in changes.into_iter().enumerate() {
        let next = held.advance(change).await;
        assert!(next > revision);
        revision = next;
        let state = expected.state.as_mut().expect("there");
        match number {
            0 => state.pts = 5,
            1 => state.qts = 6,
            2 => state.date = 7,
            _ => state.seq = 8,
        }
        assert_eq!(held.load().await, (Some(expected.clone()), revision));
    }
}

async fn an_advance_sets_counters_to_zero_and_to_their_limits(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    for (counter, date, id) in [(i32::MAX, i64::MAX, i64::MAX), (0, 0, 1)] {
        let change = v1::StateChange {
            pts: Some(counter),
            qts: Some(counter),
            date: Some(date),
            seq: Some(counter),
            channels: vec![channel(id, counter)],
            removed_channels: Vec::new(),
        };
        held.advance(change).await;
        let state = state(&held).await.expect("there");
        assert_eq!((state.pts, state.qts, state.date, state.seq), (counter, counter, date, counter));
        assert!(state.channels.contains(&channel(id, counter)));
    }
}

async fn an_advance_makes_a_session_where_there_is_none(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let request = v1::AdvanceRequest { expected_revision: Some(0), ..held.advance_request(pts(5)) };
    let revision = held.client.advance(request).await.expect("made");
    let state = Some(v1::UpdateState { pts: 5, ..Default::default() });
    let made = v1::Session { version: 1, state, ..Default::default() };
    assert_eq!(held.load().await, (Some(made), revision));
    held.delete().await;
    // All zeros is a state too: it says that somebody looked.
    assert!(held.advance(pts(0)).await > revision);
    assert_eq!(self::state(&held).await, Some(v1::UpdateState::default()));
}

async fn an_advance_sets_and_removes_channels(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let change = v1::StateChange {
        channels: vec![channel(9, 90), channel(2_222_222_222, 89), channel(1, 10)],
        removed_channels: vec![1_234_567_890, 5],
        ..Default::default()
    };
    held.advance(change).await;
    let channels = state(&held).await.expect("there").channels;
    assert_eq!(channels, [channel(1, 10), channel(9, 90), channel(2_222_222_222, 89)]);
}

async fn an_advance_keeps_the_keys(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let before = held.load().await.0.expect("saved");
    held.advance(pts(5)).await;
    held.release().await;
    let next = held.client.hold("alice").await;
    assert_eq!(next.session.as_ref().map(|session| &session.dcs), Some(&before.dcs));
}

async fn a_stream_acknowledges_each_change_as_a_revision_of_its_own(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let (changes, mut acknowledged) = begin(&held).await;
    let mut revision = held.load().await.1;
    for sequence in 1..=5 {
        changes.send(change(&held, sequence)).await.expect("taken");
        let answer = within(acknowledged.message()).await.expect("taken").expect("acknowledged");
        assert_eq!((answer.sequence, answer.revision), (sequence, revision + 1));
        revision = answer.revision;
        assert_eq!(held.load().await.1, revision, "it is durable");
    }
    drop(changes);
    assert_eq!(within(acknowledged.message()).await.expect("a clean end"), None);
}

async fn acknowledgements_are_coalesced_and_the_last_one_covers_all(engine: &'static str) {
    const CHANGES: i64 = 20_000;
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let before = held.load().await.1;
    let requests: Vec<_> = (1..=CHANGES).map(|sequence| change(&held, sequence)).collect();
    let answers = held.client.sessions.clone().advance_stream(stream::iter(requests)).await;
    let mut answers = answers.expect("begun").into_inner();
    let (mut count, mut last) = (0, v1::AdvanceStreamResponse::default());
    while let Some(answer) = within(answers.message()).await.expect("taken") {
        assert!(answer.sequence > last.sequence && answer.revision > last.revision);
        (count, last) = (count + 1, answer);
    }
    assert_eq!((last.sequence, last.revision), (CHANGES, before + CHANGES), "each is a revision");
    assert!(count < CHANGES, "not each is acknowledged alone");
    assert_eq!(state(&held).await.expect("there").pts, pts_of(CHANGES));
}

async fn a_refused_change_ends_the_stream_with_its_sequence_and_nothing_after_it_is_applied(
    engine: &'static str,
) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let bad = v1::AdvanceStreamRequest { change: Some(pts(-1)), ..change(&held, 4) };
    let requests = [change(&held, 1), change(&held, 2), change(&held, 3), bad, change(&held, 5)];
    let (last, status) = refused(&held, requests).await;
    expect_reason(&status, Code::InvalidArgument, Reason::InvalidSession);
    assert_eq!(metadata_of(&status).get("sequence").map(String::as_str), Some("4"));
    assert_eq!(last, 3, "what came before it is acknowledged");
    assert_eq!(state(&held).await.expect("there").pts, pts_of(3));
}

async fn a_wrong_sequence_ends_the_stream(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    for (first, wrong, told) in [(1, 3, "2"), (1, 1, "2"), (0, 1, "1"), (2, 3, "1")] {
        let (last, status) = refused(&held, [change(&held, first), change(&held, wrong)]).await;
        expect_reason(&status, Code::InvalidArgument, Reason::InvalidSession);
        assert_eq!(metadata_of(&status).get("sequence").map(String::as_str), Some(told));
        assert_eq!(last, i64::from(first == 1));
    }
}

async fn the_first_change_names_the_session_and_later_ones_do_not_change_it(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let nameless = v1::AdvanceStreamRequest { name: String::new(), token: Vec::new(), ..change(&held, 2) };
    let other = v1::AdvanceStreamRequest { name: "bob".into(), ..change(&held, 3) };
    let (last, status) = refused(&held, [change(&held, 1), nameless.clone(), other]).await;
    expect_reason(&status, Code::InvalidArgument, Reason::InvalidSession);
    assert_eq!(last, 2);
    let other = v1::AdvanceStreamRequest { token: vec![7; 32], ..change(&held, 2) };
    let (last, _) = refused(&held, [change(&held, 1), other]).await;
    assert_eq!(last, 1);
    let first = v1::AdvanceStreamRequest { sequence: 1, ..nameless };
    let (_, status) = refused(&held, [first]).await;
    expect_reason(&status, Code::InvalidArgument, Reason::InvalidName);
}

async fn a_stream_ends_where_its_hold_does(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let (changes, mut acknowledged) = begin(&held).await;
    changes.send(change(&held, 1)).await.expect("taken");
    within(acknowledged.message()).await.expect("taken").expect("acknowledged");
    held.release().await;
    let next = held.client.hold("alice").await;
    let before = next.load().await;
    changes.send(change(&held, 2)).await.expect("taken");
    let status = within(acknowledged.message()).await.expect_err("refused");
    expect_reason(&status, Code::FailedPrecondition, Reason::Fenced);
    assert_eq!(metadata_of(&status).get("sequence").map(String::as_str), Some("2"));
    assert_eq!(next.load().await, before);
}

async fn a_stream_of_nothing_ends_at_once(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = full(&daemon).await;
    let answers = held.client.sessions.clone().advance_stream(stream::empty()).await;
    assert_eq!(within(answers.expect("begun").into_inner().message()).await.expect("a clean end"), None);
}

#[tokio::test]
async fn what_a_stream_acknowledged_survives_a_kill() {
    let mut daemon = Daemon::start().await;
    let held = full(&daemon).await;
    let (changes, mut acknowledged) = begin(&held).await;
    let mut sent = 0;
    let mut durable = v1::AdvanceStreamResponse::default();
    while durable.sequence < 500 {
        while sent < durable.sequence + 100 {
            sent += 1;
            changes.send(change(&held, sent)).await.expect("taken");
        }
        durable = within(acknowledged.message()).await.expect("taken").expect("acknowledged");
    }
    daemon.kill().await;
    daemon.start_again().await;
    let loaded = daemon.client().await.load("alice").await;
    let state = loaded.session.and_then(|session| session.state).expect("there");
    assert!(loaded.revision >= durable.revision && state.pts >= pts_of(durable.sequence));
    assert_eq!(loaded.revision - durable.revision, i64::from(state.pts - pts_of(durable.sequence)));
}

#[tokio::test]
async fn a_stream_is_told_that_the_daemon_stops() {
    let mut daemon = Daemon::start().await;
    let held = full(&daemon).await;
    let (changes, mut acknowledged) = begin(&held).await;
    changes.send(change(&held, 1)).await.expect("taken");
    within(acknowledged.message()).await.expect("taken").expect("acknowledged");
    assert!(daemon.stop().await.success());
    let status = within(acknowledged.message()).await.expect_err("the daemon stops");
    expect_reason(&status, Code::Unavailable, Reason::ShuttingDown);
}

/// `alice` with everything in it, held.
async fn full(daemon: &Daemon) -> Held {
    let held = daemon.client().await.hold("alice").await;
    held.save(random_session()).await;
    held
}

async fn state(held: &Held) -> Option<v1::UpdateState> {
    held.load().await.0.expect("there").state
}

/// A change that is another one for each sequence.
fn change(held: &Held, sequence: i64) -> v1::AdvanceStreamRequest {
    let change = Some(pts(pts_of(sequence)));
    v1::AdvanceStreamRequest { name: held.name.clone(), token: held.token.clone(), change, sequence }
}

fn pts_of(sequence: i64) -> i32 {
    10_000 + i32::try_from(sequence).expect("small")
}

type Changes = mpsc::Sender<v1::AdvanceStreamRequest>;

/// A stream of changes that are sent one by one.
async fn begin(held: &Held) -> (Changes, Streaming<v1::AdvanceStreamResponse>) {
    let (sender, receiver) = mpsc::channel(1);
    let answers = held.client.sessions.clone().advance_stream(ReceiverStream::new(receiver)).await;
    (sender, answers.expect("begun").into_inner())
}

/// The last sequence that was acknowledged, and why the stream ended.
async fn refused<const N: usize>(held: &Held, requests: [v1::AdvanceStreamRequest; N]) -> (i64, Status) {
    let answers = held.client.sessions.clone().advance_stream(stream::iter(requests)).await;
    let mut answers = answers.expect("begun").into_inner();
    let mut last = 0;
    loop {
        match within(answers.message()).await {
            Ok(answer) => last = answer.expect("it ends with an error").sequence,
            Err(status) => return (last, status),
        }
    }
}
