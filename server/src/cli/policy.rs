use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
use serde_json::json;

use super::{failure::Failure, output::Output};
use crate::{config::Config, exit::Exit, policy};

/// See to the rules of who may do what
///
/// The rules are in a file that `sessiond serve --policy FILE` reads, and reads again on SIGHUP. docs/policy.md says what they
/// may say.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond policy check /etc/sessiond/policy.toml")]
pub(crate) struct Policy {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Check(Check),
}

/// Say whether a policy file can be used, and if not, why not and where
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond policy check
  sessiond policy check new.toml && mv new.toml /etc/sessiond/policy.toml && pkill -HUP sessiond")]
struct Check {
    /// The file. Default: the one that `sessiond serve` would read
    #[arg(env = "SESSIOND_POLICY")]
    file: Option<PathBuf>,
}

impl Policy {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let Action::Check(Check { file }) = self.action;
        let Some(file) = file.map_or_else(policy_of_daemon, |file| Ok(Some(file)))? else {
            let message = "there is no policy: name a file, or set one with SESSIOND_POLICY or in the configuration file";
            return Err(Failure::new(Exit::Usage, message).into());
        };
        let rules = policy::check(&file)
            .map_err(|error| Failure::new(error.exit(), format!("{:#}", anyhow::Error::from(error))))?;
        output.result(
            || json!({ "file": file.display().to_string(), "rules": rules }),
            || format!("{}: {rules} rules", file.display()),
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The file that the configuration file names.
fn policy_of_daemon() -> Result<Option<PathBuf>, Failure> {
    let config = Config::of_directory(None, None)
        .map_err(|error| Failure::new(error.exit(), format!("{:#}", anyhow::Error::from(error))))?;
    Ok(config.policy)
}
