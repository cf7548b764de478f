//! `sessiond demo`: the promises, kept before your eyes.

mod evidence;
mod fact;
mod figures;
mod sandbox;
mod screen;
mod trial;
mod watcher;
mod worker;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use self::{figures::Figures, sandbox::Sandbox, screen::Screen, trial::Trial};
use super::{
    failure::is_closed_pipe,
    interrupt::{Interrupts, exit_code},
    output::Output,
};
use crate::exit::Exit;

pub(super) use self::{watcher::DemoWatcher, worker::DemoWorker};

/// See the promises kept: workers are killed, and nothing is lost
///
/// Starts a daemon of its own in a temporary directory, three workers that want the same session, and a watcher. The one
/// that holds the session is killed with SIGKILL again and again, and at the end it is checked that no acknowledged change is
/// lost, that the watcher missed nothing and saw nothing twice, that there were never two holders, and that the session's file
/// is whole. Your own daemon and sessions have no part in it, nothing is sent over a network, and nothing is left behind.
/// Exits with 70 where a check fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond demo
  sessiond demo --kills 20 --seconds 40
  sessiond demo --json")]
pub(crate) struct Demo {
    /// How often the holder is killed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    kills: u32,
    /// How long the workers work, all in all
    #[arg(long, value_name = "SECONDS", default_value = "8", value_parser = super::seconds)]
    seconds: Duration,
}

impl Demo {
    /// Does it on this thread: what it starts ends with the thread that started it.
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut interrupts = Interrupts::catch()?;
            let mut sandbox = Sandbox::make()?;
            let ended = tokio::select! {
                ended = self.show(&mut sandbox, output) => ended,
                signal = interrupts.next() => Ok(exit_code(signal)),
            };
            if ended.as_ref().is_err_and(|error| !is_closed_pipe(error)) {
                output.note(&sandbox.last_of_log());
            }
            sandbox.clear().await?;
            ended
        })
    }

    async fn show(&self, sandbox: &mut Sandbox, output: Output) -> anyhow::Result<ExitCode> {
        let mut screen = Screen::new(output);
        screen.opening(self.kills)?;
        sandbox.serve().await?;
        let imported = sandbox.import().await?;
        // What it is, and not all that is in it.
        screen.imported(imported.split_once(": ").map_or(&*imported, |(what, _)| what))?;
        let begun = Instant::now();
        let mut trial = Trial::begin(sandbox, &mut screen).await?;
        // The last holder has its share too.
        let share = self.seconds / (self.kills + 1);
        for _ in 0..self.kills {
            trial.work(share).await?;
            trial.kill_holder().await?;
        }
        trial.work(share).await?;
        let (evidence, hand_overs) = trial.end().await?;
        let figures = Figures::of(&evidence, hand_overs, begun.elapsed());
        sandbox.stop().await?;
        let checks = evidence.checks(&sandbox.file_found()?);
        screen.verdict(&checks, &figures)?;
        if checks.iter().all(|check| check.finding.is_ok()) {
            return Ok(ExitCode::SUCCESS);
        }
        output.error("a promise was broken; please report it with what is above");
        Ok(Exit::Software.into())
    }
}
