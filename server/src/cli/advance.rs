use std::process::ExitCode;

use anyhow::Context as _;
use sessiond_client::{ChannelState, SessionName, StateChange};

use super::{Context, possession::Inherited, render::revision_object};

/// Set counters of a session
///
/// Under `sessiond hold` this works by the hold of that command, else by a hold of its own, for a moment.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond advance alice --pts 5000
  sessiond advance alice --qts 12 --channel 1234567=42 --channel 7654321=7")]
#[command(group = clap::ArgGroup::new("counters").required(true).multiple(true))]
pub(crate) struct Advance {
    /// The session's name
    name: SessionName,
    /// Events seen in the common message box
    #[arg(long, group = "counters")]
    pts: Option<i32>,
    /// Events seen in the secondary message box
    #[arg(long, group = "counters")]
    qts: Option<i32>,
    /// Date of the latest update seen, in Unix seconds
    #[arg(long, group = "counters")]
    date: Option<i64>,
    /// Number of the latest update container seen
    #[arg(long, group = "counters")]
    seq: Option<i32>,
    /// Events seen in a channel, by its bare id; may be given several times
    #[arg(long = "channel", value_name = "ID=PTS", group = "counters", value_parser = channel)]
    channels: Vec<ChannelState>,
    #[command(flatten)]
    inherited: Inherited,
}

impl Advance {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { name, pts, qts, date, seq, channels, inherited } = self;
        let change = StateChange { pts, qts, date, seq, channels, removed_channels: Vec::new() };
        let revision = inherited
            .with(context, &name, async |held| held.advance(change).await.with_context(|| name.to_string()))
            .await?;
        context
            .output
            .result(|| revision_object(&name, revision), || format!("{name} is at revision {revision}"))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn channel(text: &str) -> Result<ChannelState, String> {
    let parse = || {
        let (id, pts) = text.split_once('=')?;
        Some(ChannelState { id: id.parse().ok()?, pts: pts.parse().ok()? })
    };
    parse().ok_or_else(|| "a channel is its id and its pts, as in 1234567=42".to_owned())
}

#[cfg(test)]
mod tests {
    use sessiond_client::ChannelState;

    use super::channel;

    #[test]
    fn a_channel_is_an_id_and_a_pts() {
        assert_eq!(channel("1234567=42"), Ok(ChannelState { id: 1_234_567, pts: 42 }));
        for text in ["", "1", "1=", "=1", "1=2=3", "a=1"] {
            assert!(channel(text).is_err(), "{text}");
        }
    }
}
