//! Whether anything makes a write wait: changes come on a schedule while files are written, the log is trimmed and the
//! write-ahead log is checkpointed.

use sessiond_client::Client;

use super::{CONNECTIONS, Holder, names};
use crate::{
    bench::Bench,
    daemon::Daemon,
    figure::{Figure, Sample},
    load::{Job, Open, Stream, Target, Through},
    worker::Worker,
};

/// Changes a second. Well below what the daemon can take, so that what makes one late is not the crowd.
const RATE: u32 = 2_000;

/// Sessions whose files are written meanwhile, and how many of them are saved each second: as many as the daemon writes.
const MIRRORED: usize = 100;
const SAVES: u32 = 50;

/// Changes of one stream while the log is filled, each with so many channels: some 3 MB of log in one go.
const FILLING: u32 = 10_000;
const FILLING_CHANNELS: i64 = 100;

/// Streams after which the log is long enough to be trimmed, or never will be.
const MOST_STREAMS: usize = 200;

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let daemon = bench.daemon().await?;
    let holder = Holder::of(&daemon, vec!["alice".into()], 1).await?;
    let quiet = bench.sample(&scheduled(bench, &daemon, &holder)).await?;
    bench.take(figure("stalls.fresh", "with a log that is new", &quiet));

    if bench.scale.fill_the_log {
        fill(bench, &daemon).await?;
    }
    let mirrored = Holder::of(&daemon, names("mirrored", MIRRORED), 1).await?;
    let saving = Open {
        target: Target::Save { advance: mirrored.advance(&daemon), dcs: 1, channels: 5 },
        connections: 1,
        rate: SAVES,
        span: bench.scale.open_span * 2,
    };
    let mut saving = Worker::start(&Job::Open(saving)).await?;
    saving.go().await?;
    let client = daemon.client().await?;
    let before = client.info().await?.figures.log_after;
    let busy = bench.sample(&scheduled(bench, &daemon, &holder)).await?;
    let trimmed = client.info().await?.figures.log_after - before;
    saving.kill().await?;
    let what = "while 50 files a second are written and the log is trimmed";
    let note =
        format!("{trimmed} revisions trimmed meanwhile, and the write-ahead log is checkpointed each 4 MiB");
    bench.take(figure("stalls.busy", what, &busy).note(note));
    Ok(())
}

fn figure(name: &str, what: &str, sample: &Sample) -> Figure {
    Figure::new(name, format!("Advance on a schedule, {RATE}/s, {what}")).sampled(sample)
}

fn scheduled(bench: &Bench, daemon: &Daemon, holder: &Holder) -> Job {
    let target = Target::Advance(holder.advance(daemon));
    Job::Open(Open { target, connections: CONNECTIONS, rate: RATE, span: bench.scale.open_span })
}

/// Makes the log as long as it is kept, so that every change from there on makes it trim.
async fn fill(bench: &mut Bench, daemon: &Daemon) -> anyhow::Result<()> {
    let client = daemon.client().await?;
    let holder = Holder::of(daemon, vec!["filling".into()], 1).await?;
    for _ in 0..MOST_STREAMS {
        if is_trimmed(&client).await? {
            break;
        }
        let (socket, held) = (daemon.socket(), holder.held().to_vec());
        let (changes, channels, through) = (FILLING, FILLING_CHANNELS, Through::Stub);
        bench.sample(&Job::Stream(Stream { socket, held, changes, channels, through })).await?;
    }
    if !is_trimmed(&client).await? {
        bench.skip("trimming the log: it did not become long enough");
    }
    holder.kill().await
}

async fn is_trimmed(client: &Client) -> anyhow::Result<bool> {
    Ok(client.info().await?.figures.log_after > 0)
}
