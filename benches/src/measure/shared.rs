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

/// The Python package's environment, as `make clients` makes it, and what plays programs on it.
const CLIENT_PYTHON: &str = "python/bin/python";
const CLIENT_SCRIPT: &str = include_str!("../../client.py");

/// What a file does not promise.
const PROMISES: &str = "no order among its writers, no fence, nobody may follow; a writer that waits 5 s gets `database is locked`";

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let telethon = bench.venvs.join(PYTHON);
    let telethon = telethon.exists().then_some(telethon);
    if telethon.is_none() {
        bench.skip("Telethon's own file: no Telethon 1.45 here; `make venvs` installs it");
    }
    let client = bench.clients.join(CLIENT_PYTHON);
    let client = client.exists().then_some(client);
    if client.is_none() {
        bench.skip(
            "Python clients that write the same session: none here; `make clients` installs the client",
        );
    }
    let daemon = bench.daemon().await?;
    let holder = Holder::of(&daemon, vec!["shared".into()], 1).await?;
    for processes in PROCESSES {
        let (mut rust, mut python, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.scale.runs {
            rust.push(rust_clients(bench, &daemon, &holder, processes).await?);
            if let Some(program) = &client {
                python.push(python_clients(bench, &daemon, &holder, program, processes).await?);
            }
            if let Some(program) = &telethon {
                theirs.push(telethons(bench, program, processes).await?);
            }
        }
        let who = if processes == 1 { "1 process writes" } else { "8 processes write" };
        tell(bench, &format!("{who} one session"), processes, [&rust, &python, &theirs]);
    }
    Ok(())
}

/// What so many processes came to: through the Rust client, the Python client, and in Telethon's own file.
fn tell(bench: &mut Bench, what: &str, processes: usize, [rust, python, theirs]: [&[Sample]; 3]) {
    let name = format!("shared.sessiond.{processes}");
    bench.take(Figure::new(name, format!("{what} through the Rust client")).median(rust));
    if !python.is_empty() {
        let name = format!("shared.python.{processes}");
        bench.take(Figure::new(name, format!("{what} through the Python client")).median(python));
    }
    if !theirs.is_empty() {
        let locked: u64 = theirs.iter().map(|sample| sample.refused).sum();
        let what = format!("{what} into Telethon 1.45's own file");
        let name = format!("shared.telethon.{processes}");
        bench.take(Figure::new(&name, &what).median(theirs).note(PROMISES));
        let what = format!("{what}: `database is locked`");
        bench.take(Figure::new(format!("{name}.locked"), what).amount(locked as f64, "times"));
    }
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

/// The same, of Python.
async fn python_clients(
    bench: &Bench,
    daemon: &Daemon,
    holder: &Holder,
    python: &Path,
    processes: usize,
) -> anyhow::Result<Sample> {
    let folder = bench.scratch()?;
    // By another name than a module's, which it would be taken for.
    let script = folder.path().join("write.py");
    std::fs::write(&script, CLIENT_SCRIPT)?;
    let held = &holder.held()[0];
    let mut workers = Vec::new();
    for _ in 0..processes {
        let mut command = Command::new(python);
        command.arg(&script).arg(bench.scale.span.as_secs_f64().to_string());
        command.env("SESSIOND_SOCKET", daemon.socket());
        command.env("SESSIOND_NAME", &held.name).env("SESSIOND_TOKEN", &held.token);
        workers.push(ready(command).await?);
    }
    bench.together(workers).await
}

/// Starts a program, and waits until it is ready.
async fn ready(command: Command) -> anyhow::Result<Worker> {
    let mut worker = Worker::program(command)?;
    let () = worker.hear().await?;
    Ok(worker)
}

/// Processes that all have the file open.
async fn telethons(bench: &Bench, python: &Path, processes: usize) -> anyhow::Result<Sample> {
    let folder = bench.scratch()?;
    // Not by the name of the library, which it would be taken for.
    let script = folder.path().join("write.py");
    std::fs::write(&script, SCRIPT)?;
    let mut workers = Vec::new();
    for _ in 0..processes {
        let mut command = Command::new(python);
        command.arg(&script).arg(folder.path().join("shared.session"));
        command.arg(bench.scale.span.as_secs_f64().to_string());
        workers.push(ready(command).await?);
    }
    bench.together(workers).await
}
