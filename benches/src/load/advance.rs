use std::{
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
};

use serde::{Deserialize, Serialize};
use sessiond_proto::v1::{self, session_service_client::SessionServiceClient};
use tonic::transport::Channel;

use super::{
    connection::{connection, connections},
    hold::Possession,
    target::Call,
};
use crate::sample;

/// Changes of sessions that another process holds and gave its tokens of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Advance {
    pub(crate) socket: PathBuf,
    pub(crate) held: Vec<Possession>,
    /// 0: a change sets two counters. Otherwise it sets the pts of one of so many channels.
    pub(crate) channels: i32,
}

/// One client that changes one session.
#[derive(Debug, Clone)]
pub(super) struct AdvanceCalls {
    client: SessionServiceClient<Channel>,
    name: String,
    token: Vec<u8>,
    channels: i32,
    /// Of the session: every change is a new one, whichever client makes it.
    counter: Arc<AtomicI32>,
}

impl AdvanceCalls {
    /// So many clients, spread over the connections and the sessions.
    pub(super) async fn clients(
        advance: &Advance,
        clients: usize,
        count: usize,
    ) -> anyhow::Result<Vec<Self>> {
        let Advance { socket, held, channels } = advance;
        let connections = connections(socket, count).await?;
        let first = first_counter();
        let sessions: Vec<_> = held
            .iter()
            .map(|held| Ok((held.name.clone(), held.token()?, Arc::new(AtomicI32::new(first)))))
            .collect::<anyhow::Result<_>>()?;
        let client = |at: usize| {
            let (name, token, counter) = sessions[at % sessions.len()].clone();
            let client = SessionServiceClient::new(connections[at % count].clone());
            Self { client, name, token, channels: *channels, counter }
        };
        Ok((0..clients).map(client).collect())
    }

    /// Makes one change, and answers its counter.
    pub(super) async fn advance(&mut self) -> anyhow::Result<i32> {
        let counter = self.counter.fetch_add(1, Relaxed);
        let change = match self.channels {
            0 => sample::change(counter, i64::from(counter)),
            channels => {
                let channel = sample::channel(i64::from(counter % channels), counter);
                v1::StateChange { channels: vec![channel], ..Default::default() }
            }
        };
        let (name, token, change) = (self.name.clone(), self.token.clone(), Some(change));
        let request = v1::AdvanceRequest { name, token, change, ..Default::default() };
        self.client.advance(request).await?;
        Ok(counter)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Call for AdvanceCalls {
    async fn call(&mut self) -> anyhow::Result<()> {
        self.advance().await.map(drop)
    }
}

/// One client that saves a session, changed in one channel each time.
#[derive(Debug, Clone)]
pub(super) struct SaveCalls {
    client: SessionServiceClient<Channel>,
    request: v1::SaveRequest,
    counter: Arc<AtomicI32>,
}

impl SaveCalls {
    pub(super) async fn clients(
        advance: &Advance,
        session: &v1::Session,
        clients: usize,
    ) -> anyhow::Result<Vec<Self>> {
        let channel = connection(&advance.socket).await?;
        let counter = Arc::new(AtomicI32::new(first_counter()));
        let client = |at: usize| {
            let held = &advance.held[at % advance.held.len()];
            let request = v1::SaveRequest {
                name: held.name.clone(),
                token: held.token()?,
                session: Some(session.clone()),
                mode: v1::SaveMode::Merge.into(),
                ..Default::default()
            };
            let client = SessionServiceClient::new(channel.clone());
            Ok(Self { client, request, counter: Arc::clone(&counter) })
        };
        (0..clients).map(client).collect()
    }
}

impl Call for SaveCalls {
    async fn call(&mut self) -> anyhow::Result<()> {
        let counter = self.counter.fetch_add(1, Relaxed);
        let mut request = self.request.clone();
        let state = request.session.as_mut().and_then(|session| session.state.as_mut());
        let channels = state.map(|state| &mut state.channels[..]).unwrap_or_default();
        let at = usize::try_from(counter)? % channels.len().max(1);
        if let Some(channel) = channels.get_mut(at) {
            channel.pts = counter;
        } else {
            new_key(&mut request, counter);
        }
        self.client.save(request).await?;
        Ok(())
    }
}

/// Changes a key, where there is no channel to change.
fn new_key(request: &mut v1::SaveRequest, counter: i32) {
    let dc = request.session.as_mut().and_then(|session| session.dcs.first_mut());
    if let Some(key) = dc.and_then(|dc| dc.auth.as_mut()) {
        key[..4].copy_from_slice(&counter.to_be_bytes());
    }
}

/// One client that loads a session, with its keys.
#[derive(Debug, Clone)]
pub(super) struct LoadCalls {
    client: SessionServiceClient<Channel>,
    sessions: Vec<v1::LoadRequest>,
    next: usize,
}

impl LoadCalls {
    pub(super) async fn clients(advance: &Advance, clients: usize) -> anyhow::Result<Vec<Self>> {
        let channel = connection(&advance.socket).await?;
        let request =
            |held: &Possession| Ok(v1::LoadRequest { name: held.name.clone(), token: held.token()? });
        let sessions = advance.held.iter().map(request).collect::<anyhow::Result<Vec<_>>>()?;
        let client = |next| Self {
            client: SessionServiceClient::new(channel.clone()),
            sessions: sessions.clone(),
            next,
        };
        Ok((0..clients).map(client).collect())
    }
}

impl Call for LoadCalls {
    async fn call(&mut self) -> anyhow::Result<()> {
        self.next += 1;
        let request = self.sessions[self.next % self.sessions.len()].clone();
        let response = self.client.load(request).await?.into_inner();
        anyhow::ensure!(response.session.is_some(), "there is no session to be loaded");
        Ok(())
    }
}

/// First of the counters that this process sets. Those of another begin elsewhere, so that a change of one is a change after
/// the other, and not no commit at all.
pub(super) fn first_counter() -> i32 {
    /// Most that one process sets before it comes to the next one's.
    const EACH: u32 = 2_000_000;
    (process::id() % 1_000 * EACH + 1).cast_signed()
}
