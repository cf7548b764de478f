//! One client that advances one session, against the two things that it cannot do without: a call, and a commit.

use std::time::Duration;

use super::{Holder, crowd, disk, paced, turns};
use crate::{
    bench::Bench,
    figure::Figure,
    load::{Target, Work},
};

/// Idleness before each call and before each commit. While a lone client's change is committed its connection idles, and
/// while the answer travels the disk does; what follows finds colder caches than in a hot loop. How cold goes by how long, so
/// that on a slower disk than these times were taken from, a call that idled as long as a commit takes is measured too.
const BEFORE_CALL: Duration = Duration::from_micros(130);
const BEFORE_COMMIT: Duration = Duration::from_micros(100);

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let daemon = bench.daemon().await?;
    let holder = Holder::of(&daemon, vec!["alice".into()], 1).await?;
    let ping = || Target::Ping { socket: daemon.socket() };
    let (mut pings, mut paced_pings, mut commits, mut rested_pings) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut changes, mut by_client) = (Vec::new(), Vec::new());
    for _ in 0..bench.scale.rounds {
        pings.push(bench.sample(&crowd(bench, ping(), 1, 1)).await?);
        paced_pings.push(bench.sample(&paced(bench, ping(), BEFORE_CALL)).await?);
        let commit = disk::sample(bench, Work::Commit { rows: 1 }, Some(BEFORE_COMMIT)).await?;
        let as_long = commit.latencies.summary().map_or(BEFORE_CALL, |latency| micros(latency.p50));
        rested_pings.push(bench.sample(&paced(bench, ping(), as_long)).await?);
        commits.push(commit);
        let advance = holder.advance(&daemon);
        changes.push(bench.sample(&crowd(bench, Target::Advance(advance.clone()), 1, 1)).await?);
        by_client.push(bench.sample(&crowd(bench, Target::RustClient(advance), 1, 1)).await?);
    }
    let ratio = turns::slower(&changes, &[&paced_pings, &commits]);
    let rested = turns::slower(&changes, &[&rested_pings, &commits]);

    bench.take(Figure::new("ping.1x1", "empty call, 1 client").median(&pings));
    bench.take(
        Figure::new("ping.paced", "empty call, 1 client, 130 us idle before each").median(&paced_pings),
    );
    bench.take(
        Figure::new("disk.paced", "SQLite commit of one row, 100 us idle before each").median(&commits),
    );
    bench.take(
        Figure::new("ping.rested", "empty call, 1 client, idle before each for as long as a commit takes")
            .median(&rested_pings),
    );
    bench.take(Figure::new("advance.lone", "Advance, 1 client").median(&changes));
    bench.take(
        Figure::new("advance.lone.client", "Advance, 1 client, through the Rust client").median(&by_client),
    );
    if let Some(ratio) = ratio {
        let what = "Advance, 1 client: p50 to that of both paced floors";
        bench.take(Figure::new("advance.lone.ratio", what).amount(ratio, "x"));
    }
    if let Some(ratio) = rested {
        let what = "Advance, 1 client: p50 to that of a paced commit and a call that idled as long";
        bench.take(Figure::new("advance.lone.rested", what).amount(ratio, "x"));
    }
    Ok(())
}

fn micros(micros: f64) -> Duration {
    Duration::from_secs_f64(micros / 1e6)
}
