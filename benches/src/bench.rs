use std::{fs, io::Write as _, path::PathBuf};

use anyhow::Context as _;

use crate::{
    arguments::Arguments,
    catalogue::Measurement,
    daemon::Daemon,
    figure::{Figure, Sample},
    load::Job,
    machine::Machine,
    scale::Scale,
    worker::Worker,
};

/// A run of the benchmark: where it happens, and what came of it so far.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) scale: Scale,
    pub(crate) machine: Machine,
    /// On the disk that is measured.
    pub(crate) folder: PathBuf,
    pub(crate) venvs: PathBuf,
    pub(crate) clients: PathBuf,
    daemon: PathBuf,
    pub(crate) figures: Vec<Figure>,
    /// What was left out, and why.
    pub(crate) skipped: Vec<String>,
}

impl Bench {
    /// # Errors
    /// There is no daemon to be measured, or no folder to do it in.
    pub(crate) fn new(arguments: &Arguments) -> anyhow::Result<Self> {
        let daemon = fs::canonicalize(&arguments.daemon).with_context(|| {
            format!("{}: no daemon here; `make bench` builds it", arguments.daemon.display())
        })?;
        fs::create_dir_all(&arguments.dir)?;
        let folder = fs::canonicalize(&arguments.dir)?;
        Ok(Self {
            scale: arguments.scale(),
            machine: Machine::of(&folder),
            folder,
            venvs: arguments.venvs.clone(),
            clients: arguments.clients.clone(),
            daemon,
            figures: Vec::new(),
            skipped: Vec::new(),
        })
    }

    /// Says what is measured next, to whoever looks on.
    pub(crate) fn announce(&self, measurement: &Measurement) {
        self.say(&format!("{}: {}", measurement.name, measurement.what));
    }

    /// Leaves something out.
    pub(crate) fn skip(&mut self, why: impl Into<String>) {
        let why = why.into();
        self.say(&format!("  skipped: {why}"));
        self.skipped.push(why);
    }

    pub(crate) fn take(&mut self, figure: Figure) {
        self.say(&format!("  {}", crate::report::line(&figure)));
        self.figures.push(figure);
    }

    /// A new daemon, with nothing in it.
    pub(crate) async fn daemon(&self) -> anyhow::Result<Daemon> {
        Daemon::start(&self.daemon, &self.folder).await
    }

    /// The same, but keys are written as they are.
    pub(crate) async fn unsealed_daemon(&self) -> anyhow::Result<Daemon> {
        Daemon::start_unsealed(&self.daemon, &self.folder).await
    }

    /// A folder of its own on the disk that is measured, removed when it is dropped.
    pub(crate) fn scratch(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(&self.folder)?)
    }

    /// Runs a generator as often as the scale says, one after the other.
    pub(crate) async fn runs(&self, job: &Job) -> anyhow::Result<Vec<Sample>> {
        let mut runs = Vec::new();
        for _ in 0..self.scale.runs {
            runs.push(self.sample(job).await?);
        }
        Ok(runs)
    }

    /// Runs one generator to its end.
    pub(crate) async fn sample(&self, job: &Job) -> anyhow::Result<Sample> {
        let mut worker = Worker::start(job).await?;
        worker.go().await?;
        let sample = worker.hear().await?;
        worker.end().await?;
        Ok(sample)
    }

    /// Runs generators that are ready at the same time, to their ends.
    pub(crate) async fn together(&self, mut workers: Vec<Worker>) -> anyhow::Result<Sample> {
        for worker in &mut workers {
            worker.go().await?;
        }
        let mut samples = Vec::new();
        for mut worker in workers {
            samples.push(worker.hear().await?);
            worker.end().await?;
        }
        Ok(Sample::together(&samples))
    }

    fn say(&self, text: &str) {
        // Where nobody looks on any more, the results are for files.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}
