//! Few sessions against many: how soon the daemon is ready, how large, and how fast.

use super::{Holder, crowd, names, turns};
use crate::{
    bench::Bench,
    daemon::Daemon,
    figure::Figure,
    limits,
    load::{Fill, Job, Target},
};

/// Sessions of the small daemon.
const FEW: usize = 100;

/// What each session has: keys of two data centers, a user, counters, and a few channels.
const DCS: i32 = 2;
const CHANNELS: i64 = 5;

/// Holds on one connection: the daemon takes 1,024 streams on each.
const PER_CONNECTION: usize = 1_000;

/// Open files that are asked for, for each session that is held: it has one, and five of eight are for those.
const FILES_EACH: usize = 2;

/// Sessions that are made before the daemon is killed and started again: it writes 50 of their files a second, and begins
/// each time with none that are still to be written.
const AT_A_TIME: usize = 4_000;

/// How many more sessions there are at each point of the plot.
const PLOTTED_EACH: usize = 20_000;

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    limits::open_files(bench.scale.held * FILES_EACH);
    let many = bench.scale.sessions;
    let mut megabytes = Vec::new();
    let mut small = filled(bench, FEW).await?;
    let mut large = filled(bench, many).await?;
    for (key, count, daemon) in [("few", FEW, &mut small), ("many", many, &mut large)] {
        daemon.stop().await?;
        daemon.start_again().await?;
        let ready = daemon.ready_after.as_secs_f64() * 1_000.0;
        bench.take(
            Figure::new(format!("many.ready.{key}"), format!("start to ready with {count} sessions"))
                .amount(ready, "ms"),
        );
        let what = format!("memory with {count} sessions, just started");
        megabytes.push(daemon.memory()? / 1e6);
        bench.take(
            Figure::new(format!("many.memory.at.{count}"), what).amount(megabytes[megabytes.len() - 1], "MB"),
        );
    }
    if many > FEW {
        let each = (megabytes[1] - megabytes[0]) * 1e3 / (many - FEW) as f64;
        bench.take(Figure::new("many.memory.known", "memory of a session that is known").amount(each, "kB"));
    }
    compare(bench, &small, &large).await?;
    hold(bench, &large).await
}

/// A daemon with so many sessions that nobody holds.
async fn filled(bench: &mut Bench, count: usize) -> anyhow::Result<Daemon> {
    let mut daemon = bench.daemon().await?;
    let mut made = Vec::new();
    let mut known = 0;
    for names in names("session", count).chunks(AT_A_TIME) {
        if known > 0 {
            daemon.kill().await?;
            daemon.start_again().await?;
        }
        if known > 0 && known % PLOTTED_EACH == 0 {
            let what = format!("memory with {known} sessions, just started");
            let megabytes = daemon.memory()? / 1e6;
            bench.take(Figure::new(format!("many.memory.at.{known}"), what).amount(megabytes, "MB"));
        }
        known += names.len();
        let fill = Fill { socket: daemon.socket(), names: names.to_vec(), dcs: DCS, channels: CHANNELS };
        made.push(bench.sample(&Job::Fill(fill)).await?);
    }
    let what = format!("{count} sessions made: hold, save, release");
    let name = if count == FEW { "many.made.few" } else { "many.made.many" };
    bench.take(Figure::new(name, what).median(&made));
    Ok(daemon)
}

/// One client's changes, of both in turns.
async fn compare(bench: &mut Bench, small: &Daemon, large: &Daemon) -> anyhow::Result<()> {
    let (of_small, of_large) = (
        Holder::of(small, vec!["session-0".into()], 1).await?,
        Holder::of(large, vec!["session-0".into()], 1).await?,
    );
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..bench.scale.rounds {
        few.push(bench.sample(&crowd(bench, Target::Advance(of_small.advance(small)), 1, 1)).await?);
        many.push(bench.sample(&crowd(bench, Target::Advance(of_large.advance(large)), 1, 1)).await?);
    }
    let ratio = turns::slower(&many, &[&few]);
    bench.take(
        Figure::new("many.advance.few", format!("Advance, 1 client, {FEW} sessions known")).median(&few),
    );
    let count = bench.scale.sessions;
    bench.take(
        Figure::new("many.advance.many", format!("Advance, 1 client, {count} sessions known")).median(&many),
    );
    if let Some(ratio) = ratio {
        let what = format!("p50 with {count} sessions to p50 with {FEW}");
        bench.take(Figure::new("many.advance.ratio", what).amount(ratio, "x"));
    }
    of_small.kill().await?;
    of_large.kill().await
}

/// What a session costs that is held.
async fn hold(bench: &mut Bench, large: &Daemon) -> anyhow::Result<()> {
    let files = limits::open_files(bench.scale.held * FILES_EACH);
    let held = bench.scale.held.min(files / FILES_EACH);
    if held < bench.scale.held {
        let wanted = bench.scale.held;
        bench.skip(format!(
            "{wanted} held sessions: {files} files may be open here (ulimit -Hn), enough for {held}"
        ));
    }
    let before = large.memory()?;
    let names = (0..held).map(|number| format!("session-{}", number + 1)).collect();
    let started = std::time::Instant::now();
    let holder = Holder::of(large, names, held.div_ceil(PER_CONNECTION)).await?;
    let seconds = started.elapsed().as_secs_f64();
    let per_session = (large.memory()? - before) / held as f64;
    let what = format!("memory of a session that is held, of {held}");
    bench.take(Figure::new("many.memory.held", what).amount(per_session / 1e3, "kB"));
    let what = format!("{held} sessions held by one process, one after the other");
    bench.take(Figure::new("many.held", what).rate(held as f64 / seconds));
    holder.kill().await
}
