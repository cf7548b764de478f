//! Who writes until the daemon is killed, and remembers what was acknowledged.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::{Advance, advance::AdvanceCalls, telling::Telling};

/// By session: the highest counter that was acknowledged.
pub(crate) type Ledger = BTreeMap<String, i32>;

/// Connections of the writers.
const CONNECTIONS: usize = 8;

/// Each session has one writer, so that what was acknowledged last is the newest.
pub(super) async fn run(mut telling: Telling, advance: Advance) -> anyhow::Result<()> {
    let writers = AdvanceCalls::clients(&advance, advance.held.len(), CONNECTIONS).await?;
    telling.ready().await?;
    let mut tasks: JoinSet<_> = writers.into_iter().map(write).collect();
    let mut ledger = Ledger::new();
    while let Some(written) = tasks.join_next().await {
        let (name, counter) = written?;
        ledger.insert(name, counter);
    }
    telling.say(&ledger)?;
    telling.end().await
}

async fn write(mut writer: AdvanceCalls) -> (String, i32) {
    let mut acknowledged = 0;
    while let Ok(counter) = writer.advance().await {
        acknowledged = counter;
    }
    (writer.name().to_owned(), acknowledged)
}
