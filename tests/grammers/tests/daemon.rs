use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use grammers_client::session::types::{PeerAuth, PeerInfo};
use sessiond_client::{Change, Client, GrammersSession, Loaded, LostReason, WatchEvent, WatchOptions};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::within;

/// A daemon of one test. Dropped, it is killed.
pub(crate) struct Daemon {
    home: TempDir,
    process: Option<Child>,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let mut daemon = Self { home: tempfile::tempdir().expect("a directory"), process: None };
        daemon.start_again();
        daemon
    }

    /// Starts it, in the same directory. Clients wait until it serves.
    pub(crate) fn start_again(&mut self) {
        let program = std::env::var_os("SESSIOND_BIN").unwrap_or_else(|| "sessiond".into());
        let serve = Command::new(program)
            .args(["serve", "--hand-over-delay", "0s", "--dir"])
            .arg(self.home.path().join("data"))
            .arg(format!("--seal=file:{}", self.home.path().join("key").display()))
            .arg("--socket")
            .arg(self.socket())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(serve.expect("SESSIOND_BIN, or `sessiond` on the path, is the daemon"));
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it ends");
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home.path().join("sessiond.sock")
    }

    pub(crate) async fn client(&self) -> Client {
        Client::builder().socket(self.socket()).connect().await.expect("valid settings")
    }

    /// The session "alice", as a program opens it.
    pub(crate) async fn open(&self) -> GrammersSession {
        let client = self.client().await;
        GrammersSession::new(within(client.hold("alice").wait()).await.expect("granted"))
    }

    /// The session "alice" as anyone sees it.
    pub(crate) async fn alice(&self) -> Loaded {
        within(self.client().await.load("alice")).await.expect("loaded")
    }

    /// Waits until the session's pts is this one.
    pub(crate) async fn reaches(&self, pts: i32) {
        let mut watch = self.client().await.watch(WatchOptions::names(["alice"]).expect("a name"));
        let reached = async {
            while let Some(event) = watch.next().await {
                let seen = match event.expect("told") {
                    WatchEvent::Snapshot(snapshot) => {
                        snapshot.session.and_then(|session| session.state?.pts.into())
                    }
                    WatchEvent::Commit(commit) => match commit.change {
                        Change::Advanced(change) => change.pts,
                        _ => None,
                    },
                    _ => None,
                };
                if seen == Some(pts) {
                    return;
                }
            }
        };
        within(reached).await;
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Somebody who is logged in.
pub(crate) fn own() -> PeerInfo {
    PeerInfo::User { id: 5001, auth: Some(PeerAuth::from_hash(9)), bot: Some(true), is_self: Some(true) }
}

/// Ends with what is told when the hold is lost.
pub(crate) fn loss(session: &GrammersSession) -> JoinHandle<LostReason> {
    let (told, loss) = oneshot::channel();
    session.on_lost(move |reason| {
        let _ = told.send(reason);
    });
    tokio::spawn(async move { loss.await.expect("told") })
}
