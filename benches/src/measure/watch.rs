//! From a change to those who watch.

use super::{CONNECTIONS, Holder};
use crate::{
    bench::Bench,
    figure::Figure,
    load::{Job, Paced, Watched, Watchers, changes_within},
    worker::Worker,
};

/// One way to watch.
struct Scene {
    key: &'static str,
    watchers: usize,
    /// Changes a second.
    rate: u32,
}

/// Few at a high rate, and many at a low one.
const SCENES: [Scene; 3] = [
    Scene { key: "1", watchers: 1, rate: 1_000 },
    Scene { key: "100", watchers: 100, rate: 10_000 },
    Scene { key: "1000", watchers: 1_000, rate: 500 },
];

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    empty(bench).await?;
    for scene in SCENES {
        measure(bench, &scene).await?;
    }
    Ok(())
}

/// What the streams and this program's watchers can do at all: with a server that has changes without an end.
async fn empty(bench: &mut Bench) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("echo.sock");
    let server = Worker::start(&Job::Echo { socket: socket.clone() }).await?;
    for Scene { watchers, .. } in SCENES {
        let changes = usize::try_from(bench.scale.stream_changes)? / watchers;
        let connections = CONNECTIONS.min(watchers);
        let watching =
            Watchers { socket: socket.clone(), name: "watched".into(), watchers, connections, changes };
        let mut watching = Worker::start(&Job::Watch(watching)).await?;
        watching.go().await?;
        let seen: Watched = watching.hear().await?;
        watching.end().await?;
        let what =
            format!("the same messages from a server that does nothing else, {watchers} watchers in all");
        bench.take(
            Figure::new(format!("watch.empty.{watchers}"), what)
                .rate((changes * watchers) as f64 / seen.seconds),
        );
    }
    server.end().await
}

async fn measure(bench: &mut Bench, scene: &Scene) -> anyhow::Result<()> {
    let Scene { key, watchers, rate } = *scene;
    let daemon = bench.daemon().await?;
    let holder = Holder::of(&daemon, vec!["watched".into()], 1).await?;
    let changes = changes_within(rate, bench.scale.open_span);
    let watching = Watchers {
        socket: daemon.socket(),
        name: "watched".into(),
        watchers,
        connections: CONNECTIONS.min(watchers),
        changes: usize::try_from(changes)?,
    };
    let mut watching = Worker::start(&Job::Watch(watching)).await?;
    watching.go().await?;
    let paced = Paced { socket: daemon.socket(), held: holder.held()[0].clone(), rate, changes };
    let written = bench.sample(&Job::Paced(paced)).await?;
    let seen: Watched = watching.hear().await?;
    watching.end().await?;

    let scene = format!("{watchers} watchers at {rate} changes a second");
    let figure =
        |part: &str, what: &str| Figure::new(format!("watch.{key}.{part}"), format!("{scene}: {what}"));
    bench.take(figure("durable", "schedule to acknowledgement").sampled(&written));
    bench.take(figure("seen", "commit to watcher").late(&seen.after_commit));
    bench.take(figure("scheduled", "schedule to watcher").late(&seen.after_schedule));
    bench.take(figure("last", "schedule to the last watcher").late(&seen.last));
    Ok(())
}
