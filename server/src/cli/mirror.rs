use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use sessiond_client::{MirrorAction, SessionName, SettledMirror};

use super::{Context, render::printable};

/// Write a session's file, NAME.session in the daemon's directory
///
/// The daemon does so by itself; this does it now, and settles a file that another program changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond mirror alice
  sessiond mirror --force alice")]
pub(crate) struct Mirror {
    /// The session's name
    name: SessionName,
    /// Write over a file that is not as the daemon left it; it is kept under another name
    #[arg(long)]
    force: bool,
}

impl Mirror {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let action = if self.force { MirrorAction::Replace } else { MirrorAction::Write };
        settle(context, &self.name, action).await
    }
}

/// Settles a mirror, and tells how it stands.
pub(super) async fn settle(
    context: &Context,
    name: &SessionName,
    action: MirrorAction,
) -> anyhow::Result<ExitCode> {
    let settled = context.client.settle_mirror(name, action).await.with_context(|| name.to_string())?;
    let SettledMirror { revision, kept_as } = settled;
    context.output.result(
        || json!({ "name": name.as_str(), "revision": revision, "kept_as": kept_as }),
        || match (revision, &kept_as) {
            (0, _) => format!("there is no session {name}, and no file of it"),
            (_, None) => format!("{name}.session is at revision {revision}"),
            (_, Some(kept)) => format!(
                "{name}.session is at revision {revision}; the earlier file is kept as {}",
                printable(kept)
            ),
        },
    )?;
    Ok(ExitCode::SUCCESS)
}
