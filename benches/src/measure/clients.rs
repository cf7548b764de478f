//! The clients of other languages: an Advance, and in turns with it that language's own call that does nothing, and a commit.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{ChildStdin, ChildStdout},
};

use super::disk;
use crate::{
    bench::Bench,
    daemon::Daemon,
    figure::{Figure, Sample, median},
    load::Work,
    process::Process,
};

/// The folders of the drivers (tests/conformance/README.md), and their languages.
pub(crate) const CLIENTS: [(&str, &str); 4] =
    [("python", "Python"), ("python-aio", "Python, asyncio"), ("typescript", "TypeScript"), ("go", "Go")];

/// Idleness before each commit: what the disk has while a call travels.
const BEFORE_COMMIT: Duration = Duration::from_micros(100);

/// A program on a client, which does what it is told.
struct Driver {
    /// Dropping it ends the program.
    _process: Process,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    calls: u64,
}

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let mut commits = Vec::new();
    for (name, language) in CLIENTS {
        let program = bench.clients.join(name).join("driver");
        if !program.exists() {
            bench.skip(format!("{language}'s client: none here; `make clients` installs it"));
            continue;
        }
        let daemon = bench.daemon().await?;
        let mut driver = Driver::start(&program, &daemon)?;
        driver.call(json!({ "call": "hold", "as": "h", "name": "alice" })).await?;
        let (mut calls, mut changes) = (Vec::new(), Vec::new());
        driver.measure("advance", bench.scale.client_calls).await?;
        for _ in 0..bench.scale.rounds {
            calls.push(driver.measure("empty", bench.scale.client_calls).await?);
            commits.push(disk::sample(bench, Work::Commit { rows: 1 }, Some(BEFORE_COMMIT)).await?);
            changes.push(driver.measure("advance", bench.scale.client_calls).await?);
        }
        for (what, times) in [("empty", calls), ("advance", changes)] {
            let p50 = median(times).context("there were rounds")?;
            let called = if what == "empty" { "empty call" } else { "Advance" };
            bench.take(
                Figure::new(format!("clients.{name}.{what}"), format!("{language}: {called}, p50"))
                    .amount(p50, "us"),
            );
        }
    }
    note_commits(bench, &commits);
    Ok(())
}

fn note_commits(bench: &mut Bench, commits: &[Sample]) {
    let p50s = commits.iter().filter_map(|sample| sample.latencies.summary()).map(|latency| latency.p50);
    if let Some(p50) = median(p50s.collect()) {
        bench.take(
            Figure::new("clients.commit", "SQLite commit of one row beside them, p50").amount(p50, "us"),
        );
    }
}

impl Driver {
    fn start(program: &Path, daemon: &Daemon) -> anyhow::Result<Self> {
        let mut command = Process::quiet(program);
        command.env("SESSIOND_SOCKET", daemon.socket()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start("a client's driver", command)?;
        let stdin = process.child().stdin.take().context("it was piped")?;
        let stdout = BufReader::new(process.child().stdout.take().context("it was piped")?).lines();
        Ok(Self { _process: process, stdin, stdout, calls: 0 })
    }

    /// The p50 of so many calls, one after the other, in microseconds.
    async fn measure(&mut self, what: &str, count: usize) -> anyhow::Result<f64> {
        let call = json!({ "call": "measure", "hold": "h", "what": what, "count": count });
        self.call(call).await?["p50_us"].as_f64().context("it tells a p50")
    }

    async fn call(&mut self, mut call: Value) -> anyhow::Result<Value> {
        self.calls += 1;
        call["id"] = self.calls.into();
        self.stdin.write_all(format!("{call}\n").as_bytes()).await?;
        loop {
            let line = self.stdout.next_line().await?.context("the driver has ended")?;
            let said: Value = serde_json::from_str(&line)?;
            anyhow::ensure!(said.get("error").is_none(), "the driver was refused: {said}");
            if let Some(answer) = said.get("ok") {
                return Ok(answer.clone());
            }
        }
    }
}
