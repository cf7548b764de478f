//! One user of several, who takes all that there is.

use std::{env, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio};

use rustix::process::geteuid;
use sessiond_proto::v1;
use tokio::process::Command;
use tonic::Code;

use crate::harness::{Client, Daemon, within};

/// Set in the process that [`plays_a_crowd`].
const SOCKET: &str = "SESSIOND_TEST_CROWD_SOCKET";

/// A user without rights, on every system.
const NOBODY: u32 = 65_534;

/// A user who waits for as many holds as the daemon lets him, and then opens as many watches.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "it is what the test reads")]
async fn plays_a_crowd() {
    let Some(socket) = env::var_os(SOCKET) else { return };
    let mut clients = vec![within(Client::connect(Path::new(&socket))).await];
    let mut waiting = Vec::new();
    let refused = loop {
        let request = v1::HoldRequest { name: "alice".into(), wait: true, ..Default::default() };
        match clients[0].ask_to_hold(request).await {
            Ok(stream) => waiting.push(stream),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    println!("crowd: {} waiting", waiting.len());
    let mut watches = Vec::new();
    let refused = loop {
        let client = clients.last().expect("there is one").clone();
        match client.try_watch(v1::WatchRequest { names: vec!["alice".into()], ..Default::default() }).await {
            Ok(watch) => watches.push(watch),
            // Of this connection, or of all.
            Err(refused) if refused.message().contains("on all of its connections") => break refused,
            Err(_) => clients.push(within(Client::connect(Path::new(&socket))).await),
        }
    };
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    println!("crowd: {} streams", waiting.len() + watches.len());
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the test runner shows it")]
async fn a_user_who_takes_all_that_there_is_leaves_room_for_others() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can be another user");
        return;
    }
    let mut daemon = Daemon::builder().prepare();
    fs::set_permissions(daemon.home(), fs::Permissions::from_mode(0o711)).expect("ours");
    let policy = daemon.home().join("policy.toml");
    fs::write(&policy, "[[rule]]\nuser = '*'\nsessions = '*'\nallow = ['watch', 'list', 'hold']\n")
        .expect("written");
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o600)).expect("ours");
    daemon.start_again_with(&format!("--policy={}", policy.display())).await;
    let _held = daemon.client().await.hold("alice").await;

    let mut crowd = Command::new("/proc/self/exe");
    crowd.args(["abuse::crowd::plays_a_crowd", "--exact", "--nocapture"]).uid(NOBODY);
    crowd.env(SOCKET, daemon.socket()).stdout(Stdio::piped()).kill_on_drop(true);
    let output = within(crowd.output()).await.expect("started");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{said}");
    assert!(said.contains("crowd: 250 waiting") && said.contains("crowd: 4096 streams"), "{said}");
    // The line of that session has room for others.
    daemon.client().await.wait_for("alice", "").await.waiting().await;
}
