//! Settings of `sessiond serve`: where they are read, which counts, and what they do.

use std::{fs, path::Path, process::Stdio};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::{
    run,
    run::{Ran, text},
};
use crate::harness::{Client, Daemon, pts, within};

/// Starts a daemon that is told nothing but this, in the home of one that is not started, and waits until it serves.
async fn serve(home: &Daemon, args: &[&str], variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$0" "$@" 3>&1 1>&2"#, super::PROGRAM, "serve", "--ready-fd", "3"]);
    command.args(args).env_clear();
    for (name, value) in home.command(&[]).as_std().get_envs() {
        command.env(name, value.expect("set"));
    }
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = command.spawn().expect("started");
    let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    assert_eq!(within(lines.next_line()).await.expect("readable").as_deref(), Some("READY=1"));
    process
}

/// Arguments and variables, and the resume window in seconds and the engine that they make.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i64, &'a str);

/// The window in which a hold may be resumed, in seconds: a setting that a client is told.
async fn resume_window(socket: &Path) -> i64 {
    let held = within(Client::connect(socket)).await.hold("alice").await;
    held.release().await;
    held.resume_within.seconds
}

#[tokio::test]
async fn a_flag_comes_before_the_environment_that_before_the_file_and_that_before_the_default() {
    let home = Daemon::builder().prepare();
    let (dir, file) = (home.dir(), home.home().join("some.toml"));
    fs::write(&file, "resume-window = '20s'\nengine = 'memory'\n").expect("written");
    let dir = ["--dir", text(&dir)];
    let flag = [&dir[..], &["--resume-window=40s", "--config", text(&file)]].concat();
    let in_file = ("SESSIOND_CONFIG", text(&file));
    let in_environment = ("SESSIOND_RESUME_WINDOW", "30s");
    let cases: [Case<'_>; 5] = [
        (&dir, &[], 10, "sqlite"),
        (&dir, &[in_file], 20, "memory"),
        (&dir, &[in_file, ("SESSIOND_RESUME_WINDOW", "")], 20, "memory"),
        (&dir, &[in_file, in_environment], 30, "memory"),
        (&flag, &[in_environment, ("SESSIOND_ENGINE", "sqlite")], 40, "sqlite"),
    ];
    for (args, variables, seconds, engine) in cases {
        let mut daemon = serve(&home, args, variables).await;
        assert_eq!(resume_window(&home.socket()).await, seconds, "{args:?} {variables:?}");
        assert_eq!(run(&home, &["info", "--json"]).await.object()["engine"], engine);
        daemon.kill().await.expect("killed");
    }
}

#[tokio::test]
async fn the_socket_is_told_to_daemon_and_clients_alike() {
    let home = Daemon::builder().prepare();
    let (dir, file) = (home.dir(), home.home().join("some.toml"));
    let [in_file, in_environment, in_flag] =
        ["file", "environment", "flag"].map(|name| home.home().join(name).join("some.sock"));
    fs::write(&file, format!("socket = 'unix:{}'", text(&in_file))).expect("written");
    let config = ["--dir", text(&dir), "--config", text(&file)];
    let url = format!("unix:{}", text(&in_environment));
    let flag = [&config[..], &["--socket", text(&in_flag)]].concat();
    let cases: [(&[&str], &str, &Path); 3] =
        [(&config, "", &in_file), (&config, &url, &in_environment), (&flag, &url, &in_flag)];
    for (args, variable, socket) in cases {
        let mut daemon = serve(&home, args, &[("SESSIOND_SOCKET", variable)]).await;
        let url = format!("unix:{}", text(socket));
        let by_variable = Ran::of(home.command(&["info"]).env("SESSIOND_SOCKET", &url)).await.text();
        assert!(by_variable.contains(text(socket)), "{by_variable}");
        let by_flag = run(&home, &["--socket", text(socket), "info"]).await.text();
        assert!(by_flag.contains(text(socket)), "the flag comes before the environment: {by_flag}");
        daemon.kill().await.expect("killed");
    }
}

#[tokio::test]
async fn a_mistake_in_the_file_is_told_with_its_place() {
    let home = Daemon::builder().prepare();
    let file = home.home().join("some.toml");
    let (dir, socket) = (home.dir(), home.socket());
    for (settings, place) in [
        ("engine = 'memory'\n\ncolour = 1\n", ":3:1: unknown field `colour`"),
        ("resume-window = 'soon'\n", ":1:17: "),
        ("engine = 'memory\n", ":1:"),
    ] {
        fs::write(&file, settings).expect("written");
        let refused = run(&home, &["serve", "--dir", text(&dir), "--config", text(&file)]).await.refusal(78);
        assert!(refused.contains(&format!("{}{place}", text(&file))), "{refused}");
    }
    assert!(!dir.exists() && !socket.exists(), "nothing was begun");
}

#[tokio::test]
async fn a_client_comes_by_the_abstract_socket() {
    let name = format!("sessiond-test-{}-cli", std::process::id());
    let daemon = Daemon::builder().arg(format!("--abstract-socket={name}")).start().await;
    let socket = format!("unix-abstract:{name}");
    let args = ["hold", "alice", "--", super::PROGRAM, "advance", "alice", "--pts", "5"];
    let told = Ran::of(daemon.command(&args).env("SESSIOND_SOCKET", &socket)).await.text();
    assert!(told.starts_with("alice is at revision "), "{told}");
    let info = Ran::of(daemon.command(&["info"]).env("SESSIOND_SOCKET", &socket)).await.text();
    assert!(info.contains(&socket), "{info}");
    let refused = run(&daemon, &["serve", "--socket", &socket]).await.refusal(64);
    assert!(refused.contains("--abstract-socket"), "{refused}");
}

#[tokio::test]
async fn a_log_for_programs_is_one_object_a_line() {
    let mut daemon = Daemon::builder().arg("--log-format=json").arg("--log=debug").start().await;
    daemon.client().await.hold("alice").await.advance(pts(5)).await;
    daemon.client().await.try_hold("../x").await.err().expect("refused");
    assert!(daemon.stop().await.success());
    let log = daemon.log();
    assert!(log.lines().count() > 2, "{log}");
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).expect(line);
        assert!(
            ["timestamp", "level", "target", "message"].iter().all(|field| entry[field].is_string()),
            "{line}"
        );
    }
}

#[tokio::test]
async fn memory_is_forgotten_at_a_restart_and_a_store_is_not() {
    for (engine, names) in [("memory", ""), ("sqlite", "alice")] {
        let mut daemon = Daemon::on(engine).await;
        run(&daemon, &["advance", "alice", "--pts", "5"]).await.text();
        let listed = run(&daemon, &["ls", "--json"]).await.object();
        assert_eq!((&listed["name"], &listed["pts"]), (&"alice".into(), &5.into()));
        daemon.restart().await;
        let listed = run(&daemon, &["ls", "--json"]).await.objects();
        let listed: Vec<_> = listed.iter().filter_map(|session| session["name"].as_str()).collect();
        assert_eq!(listed.join(","), names);
    }
}
