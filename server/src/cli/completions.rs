use std::{io::Write as _, process::ExitCode};

use clap_complete::{Shell, generate};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, program: &mut clap::Command) -> anyhow::Result<ExitCode> {
        // Made in memory first, because clap panics where it cannot write.
        let mut script = Vec::new();
        generate(self.shell, program, "sessiond", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}
