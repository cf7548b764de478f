//! sessiond: the daemon and its command line.

mod allowance;
mod audit;
mod caller;
mod cli;
mod config;
mod daemon;
mod directory;
mod engine;
mod exit;
mod filesystem;
mod hardening;
mod holds;
mod listener;
mod logging;
mod pattern;
mod policy;
mod principal;
mod process;
mod readiness;
mod seal;
mod service;
mod shutdown;
mod signal;
mod toml_file;
mod transfer;
mod watch;

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind};
use tokio::runtime::{self, Runtime};

use crate::{
    config::{Place, ServeArgs},
    exit::Exit,
    hardening::HardeningError,
    listener::{HandedOver, ListenError},
};

/// Fewest threads that serve, however few processors there are: one may be busy with a commit.
const MIN_WORKERS: usize = 2;

/// How long what still runs when the daemon has ended gets to end as well.
const END_WITHIN: Duration = Duration::from_millis(500);

/// Keeps Telegram sessions: one daemon owns them, and the programs of this host use them, one at a time each.
///
/// Whoever holds a session gets its keys and may write it. Everyone else may watch it.
#[derive(Debug, Parser)]
#[command(
    name = "sessiond",
    version,
    arg_required_else_help = true,
    after_help = "Examples:
  sessiond demo                        see what it does, in ten seconds
  sessiond serve                       run the daemon
  sessiond run -- ./worker             run a program, and the daemon as long as it runs
  sessiond import alice.session        bring a session in
  sessiond hold alice -- ./worker      use it, alone, while a program runs
  sessiond top                         watch all of it"
)]
struct Cli {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    globals: cli::Globals,

    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<ServeArgs>),
    #[command(flatten)]
    Client(Box<cli::Command>),
}

/// Why the daemon did not run to its end.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Hardening(#[from] HardeningError),
    #[error(transparent)]
    HandedOver(#[from] ListenError),
    #[error("threads cannot be started")]
    Runtime(#[source] io::Error),
    #[error(transparent)]
    Daemon(#[from] daemon::Error),
}

/// Runs the program with this process's arguments and environment. Answers a code of sysexits.h, or that of a command that
/// it ran.
pub fn main() -> ExitCode {
    let program = config::without_empty_variables(Cli::command());
    let parsed = program.clone().try_get_matches();
    let Cli { place, globals, command } = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(message) => return show(&message, program),
    };
    match command {
        Command::Serve(args) => {
            serve(*args, place).map_or_else(|failure| report(&failure), |()| ExitCode::SUCCESS)
        }
        Command::Client(command) => cli::run(*command, &globals, place, &program),
    }
}

fn serve(args: ServeArgs, place: Place) -> Result<(), Failure> {
    let config = args.into_config(place)?;
    // Before there are threads: each would have to be hardened, and the environment is changed.
    hardening::harden()?;
    let handed_over = HandedOver::take()?;
    let runtime = runtime().map_err(Failure::Runtime)?;
    let served = runtime.block_on(daemon::run(config, handed_over));
    runtime.shutdown_timeout(END_WITHIN);
    Ok(served?)
}

fn runtime() -> io::Result<Runtime> {
    let processors = thread::available_parallelism().map_or(MIN_WORKERS, usize::from);
    runtime::Builder::new_multi_thread().worker_threads(processors.max(MIN_WORKERS)).enable_all().build()
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(error) => error.exit(),
            Self::Hardening(_) | Self::Runtime(_) => Exit::Os,
            Self::HandedOver(error) => error.exit(),
            Self::Daemon(error) => error.exit(),
        }
    }
}

/// Help and versions are what was asked for; everything else is a wrong command line.
fn show(message: &clap::Error, mut program: clap::Command) -> ExitCode {
    // Whoever closed stdout does not want to read it. clap itself shows the help only where no variable sets an option.
    let _ = match message.kind() {
        ErrorKind::MissingSubcommand => write!(io::stderr(), "{}", program.render_help()),
        _ => message.print(),
    };
    if message.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
}

/// Tells a failure with its causes, in one line.
#[expect(clippy::print_stderr, reason = "it is for whoever started the daemon, whatever the log says")]
fn report(failure: &Failure) -> ExitCode {
    let mut line = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    eprintln!("sessiond: {}", line.replace('\n', " "));
    failure.exit().into()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Cli;

    #[test]
    fn the_whole_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_service_unit_starts_the_program_with_options_that_it_has() {
        let unit = include_str!("../../contrib/systemd/sessiond.service");
        let line =
            unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
        let cli = Cli::try_parse_from(line.split_whitespace()).expect("the options are known");
        assert!(matches!(cli.command, super::Command::Serve(_)), "{line}");
        // What is set in the environment goes by the variables of options.
        let serve = Cli::command().find_subcommand("serve").expect("there").clone();
        let known: Vec<_> = serve
            .get_arguments()
            .chain(Cli::command().get_arguments())
            .filter_map(|arg| arg.get_env().map(ToOwned::to_owned))
            .collect();
        for assignment in unit.lines().filter_map(|line| line.strip_prefix("Environment=")) {
            let (name, _) = assignment.split_once('=').expect("a variable and its value");
            assert!(name.starts_with("XDG_") || known.iter().any(|known| known == name), "{assignment}");
        }
    }

    #[test]
    fn the_socket_may_be_named_before_and_after_the_command() {
        for line in [["sessiond", "--socket=x", "serve"], ["sessiond", "serve", "--socket=x"]] {
            let cli = Cli::try_parse_from(line).expect("both are understood");
            assert_eq!(cli.place.socket, Some("x".into()), "{line:?}");
        }
    }
}
