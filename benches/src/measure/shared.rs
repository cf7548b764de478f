//! Processes that write the same session: through the daemon, and into Telethon's own file.

use std::path::Path;

use tokio::process::Command;

use super::{Holder, crowd};
use crate::{
    bench::Bench,
    daemon::Daemon,
    figure::{Figure, Sample},
    load::Target,
    worker::Worker,
};

/// Processes at once.
const PROCESSES: [usize; 2] = [1, 8];

/// Telethon's environment, as `make venvs` makes it.
const PYTHON: &str = "telethon-1.45.0/bin/python";

/// What plays Telethon's users.
const SCRIPT: &str = include_str!("../../telethon.py");

/// What a file does not promise.
const PROMISES: &str = "no order among its writers, no fence, nobody may follow; a writer that waits 5 s gets `database is locked`";

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let python = bench.venvs.join(PYTHON);
    let python = python.exists().then_some(python);
    if python.is_none() {
        bench.skip("Telethon's own file: no Telethon 1.45 here; `make venvs` installs it");
    }
    let daemon = bench.daemon().await?;
    let holder = Holder::of(&daemon, vec!["shared".into()], 1).await?;
    for processes in PROCESSES {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..bench.scale.runs {
            ours.push(rust_clients(bench, &daemon, &holder, processes).await?);
            if let Some(python) = &python {
                theirs.push(telethon(bench, python, processes).await?);
            }
        }
        let who = if processes == 1 { "1 process writes" } else { "8 processes write" };
        let what = format!("{who} one session through the Rust client");
        bench.take(Figure::new(format!("shared.sessiond.{processes}"), what).median(&ours));
        if !theirs.is_empty() {
            let locked: u64 = theirs.iter().map(|sample| sample.refused).sum();
            let what = format!("{who} one session into Telethon 1.45's own file");
            let name = format!("shared.telethon.{processes}");
            bench.take(Figure::new(&name, &what).median(&theirs).note(PROMISES));
            let what = format!("{what}: `database is locked`");
            bench.take(Figure::new(format!("{name}.locked"), what).amount(locked as f64, "times"));
        }
    }
    Ok(())
}

/// Processes that were given the token of the hold.
async fn rust_clients(
    bench: &Bench,
    daemon: &Daemon,
    holder: &Holder,
    processes: usize,
) -> anyhow::Result<Sample> {
    let job = crowd(bench, Target::RustClient(holder.advance(daemon)), 1, 1);
    let mut workers = Vec::new();
    for _ in 0..processes {
        workers.push(Worker::start(&job).await?);
    }
    bench.together(workers).await
}

/// Processes that all have the file open.
async fn telethon(bench: &Bench, python: &Path, processes: usize) -> anyhow::Result<Sample> {
    let folder = bench.scratch()?;
    // Not by the name of the library, which it would be taken for.
    let script = folder.path().join("write.py");
    std::fs::write(&script, SCRIPT)?;
    let mut workers = Vec::new();
    for _ in 0..processes {
        let mut command = Command::new(python);
        command.arg(&script).arg(folder.path().join("shared.session"));
        command.arg(bench.scale.span.as_secs_f64().to_string());
        let mut worker = Worker::program(command)?;
        let () = worker.hear().await?;
        workers.push(worker);
    }
    bench.together(workers).await
}
