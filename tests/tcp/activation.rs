//! Sockets that a service manager hands over (sd_listen_fds(3)).

use std::{net::TcpListener, os::fd::OwnedFd, os::unix::net::UnixListener, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::harness::{Client, Daemon, pts, within};

/// Starts a daemon as a service manager does, with a socket as its descriptor 3, and waits until it serves.
async fn serve(home: &Daemon, socket: OwnedFd, args: &[&str]) -> Result<Child, String> {
    // The shell gets it as its standard input, and gives it and the pipe their numbers.
    let script = r#"exec 3<&0 4>&1 1>&2 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_sessiond"), "serve", "--ready-fd=4"]).args(args);
    command.env_clear();
    for (name, value) in home.command(&[]).as_std().get_envs() {
        command.env(name, value.expect("set"));
    }
    command.arg("--dir").arg(home.dir());
    command.stdin(Stdio::from(socket)).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().expect("started");
    let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    match within(lines.next_line()).await.expect("readable").as_deref() {
        Some("READY=1") => Ok(process),
        _ => {
            let output = within(process.wait_with_output()).await.expect("its end is seen");
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

#[tokio::test]
async fn a_socket_that_is_handed_over_is_served_in_place_of_the_daemons_own_and_left_there() {
    let home = Daemon::builder().prepare();
    let path = home.home().join("handed.sock");
    let socket = UnixListener::bind(&path).expect("bound");
    let kept = socket.try_clone().expect("a descriptor");
    for pts_now in [5, 6] {
        let again = OwnedFd::from(kept.try_clone().expect("a descriptor"));
        let mut daemon = serve(&home, again, &[]).await.expect("it serves");
        assert!(!home.socket().exists(), "it makes none of its own");
        let held = within(Client::connect(&path)).await.hold("alice").await;
        held.advance(pts(pts_now)).await;
        held.release().await;
        let pid = Pid::from_raw(daemon.id().expect("it runs").cast_signed()).expect("a pid");
        kill_process(pid, Signal::TERM).expect("it runs");
        assert!(within(daemon.wait()).await.expect("its end is seen").success());
        assert!(path.exists(), "it is not the daemon's");
    }
}

#[tokio::test]
async fn a_tcp_socket_that_is_handed_over_needs_tls_as_any_other() {
    let home = Daemon::builder().prepare();
    let socket = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").expect("bound"));
    let refused = serve(&home, socket(), &[]).await.expect_err("refused");
    assert!(refused.contains("needs TLS"), "{refused}");

    super::place::make_certificates(&home).await;
    let tls = format!("--tls={}", home.home().join("tls/server").display());
    let _daemon = serve(&home, socket(), &[&tls]).await.expect("it serves");
    assert!(home.socket().exists(), "beside its own");
}

#[tokio::test]
async fn what_is_no_socket_for_streams_is_refused() {
    let home = Daemon::builder().prepare();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    let refused = serve(&home, socket.into(), &[]).await.expect_err("refused");
    assert!(refused.contains("descriptor 3"), "{refused}");
}
