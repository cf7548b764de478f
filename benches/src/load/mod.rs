//! What a load generator does. It is this program once more, told what to do by one line of JSON on its standard input, and
//! everything that it says is a line of JSON too.

mod advance;
pub(crate) mod clock;
mod closed;
mod connection;
mod crowd;
mod disk;
mod echo;
mod etcd;
mod fill;
mod hold;
mod ledger;
mod open;
mod pacer;
mod redis;
mod rust_client;
mod span;
mod stream;
mod target;
mod telling;
mod watch;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::telling::Telling;
pub(crate) use self::{
    advance::Advance,
    crowd::Crowd,
    disk::{Disk, Work},
    fill::Fill,
    hold::{Held, Holding, Possession},
    ledger::Ledger,
    open::Open,
    span::Span,
    stream::{Paced, Stream, Through, changes_within},
    target::Target,
    watch::{Watched, Watchers},
};

/// What a generator waits for between being ready and beginning.
pub(crate) const GO: &str = "go";

/// What a generator is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Each client calls, waits for the answer, and calls again.
    Closed(Crowd),
    /// Calls are made on a schedule, whatever became of those before.
    Open(Open),
    /// Writes to a disk without any daemon.
    Disk(Disk),
    /// Pushes changes as fast as they go.
    Stream(Stream),
    /// Pushes changes on a schedule.
    Paced(Paced),
    /// Serves streams of changes, and does nothing with them.
    Echo { socket: PathBuf },
    /// Follows sessions.
    Watch(Watchers),
    /// Holds sessions, or waits for them.
    Hold(Held),
    /// Makes sessions that nobody holds afterwards.
    Fill(Fill),
    /// Changes sessions until the daemon is gone.
    Ledger(Advance),
}

/// Plays the generator that the standard input asks for.
///
/// # Errors
/// What it was to measure could not be done.
pub(crate) fn play() -> anyhow::Result<()> {
    let (telling, job) = Telling::open()?;
    let runtime = if matches!(job, Job::Watch(_)) {
        // Those who watch are many programs, which run on any processor. On one thread they would all wait together whenever
        // the scheduler prefers the daemon's threads.
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?
    } else {
        // One thread: the daemon has the other processor, and each of a generator's threads would take from it.
        tokio::runtime::Builder::new_current_thread().enable_all().build()?
    };
    runtime.block_on(async {
        match job {
            Job::Closed(crowd) => closed::run(telling, crowd).await,
            Job::Open(open) => open::run(telling, open).await,
            Job::Disk(disk) => disk::run(telling, disk).await,
            Job::Stream(stream) => stream::run(telling, stream).await,
            Job::Paced(paced) => stream::run_paced(telling, paced).await,
            Job::Echo { socket } => echo::run(telling, &socket).await,
            Job::Watch(watchers) => watch::run(telling, watchers).await,
            Job::Hold(held) => hold::run(telling, held).await,
            Job::Fill(fill) => fill::run(telling, fill).await,
            Job::Ledger(advance) => ledger::run(telling, advance).await,
        }
    })
}
