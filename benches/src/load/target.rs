use std::{future::Future, path::PathBuf};

use serde::{Deserialize, Serialize};
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{Advance, connection::connections};

/// What is called, over and over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Target {
    /// A call that does nothing: the daemon's health check. What any call costs on this socket.
    Ping {
        socket: PathBuf,
    },
    Advance(Advance),
    /// The same as a program does it, with the Rust client: each has its request id.
    RustClient(Advance),
    /// Saves a session of so many data centers and channels, merging; one channel is another each time.
    Save {
        advance: Advance,
        dcs: i32,
        channels: i64,
    },
    /// Saves a session of one data center, whose key is another each time.
    NewKey(Advance),
    /// Loads a session, with its keys.
    Load(Advance),
    /// Puts a value into etcd.
    Etcd {
        address: String,
    },
    /// Sets and publishes a value in Redis.
    Redis {
        socket: PathBuf,
    },
}

/// One client's calls.
pub(super) trait Call: Send + 'static {
    /// Makes one call, to its answer.
    fn call(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Calls that do nothing.
#[derive(Debug, Clone)]
pub(super) struct Ping(HealthClient<Channel>);

impl Ping {
    /// So many clients, spread over the connections.
    pub(super) async fn clients(socket: PathBuf, clients: usize, count: usize) -> anyhow::Result<Vec<Self>> {
        let channels = connections(&socket, count).await?;
        Ok((0..clients).map(|at| Self(HealthClient::new(channels[at % count].clone()))).collect())
    }
}

impl Call for Ping {
    async fn call(&mut self) -> anyhow::Result<()> {
        self.0.check(HealthCheckRequest { service: String::new() }).await?;
        Ok(())
    }
}
