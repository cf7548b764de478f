//! A disk that is full: writes are refused cleanly, holds can be let go, and nothing acknowledged is lost.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::geteuid;
use sessiond_proto::{Reason, v1};
use tonic::{Code, Status};

use crate::cli::run::run;
use crate::harness::{Client, Daemon, Held, channel, expect_reason, pts, random_session, within};

/// Size of the disk: enough for a store that has just been made, and little more.
const DISK: &str = "size=24m,mode=0700";

/// A small disk of its own, mounted where a daemon keeps its sessions. Dropping it takes it away.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// `None`: only root may mount.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests should know that one was not run")]
    fn mount(path: &Path) -> Option<Self> {
        if !geteuid().is_root() {
            eprintln!("skipped: only root can mount a small disk");
            return None;
        }
        fs::DirBuilder::new().mode(0o700).create(path).expect("made");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "none"]).arg(path).status();
        assert!(mounted.expect("mount is there").success(), "a tmpfs can be mounted");
        Some(Self { path: path.to_owned() })
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("made");
        while ballast.write_all(&[0; 4_096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).expect("it was there");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The daemon that uses it may be alive still: it goes when that does.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

/// Fills the disk and saves large sessions until one is refused. Answers the last one that was not, and the refusal.
async fn save_until_refused(held: &Held, disk: &Disk) -> (v1::Session, Status) {
    let mut last = random_session();
    held.save(last.clone()).await;
    disk.fill();
    for round in 1.. {
        let channels = (1..90_000).map(|id| channel(id, round)).collect();
        let state = v1::UpdateState { channels, ..last.state.clone().expect("it has one") };
        let next = v1::Session { state: Some(state), ..last.clone() };
        match held.client.save(held.save_request(next.clone())).await {
            Ok(_) => last = next,
            Err(refused) => return (last, refused),
        }
    }
    unreachable!("no disk takes everything")
}

fn expect_full(status: &Status) {
    expect_reason(status, Code::ResourceExhausted, Reason::StorageFull);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_loses_nothing() {
    let mut daemon = Daemon::builder().prepare();
    let Some(disk) = Disk::mount(&daemon.dir()) else { return };
    daemon.start_again().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let other = client.hold("bob").await;
    other.advance(pts(7)).await;

    let (last, refused) = save_until_refused(&held, &disk).await;
    expect_full(&refused);
    assert_eq!(held.load().await.0.as_ref(), Some(&last), "what was refused changed nothing");
    let mode = fs::metadata(daemon.dir()).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    // Letting go goes on.
    other.release().await;
    client.end_hold("alice").await;
    assert_eq!(holders(&client).await, 0);
    drop(held);

    // And with room, everything does.
    disk.free();
    let held = hold_when_there_is_room(&client, "alice").await;
    assert_eq!(held.session, Some(last.clone()), "nothing acknowledged is lost");
    held.advance(pts(2_000)).await;
    let bob = client.hold("bob").await;
    bob.advance(pts(8)).await;

    // Nor is it after a kill.
    daemon.kill().await;
    daemon.start_again().await;
    let client = daemon.client().await;
    let alice = client.load("alice").await.session.expect("it is there");
    assert_eq!(alice.state.as_ref().map(|state| state.pts), Some(2_000));
    assert_eq!(alice.state.map(|state| state.channels), last.state.map(|state| state.channels));
    let bob = client.load("bob").await.session.and_then(|session| session.state);
    assert_eq!(bob.map(|state| state.pts), Some(8));

    // That holds were let go is on record, since room was kept for it.
    let dir = daemon.dir();
    run(&daemon, &["audit", "verify", "--dir", dir.to_str().expect("UTF-8")]).await.text();
    let record = fs::read_to_string(dir.join("audit.jsonl")).expect("there");
    let is_recorded = |event: &str| record.contains(&format!("\"event\":\"{event}\""));
    assert!(is_recorded("hold_released") && is_recorded("hold_ended") && !is_recorded("missed"), "{record}");
}

#[tokio::test]
async fn a_daemon_killed_on_a_full_disk_starts_when_there_is_room() {
    let mut daemon = Daemon::builder().prepare();
    let Some(disk) = Disk::mount(&daemon.dir()) else { return };
    daemon.start_again().await;
    let held = daemon.client().await.hold("alice").await;
    let (last, refused) = save_until_refused(&held, &disk).await;
    expect_full(&refused);

    daemon.kill().await;
    disk.free();
    daemon.start_again().await;

    let loaded = daemon.client().await.load("alice").await.session.expect("it is there");
    assert_eq!(loaded.state, last.state);
}

/// More holds than would fit into what is left of a write-ahead log.
const HOLDS: usize = 200;

#[tokio::test]
async fn however_many_hold_on_a_full_disk_all_can_let_go() {
    let mut daemon = Daemon::builder().prepare();
    let Some(disk) = Disk::mount(&daemon.dir()) else { return };
    daemon.start_again().await;
    let client = daemon.client().await;
    let large = client.hold("large").await;
    let mut held = Vec::new();
    for number in 0..HOLDS {
        held.push(client.hold(&format!("session-{number}")).await);
    }
    expect_full(&save_until_refused(&large, &disk).await.1);

    let (mut acknowledged, mut next) = (0, 1);
    for held in &held {
        // Whatever takes the room that there is.
        for _ in 0..5 {
            match large.client.advance(large.advance_request(pts(next))).await {
                Ok(revision) => (acknowledged, next) = (revision, next + 1),
                Err(refused) => expect_full(&refused),
            }
        }
        client.release(&held.name, &held.token).await.expect("letting go goes on");
    }

    assert_eq!(holders(&client).await, 1);
    disk.free();
    hold_when_there_is_room(&client, "session-0").await;
    let (session, revision) = large.load().await;
    assert_eq!(revision, acknowledged);
    assert_eq!(session.and_then(|session| session.state).map(|state| state.pts), Some(next - 1));
    large.advance(pts(next)).await;
}

/// The daemon looks for room now and then.
async fn hold_when_there_is_room(client: &Client, name: &str) -> Held {
    within(async {
        loop {
            match client.try_hold(name).await {
                Ok(held) => return held,
                Err(refused) => expect_full(&refused),
            }
        }
    })
    .await
}

async fn holders(client: &Client) -> usize {
    let listed = client.list(v1::ListRequest::default()).await.expect("listed").sessions;
    listed.iter().filter(|session| session.holder.is_some()).count()
}
