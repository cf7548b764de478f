//! Streams of changes, that do not wait for each other's answers.

use std::{
    collections::VecDeque,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::{Stream as Messages, stream};
use serde::{Deserialize, Serialize};
use sessiond_client::{Client, StateChange};
use sessiond_proto::v1::{self, session_service_client::SessionServiceClient};
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    advance::first_counter, clock, connection::connection, hold::Possession, pacer::Pacer, telling::Telling,
};
use crate::{
    figure::{Sample, histogram, note},
    sample,
};

/// Scheduled times on their way from who sends to who reads the acknowledgements. Enough for what a stall of a second
/// leaves unacknowledged at any rate that is measured.
const UNACKNOWLEDGED: usize = 32_768;

/// Changes of sessions that another process holds, as fast as they go; a stream and a connection for each session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) socket: PathBuf,
    pub(crate) held: Vec<Possession>,
    /// Of each session.
    pub(crate) changes: u32,
    /// What each change sets beside the two counters: so many channels.
    pub(crate) channels: i64,
    pub(crate) through: Through,
}

/// What makes the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Through {
    /// The generated client alone.
    Stub,
    /// The Rust client, which keeps what is not acknowledged, to send it again after a break.
    RustClient,
}

/// Changes of one session on a schedule. The date of each is the time at which it was to be sent, in nanoseconds of the
/// monotonic clock, and its pts its number, from 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Paced {
    pub(crate) socket: PathBuf,
    pub(crate) held: Possession,
    /// Changes a second.
    pub(crate) rate: u32,
    pub(crate) changes: u64,
}

pub(super) async fn run(mut telling: Telling, job: Stream) -> anyhow::Result<()> {
    let Stream { socket, held, changes, channels, through } = job;
    let mut stubs = Vec::new();
    for held in held {
        stubs.push((SessionServiceClient::new(connection(&socket).await?), held));
    }
    telling.ready().await?;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (stub, held) in stubs {
        match through {
            Through::Stub => tasks.spawn(push(stub, held, changes, channels)),
            Through::RustClient => tasks.spawn(push_with_the_client(socket.clone(), held, changes)),
        };
    }
    let mut operations = 0;
    while let Some(pushed) = tasks.join_next().await {
        pushed??;
        operations += u64::from(changes);
    }
    let seconds = begun.elapsed().as_secs_f64();
    telling.say(&Sample { operations, seconds, ..Sample::default() })?;
    telling.end().await
}

type Stub = SessionServiceClient<tonic::transport::Channel>;

async fn push(mut stub: Stub, held: Possession, changes: u32, channels: i64) -> anyhow::Result<()> {
    let first = (held.name.clone(), held.token()?);
    let counter = first_counter();
    let requests = (1..=changes).map(move |number| {
        let counter = counter + number.cast_signed();
        let (name, token) = if number == 1 { first.clone() } else { Default::default() };
        let mut change = sample::change(counter, counter.into());
        change.channels.extend((0..channels).map(|at| sample::channel(at, counter)));
        v1::AdvanceStreamRequest { name, token, change: Some(change), sequence: number.into() }
    });
    let mut acknowledgements = stub.advance_stream(stream::iter(requests)).await?.into_inner();
    loop {
        let acknowledged = acknowledgements.message().await?.context("a stream ended early")?;
        if acknowledged.sequence == i64::from(changes) {
            return Ok(());
        }
    }
}

async fn push_with_the_client(socket: PathBuf, held: Possession, changes: u32) -> anyhow::Result<()> {
    let client = Client::builder().socket(socket).connect().await?;
    let mut stream = client.with_token(&held.name, held.token.parse()?)?.advance_stream();
    let counter = first_counter();
    for number in 1..=changes {
        let counter = counter + number.cast_signed();
        let change = StateChange { pts: Some(counter), date: Some(counter.into()), ..StateChange::default() };
        stream.push(change).await?;
    }
    stream.finish().await?;
    Ok(())
}

pub(super) async fn run_paced(mut telling: Telling, job: Paced) -> anyhow::Result<()> {
    let Paced { socket, held, rate, changes } = job;
    let mut stub = SessionServiceClient::new(connection(&socket).await?);
    telling.ready().await?;
    let begun = Instant::now();
    let (sent, mut scheduled) = mpsc::channel(UNACKNOWLEDGED);
    let requests = paced_requests(Pacer::new(rate, changes)?, (held.name.clone(), held.token()?), sent);
    let mut acknowledgements = stub.advance_stream(requests).await?.into_inner();
    let (mut latencies, mut waiting) = (histogram(), VecDeque::new());
    while latencies.len() < changes {
        let acknowledged = acknowledgements.message().await?.context("a stream ended early")?;
        let now = clock::now();
        while let Ok(due) = scheduled.try_recv() {
            waiting.push_back(due);
        }
        while latencies.len() < u64::try_from(acknowledged.sequence)? {
            let due = waiting.pop_front().context("a change was acknowledged that was not sent")?;
            note(&mut latencies, now.saturating_sub(due));
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    telling.say(&Sample { operations: changes, seconds, latencies: latencies.into(), refused: 0 })?;
    telling.end().await
}

fn paced_requests(
    pacer: Pacer,
    first: (String, Vec<u8>),
    sent: mpsc::Sender<u64>,
) -> impl Messages<Item = v1::AdvanceStreamRequest> + Send + 'static {
    stream::unfold((pacer, first, sent), |(mut pacer, (name, token), sent)| async move {
        // A timer that cannot be read ends the stream, and with it the run.
        let (number, due) = pacer.event().await.ok()??;
        sent.send(due).await.ok()?;
        let number = i32::try_from(number + 1).ok()?;
        let change = Some(sample::change(number, i64::try_from(due).ok()?));
        let request = v1::AdvanceStreamRequest { name, token, change, sequence: number.into() };
        Some((request, (pacer, Default::default(), sent)))
    })
}

/// How many changes there are at a rate within a time.
pub(crate) fn changes_within(rate: u32, span: Duration) -> u64 {
    Pacer::events_within(rate, span)
}
