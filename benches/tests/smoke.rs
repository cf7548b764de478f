//! The benchmark runs: every measurement yields figures, under the names that programs compare by. What the figures say is
//! nobody's business here, and no test's.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The daemon of the build that this test is of.
fn daemon() -> PathBuf {
    let daemon = Path::new(env!("CARGO_BIN_EXE_sessiond-bench")).with_file_name("sessiond");
    if !daemon.exists() {
        // There unless this package's tests are run alone, in a folder where nothing else was built.
        let built = Command::new(env!("CARGO")).args(["build", "--locked", "--package", "sessiond"]).status();
        assert!(built.expect("cargo runs").success(), "the daemon is built");
    }
    daemon
}

/// Runs these measurements, or all, and gives what they found by its name.
fn figures(only: &[&str]) -> BTreeMap<String, Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sessiond-bench"));
    command
        .arg("--smoke")
        .arg("--daemon")
        .arg(daemon())
        .arg("--dir")
        .arg(folder.path())
        .arg("--out")
        .arg(&out);
    // Nobody's Telethon: not every machine that tests has it.
    command.arg("--venvs").arg(folder.path()).arg("--clients").arg(folder.path());
    command.args(only.iter().flat_map(|name| ["--only", name]));
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let json = std::fs::read(out.join("results.json")).expect("there are results");
    let results: Value = serde_json::from_slice(&json).expect("JSON");
    assert!(out.join("table.md").exists());
    let figures = results["figures"].as_array().expect("a list").iter();
    figures.map(|figure| (figure["name"].as_str().expect("a name").to_owned(), figure.clone())).collect()
}

#[track_caller]
fn expect(figures: &BTreeMap<String, Value>, names: &[&str]) {
    for name in names {
        let figure = figures.get(*name).unwrap_or_else(|| panic!("no {name} among {:?}", figures.keys()));
        let values = [&figure["rate"], &figure["latency"]["p50"], &figure["amount"]["value"]];
        assert!(values.iter().any(|value| value.as_f64().is_some()), "{figure}");
    }
}

#[test]
fn one_clients_changes_are_measured_beside_their_floors() {
    let figures = figures(&["disk", "lone", "crowd"]);
    expect(
        &figures,
        &[
            "disk.sync",
            "disk.commit",
            "disk.commit64",
            "ping.1x1",
            "ping.paced",
            "disk.paced",
            "advance.lone",
            "advance.lone.client",
            "ping.64x8",
            "advance.crowd",
            "advance.crowd.client",
        ],
    );
}

#[test]
fn sweeps_and_streams_are_measured() {
    let figures = figures(&["sweep", "stream"]);
    expect(
        &figures,
        &[
            "sweep.ping.1x1",
            "sweep.advance.one.1x1",
            "sweep.advance.one.8x8",
            "sweep.advance.many.8x1",
            "stream.empty.1",
            "stream.advance.1",
            "stream.advance.4.client",
        ],
    );
}

#[test]
fn watchers_are_measured() {
    let figures = figures(&["watch"]);
    expect(&figures, &["watch.empty.100", "watch.100.durable", "watch.100.seen", "watch.1000.last"]);
}

#[test]
fn kills_and_starts_are_measured() {
    let figures = figures(&["kill", "crash"]);
    expect(&figures, &["kill.idle", "kill.loaded", "crash.ready"]);
}

#[test]
fn sessions_and_their_growth_are_measured() {
    let figures = figures(&["session", "sealing", "stalls", "growth", "many"]);
    expect(
        &figures,
        &[
            "session.save",
            "session.load",
            "session.load.first",
            "session.hold.first",
            "stalls.fresh",
            "stalls.busy",
            "growth.channels.many",
            "growth.watchers.many",
            "many.ready.many",
            "many.memory.at.100",
            "many.memory.held",
        ],
    );
}

#[test]
fn imports_are_measured() {
    expect(&figures(&["import"]), &["import.files.20", "import.peers.100"]);
}

#[test]
fn other_systems_are_measured_where_they_are_installed() {
    let figures = figures(&["shared", "peers"]);
    expect(&figures, &["shared.sessiond.8", "peers.sessiond.1", "peers.sessiond.8"]);
}

#[test]
fn what_there_is_can_be_asked() {
    let output = Command::new(env!("CARGO_BIN_EXE_sessiond-bench")).arg("--list").output().expect("it runs");
    let list = String::from_utf8(output.stdout).expect("text");
    for name in ["lone", "crowd", "watch", "peers", "many"] {
        assert!(list.lines().any(|line| line.starts_with(name)), "{list}");
    }
}

#[test]
fn a_measurement_that_there_is_not_is_said() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sessiond-bench"));
    let output = command.args(["--smoke", "--only", "nothing"]).output().expect("it runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no measurement nothing"));
}
