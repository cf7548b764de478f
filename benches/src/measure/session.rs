//! Whole sessions: saved, loaded while they are known, and loaded first after a start.

use std::time::{Duration, Instant};

use super::{Holder, crowd, names};
use crate::{
    bench::Bench,
    daemon::Daemon,
    figure::{Figure, Latencies},
    load::{Fill, Job, Target},
};

/// What a large session has: keys of all data centers, and many channels.
const DCS: i32 = 5;
const CHANNELS: i64 = 500;

/// Sessions, each of which is loaded first once.
const SESSIONS: usize = 64;

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let mut daemon = bench.daemon().await?;
    let names = names("whole", SESSIONS);
    let fill = Fill { socket: daemon.socket(), names: names.clone(), dcs: DCS, channels: CHANNELS };
    bench.sample(&Job::Fill(fill)).await?;

    let holder = Holder::of(&daemon, names.clone(), 1).await?;
    let save = Target::Save { advance: holder.advance(&daemon), dcs: DCS, channels: CHANNELS };
    let saved = bench.runs(&crowd(bench, save, 1, 1)).await?;
    bench.take(
        Figure::new("session.save", "Save of 5 data centers and 500 channels, 1 client").median(&saved),
    );
    let load = Target::Load(holder.advance(&daemon));
    let loaded = bench.runs(&crowd(bench, load, 1, 1)).await?;
    bench.take(Figure::new("session.load", "Load of such a session with its keys, 1 client").median(&loaded));
    holder.kill().await?;

    daemon.stop().await?;
    daemon.start_again().await?;
    let what = "the first Load of each such session after a start";
    bench.take(Figure::new("session.load.first", what).late(&first_loads(&daemon, &names).await?));
    let what = "the first Hold of each such session after a start, with its keys";
    bench.take(Figure::new("session.hold.first", what).late(&first_holds(&daemon, &names).await?));
    Ok(())
}

async fn first_loads(daemon: &Daemon, names: &[String]) -> anyhow::Result<Latencies> {
    let client = daemon.client().await?;
    // The connection is made before anything counts.
    client.info().await?;
    let mut times = Vec::with_capacity(names.len());
    for name in names {
        let begun = Instant::now();
        let loaded = client.load(name).await?;
        times.push(begun.elapsed());
        anyhow::ensure!(loaded.session.is_some(), "{name} is gone");
    }
    Ok(Latencies::of(&times))
}

async fn first_holds(daemon: &Daemon, names: &[String]) -> anyhow::Result<Latencies> {
    let client = daemon.client().await?;
    let mut times: Vec<Duration> = Vec::with_capacity(names.len());
    for name in names {
        let begun = Instant::now();
        let hold = client.hold(name).wait().await?;
        times.push(begun.elapsed());
        hold.release().await?;
    }
    Ok(Latencies::of(&times))
}
