//! The closed loop: as many calls at once as there are clients.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::{
    Crowd, Span, Target,
    advance::{AdvanceCalls, LoadCalls, SaveCalls},
    clock,
    etcd::Etcd,
    redis::Redis,
    rust_client::RustClient,
    span::Running,
    target::{Call, Ping},
    telling::Telling,
};
use crate::figure::{Sample, histogram, nanos, note};

pub(super) async fn run(telling: Telling, crowd: Crowd) -> anyhow::Result<()> {
    let Crowd { target, clients, connections, span, pause } = crowd;
    let pace = Pace { span, pause };
    match target {
        Target::Ping { socket } => {
            drive(telling, Ping::clients(socket, clients, connections).await?, pace).await
        }
        Target::Advance(advance) => {
            drive(telling, AdvanceCalls::clients(&advance, clients, connections).await?, pace).await
        }
        Target::RustClient(advance) => {
            drive(telling, RustClient::clients(&advance, clients, connections).await?, pace).await
        }
        Target::Save { advance, dcs, channels } => {
            let session = crate::sample::session(1, dcs, channels);
            drive(telling, SaveCalls::clients(&advance, &session, clients).await?, pace).await
        }
        Target::NewKey(advance) => {
            let session = crate::sample::session(1, 1, 0);
            drive(telling, SaveCalls::clients(&advance, &session, clients).await?, pace).await
        }
        Target::Load(advance) => drive(telling, LoadCalls::clients(&advance, clients).await?, pace).await,
        Target::Etcd { address } => {
            drive(telling, Etcd::clients(&address, clients, connections).await?, pace).await
        }
        Target::Redis { socket } => drive(telling, Redis::clients(&socket, clients).await?, pace).await,
    }
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    span: Span,
    pause: Option<Duration>,
}

async fn drive<C: Call>(mut telling: Telling, clients: Vec<C>, pace: Pace) -> anyhow::Result<()> {
    if pace.pause.is_some() {
        clock::sleep_exactly()?;
    }
    telling.ready().await?;
    let running = pace.span.begin();
    let mut tasks: JoinSet<_> =
        clients.into_iter().map(|client| client_loop(client, running, pace.pause)).collect();
    let (mut operations, mut all) = (0, histogram());
    while let Some(client) = tasks.join_next().await {
        let latencies = client??;
        operations += latencies.len();
        all.add(latencies)?;
    }
    let (seconds, latencies) = (running.seconds(), all.into());
    telling.say(&Sample { operations, seconds, latencies, refused: 0 })?;
    telling.end().await
}

async fn client_loop<C: Call>(
    mut client: C,
    running: Running,
    pause: Option<Duration>,
) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = histogram();
    while !running.is_over() {
        if let Some(pause) = pause {
            clock::idle(pause);
        }
        let begun = Instant::now();
        client.call().await?;
        let done = Instant::now();
        if running.counts(done) {
            note(&mut latencies, nanos(done - begun));
        }
    }
    Ok(latencies)
}
