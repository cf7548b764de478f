use std::process::ExitCode;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use serde_json::json;
use sessiond_client::{Seal as Status, SessionName};

use super::{Context, render::printable};

/// Tell how sessions are sealed, change the master key, or open sessions for other programs
///
/// Secrets are encrypted in the daemon's directory, and the master key is outside of it: see --seal of `sessiond serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond seal status
  sessiond seal rotate
  sessiond seal off alice              alice.session has its keys in it
  sessiond seal on alice")]
pub(crate) struct Seal {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Tell which master key there is, how many sessions are sealed, and which are not
    Status,
    /// Make a new master key. The old one stays beside it, retired, for earlier copies of the directory: to forget it, delete
    /// its line from the key's file
    Rotate,
    /// Seal sessions that were opened
    On(Which),
    /// Open sessions, so that programs that know NAME.session find the keys in it. So it stays until they are sealed again
    Off(Which),
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The sessions' names
    names: Vec<SessionName>,
    /// All sessions that there are now
    #[arg(long)]
    all: bool,
}

impl Seal {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Status => status(context).await,
            Action::Rotate => rotate(context).await,
            Action::On(which) => {
                for name in which.names(context).await? {
                    context.client.seal_session(&name).await.with_context(|| name.clone())?;
                    tell(context, &name, true)?;
                }
                Ok(ExitCode::SUCCESS)
            }
            Action::Off(which) => {
                for name in which.names(context).await? {
                    context.client.unseal_session(&name).await.with_context(|| name.clone())?;
                    tell(context, &name, false)?;
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Which {
    async fn names(&self, context: &Context) -> anyhow::Result<Vec<String>> {
        if !self.all {
            return Ok(self.names.iter().map(ToString::to_string).collect());
        }
        let sessions: Vec<_> = context.client.list("").try_collect().await?;
        Ok(sessions.into_iter().map(|session| session.name.to_string()).collect())
    }
}

async fn status(context: &Context) -> anyhow::Result<ExitCode> {
    let status = context.client.seal().await?;
    context.output.result(
        || {
            let Status { key_id, key_path, retired_key_ids, sealed_count, open_names } = &status;
            json!({
                "key_id": key_id,
                "key_path": key_path,
                "retired_key_ids": retired_key_ids,
                "sealed_count": sealed_count,
                "open_names": open_names,
            })
        },
        || sentence(&status),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn sentence(status: &Status) -> String {
    let Status { key_id, key_path, retired_key_ids, sealed_count, open_names } = status;
    let Some(key_id) = key_id else { return "nothing is sealed: the daemon has no master key".into() };
    let place = printable(key_path.as_deref().unwrap_or_default());
    let mut text = format!("{sealed_count} sealed, with the master key {key_id} in {place}");
    if !retired_key_ids.is_empty() {
        text = format!("{text}\nretired keys: {}", retired_key_ids.join(", "));
    }
    if !open_names.is_empty() {
        text = format!("{text}\nopen by choice: {}", open_names.join(", "));
    }
    text
}

async fn rotate(context: &Context) -> anyhow::Result<ExitCode> {
    let key_id = context.client.rotate_master_key().await?;
    context.output.result(
        || json!({ "key_id": key_id }),
        || format!("the master key is {key_id} now; the one before it stays in its file, retired"),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn tell(context: &Context, name: &str, sealed: bool) -> anyhow::Result<()> {
    let how = if sealed { "sealed" } else { "open: its keys are in its file" };
    context.output.result(|| json!({ "name": name, "sealed": sealed }), || format!("{name} is {how}"))?;
    Ok(())
}
