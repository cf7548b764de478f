use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::scale::Scale;

/// Measures sessiond: real processes and sockets, each figure beside its floor in the same run.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Measure less: one short run of each, less than two minutes in all
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only try everything out, with figures that say nothing
    #[arg(long, hide = true, conflicts_with = "quick")]
    pub(crate) smoke: bool,

    /// Measure only this; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,

    /// Say what can be measured
    #[arg(long)]
    pub(crate) list: bool,

    /// The daemon that is measured
    #[arg(long, value_name = "FILE", default_value = "target/release/sessiond")]
    pub(crate) daemon: PathBuf,

    /// Where sessions are kept while it runs: a folder on the disk that is to be measured
    #[arg(long, value_name = "FOLDER", default_value = "target")]
    pub(crate) dir: PathBuf,

    /// Where the results go: results.json, table.md and the plots. Nowhere, unless it is given
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,

    /// The Python environments that `make venvs` makes; Telethon's own file is measured with the one of its newest version
    #[arg(long, value_name = "FOLDER", default_value = ".venvs")]
    pub(crate) venvs: PathBuf,

    /// The clients of other languages that `make clients` installs
    #[arg(long, value_name = "FOLDER", default_value = ".clients")]
    pub(crate) clients: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes load, as it is told on the standard input: what this program starts itself as
    #[command(hide = true)]
    Load,
}

impl Arguments {
    pub(crate) fn scale(&self) -> Scale {
        match (self.smoke, self.quick) {
            (true, _) => Scale::smoke(),
            (_, true) => Scale::quick(),
            _ => Scale::full(),
        }
    }
}
