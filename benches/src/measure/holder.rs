use crate::{
    daemon::Daemon,
    load::{Advance, Held, Holding, Job, Possession},
    worker::Worker,
};

/// A process that holds sessions, so that generators may write them with its tokens. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Holder {
    worker: Worker,
    held: Vec<Possession>,
}

impl Holder {
    /// Holds these sessions, over so many connections.
    pub(crate) async fn of(daemon: &Daemon, names: Vec<String>, connections: usize) -> anyhow::Result<Self> {
        let mut worker =
            Worker::begin(&Job::Hold(Held { socket: daemon.socket(), names, connections })).await?;
        loop {
            if let Holding::Granted { held, at: _ } = worker.hear().await? {
                return Ok(Self { worker, held });
            }
        }
    }

    /// Changes of all that it holds.
    pub(crate) fn advance(&self, daemon: &Daemon) -> Advance {
        Advance { socket: daemon.socket(), held: self.held.clone(), channels: 0 }
    }

    pub(crate) fn held(&self) -> &[Possession] {
        &self.held
    }

    pub(crate) async fn kill(self) -> anyhow::Result<()> {
        self.worker.kill().await
    }
}
