use sessiond_client::{Client, HeldSession, StateChange};

use super::{Advance, advance::first_counter, target::Call};

/// One client as a Rust program has it, which changes a session that another process holds.
#[derive(Debug, Clone)]
pub(super) struct RustClient {
    held: HeldSession,
    counter: i32,
    step: i32,
}

impl RustClient {
    pub(super) async fn clients(
        advance: &Advance,
        clients: usize,
        count: usize,
    ) -> anyhow::Result<Vec<Self>> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(Client::builder().socket(advance.socket.as_path()).connect().await?);
        }
        let step = i32::try_from(clients)?;
        let client = |at: usize| {
            let held = &advance.held[at % advance.held.len()];
            let held = connections[at % count].with_token(&held.name, held.token.parse()?)?;
            Ok(Self { held, counter: first_counter() + i32::try_from(at)?, step })
        };
        (0..clients).map(client).collect()
    }
}

impl Call for RustClient {
    async fn call(&mut self) -> anyhow::Result<()> {
        self.counter += self.step;
        let change = StateChange {
            pts: Some(self.counter),
            date: Some(self.counter.into()),
            ..StateChange::default()
        };
        self.held.advance(change).await?;
        Ok(())
    }
}
