//! The daemon is killed at random moments under load, again and again. Whatever it acknowledged is there, watchers miss
//! nothing, and every file is whole.
//!
//! `SESSIOND_KILL_ROUNDS` says how often (`make test` sets it), `SESSIOND_KILL_SEED` repeats a run.

use std::{
    collections::HashMap,
    env, fs,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use sessiond_client::{Change, Client, Error, StateChange, WatchEvent, WatchOptions};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::harness::{Daemon, Random, within};

/// Rounds where nobody says how many.
const ROUNDS: usize = 10;

/// Writers, each a process with a session of its own.
const WRITERS: usize = 4;

/// The session that the writers hand around.
const RELAY: &str = "relay";

/// Names the session of its own to a process that [`plays_a_writer`].
const PLAY: &str = "SESSIOND_TEST_PLAY_WRITER";

/// Stands before what a writer says, in case the test runner has said something on the same line.
const SAYS: &str = "acknowledged:";

/// What was acknowledged: for each session the highest counter, and the revision of it.
type Ledger = Arc<Mutex<HashMap<String, (i32, i64)>>>;

/// Not a test of its own: another process, which writes and says what was acknowledged, until it is killed.
#[tokio::test]
async fn plays_a_writer() {
    let Ok(own) = env::var(PLAY) else { return };
    let client = Client::connect().await.expect("valid settings");
    let held = client.hold(&own).wait().await.expect("it is nobody else's");
    let mut counter = pts_of(held.session());
    loop {
        for _ in 0..20 {
            counter += 1;
            say(&own, counter, held.advance(change(counter)).await.expect("the daemon comes back"));
        }
        relay(&client).await;
    }
}

/// Takes the session that is handed around, writes to it and hands it on.
async fn relay(client: &Client) {
    let held = client.hold(RELAY).wait().await.expect("everyone hands it on");
    let mut counter = pts_of(held.session());
    for _ in 0..3 {
        counter += 1;
        say(RELAY, counter, held.advance(change(counter)).await.expect("the daemon comes back"));
    }
    match held.release().await {
        // The daemon may have been killed after it let the hold go, and before it said so.
        Ok(()) | Err(Error::Fenced | Error::Lost { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stdout,
    reason = "the figures are for whoever runs it, and the seed for whoever repeats it"
)]
async fn nothing_acknowledged_is_lost_however_often_the_daemon_is_killed() {
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
    let rounds = number("SESSIOND_KILL_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("SESSIOND_KILL_SEED").unwrap_or_else(|| usize::from(rand_u16()));
    let mut random = Random::seeded(seed as u64);
    println!("{rounds} rounds; to repeat them: SESSIOND_KILL_SEED={seed}");
    // A grant whose answer died with the daemon is nobody's until this has passed.
    let mut daemon = Daemon::builder().resume_window(Duration::from_secs(5)).start().await;
    let ledger = Ledger::default();
    let writers: Vec<_> = (0..WRITERS).map(|number| Writer::start(&daemon, number, &ledger)).collect();
    let watcher = tokio::spawn(watch(daemon.sessiond_client().await, Arc::clone(&ledger)));
    // A watch that breaks before it is synced starts over.
    within(until(|| seen().is_some())).await;
    let mut starts = Vec::new();

    for _ in 0..rounds {
        let before = total(&ledger);
        let more = 1 + random.below(200);
        within(until(|| total(&ledger) > before + more)).await;
        daemon.kill().await;
        check_files(&daemon.dir());
        let acknowledged = ledger.lock().expect("whole").clone();
        let started = Instant::now();
        daemon.start_again().await;
        starts.push(started.elapsed());
        check_sessions(&daemon, &acknowledged).await;
    }

    for writer in writers {
        writer.end().await;
    }
    let acknowledged = ledger.lock().expect("whole").clone();
    let last = check_sessions(&daemon, &acknowledged).await;
    within(until(|| watcher.is_finished() || seen().is_some_and(|seen| seen >= last))).await;
    if watcher.is_finished() {
        panic!("the watch ended: {:?}", watcher.await);
    }
    watcher.abort();
    assert!(daemon.stop().await.success());
    check_files(&daemon.dir());
    check(&daemon.dir().join("sessiond.db"));
    starts.sort_unstable();
    let (median, longest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!(
        "{} changes acknowledged, none lost; ready after {median:?}, at most {longest:?}",
        total(&ledger)
    );
}

/// Newest revision that the watcher was told.
static SEEN: Mutex<Option<i64>> = Mutex::new(None);

/// Follows everything, across every kill, and compares each event with the one before it.
async fn watch(client: Client, ledger: Ledger) {
    let mut watch = client.watch(WatchOptions::all());
    let mut sessions: HashMap<String, i64> = HashMap::new();
    let (mut last, mut starts) = (0, 0);
    while let Some(event) = watch.next().await {
        match event.expect("it comes back") {
            WatchEvent::Restarted(reason) => {
                starts += 1;
                assert_eq!(starts, 1, "it never has to start over: {reason:?}");
            }
            WatchEvent::Snapshot(snapshot) => {
                sessions.insert(snapshot.name.to_string(), snapshot.revision);
            }
            WatchEvent::Synced { revision, .. } | WatchEvent::Bookmark { revision } => {
                last = last.max(revision);
            }
            WatchEvent::Commit(commit) => {
                assert!(commit.revision > last, "{} after {last}", commit.revision);
                last = commit.revision;
                let known = sessions.entry(commit.name.to_string()).or_default();
                assert_eq!(commit.previous_revision, *known, "before {last} of {}", commit.name);
                if !matches!(commit.change, Change::HoldChanged { .. }) {
                    *known = last;
                }
                if let Change::Advanced(change) = &commit.change {
                    let ledger = ledger.lock().expect("whole");
                    let told =
                        ledger.get(commit.name.as_str()).filter(|(counter, _)| change.pts == Some(*counter));
                    assert!(told.is_none_or(|(_, revision)| *revision == last), "{last} of {}", commit.name);
                }
            }
            _ => {}
        }
        if last > 0 {
            *SEEN.lock().expect("whole") = Some(last);
        }
    }
}

fn seen() -> Option<i64> {
    *SEEN.lock().expect("whole")
}

fn rand_u16() -> u16 {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).expect("random numbers");
    u16::from_le_bytes(bytes)
}

/// Everything acknowledged is there. Answers the newest revision of a session.
async fn check_sessions(daemon: &Daemon, acknowledged: &HashMap<String, (i32, i64)>) -> i64 {
    let client = daemon.sessiond_client().await;
    let mut newest = 0;
    for (name, (counter, revision)) in acknowledged {
        let loaded = client.load(name).await.expect("readable");
        let there = pts_of(loaded.session.as_ref());
        assert!(there >= *counter, "{name} has pts {there}, and {counter} was acknowledged");
        assert!(
            loaded.revision >= *revision,
            "{name} is at {}, and {revision} was acknowledged",
            loaded.revision
        );
        newest = newest.max(*revision);
    }
    newest
}

/// Every session's own file is whole, as any program that opens it finds.
fn check_files(directory: &Path) {
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "session") {
            check(&path);
        }
    }
}

fn check(path: &Path) {
    let database = rusqlite::Connection::open(path).expect("it opens");
    let verdict: String =
        database.query_row("pragma integrity_check", (), |row| row.get(0)).expect("a database");
    assert_eq!(verdict, "ok", "{}", path.display());
}

/// A process that writes, and what it says.
struct Writer {
    process: Child,
    reader: JoinHandle<()>,
}

impl Writer {
    fn start(daemon: &Daemon, number: usize, ledger: &Ledger) -> Self {
        let mut command = Command::new(env::current_exe().expect("known"));
        command.args(["kill_loop::plays_a_writer", "--exact", "--nocapture"]);
        command.env(PLAY, format!("own-{number}")).env("SESSIOND_SOCKET", daemon.socket());
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("started");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let ledger = Arc::clone(ledger);
        let reader = tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.expect("readable") {
                let Some((_, said)) = line.split_once(SAYS) else { continue };
                let [name, counter, revision] = said.split(' ').collect::<Vec<_>>()[..] else {
                    panic!("{line}")
                };
                let (counter, revision) =
                    (counter.parse().expect("a number"), revision.parse().expect("a number"));
                let mut ledger = ledger.lock().expect("whole");
                let known = ledger.entry(name.to_owned()).or_insert((0, 0));
                // Two writers' lines about the session that is handed around may arrive in either order.
                *known = (*known).max((counter, revision));
            }
        });
        Self { process, reader }
    }

    /// Kills it, once what it said is read.
    async fn end(mut self) {
        self.process.kill().await.expect("killed");
        within(self.reader).await.expect("read to the end");
    }
}

/// Changes acknowledged so far.
fn total(ledger: &Ledger) -> usize {
    let ledger = ledger.lock().expect("whole");
    ledger.values().map(|(counter, _)| usize::try_from(*counter).expect("not negative")).sum()
}

async fn until(so: impl Fn() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    while !so() {
        tick.tick().await;
    }
}

fn change(counter: i32) -> StateChange {
    StateChange { pts: Some(counter), ..StateChange::default() }
}

fn pts_of(session: Option<&sessiond_client::Session>) -> i32 {
    session.and_then(|session| session.state.as_ref()).map_or(0, |state| state.pts)
}

#[expect(clippy::print_stdout, reason = "whoever started this process reads it")]
fn say(name: &str, counter: i32, revision: i64) {
    println!("{SAYS}{name} {counter} {revision}");
}
