use std::{fs, io, path::Path};

use anyhow::Context as _;
use serde::Serialize;

use super::{markdown, plots, table};
use crate::{
    arguments::Arguments,
    bars::{Bar, bars},
    bench::Bench,
    figure::Figure,
    machine::Machine,
};

/// Everything that came of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// The day, as 2026-01-31.
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) skipped: Vec<String>,
}

impl Results {
    pub(crate) fn of(bench: Bench, arguments: &Arguments) -> Self {
        let Bench { scale, machine, figures, skipped, .. } = bench;
        let only = arguments.only.iter().map(|name| format!(" --only {name}")).collect::<String>();
        let scale_option = if scale.name == "full" { String::new() } else { format!(" --{}", scale.name) };
        Self {
            machine,
            date: jiff::Timestamp::now().to_string().chars().take(10).collect(),
            command: format!("sessiond-bench{scale_option}{only}"),
            bars: bars(&figures, scale.sessions),
            figures,
            skipped,
        }
    }

    pub(crate) fn table(&self, out: &mut impl io::Write) -> anyhow::Result<()> {
        Ok(table::write(self, out)?)
    }

    /// Writes all files, over those of an earlier run.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        for (name, text) in [("results.json", json), ("table.md", markdown::table(self))] {
            let file = folder.join(name);
            fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
        }
        plots::draw(&self.figures, folder)
    }
}
