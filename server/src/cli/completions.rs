use std::{io::Write as _, process::ExitCode};

use clap_complete::{Shell, generate};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond completions bash > ~/.local/share/bash-completion/completions/sessiond
  sessiond completions zsh > ~/.zfunc/_sessiond
  sessiond completions fish > ~/.config/fish/completions/sessiond.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, program: &clap::Command) -> anyhow::Result<ExitCode> {
        let mut program = shown(program);
        // Made in memory first, because clap panics where it cannot write.
        let mut script = Vec::new();
        generate(self.shell, &mut program, "sessiond", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The command line without what is hidden, which the scripts would offer otherwise.
fn shown(command: &clap::Command) -> clap::Command {
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned();
    let subcommands = command.get_subcommands().filter(|command| !command.is_hide_set()).map(shown);
    let mut copy = clap::Command::new(kept(command.get_name())).args(arguments).subcommands(subcommands);
    if let Some(about) = command.get_about() {
        copy = copy.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        copy = copy.version(kept(version));
    }
    copy
}

/// A text for as long as clap wants it. This process prints the script and ends: the memory is not missed.
fn kept(text: &str) -> &'static str {
    text.to_owned().leak()
}
