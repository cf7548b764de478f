//! A start after kill -9 under load.

use anyhow::Context as _;
use sessiond_client::Client;

use super::{Holder, names};
use crate::{
    bench::Bench,
    figure::{Figure, Latencies},
    load::{Job, Ledger},
    worker::Worker,
};

/// Sessions, each with a writer of its own.
const SESSIONS: usize = 64;

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let mut daemon = bench.daemon().await?;
    let (mut times, mut acknowledged) = (Vec::new(), 0);
    for round in 0..bench.scale.crashes {
        let holder = Holder::of(&daemon, names(&format!("round{round}"), SESSIONS), 1).await?;
        let mut load = Worker::start(&Job::Ledger(holder.advance(&daemon))).await?;
        load.go().await?;
        tokio::time::sleep(bench.scale.span).await;
        daemon.kill().await?;
        let ledger: Ledger = load.hear().await?;
        load.end().await?;
        holder.kill().await?;
        daemon.start_again().await?;
        times.push(daemon.ready_after);
        acknowledged += check(&daemon.client().await?, &ledger).await?;
    }
    let crashes = bench.scale.crashes;
    let what =
        format!("start to ready after kill -9 under load, {crashes} times; nothing acknowledged was lost");
    bench.take(
        Figure::new("crash.ready", what)
            .late(&Latencies::of(&times))
            .note(format!("{acknowledged} sessions compared")),
    );
    Ok(())
}

/// # Errors
/// Something acknowledged was lost.
async fn check(client: &Client, ledger: &Ledger) -> anyhow::Result<usize> {
    for (name, counter) in ledger {
        let loaded = client.load(name).await?;
        let state = loaded.session.and_then(|session| session.state);
        let pts = state.with_context(|| format!("{name} is gone"))?.pts;
        anyhow::ensure!(pts >= *counter, "{name}: {counter} was acknowledged, and {pts} is what there is");
    }
    Ok(ledger.len())
}
