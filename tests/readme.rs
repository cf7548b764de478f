//! What the README shows is what happens.

#[path = "readme/example.rs"]
#[expect(clippy::print_stdout, reason = "it is what a program does that its user reads")]
mod example;

use std::{env, path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::harness::{Daemon, within};

const README: &str = include_str!("../README.md");

/// Set in the process that [`plays_the_example`].
const PLAY: &str = "SESSIOND_TEST_PLAY_EXAMPLE";

/// Another process: started again by the next test, with the daemon's socket in its environment.
#[tokio::test]
async fn plays_the_example() {
    if env::var_os(PLAY).is_some() {
        example::example().await.expect("it runs");
    }
}

#[tokio::test]
async fn the_readmes_example_runs_as_it_stands() {
    let code = include_str!("readme/example.rs").replace("pub(crate) async fn", "async fn");
    assert!(README.contains(code.trim()), "the example in README.md is that of tests/readme/example.rs");
    let daemon = Daemon::start().await;

    let example = Command::new(env::current_exe().expect("known"))
        .args(["readme::plays_the_example", "--exact", "--nocapture"])
        .env(PLAY, "1")
        .env("SESSIOND_SOCKET", daemon.socket())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = within(example).await.expect("it was started");

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("held: None") && text.contains("example: pts Some(5001)"), "{text}");
}

/// A file as Telethon 1.45 makes it, of somebody logged in.
fn telethon_file(path: &Path) {
    let file = rusqlite::Connection::open(path).expect("made");
    let tables = "
        create table version (version integer primary key);
        insert into version values (8);
        create table sessions (dc_id integer primary key, server_address text, port integer, auth_key blob,
                               takeout_id integer, tmp_auth_key blob);
        create table entities (id integer primary key, hash integer not null, username text, phone integer, name text,
                               date integer);
        insert into entities values (0, 868231286072, null, null, null, null);
        insert into entities values (868231286072, 5, 'alice', null, 'Alice', 1);
        create table sent_files (md5_digest blob, file_size integer, type integer, id integer, hash integer,
                                 primary key(md5_digest, file_size, type));
        create table update_state (id integer primary key, pts integer, qts integer, date integer, seq integer);
        insert into update_state values (0, 1195809, 0, 1700000000, 7), (133423158963, 1329, 0, 1700000000.5, 0);";
    file.execute_batch(tables).expect("made");
    let row = ("149.154.175.53", [7_u8; 256]);
    file.execute("insert into sessions values (1, ?, 443, ?, null, x'')", row).expect("made");
}

/// What a command prints; it has to succeed.
async fn run(daemon: &Daemon, args: &[&str]) -> String {
    let output = within(daemon.command(args).output()).await.expect("it was started");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn the_readmes_tour_is_what_happens() {
    let daemon = Daemon::start().await;
    let file = daemon.home().join("alice.session");
    telethon_file(&file);
    let before = std::fs::read(&file).expect("it is there");

    // In.
    let imported = run(&daemon, &["import", file.to_str().expect("text")]).await;
    let told = "imported alice from a Telethon v1 file, version 8: user 868231286072 @alice, home DC 1, keys of DC 1";
    assert!(imported.starts_with(told) && README.contains(told), "{imported}");
    assert_eq!(std::fs::read(&file).expect("it is there"), before, "the file itself is not changed");

    // Held, and refused to another.
    let mut watcher = daemon.command(&["watch", "alice"]).stdout(Stdio::piped()).spawn().expect("started");
    let mut events = BufReader::new(watcher.stdout.take().expect("piped")).lines();
    let mut next_event = async |part: &str| loop {
        let line = within(events.next_line()).await.expect("readable").expect("the watch goes on");
        if line.contains(part) {
            return;
        }
    };
    next_event("in step").await;
    let first = ["hold", "alice", "--label", "worker-1", "--", "sleep", "100"];
    let mut holder = daemon.command(&first).spawn().expect("started");
    next_event("held by worker-1").await;
    let second = ["hold", "alice", "--label", "worker-2", "--", "true"];
    let refused = within(daemon.command(&second).output()).await.expect("started");
    assert_eq!(refused.status.code(), Some(75));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("worker-1 (process ") && text.contains("`sessiond hold --wait`"), "{text}");

    // Killed, and followed.
    let program = env!("CARGO_BIN_EXE_sessiond");
    let third = [
        "hold", "alice", "--wait", "--label", "worker-2", "--", program, "advance", "alice", "--pts", "5000",
    ];
    let waiting = daemon.command(&third).output();
    let kill = async {
        until(async || run(&daemon, &["ls"]).await.contains("1 waiting")).await;
        holder.kill().await.expect("killed");
    };
    let (next, ()) = tokio::join!(within(waiting), kill);
    assert!(next.expect("started").status.success());
    next_event("held by nobody").await;
    next_event("held by worker-2").await;
    next_event("pts 5000").await;

    // And out.
    let back = daemon.home().join("back.session");
    run(&daemon, &["export", "alice", "--out", back.to_str().expect("text"), "--lossy"]).await;
    let stock = rusqlite::Connection::open(&back).expect("readable");
    let pts: i64 = stock.query_row("select pts from state", (), |row| row.get(0)).expect("a state");
    let key: Vec<u8> =
        stock.query_row("select auth from datacenter where id = 1", (), |row| row.get(0)).expect("a DC");
    assert_eq!((pts, key), (5_000, vec![7; 256]));
    watcher.kill().await.expect("killed");
}

/// Asks until it is so.
async fn until(mut so: impl AsyncFnMut() -> bool) {
    within(async { while !so().await {} }).await;
}
