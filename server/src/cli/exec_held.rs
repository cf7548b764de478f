use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::output::Output;

/// As the shell has it: there is no such command.
const NOT_FOUND: u8 = 127;
/// As the shell has it: there is, and it cannot be run.
const NOT_EXECUTABLE: u8 = 126;

/// The child of `hold` or `run`, on its way to become the command: it sees to it that the command ends with its parent.
#[derive(Debug, clap::Args)]
pub(crate) struct ExecHeld {
    /// Pid of the process that holds the session, or the daemon's life line
    #[arg(long)]
    parent: i32,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl ExecHeld {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        // Not a signal that the command could ignore: once the parent is gone, the session is soon granted to another, and the
        // daemon may stop.
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
        if getppid().map(|parent| parent.as_raw_nonzero().get()) != Some(self.parent) {
            output.error("the process that this command belongs to has ended; run it again");
            return Ok(crate::exit::Exit::TempFailure.into());
        }
        let (program, arguments) = self.command.split_first().expect("clap requires one");
        let error = Command::new(program).args(arguments).exec();
        output.error(&format!("{}: {error}", program.to_string_lossy()));
        let not_found = error.kind() == io::ErrorKind::NotFound;
        Ok(if not_found { NOT_FOUND } else { NOT_EXECUTABLE }.into())
    }
}
