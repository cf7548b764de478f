use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use sessiond_client::SessionName;

use super::{
    Context,
    render::{holder_object, holder_text},
};

/// End a session's hold; its holder is told to stop
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond end-hold alice")]
pub(crate) struct EndHold {
    /// The session's name
    name: SessionName,
}

impl EndHold {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { name } = self;
        let holder = context.client.load(&name).await.with_context(|| name.to_string())?.holder;
        context.client.end_hold(&name).await.with_context(|| name.to_string())?;
        context.output.result(
            || json!({ "name": name.as_str(), "holder": holder.as_ref().map(holder_object) }),
            || match &holder {
                Some(holder) => format!("ended the hold of {name} by {}", holder_text(holder)),
                None => format!("nobody held {name}"),
            },
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
