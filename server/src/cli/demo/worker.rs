use std::process::ExitCode;

use sessiond_client::{Hold, SessionName, StateChange};

use super::fact::{Fact, Teller};
use crate::cli::{Context, interrupt::Interrupts};

/// Changes that are on their way to the daemon at once: enough for its commits to have company, few enough to lose little
/// that was not acknowledged.
const UNACKNOWLEDGED: i64 = 64;
/// Changes that are added at a time.
const STEP: i64 = 16;

/// A process of the demo that wants the session, and advances it as fast as it can while it holds it.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoWorker {
    name: SessionName,
    #[arg(long)]
    label: String,
}

impl DemoWorker {
    pub(in crate::cli) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let mut interrupts = Interrupts::catch()?;
        let request = context.client.hold(&self.name).label(&self.label).wait().on_waiting(|waiting| {
            let mut teller = Teller::new();
            // The demo reads it, or has ended and this process with it.
            let _ = teller.tell(&Fact::Waiting { position: waiting.position }).and_then(|()| teller.flush());
        });
        let hold = tokio::select! {
            hold = request.into_future() => hold?,
            _ = interrupts.next() => return Ok(ExitCode::SUCCESS),
        };
        advance(&hold, &mut interrupts).await?;
        hold.release().await?;
        let mut teller = Teller::new();
        teller.tell(&Fact::Released)?;
        teller.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Moves the pts by one, again and again, until it is told to stop; then waits until all of it is durable.
async fn advance(hold: &Hold, interrupts: &mut Interrupts) -> anyhow::Result<()> {
    let mut teller = Teller::new();
    let from = hold.session().and_then(|session| session.state.as_ref()).map_or(0, |state| state.pts);
    teller.tell(&Fact::Granted { fence: hold.fence(), pts: from })?;
    teller.flush()?;
    let mut stream = hold.advance_stream();
    let mut pushed = 0;
    loop {
        for _ in 0..STEP {
            let pts = i32::try_from(pushed + 1).ok().and_then(|more| from.checked_add(more));
            pushed = stream.push(StateChange { pts, ..StateChange::default() }).await?;
        }
        let acknowledged = tokio::select! {
            acknowledged = stream.durable((pushed - UNACKNOWLEDGED).max(0)) => acknowledged?,
            _ = interrupts.next() => break,
        };
        if acknowledged.sequence > 0 {
            tell(&mut teller, from, acknowledged.sequence, acknowledged.revision)?;
        }
    }
    if let Some(revision) = stream.finish().await? {
        tell(&mut teller, from, pushed, revision)?;
    }
    Ok(())
}

fn tell(teller: &mut Teller, from: i32, sequence: i64, revision: i64) -> anyhow::Result<()> {
    teller.tell(&Fact::Acknowledged { pts: from + i32::try_from(sequence)?, revision })?;
    Ok(teller.flush()?)
}
