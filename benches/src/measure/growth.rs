//! What the cost of an Advance must not depend on: channels in the session, and watchers of others.

use super::{CONNECTIONS, Holder, crowd, turns};
use crate::{
    bench::Bench,
    daemon::Daemon,
    figure::{Figure, Sample},
    load::{Advance, Fill, Job, Target, Watchers},
    worker::Worker,
};

/// Channels of the small session and of the large one.
const FEW: i32 = 10;
const MANY: i32 = 50_000;

/// Watchers of another session.
const WATCHERS: usize = 1_000;

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    channels(bench).await?;
    watchers(bench).await
}

async fn channels(bench: &mut Bench) -> anyhow::Result<()> {
    let daemon = bench.daemon().await?;
    for (name, channels) in [("small", FEW), ("large", MANY)] {
        let fill =
            Fill { socket: daemon.socket(), names: vec![name.into()], dcs: 1, channels: channels.into() };
        bench.sample(&Job::Fill(fill)).await?;
    }
    let small = Holder::of(&daemon, vec!["small".into()], 1).await?;
    let large = Holder::of(&daemon, vec!["large".into()], 1).await?;
    let few = Advance { channels: FEW, ..small.advance(&daemon) };
    let many = Advance { channels: MANY, ..large.advance(&daemon) };
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..bench.scale.rounds {
        of_few.push(one(bench, &few).await?);
        of_many.push(one(bench, &many).await?);
    }
    let figure = |name: &str, channels| {
        Figure::new(
            format!("growth.channels.{name}"),
            format!("Advance, 1 client, session of {channels} channels"),
        )
    };
    bench.take(figure("few", FEW).median(&of_few));
    bench.take(figure("many", MANY).median(&of_many));
    ratio(bench, "growth.channels.ratio", "p50 with 50,000 channels to p50 with 10", &of_few, &of_many);
    Ok(())
}

async fn watchers(bench: &mut Bench) -> anyhow::Result<()> {
    let daemon = bench.daemon().await?;
    let holder = Holder::of(&daemon, vec!["alice".into()], 1).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..bench.scale.rounds {
        without.push(one(bench, &holder.advance(&daemon)).await?);
        let watching = watch_elsewhere(&daemon).await?;
        with.push(one(bench, &holder.advance(&daemon)).await?);
        watching.end().await?;
    }
    bench.take(Figure::new("growth.watchers.none", "Advance, 1 client, nobody watches").median(&without));
    let what = "Advance, 1 client, 1,000 watch another session";
    bench.take(Figure::new("growth.watchers.many", what).median(&with));
    ratio(
        bench,
        "growth.watchers.ratio",
        "p50 with 1,000 watchers elsewhere to p50 without",
        &without,
        &with,
    );
    Ok(())
}

async fn watch_elsewhere(daemon: &Daemon) -> anyhow::Result<Worker> {
    let (socket, name) = (daemon.socket(), "elsewhere".into());
    Worker::start(&Job::Watch(Watchers {
        socket,
        name,
        watchers: WATCHERS,
        connections: CONNECTIONS,
        changes: 0,
    }))
    .await
}

async fn one(bench: &Bench, advance: &Advance) -> anyhow::Result<Sample> {
    bench.sample(&crowd(bench, Target::Advance(advance.clone()), 1, 1)).await
}

fn ratio(bench: &mut Bench, name: &str, what: &str, before: &[Sample], after: &[Sample]) {
    if let Some(ratio) = turns::slower(after, &[before]) {
        bench.take(Figure::new(name, what).amount(ratio, "x"));
    }
}
