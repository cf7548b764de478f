use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap_mangen::Man as Page;

/// Write a man page for each command, for who packages this program
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The directory to write them to; it is made if it is missing
    dir: PathBuf,
}

impl Man {
    pub(super) fn run(self, program: &clap::Command) -> anyhow::Result<ExitCode> {
        let Self { dir } = self;
        // Commands have pages of their own, and `sessiond help` would only repeat them.
        let mut program = program.clone().disable_help_subcommand(true);
        program.build();
        write_all(program, &dir).with_context(|| dir.display().to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write_all(program: clap::Command, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    for command in commands.collect::<Vec<_>>().into_iter().chain([program]) {
        write(command, dir)?;
    }
    Ok(())
}

fn write(command: clap::Command, dir: &Path) -> io::Result<()> {
    let examples = command.get_after_help().map(|help| examples(&help.to_string())).unwrap_or_default();
    // What stands after the help would be filled like a paragraph.
    let page = Page::new(command.after_help(None));
    let mut file = fs::File::create(dir.join(page.get_filename()))?;
    page.render(&mut file)?;
    io::Write::write_all(&mut file, examples.as_bytes())
}

/// The examples of a command's help as a section of a page, line by line.
fn examples(help: &str) -> String {
    let lines = help.lines().skip(1).map(|line| {
        let line = line.trim().replace('\\', "\\e").replace('-', "\\-");
        // A line that began with one of the two would be a request.
        if line.starts_with(['.', '\'']) { format!("\\&{line}\n") } else { format!("{line}\n") }
    });
    format!(".SH EXAMPLES\n.nf\n{}.fi\n", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::examples;

    #[test]
    fn an_example_stands_as_it_is_typed() {
        let section = examples("Examples:\n  a --b\n  ./c '\\d'");
        assert_eq!(section, ".SH EXAMPLES\n.nf\na \\-\\-b\n\\&./c '\\ed'\n.fi\n");
    }
}
