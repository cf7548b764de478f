use std::process::ExitCode;

use futures_util::FutureExt as _;
use sessiond_client::{Change, Commit, RestartReason, SessionName, Snapshot, WatchEvent, WatchOptions};

use super::fact::{Fact, Teller};
use crate::cli::Context;

/// A process of the demo that watches the session, and tells everything it sees.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoWatcher {
    name: SessionName,
}

impl DemoWatcher {
    pub(in crate::cli) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let mut watch =
            context.client.watch(WatchOptions { names: vec![self.name], ..WatchOptions::default() });
        let mut teller = Teller::new();
        loop {
            let event = match watch.next().now_or_never() {
                Some(event) => event,
                None => {
                    teller.flush()?;
                    watch.next().await
                }
            };
            let Some(event) = event else { return Ok(ExitCode::SUCCESS) };
            if let Some(fact) = seen(event?) {
                teller.tell(&fact)?;
            }
        }
    }
}

fn seen(event: WatchEvent) -> Option<Fact> {
    let fact = match event {
        WatchEvent::Restarted(RestartReason::First) | WatchEvent::Bookmark { .. } => return None,
        WatchEvent::Snapshot(Snapshot { revision, session, .. }) => {
            let state = session.and_then(|session| session.state);
            Fact::Snapshot { revision, pts: state.map_or(0, |state| state.pts) }
        }
        WatchEvent::Synced { .. } => Fact::Synced,
        WatchEvent::Commit(commit) => committed(commit),
        event => Fact::Unexpected { event: format!("{event:?}") },
    };
    Some(fact)
}

fn committed(commit: Commit) -> Fact {
    let Commit { name: _, revision, previous_revision: previous, time: _, change } = commit;
    match change {
        Change::Advanced(change) if change.pts.is_some() => {
            Fact::Changed { revision, previous, pts: change.pts.unwrap_or_default() }
        }
        Change::HoldChanged { holder: Some(holder), .. } => {
            Fact::Held { revision, previous, pid: holder.pid.unwrap_or_default() }
        }
        Change::HoldChanged { holder: None, .. } => Fact::Free { revision, previous },
        change => Fact::Unexpected { event: format!("{change:?}") },
    }
}
