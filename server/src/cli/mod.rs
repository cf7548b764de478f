//! The command line: what people and scripts do with a daemon, and `serve`, which is one.

mod advance;
mod attrs;
mod audit;
mod certs;
mod completions;
mod demo;
mod end_hold;
mod exec_held;
mod export;
mod failure;
mod findings;
mod hold;
mod import;
mod info;
mod inspect;
mod interrupt;
mod ls;
mod man;
mod mirror;
mod output;
mod peers;
mod policy;
mod possession;
mod program;
mod render;
mod rm;
mod run;
mod seal;
mod set_user;
mod show;
mod source;
mod top;
mod watch;

use std::{process::ExitCode, time::Duration};

use clap::Subcommand;
use sessiond_client::Client;

use self::output::Output;
use crate::config::{GLOBAL_OPTIONS, Place};

/// How long a command waits for a daemon unless the user says otherwise, in seconds: long enough for one that restarts,
/// short enough for a person.
const DEADLINE: &str = "5";

/// This program, also where its file was replaced or moved since it was started.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// What every command understands, beside the place of the daemon.
#[derive(Debug, clap::Args)]
pub(crate) struct Globals {
    /// Print one JSON object a line, with the schema's field names and exact times
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    json: bool,

    /// How long to wait for a daemon, in seconds
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "SECONDS", env = "SESSIOND_DEADLINE", default_value = DEADLINE, value_parser = seconds)]
    deadline: Duration,

    /// Print without colour
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, env = "NO_COLOR", value_parser = is_set)]
    no_color: bool,
}

/// What is asked of a daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Import(import::Import),
    Inspect(inspect::Inspect),
    Ls(ls::Ls),
    Show(show::Show),
    Peers(peers::Peers),
    Attrs(attrs::Attrs),
    Watch(watch::Watch),
    Hold(hold::Hold),
    Run(run::Run),
    Advance(advance::Advance),
    SetUser(set_user::SetUser),
    Rm(rm::Rm),
    Export(export::Export),
    Mirror(mirror::Mirror),
    Audit(audit::Audit),
    Seal(seal::Seal),
    EndHold(end_hold::EndHold),
    Info(info::Info),
    Top(top::Top),
    Demo(demo::Demo),
    Policy(policy::Policy),
    Certs(certs::Certs),
    Completions(completions::Completions),
    #[command(hide = true)]
    Man(man::Man),
    #[command(hide = true)]
    ExecHeld(exec_held::ExecHeld),
    #[command(hide = true)]
    DemoWorker(demo::DemoWorker),
    #[command(hide = true)]
    DemoWatcher(demo::DemoWatcher),
}

/// What a command works with.
struct Context {
    client: Client,
    place: Place,
    output: Output,
}

/// Does what the command says, on this thread, and answers a code of sysexits.h, or that of a command that it ran.
/// `program` is the whole command line, for completions.
pub(crate) fn run(command: Command, globals: &Globals, place: Place, program: &clap::Command) -> ExitCode {
    let output = Output::new(globals.json, globals.no_color);
    let ended = match command {
        Command::Certs(command) => command.run(output),
        Command::Completions(command) => command.run(program),
        Command::Man(command) => command.run(program),
        Command::ExecHeld(command) => command.run(output),
        Command::Demo(command) => command.run(output),
        Command::Inspect(command) => command.run(output),
        Command::Policy(command) => command.run(output),
        Command::Audit(command) => command.run(output),
        Command::Run(command) => command.run(globals.deadline, place.socket),
        command => with_client(globals.deadline, place, output, command),
    };
    ended.unwrap_or_else(|error| failure::report(&error, output))
}

fn with_client(
    deadline: Duration,
    place: Place,
    output: Output,
    command: Command,
) -> anyhow::Result<ExitCode> {
    // All on this one thread: a child that is to end with its parent ends with the thread that made it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = client_of(&place, deadline).await?;
        ask(command, &Context { client, place, output }).await
    })
}

/// Does what needs a daemon.
async fn ask(command: Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Import(command) => command.run(context).await,
        Command::Ls(command) => command.run(context).await,
        Command::Show(command) => command.run(context).await,
        Command::Peers(command) => command.run(context).await,
        Command::Attrs(command) => command.run(context).await,
        Command::Watch(command) => command.run(context).await,
        Command::Hold(command) => command.run(context).await,
        Command::Advance(command) => command.run(context).await,
        Command::SetUser(command) => command.run(context).await,
        Command::Rm(command) => command.run(context).await,
        Command::Export(command) => command.run(context).await,
        Command::Mirror(command) => command.run(context).await,
        Command::Seal(command) => command.run(context).await,
        Command::EndHold(command) => command.run(context).await,
        Command::Info(command) => command.run(context).await,
        Command::Top(command) => command.run(context).await,
        Command::DemoWorker(command) => command.run(context).await,
        Command::DemoWatcher(command) => command.run(context).await,
        Command::Audit(_)
        | Command::Certs(_)
        | Command::Completions(_)
        | Command::Demo(_)
        | Command::ExecHeld(_)
        | Command::Inspect(_)
        | Command::Man(_)
        | Command::Policy(_)
        | Command::Run(_) => {
            unreachable!("what needs no daemon was done before")
        }
    }
}

/// A client of the daemon at a place, that waits so long for it.
async fn client_of(place: &Place, deadline: Duration) -> Result<Client, sessiond_client::Error> {
    let Place { socket, tls } = place;
    let mut builder = Client::builder().deadline(deadline);
    if let Some(socket) = socket {
        builder = builder.socket(socket.clone());
    }
    if let Some(directory) = tls {
        builder = builder.tls(directory);
    }
    builder.connect().await
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is a number of seconds, such as 5 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// A variable that counts by being there, whatever it says (<https://no-color.org>). `false` is clap's own for a flag that
/// is not given.
fn is_set(text: &str) -> Result<bool, std::convert::Infallible> {
    Ok(text != "false")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::{Command, Globals};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        globals: Globals,
        #[command(subcommand)]
        command: Command,
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_global_option_stands_before_or_after_the_command() {
        for line in [["sessiond", "--json", "ls"], ["sessiond", "ls", "--json"]] {
            let cli = Cli::try_parse_from(line).expect("both are understood");
            assert!(cli.globals.json && matches!(cli.command, Command::Ls(_)), "{line:?}");
        }
    }

    #[test]
    fn a_command_for_hold_may_have_options_of_its_own() {
        assert!(Cli::try_parse_from(["sessiond", "hold", "alice", "--", "sh", "-c", "exit 3"]).is_ok());
        assert!(Cli::try_parse_from(["sessiond", "hold", "alice"]).is_err());
    }

    #[test]
    fn a_bad_name_is_a_wrong_command_line() {
        for line in [["sessiond", "show", "../x"], ["sessiond", "rm", ".x"]] {
            assert!(Cli::try_parse_from(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn an_advance_mentions_something() {
        assert!(Cli::try_parse_from(["sessiond", "advance", "alice"]).is_err());
        assert!(Cli::try_parse_from(["sessiond", "advance", "alice", "--channel", "7=8"]).is_ok());
    }
}
