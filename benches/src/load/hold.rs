//! Holders, and those who wait to be.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sessiond_client::Token;
use sessiond_proto::v1::{self, hold_response::Event, session_service_client::SessionServiceClient};
use tonic::{Streaming, transport::Channel};

use super::{clock, connection::connections, telling::Telling};

/// Sessions to hold for as long as the generator lives, in line behind whoever has them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) socket: PathBuf,
    pub(crate) names: Vec<String>,
    pub(crate) connections: usize,
}

/// What a holder says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Holding {
    /// It is in line.
    Waiting,
    /// It holds them all, since that moment of the monotonic clock.
    Granted { at: u64, held: Vec<Possession> },
}

/// A session that is held, for processes that work for its holder.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Possession {
    pub(crate) name: String,
    /// In hexadecimal.
    pub(crate) token: String,
}

impl Possession {
    /// The token as a message carries it.
    pub(super) fn token(&self) -> anyhow::Result<Vec<u8>> {
        let digits = self.token.as_bytes().chunks(2);
        let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
        digits.map(byte).collect()
    }
}

impl std::fmt::Debug for Possession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Possession").field("name", &self.name).finish_non_exhaustive()
    }
}

pub(super) async fn run(telling: Telling, held: Held) -> anyhow::Result<()> {
    let Held { socket, names, connections: count } = held;
    let channels = connections(&socket, count).await?;
    let mut streams = Vec::with_capacity(names.len());
    let mut held = Vec::with_capacity(names.len());
    for (at, name) in names.into_iter().enumerate() {
        let told_of_waiting = |telling: &Telling| telling.say(&Holding::Waiting);
        let (stream, possession) = hold(&channels[at % count], &name, || told_of_waiting(&telling)).await?;
        streams.push(stream);
        held.push(possession);
    }
    telling.say(&Holding::Granted { at: clock::now(), held })?;
    // The streams are the holds' life lines.
    telling.end().await
}

/// Holds a session, in line if it has to be. Answers the stream that it lives by, and its token.
pub(super) async fn hold(
    channel: &Channel,
    name: &str,
    mut waiting: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<(Streaming<v1::HoldResponse>, Possession)> {
    let request =
        v1::HoldRequest { name: name.to_owned(), label: "bench".into(), wait: true, token: Vec::new() };
    let mut stream = SessionServiceClient::new(channel.clone()).hold(request).await?.into_inner();
    loop {
        let response = stream.message().await?.context("the daemon closed a hold's stream")?;
        match response.event {
            Some(Event::Granted(granted)) => {
                let token = Token::try_from(granted.token.as_slice())?;
                let possession = Possession { name: name.to_owned(), token: token.expose_hex().to_string() };
                return Ok((stream, possession));
            }
            Some(Event::Waiting(_)) => waiting()?,
            event => anyhow::bail!("a hold ended before it was granted: {event:?}"),
        }
    }
}
