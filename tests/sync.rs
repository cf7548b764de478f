//! Acknowledged means durable: nothing is told before the log is synced. The sync is held up, or fails, by a library that
//! stands before the C library's.

use std::{
    fs::{self, File},
    process::Command,
};

use futures_util::FutureExt as _;
use sessiond_proto::{Reason, v1};
use tempfile::TempDir;
use tokio::task::yield_now;
use tonic::Code;

use crate::harness::{Daemon, Held, Watch, eventually, expect_reason, pts, within};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/sync/gate.c");

/// What stands before the syncs of a daemon's log.
struct Gate {
    directory: TempDir,
}

impl Gate {
    /// An open one. Made by the C compiler that SQLite was made with.
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let made = Command::new(compiler)
            .args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
            .args([directory.path().join("gate.so"), SOURCE.into()])
            .args(["-ldl"])
            .status();
        assert!(made.expect("there is a C compiler").success(), "the library is made");
        Self { directory }
    }

    async fn daemon(&self) -> Daemon {
        let path = |name: &str| self.directory.path().join(name).to_str().expect("UTF-8").to_owned();
        Daemon::builder().variable("LD_PRELOAD", &path("gate.so")).variable("GATE", &path("")).start().await
    }

    fn set(&self, name: &str) {
        File::create(self.directory.path().join(name)).expect("made");
    }

    fn unset(&self, name: &str) {
        fs::remove_file(self.directory.path().join(name)).expect("it was there");
    }

    /// Waits until a sync has come to the closed gate.
    async fn reached(&self) {
        let reached = self.directory.path().join("reached");
        eventually(|| reached.exists().then_some(())).await;
        fs::remove_file(reached).expect("it was there");
    }

    /// Has something done that makes a commit, and proves that nobody hears of it until the log is synced.
    async fn proves<T: Send + 'static>(
        &self,
        held: &Held,
        watch: &mut Watch,
        commit: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let before = held.client.load(&held.name).await;
        self.set("closed");
        let commit = tokio::spawn(commit);
        self.reached().await;
        // An answer that was sent before would have come by now, since it travels before this one.
        assert_eq!(held.client.load(&held.name).await, before, "what is not durable is not loaded");
        yield_now().await;
        assert!(!commit.is_finished(), "what is not durable is not acknowledged");
        assert!(watch.next().now_or_never().is_none(), "what is not durable is not watched");
        self.unset("closed");
        within(commit).await.expect("it does not panic")
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_loaded_or_watched_before_the_log_is_synced() {
    let gate = Gate::new();
    let daemon = gate.daemon().await;
    let held = daemon.client().await.hold("alice").await;
    held.advance(pts(1)).await;
    let mut watch = daemon.client().await.watch_all().await;
    watch.begin().await;

    let (client, request) = (held.client.clone(), held.advance_request(pts(2)));
    let revision = gate.proves(&held, &mut watch, async move { client.advance(request).await }).await;
    assert_eq!(watch.commit().await.revision, revision.expect("it is durable now"));

    let (client, request) = (held.client.clone(), held.save_request(v1::Session::default()));
    let revision = gate.proves(&held, &mut watch, async move { client.save(request).await }).await;
    assert_eq!(watch.commit().await.revision, revision.expect("it is durable now"));

    let (client, token) = (held.client.clone(), held.token.clone());
    let released = gate.proves(&held, &mut watch, async move { client.release("alice", &token).await }).await;
    released.expect("it is durable now");
    assert!(matches!(watch.commit().await.event, Some(v1::watch_response::Event::HoldChanged(_))));

    let client = held.client.clone();
    let again = gate.proves(&held, &mut watch, async move { client.hold("alice").await }).await;
    assert!(again.fence > held.fence);
    assert!(matches!(watch.commit().await.event, Some(v1::watch_response::Event::HoldChanged(_))));

    // The last, since a session that is gone is looked for in its file, and that may wait for the writer.
    let (client, request) = (again.client.clone(), again.delete_request());
    let revision = gate.proves(&again, &mut watch, async move { client.delete(request).await }).await;
    assert_eq!(watch.commit().await.revision, revision.expect("it is durable now"));
}

#[tokio::test]
async fn a_change_whose_sync_fails_is_not_acknowledged_and_a_retry_takes_effect_once() {
    let gate = Gate::new();
    let mut daemon = gate.daemon().await;
    let held = daemon.client().await.hold("alice").await;
    held.advance(pts(1)).await;
    let request = v1::AdvanceRequest { request_id: "once".into(), ..held.advance_request(pts(2)) };

    gate.set("failing");
    for _ in 0..2 {
        let refused = held.client.advance(request.clone()).await.expect_err("it may not be durable");
        expect_reason(&refused, Code::Internal, Reason::StorageFailed);
    }
    gate.unset("failing");

    let revision = held.client.advance(request.clone()).await.expect("the disk is well again");
    assert_eq!(held.client.advance(request.clone()).await.expect("once"), revision);
    daemon.kill().await;
    daemon.start_again().await;
    let client = daemon.client().await;
    let loaded = client.load("alice").await;
    assert_eq!(
        (loaded.revision, loaded.session.and_then(|session| session.state).map(|state| state.pts)),
        (revision, Some(2))
    );
    assert_eq!(client.advance(request).await.expect("once"), revision);
}
