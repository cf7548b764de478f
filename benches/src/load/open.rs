//! The open loop: calls are made on a schedule, so that a stall is counted in full by all that would have come in the
//! meantime. Latency counts from the time at which a call was to be made.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::{
    Target,
    advance::{AdvanceCalls, SaveCalls},
    clock,
    pacer::Pacer,
    target::{Call, Ping},
    telling::Telling,
};
use crate::figure::{Sample, histogram, note};

/// Calls on a schedule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) target: Target,
    pub(crate) connections: usize,
    /// Calls a second.
    pub(crate) rate: u32,
    pub(crate) span: Duration,
}

pub(super) async fn run(telling: Telling, open: Open) -> anyhow::Result<()> {
    let Open { target, connections, rate, span } = open;
    match target {
        Target::Ping { socket } => {
            drive(telling, Ping::clients(socket, connections, connections).await?, rate, span).await
        }
        Target::Advance(advance) => {
            let clients = connections.max(advance.held.len());
            drive(telling, AdvanceCalls::clients(&advance, clients, connections).await?, rate, span).await
        }
        Target::Save { advance, dcs, channels } => {
            let session = crate::sample::session(1, dcs, channels);
            let clients = SaveCalls::clients(&advance, &session, advance.held.len()).await?;
            drive(telling, clients, rate, span).await
        }
        target => anyhow::bail!("{target:?} is not called on a schedule"),
    }
}

async fn drive<C: Call + Clone>(
    mut telling: Telling,
    clients: Vec<C>,
    rate: u32,
    span: Duration,
) -> anyhow::Result<()> {
    telling.ready().await?;
    let mut pacer = Pacer::new(rate, Pacer::events_within(rate, span))?;
    let mut calls = JoinSet::new();
    let mut latencies = histogram();
    let begun = clock::now();
    while let Some((number, due)) = pacer.event().await? {
        let mut client = clients[usize::try_from(number)? % clients.len()].clone();
        calls.spawn(async move {
            client.call().await?;
            Ok::<_, anyhow::Error>(clock::now().saturating_sub(due))
        });
        while let Some(latency) = calls.try_join_next() {
            note(&mut latencies, latency??);
        }
    }
    while let Some(latency) = calls.join_next().await {
        note(&mut latencies, latency??);
    }
    let seconds = Duration::from_nanos(clock::now() - begun).as_secs_f64();
    telling.say(&Sample { operations: latencies.len(), seconds, latencies: latencies.into(), refused: 0 })?;
    telling.end().await
}
