//! The daemon as a process: how it starts, what it refuses to start on, how it stops, and what it says of itself.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io::ErrorKind,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
    time::SystemTime,
};

use rustix::process::{Signal, geteuid};
use sessiond_client::Socket;
use sessiond_proto::{Reason, v1};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::harness::{Actor, Daemon, expect_reason, pts, random_session, within};

#[tokio::test]
async fn a_daemon_says_what_it_is_and_how_it_fares() {
    for engine in ["sqlite", "memory"] {
        let daemon = Daemon::on(engine).await;
        let client = daemon.client().await;
        let held = client.hold("alice").await;
        let revision = held.advance(pts(5)).await;
        // Held once, and nothing more: no session.
        client.hold("bob").await.release().await;
        let info = client.info().await;
        assert_eq!((info.version.as_str(), info.engine.as_str()), (env!("CARGO_PKG_VERSION"), engine));
        let figures = info.figures.expect("told");
        assert_eq!((figures.revision, figures.sessions, figures.held), (revision + 2, 1, 1));
        assert_eq!((figures.commits, figures.log_after), (4, 0));
        assert!(figures.batches <= figures.commits && figures.log_bytes > 0);
        let started = SystemTime::try_from(figures.started.expect("told")).expect("a time");
        assert!(started <= SystemTime::now());
    }
}

#[tokio::test]
async fn a_store_is_the_same_after_a_restart_and_memory_another_one() {
    for (engine, same) in [("sqlite", true), ("memory", false)] {
        let mut daemon = Daemon::on(engine).await;
        let before = daemon.client().await.info().await.store_id;
        daemon.restart().await;
        assert_eq!(daemon.client().await.info().await.store_id == before, same);
    }
}

#[tokio::test]
async fn health_is_served() {
    let daemon = Daemon::start().await;
    let mut health = HealthClient::new(daemon.client().await.channel);
    for service in [
        "",
        "sessiond.v1.SessionService",
        "sessiond.v1.PeerService",
        "sessiond.v1.AttributeService",
        "sessiond.v1.AdminService",
    ] {
        let request = HealthCheckRequest { service: service.into() };
        let answer = health.check(request).await.expect("known").into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    let unknown = health.check(HealthCheckRequest { service: "unknown".into() }).await;
    assert_eq!(unknown.expect_err("unknown").code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_is_served() {
    let daemon = Daemon::start().await;
    let mut reflection = ServerReflectionClient::new(daemon.client().await.channel);
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = ServerReflectionRequest { host: String::new(), message_request };
    let answers = reflection.server_reflection_info(tokio_stream::once(request)).await;
    let answer = within(answers.expect("begun").into_inner().message()).await.expect("answered");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.and_then(|it| it.message_response) else {
        panic!("services are listed");
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for service in [
        "sessiond.v1.SessionService",
        "sessiond.v1.PeerService",
        "sessiond.v1.AttributeService",
        "sessiond.v1.AdminService",
        "grpc.health.v1.Health",
    ] {
        assert!(names.iter().any(|name| name == service), "{service} is in {names:?}");
    }
}

#[tokio::test]
async fn clients_with_open_streams_do_not_keep_the_daemon_from_stopping() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start().await;
        let client = daemon.client().await;
        let held = client.hold("alice").await;
        let mut waiter = client.wait_for("alice", "").await;
        waiter.waiting().await;
        let watch = client.sessions.clone().watch(v1::WatchRequest::default()).await.expect("begun");
        let mut stopped = Actor::start(&daemon);
        stopped.hold("bob").await;
        stopped.wait_for("alice").await;
        stopped.event().await;
        stopped.pause();
        let _idle = daemon.client().await;

        daemon.signal(signal);
        assert_eq!(daemon.end().await.code(), Some(0));
        let status = waiter.refused().await;
        expect_reason(&status, Code::Unavailable, Reason::ShuttingDown);
        drop((held, watch));
    }
}

#[tokio::test]
async fn a_daemon_that_stops_leaves_no_socket_and_what_was_saved() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let revision = held.save(random_session()).await;
    assert!(daemon.socket().exists());
    assert!(daemon.stop().await.success());
    assert!(!daemon.socket().exists());
    daemon.start_again().await;
    assert_eq!(daemon.client().await.load("alice").await.revision, revision);
}

#[tokio::test]
async fn a_second_daemon_on_the_directory_is_refused_with_the_pid_of_the_first() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(75), "EX_TEMPFAIL");
    assert!(said.contains(&format!("pid {}", daemon.pid())), "{said}");
    held.advance(pts(5)).await;
    daemon.client().await.load("alice").await;
}

#[tokio::test]
async fn a_second_daemon_on_the_socket_is_refused() {
    let daemon = Daemon::start().await;
    let elsewhere = daemon.home().join("elsewhere");
    let mut second = daemon.command(&["serve", "--dir", elsewhere.to_str().expect("UTF-8")]);
    let output = within(second.kill_on_drop(true).output()).await.expect("run");
    assert_eq!(output.status.code(), Some(75), "EX_TEMPFAIL");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("another daemon serves"), "{said}");
    daemon.client().await.load("alice").await;
}

#[tokio::test]
async fn the_socket_that_a_killed_daemon_left_is_taken_over() {
    let mut daemon = Daemon::start().await;
    for _ in 0..2 {
        daemon.kill().await;
        let kind = fs::symlink_metadata(daemon.socket()).expect("it is still there").file_type();
        assert!(kind.is_socket());
        daemon.start_again().await;
        daemon.client().await.load("alice").await;
    }
}

#[tokio::test]
async fn what_is_no_socket_is_never_taken_over() {
    let daemon = Daemon::builder().prepare();
    fs::create_dir(daemon.home().join("run")).expect("made");
    fs::set_permissions(daemon.home().join("run"), Permissions::from_mode(0o700)).expect("ours");
    fs::write(daemon.socket(), "precious").expect("written");
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(73), "EX_CANTCREAT: {said}");
    assert_eq!(fs::read_to_string(daemon.socket()).expect("there"), "precious");
}

#[tokio::test]
async fn nobody_else_may_enter_the_directories_or_read_the_files() {
    let mut daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.save(random_session()).await;
    held.release().await;
    let _held = client.hold("bob").await;
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    let run = daemon.home().join("run");
    assert_eq!((mode(&daemon.dir()), mode(&run)), (0o700, 0o700));
    assert_eq!(mode(&daemon.socket()), 0o600);
    for (running, expected) in [(true, "sessiond.db"), (false, "alice.session")] {
        if !running {
            assert!(daemon.stop().await.success());
        }
        let files = files(&daemon.dir());
        assert!(files.contains_key(expected));
        assert!(
            files.values().all(|(mode, _)| *mode == 0o600),
            "only its user may read any of {:?}",
            files.keys()
        );
    }
}

#[tokio::test]
async fn a_daemon_does_not_start_on_a_damaged_store_and_touches_nothing() {
    let mut daemon = Daemon::start().await;
    let client = daemon.client().await;
    for name in ["alice", "bob"] {
        let held = client.hold(name).await;
        held.save(random_session()).await;
        held.release().await;
    }
    assert!(daemon.stop().await.success());
    let store = daemon.dir().join("sessiond.db");
    let whole = fs::read(&store).expect("readable");
    let zeroed_page = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at..at + 4096].fill(0);
        bytes
    };
    let damages = [
        ("not a database", b"something else altogether".repeat(1000)),
        ("its first page gone", zeroed_page(0)),
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("a page in the middle gone", zeroed_page(4096)),
    ];
    for (damage, bytes) in damages {
        fs::write(&store, bytes).expect("written");
        let before = files(&daemon.dir());
        let (status, said) = daemon.fail_to_start().await;
        assert_eq!(status.code(), Some(65), "EX_DATAERR for {damage}: {said}");
        assert!(said.contains("--rebuild"), "the way out is told: {said}");
        assert!(files(&daemon.dir()) == before, "nothing is touched: {damage}");
        assert!(!daemon.socket().exists());
    }
    fs::write(&store, whole).expect("written");
    daemon.start_again().await;
    assert!(daemon.client().await.load("bob").await.session.is_some());
}

#[tokio::test]
async fn a_start_that_is_refused_says_why_by_a_code_of_sysexits() {
    let daemon = Daemon::builder().prepare();
    let home = daemon.home();
    fs::write(home.join("file"), "").expect("written");
    fs::create_dir(home.join("open")).expect("made");
    fs::set_permissions(home.join("open"), Permissions::from_mode(0o777)).expect("ours");
    fs::write(home.join("bad.toml"), "resume-window = 'soon'").expect("written");
    let path = |name: &str| home.join(name).to_str().expect("UTF-8").to_owned();
    let long = "x".repeat(200);
    let cases: [(&str, &[&str], i32); 8] = [
        ("an option that there is not", &["--no-such-option"], 64),
        ("a value out of range", &["--resume-window=1ms"], 64),
        ("a descriptor that is not open", &["--ready-fd=99"], 64),
        ("a file of settings that is missing", &["--config", &path("missing.toml")], 66),
        ("a file of settings that cannot be read", &["--config", &path("bad.toml")], 78),
        ("a directory that is none", &["--dir", &path("file")], 73),
        ("a directory that others may write to", &["--dir", &path("open")], 77),
        ("a socket whose path is too long", &["--dir", &path("data"), "--socket", &path(&long)], 78),
    ];
    for (what, args, code) in cases {
        let mut command = daemon.command(&["serve"]);
        let output = within(command.args(args).kill_on_drop(true).output()).await.expect("run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        assert!(!said.is_empty() && output.stdout.is_empty(), "{what}: {said}");
    }
}

#[tokio::test]
async fn an_abstract_socket_serves_the_same_sessions() {
    let name = format!("sessiond-test-{}-abstract", std::process::id());
    let daemon = Daemon::builder().arg(format!("--abstract-socket={name}")).start().await;
    let held = daemon.client().await.hold("alice").await;
    let revision = held.advance(pts(5)).await;
    let socket: Socket = format!("unix-abstract:{name}").as_str().into();
    let client = sessiond_client::Client::builder().socket(socket).connect().await.expect("valid settings");
    assert_eq!(client.load("alice").await.expect("served").revision, revision);
}

#[tokio::test]
async fn another_user_is_refused() {
    // Only root can be somebody else.
    if !geteuid().is_root() {
        return;
    }
    let name = format!("sessiond-test-{}-stranger", std::process::id());
    let daemon = Daemon::builder().arg(format!("--abstract-socket={name}")).start().await;
    let held = daemon.client().await.hold("alice").await;
    let mut stranger = Actor::start_as(NOBODY, format!("@{name}"));
    assert_eq!(stranger.keys("alice", &[]).await, Err("NOT_PERMITTED".into()));
    assert_eq!(stranger.keys("alice", &held.token).await, Err("NOT_PERMITTED".into()));
    assert_eq!(stranger.advance("alice", &held.token, 5).await, Err("NOT_PERMITTED".into()));
    stranger.wait_for("alice").await;
    assert_eq!(stranger.event().await, "NOT_PERMITTED");
    assert_eq!(held.load().await, (None, 0));
}

/// A user without rights, on every system.
const NOBODY: u32 = 65_534;

/// What is in a directory, except for the lock: by name, the mode and the content.
fn files(directory: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("readable");
        let read = entry.metadata().and_then(|metadata| Ok((metadata, fs::read(entry.path())?)));
        match read {
            Ok((metadata, bytes)) => {
                let name = entry.file_name().into_string().expect("UTF-8");
                files.insert(name, (metadata.permissions().mode() & 0o7777, bytes));
            }
            // A journal, which comes and goes.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("{}: {error}", entry.path().display()),
        }
    }
    files.remove("sessiond.lock");
    files
}
