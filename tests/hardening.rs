//! What the daemon's process gives up, seen from outside.

use std::{fs, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::harness::{Client, Daemon, pts, within};

/// A field of `/proc/PID/status`, or of a thread's.
fn field(path: &str, name: &str) -> String {
    let status = fs::read_to_string(path).expect("it runs");
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.expect("the kernel tells").trim().to_owned()
}

#[tokio::test]
async fn no_thread_of_the_daemon_can_gain_privileges() {
    let daemon = Daemon::start().await;
    daemon.client().await.hold("alice").await.advance(pts(5)).await;
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it runs");
    let mut count = 0;
    for thread in threads {
        let status = thread.expect("readable").path().join("status");
        assert_eq!(field(status.to_str().expect("UTF-8"), "NoNewPrivs"), "1");
        count += 1;
    }
    assert!(count > 2, "{count} threads");
}

#[tokio::test]
async fn memory_is_locked_where_that_has_no_limit_and_said_not_to_be_where_it_has() {
    let daemon = Daemon::builder().prepare();
    for (limit, locked) in [("64", false), ("unlimited", true)] {
        let script = r#"ulimit -l "$1" || exit 1; shift; exec "$0" "$@" 3>&1 1>&2"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_sessiond"), limit, "serve", "--ready-fd=3", "--dir"]);
        command.arg(daemon.dir());
        command.env_clear();
        for (name, value) in daemon.command(&[]).as_std().get_envs() {
            command.env(name, value.expect("set"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("started");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        if within(lines.next_line()).await.expect("readable").is_none() {
            let said = within(process.wait_with_output()).await.expect("its end is seen").stderr;
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(locked && said.contains("ulimit"), "{said}");
            // Who may not lift the limit cannot have it tried here.
            return;
        }
        within(Client::connect(&daemon.socket())).await.hold("alice").await.advance(pts(5)).await;
        let status = format!("/proc/{}/status", process.id().expect("it runs"));
        assert_eq!(field(&status, "VmLck") != "0 kB", locked, "{limit}");
        let mut said = BufReader::new(process.stderr.take().expect("piped")).lines();
        let line = async {
            loop {
                let line = said.next_line().await.expect("readable").expect("it goes on");
                if line.contains("memory is ") {
                    return line;
                }
            }
        };
        assert_eq!(within(line).await.contains("memory is locked"), locked);
        process.kill().await.expect("killed");
    }
}
