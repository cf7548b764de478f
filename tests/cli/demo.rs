//! `sessiond demo`: the promises are kept, and it leaves nothing behind.

use std::{fs, os::unix::net::UnixStream, path::Path};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Running, run::Ran};
use crate::harness::{Daemon, eventually};

/// The demo, in a directory of the test. `elsewhere` is a daemon that is not started, and has no part in it.
fn demo(elsewhere: &Daemon, args: &[&str]) -> Command {
    let temporary = elsewhere.home().join("temporary");
    fs::create_dir_all(&temporary).expect("made");
    let mut command = elsewhere.command(&["demo", "--json"]);
    command.args(args).env("TMPDIR", temporary);
    command
}

fn left_behind(elsewhere: &Daemon) -> usize {
    fs::read_dir(elsewhere.home().join("temporary")).expect("there").count()
}

fn runs(pid: &Value) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[tokio::test]
async fn the_demo_shows_that_nothing_is_lost() {
    let elsewhere = Daemon::builder().prepare();
    let told = Ran::of(&mut demo(&elsewhere, &["--kills", "2", "--seconds", "0.3"])).await.objects();
    let events: Vec<&str> = told.iter().filter_map(|object| object["event"].as_str()).collect();
    assert_eq!(events, ["imported", "granted", "killed", "granted", "killed", "granted"]);
    let checks: Vec<_> = told.iter().filter(|object| object["check"].is_string()).collect();
    assert_eq!(checks.len(), 4, "{told:?}");
    assert!(checks.iter().all(|check| check["kept"] == json!(true)), "{checks:?}");

    let figures = &told.last().expect("the figures")["figures"];
    let (acknowledged, events) = (figures["acknowledged"].as_i64(), figures["events"].as_i64());
    assert_eq!(figures["kills"], json!(2));
    assert!(acknowledged > Some(0) && events > acknowledged, "{figures}");
    assert!(figures["kill_to_grant_max"].as_f64() >= figures["hand_over_delay"].as_f64(), "{figures}");

    assert_eq!(left_behind(&elsewhere), 0);
    assert!(!elsewhere.socket().exists(), "a daemon of its own is used");
    for pid in told.iter().map(|object| &object["pid"]).filter(|pid| pid.is_number()) {
        assert!(!runs(pid), "{pid}");
    }
}

#[tokio::test]
async fn a_demo_that_is_told_to_stop_leaves_nothing_behind() {
    let elsewhere = Daemon::builder().prepare();
    let mut running = Running::start(&mut demo(&elsewhere, &[]));
    let granted = running.line_with("granted").await;
    running.signal(Signal::TERM);
    let ended = running.end().await;
    assert_eq!(ended.status.code(), Some(128 + 15), "{ended:?}");
    assert_eq!(left_behind(&elsewhere), 0);
    let granted: Value = serde_json::from_str(&granted).expect("an object");
    eventually(|| (!runs(&granted["pid"])).then_some(())).await;
}

#[tokio::test]
async fn the_processes_of_a_demo_end_with_it() {
    let elsewhere = Daemon::builder().prepare();
    let mut running = Running::start(&mut demo(&elsewhere, &[]));
    let granted: Value = serde_json::from_str(&running.line_with("granted").await).expect("an object");
    let temporary = fs::read_dir(elsewhere.home().join("temporary")).expect("there").next();
    let socket = temporary.expect("made").expect("readable").path().join("sessiond.sock");
    assert!(UnixStream::connect(&socket).is_ok(), "its daemon serves");
    running.signal(Signal::KILL);
    // All of them have its standard error.
    running.end().await;
    eventually(|| (!runs(&granted["pid"])).then_some(())).await;
    eventually(|| UnixStream::connect(&socket).err()).await;
}
