use std::process::ExitCode;

use anyhow::Context as _;
use sessiond_client::SessionName;

use super::{Context, possession::Inherited, render::revision_object};

/// Delete a session, keys and all
///
/// It is not logged out of Telegram by that: do so with the program that uses it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond rm alice")]
pub(crate) struct Rm {
    /// The session's name
    name: SessionName,
    #[command(flatten)]
    inherited: Inherited,
}

impl Rm {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { name, inherited } = self;
        let revision = inherited
            .with(context, &name, async |held| held.delete().await.with_context(|| name.to_string()))
            .await?;
        context.output.result(
            || revision_object(&name, revision),
            || match revision {
                0 => format!("there was no session {name}"),
                _ => format!("deleted {name}"),
            },
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
