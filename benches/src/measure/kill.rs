//! From kill -9 of a holder to the grant of the next in line.

use std::time::Duration;

use super::{CONNECTIONS, Holder, names};
use crate::{
    bench::Bench,
    daemon::Daemon,
    figure::{Figure, Latencies},
    load::{Crowd, Held, Holding, Job, Span, Target, clock},
    worker::Worker,
};

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let daemon = bench.daemon().await?;
    let kills = bench.scale.kills;
    let idle = kill(&daemon, "idle", kills).await?;
    bench.take(
        Figure::new("kill.idle", format!("kill -9 of a holder to the next grant, {kills} times")).late(&idle),
    );
    let holder = Holder::of(&daemon, names("busy", 64), 1).await?;
    let busy = Crowd {
        target: Target::Advance(holder.advance(&daemon)),
        clients: 64,
        connections: CONNECTIONS,
        // Ended long before by whoever started it.
        span: Span { warm_up: Duration::ZERO, length: Duration::from_secs(600) },
        pause: None,
    };
    let mut load = Worker::start(&Job::Closed(busy)).await?;
    load.go().await?;
    let loaded = kill(&daemon, "loaded", kills).await?;
    load.kill().await?;
    let what = format!("the same beside 64 clients that advance, {kills} times");
    bench.take(Figure::new("kill.loaded", what).late(&loaded));
    Ok(())
}

async fn kill(daemon: &Daemon, name: &str, kills: usize) -> anyhow::Result<Latencies> {
    let mut holder = in_line(daemon, name).await?;
    anyhow::ensure!(matches!(holder.hear().await?, Holding::Granted { .. }), "nobody was there before it");
    let mut times = Vec::with_capacity(kills);
    for _ in 0..kills {
        let mut next = in_line(daemon, name).await?;
        anyhow::ensure!(matches!(next.hear().await?, Holding::Waiting), "two hold the same session");
        let killed = clock::now();
        holder.shoot()?;
        let granted = loop {
            if let Holding::Granted { at, .. } = next.hear().await? {
                break at;
            }
        };
        times.push(Duration::from_nanos(granted.saturating_sub(killed)));
        std::mem::replace(&mut holder, next).kill().await?;
    }
    holder.end().await?;
    Ok(Latencies::of(&times))
}

async fn in_line(daemon: &Daemon, name: &str) -> anyhow::Result<Worker> {
    let held = Held { socket: daemon.socket(), names: vec![name.into()], connections: 1 };
    Worker::begin(&Job::Hold(held)).await
}
