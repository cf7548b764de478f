//! Measures sessiond: the daemon and its clients are processes of their own, over real sockets and a real disk, and every
//! figure that a machine sways is measured beside its floor in the same run.
//!
//! `make bench` and `make bench-quick` run it; `sessiond-bench --list` says what there is. docs/performance.md explains the
//! figures.

mod arguments;
mod bars;
mod bench;
mod catalogue;
mod daemon;
mod figure;
mod limits;
mod load;
mod machine;
mod measure;
mod memory;
mod peers;
mod process;
mod report;
mod sample;
mod scale;
mod worker;

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    arguments::{Arguments, Command},
    bench::Bench,
    report::Results,
};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody reads any more, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "sessiond-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Some(Command::Load) => load::play(),
        None if arguments.list => report::list(&mut std::io::stdout().lock()),
        None => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                // Whoever ends it early leaves no daemon and no folder behind: what is dropped is stopped and removed.
                tokio::select! {
                    measured = measure(arguments) => measured,
                    ended = ended_early() => ended,
                }
            })
        }
    }
}

/// Waits until this program is asked to stop.
async fn ended_early() -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    anyhow::bail!("stopped before everything was measured")
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let selected = catalogue::selected(&arguments.only)?;
    let mut bench = Bench::new(arguments)?;
    for measurement in selected {
        bench.announce(measurement);
        (measurement.run)(&mut bench)
            .await
            .with_context(|| format!("{} was not measured", measurement.name))?;
    }
    let results = Results::of(bench, arguments);
    results.table(&mut std::io::stdout().lock())?;
    match &arguments.out {
        Some(folder) => results.save(folder),
        None => Ok(()),
    }
}
