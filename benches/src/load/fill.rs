//! Makes many sessions, as their programs would: hold, save, release.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use serde::{Deserialize, Serialize};
use sessiond_proto::v1::{self, session_service_client::SessionServiceClient};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::{connection::connections, hold::hold, telling::Telling};
use crate::{figure::Sample, sample};

/// How many are made at a time, and over how many connections.
const AT_ONCE: usize = 256;
const CONNECTIONS: usize = 8;

/// Sessions to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fill {
    pub(crate) socket: PathBuf,
    pub(crate) names: Vec<String>,
    pub(crate) dcs: i32,
    pub(crate) channels: i64,
}

pub(super) async fn run(mut telling: Telling, fill: Fill) -> anyhow::Result<()> {
    let channels = connections(&fill.socket, CONNECTIONS).await?;
    telling.ready().await?;
    let begun = Instant::now();
    let (fill, next) = (Arc::new(fill), Arc::new(AtomicUsize::new(0)));
    let mut makers: JoinSet<_> = (0..AT_ONCE)
        .map(|at| make(channels[at % CONNECTIONS].clone(), Arc::clone(&fill), Arc::clone(&next)))
        .collect();
    while let Some(made) = makers.join_next().await {
        made??;
    }
    let operations = u64::try_from(fill.names.len())?;
    telling.say(&Sample { operations, seconds: begun.elapsed().as_secs_f64(), ..Sample::default() })?;
    telling.end().await
}

async fn make(channel: Channel, fill: Arc<Fill>, next: Arc<AtomicUsize>) -> anyhow::Result<()> {
    let mut client = SessionServiceClient::new(channel.clone());
    loop {
        let at = next.fetch_add(1, Relaxed);
        let Some(name) = fill.names.get(at) else { return Ok(()) };
        let (_stream, held) = hold(&channel, name, || Ok(())).await?;
        let token = held.token()?;
        let request = v1::SaveRequest {
            name: name.clone(),
            token: token.clone(),
            session: Some(sample::session(i64::try_from(at)? + 1, fill.dcs, fill.channels)),
            mode: v1::SaveMode::Replace.into(),
            ..Default::default()
        };
        client.save(request).await?;
        client.release(v1::ReleaseRequest { name: name.clone(), token }).await?;
    }
}
