//! Streams of changes.

use super::{Holder, names};
use crate::{
    bench::Bench,
    daemon::Daemon,
    figure::Figure,
    load::{Job, Possession, Stream, Through},
    worker::Worker,
};

/// Streams at once, each on a connection of its own and of a session of its own.
const STREAMS: [usize; 2] = [1, 4];

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    echo(bench).await?;
    let daemon = bench.daemon().await?;
    for streams in STREAMS {
        let holder = Holder::of(&daemon, names("streamed", streams), 1).await?;
        for (key, what, through) in
            [("", "", Through::Stub), (".client", ", through the Rust client", Through::RustClient)]
        {
            let name = format!("stream.advance.{streams}{key}");
            let what = format!("AdvanceStream, {}{what}", links(streams));
            measure(bench, name, what, &stream(bench, &daemon, holder.held(), through)).await?;
        }
        holder.kill().await?;
    }
    Ok(())
}

/// What the streams themselves cost: to a server that does nothing with them.
async fn echo(bench: &mut Bench) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("echo.sock");
    let server = Worker::start(&Job::Echo { socket: socket.clone() }).await?;
    for streams in STREAMS {
        let held = names("echo", streams)
            .into_iter()
            .map(|name| Possession { name, token: String::new() })
            .collect();
        let changes = bench.scale.stream_changes / u32::try_from(streams)?;
        let job = Job::Stream(Stream {
            socket: socket.clone(),
            held,
            changes,
            channels: 0,
            through: Through::Stub,
        });
        let name = format!("stream.empty.{streams}");
        let what = format!("the same messages to a server that does nothing, {}", links(streams));
        measure(bench, name, what, &job).await?;
    }
    server.end().await
}

async fn measure(bench: &mut Bench, name: String, what: String, job: &Job) -> anyhow::Result<()> {
    let runs = bench.runs(job).await?;
    bench.take(Figure::new(name, what).median(&runs));
    Ok(())
}

fn stream(bench: &Bench, daemon: &Daemon, held: &[Possession], through: Through) -> Job {
    let changes = bench.scale.stream_changes / u32::try_from(held.len()).unwrap_or(u32::MAX);
    Job::Stream(Stream { socket: daemon.socket(), held: held.to_vec(), changes, channels: 0, through })
}

fn links(streams: usize) -> String {
    if streams == 1 { "1 connection".into() } else { format!("{streams} connections") }
}
