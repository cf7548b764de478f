//! Eight processes share three sessions, are killed at random and start again, and the daemon is killed among them. Nothing
//! acknowledged is lost, nobody holds what another does, and every watcher is told everything. Beside it the same load on
//! Telethon's own files.
//!
//! In Rust alone, unless `SESSIOND_TEST_CLIENTS` names the folder that `make clients` fills. `SESSIOND_CLIENT_SECONDS` says
//! how long (`make test` sets it), `SESSIOND_TEST_TELETHON` where Telethon is.

mod record;
mod telethon;
mod worker;

use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use tokio::time::{sleep_until, timeout};

use self::{record::Record, worker::Worker};
use crate::{
    conformance::{Language, languages},
    harness::{Client, Daemon, Random},
};

/// How long it goes where nobody says.
const SECONDS: u64 = 3;

const PROCESSES: usize = 8;

/// The sessions that they share.
const SESSIONS: [&str; 3] = ["account-1", "account-2", "account-3"];

/// How long a process lives before it is killed, in milliseconds.
const LIFE: (usize, usize) = (700, 4_000);

/// A grant whose answer died with the daemon is nobody's until this has passed.
const RESUME_WINDOW: Duration = Duration::from_secs(5);

/// Longest that the end is waited for once nobody begins anything any more.
const ENDS_WITHIN: Duration = Duration::from_mins(2);

/// What came of a load, for the table.
struct Outcome {
    what: String,
    killed: usize,
    acknowledged: usize,
    lock_errors: usize,
    lost: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_are_killed_share_sessions_and_lose_nothing() {
    let seconds = env::var("SESSIOND_CLIENT_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let span = Duration::from_secs(seconds.unwrap_or(SECONDS));
    let mut outcomes = vec![share(span).await];
    if let Some(venvs) = env::var_os("SESSIOND_TEST_TELETHON") {
        outcomes.push(telethon::share(Path::new(&venvs), span).await);
    }
    publish(&table(span, &outcomes));
}

/// The load on the daemon.
async fn share(span: Duration) -> Outcome {
    let mut daemon = Daemon::builder().resume_window(RESUME_WINDOW).start().await;
    let record = Arc::new(Record::default());
    let until = Instant::now() + span;
    let languages = cast();
    let workers = languages.iter().enumerate().map(|(number, language)| {
        tokio::spawn(Worker::new(number, language.clone(), &daemon, &record).work(until))
    });
    let workers = try_join_all(workers.collect::<Vec<_>>());
    sleep_until((Instant::now() + span / 2).into()).await;
    daemon.kill().await;
    daemon.start_again().await;
    let ended = timeout(span + ENDS_WITHIN, workers).await.expect("they come to an end");
    let workers = ended.expect("none panics");
    let last = last_revision(&daemon.client().await).await;
    for worker in workers {
        let mut worker = worker.unwrap_or_else(|error| panic!("{error}"));
        let told = timeout(ENDS_WITHIN, worker.follow_to(last)).await.expect("it is told everything");
        told.unwrap_or_else(|error| panic!("{worker}: {error}"));
        record.check(&worker.view).unwrap_or_else(|error| panic!("{worker}: {error}"));
    }
    let mut lost = 0;
    for name in SESSIONS {
        let loaded = daemon.sessiond_client().await.load(name).await.expect("readable");
        let pts = loaded.session.and_then(|session| session.state).map_or(0, |state| state.pts);
        lost += record.lost(name, pts, loaded.revision).unwrap_or_else(|error| panic!("{error}"));
    }
    let names: BTreeSet<_> = languages.iter().map(|language| language.name).collect();
    Outcome {
        what: format!("sessiond, in {}", names.into_iter().collect::<Vec<_>>().join(", ")),
        killed: record.killed(),
        acknowledged: record.acknowledged(),
        // Any error at all would have ended the test.
        lock_errors: 0,
        lost,
    }
}

/// Who plays: each language in turn, of Python's two clients first the one and then the other.
fn cast() -> Vec<Language> {
    let (asynchronous, mut languages): (Vec<_>, Vec<_>) =
        languages().into_iter().partition(|language| language.name == "python-aio");
    let mut second = languages.clone();
    if let (Some(python), [asynchronous]) =
        (second.iter_mut().find(|l| l.name == "python"), &asynchronous[..])
    {
        *python = asynchronous.clone();
    }
    languages.append(&mut second);
    languages.into_iter().cycle().take(PROCESSES).collect()
}

async fn last_revision(client: &Client) -> i64 {
    let info = client.admin.clone().get_server_info(sessiond_proto::v1::GetServerInfoRequest {}).await;
    info.expect("answered").into_inner().figures.expect("always told").revision
}

fn life(random: &mut Random) -> Duration {
    let (shortest, longest) = LIFE;
    Duration::from_millis((shortest + random.below(longest - shortest)) as u64)
}

fn table(span: Duration, outcomes: &[Outcome]) -> String {
    let mut table = format!(
        "{PROCESSES} processes, {} sessions, {} s, processes killed at random\n\n\
         | | killed | states acknowledged | lock errors | states lost |\n|---|--:|--:|--:|--:|\n",
        SESSIONS.len(),
        span.as_secs(),
    );
    for Outcome { what, killed, acknowledged, lock_errors, lost } in outcomes {
        table += &format!("| {what} | {killed} | {acknowledged} | {lock_errors} | {lost} |\n");
    }
    table
}

/// Prints the table, and writes it beside what is built, for the README.
#[expect(clippy::print_stdout, reason = "it is for whoever runs the test")]
fn publish(table: &str) {
    println!("{table}");
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), Into::into);
    fs::write(target.join("processes.md"), table).expect("writable");
}
