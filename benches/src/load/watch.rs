//! Watchers. Each checks what it is told, and says how late.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use sessiond_proto::v1::{self, session_service_client::SessionServiceClient, watch_response::Event};
use tokio::task::JoinSet;
use tonic::Streaming;

use super::{clock, connection::connections, telling::Telling};
use crate::figure::{Latencies, histogram, note};

/// Watchers in one process, all of the same session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Watchers {
    pub(crate) socket: PathBuf,
    pub(crate) name: String,
    pub(crate) watchers: usize,
    pub(crate) connections: usize,
    /// Changes that each is to see, numbered by their pts from 1. 0: whatever comes, until the end.
    pub(crate) changes: usize,
}

/// How late watchers saw changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Watched {
    /// From the word to begin until every watcher had seen everything.
    pub(crate) seconds: f64,
    /// After the time that the daemon stamps, before it syncs. Of every change and every watcher.
    pub(crate) after_commit: Latencies,
    /// After the time at which the change was to be sent.
    pub(crate) after_schedule: Latencies,
    /// The same for whoever saw it last. Of every change.
    pub(crate) last: Latencies,
}

pub(super) async fn run(mut telling: Telling, job: Watchers) -> anyhow::Result<()> {
    let channels = connections(&job.socket, job.connections).await?;
    let mut watches = Vec::with_capacity(job.watchers);
    for at in 0..job.watchers {
        let mut client = SessionServiceClient::new(channels[at % job.connections].clone());
        let request = v1::WatchRequest { names: vec![job.name.clone()], ..Default::default() };
        let mut watch = client.watch(request).await?.into_inner();
        let revision = synced(&mut watch).await?;
        watches.push((watch, revision));
    }
    if job.changes == 0 {
        telling.say(&())?;
        let _reading: JoinSet<_> = watches.into_iter().map(|(watch, _)| read(watch)).collect();
        return telling.end().await;
    }
    telling.ready().await?;
    let begun = Instant::now();
    let seen = Arc::new(Seen::of(job.changes, job.connections));
    let mut tasks: JoinSet<_> = watches
        .into_iter()
        .enumerate()
        .map(|(at, (watch, revision))| follow(watch, revision, at % job.connections, Arc::clone(&seen)))
        .collect();
    while let Some(followed) = tasks.join_next().await {
        followed??;
    }
    telling.say(&seen.summary(begun.elapsed()))?;
    telling.end().await
}

/// What all watchers of this process have seen so far.
struct Seen {
    /// By connection, whose watchers are read one after the other: one for each would take more memory than its watch.
    late: Vec<Mutex<Late>>,
    /// By change, how late the last one saw it.
    last: Vec<AtomicU64>,
}

struct Late {
    after_commit: Histogram<u64>,
    after_schedule: Histogram<u64>,
}

impl Seen {
    fn of(changes: usize, connections: usize) -> Self {
        let late = || Mutex::new(Late { after_commit: histogram(), after_schedule: histogram() });
        let late = (0..connections).map(|_| late()).collect();
        Self { late, last: (0..changes).map(|_| AtomicU64::new(0)).collect() }
    }

    fn note(&self, change: usize, connection: usize, after_schedule: u64, after_commit: u64) {
        self.last[change].fetch_max(after_schedule, Relaxed);
        let mut late = self.late[connection].lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut late.after_schedule, after_schedule);
        note(&mut late.after_commit, after_commit);
    }

    fn summary(&self, took: Duration) -> Watched {
        let mut last = histogram();
        self.last.iter().for_each(|latency| note(&mut last, latency.load(Relaxed)));
        let (mut after_commit, mut after_schedule) = (histogram(), histogram());
        for late in &self.late {
            let late = late.lock().unwrap_or_else(PoisonError::into_inner);
            after_commit += &late.after_commit;
            after_schedule += &late.after_schedule;
        }
        Watched {
            seconds: took.as_secs_f64(),
            after_commit: after_commit.into(),
            after_schedule: after_schedule.into(),
            last: last.into(),
        }
    }
}

/// Reads up to synced, and answers the session's revision.
async fn synced(watch: &mut Streaming<v1::WatchResponse>) -> anyhow::Result<i64> {
    let mut revision = 0;
    loop {
        let response = watch.message().await?.context("a watch ended early")?;
        match response.event {
            Some(Event::Snapshot(_)) => revision = response.revision,
            Some(Event::Synced(_)) => return Ok(revision),
            _ => {}
        }
    }
}

/// Reads whatever comes.
async fn read(mut watch: Streaming<v1::WatchResponse>) {
    while let Ok(Some(_)) = watch.message().await {}
}

/// Reads until all changes were seen.
async fn follow(
    mut watch: Streaming<v1::WatchResponse>,
    mut revision: i64,
    connection: usize,
    seen: Arc<Seen>,
) -> anyhow::Result<()> {
    let mut number = 0;
    while number < seen.last.len() {
        let response = watch.message().await?.context("a watch ended early")?;
        let Some(Event::Change(change)) = response.event else { continue };
        anyhow::ensure!(
            response.previous_revision == revision,
            "an event is missing before {}",
            response.revision
        );
        anyhow::ensure!(usize::try_from(change.pts())? == number + 1, "pts {} is not the next", change.pts());
        let committed = SystemTime::try_from(response.time.context("an event has no time")?)?;
        let after_schedule = clock::now().saturating_sub(u64::try_from(change.date())?);
        seen.note(number, connection, after_schedule, clock::since(committed));
        revision = response.revision;
        number += 1;
    }
    Ok(())
}
