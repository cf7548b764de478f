//! AdvanceStream: changes are committed in the chunks in which they arrive, each acknowledged by one message.

use futures_util::{FutureExt as _, StreamExt as _, stream};
use sessiond_proto::{SessionName, v1};
use sessiond_session::{InvalidSession, StateChange};
use tonic::{Status, Streaming};

use super::{Daemon, Place, Refusal, parse, streams::ResponseStream};
use crate::{
    caller::Caller,
    engine::{Bearer, Error, Op, Outcome, Write, weight},
    policy::Permission,
};

/// Most changes in one write: enough that the cost of a transaction is small beside them. And about how many bytes of them,
/// since a change of many channels may be large.
const CHUNK: usize = 1_024;
const CHUNK_BYTES: usize = 256 << 10;

/// A stream of changes. While one chunk is committed, the client's next ones arrive.
pub(super) struct Changes {
    daemon: Daemon,
    caller: Caller,
    requests: Streaming<v1::AdvanceStreamRequest>,
    /// From the first message.
    hold: Option<(SessionName, Bearer, Vec<u8>)>,
    /// Sequence of the last change that was durable.
    sequence: i64,
    /// What ends the stream, to be told once what came before it is acknowledged.
    end: Option<Status>,
    _place: Place,
}

/// What arrived together: changes that are valid, and what came after them that is not.
struct Chunk {
    changes: Vec<StateChange>,
    end: Option<Status>,
}

pub(super) fn serve(changes: Changes) -> ResponseStream<v1::AdvanceStreamResponse> {
    Box::pin(stream::unfold(Some(changes), |changes| async {
        let mut changes = changes?;
        match changes.next().await {
            Ok(Some(response)) => Some((Ok(response), Some(changes))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }))
}

impl Changes {
    pub(super) fn new(
        daemon: Daemon,
        caller: Caller,
        requests: Streaming<v1::AdvanceStreamRequest>,
        place: Place,
    ) -> Self {
        Self { daemon, caller, requests, hold: None, sequence: 0, end: None, _place: place }
    }

    async fn next(&mut self) -> Result<Option<v1::AdvanceStreamResponse>, Status> {
        if let Some(end) = self.end.take() {
            return Err(end);
        }
        let first = tokio::select! {
            first = self.requests.next() => first,
            () = self.daemon.shutdown.requested() => return Err(Refusal::ShuttingDown.into()),
        };
        let Some(first) = first else { return Ok(None) };
        let Chunk { changes, end } = self.read(first);
        self.end = end;
        if changes.is_empty() {
            return self.end.take().map_or(Ok(None), Err);
        }
        self.commit(changes).await
    }

    /// Reads a message, and what has arrived after it.
    fn read(&mut self, first: Result<v1::AdvanceStreamRequest, Status>) -> Chunk {
        let mut chunk = Chunk { changes: Vec::new(), end: None };
        let (mut bytes, mut next) = (0, Some(first));
        while let Some(request) = next {
            let sequence = self.sequence + i64::try_from(chunk.changes.len()).unwrap_or(i64::MAX) + 1;
            match self.read_one(request, sequence) {
                Ok(change) => {
                    bytes += weight::of_change(&change);
                    chunk.changes.push(change);
                }
                Err(end) => {
                    chunk.end = Some(end);
                    break;
                }
            }
            let more = chunk.changes.len() < CHUNK && bytes < CHUNK_BYTES;
            next = if more { self.requests.next().now_or_never().flatten() } else { None };
        }
        chunk
    }

    fn read_one(
        &mut self,
        request: Result<v1::AdvanceStreamRequest, Status>,
        sequence: i64,
    ) -> Result<StateChange, Status> {
        let refused = |refusal| Status::from(Refusal::Change { sequence, refusal: Box::new(refusal) });
        match request {
            Ok(request) => self.parse(request, sequence).map_err(refused),
            // What the codec says of a message that is too large, or is none, which nothing of ours says.
            Err(status) => Err(Refusal::of_codec(&status).map_or(status, refused)),
        }
    }

    fn parse(&mut self, request: v1::AdvanceStreamRequest, expected: i64) -> Result<StateChange, Refusal> {
        let v1::AdvanceStreamRequest { name, token, change, sequence } = request;
        match &self.hold {
            None => {
                let hold = (parse::name(&name)?, parse::bearer(&token, &self.caller)?, token);
                self.hold = Some(hold);
            }
            Some((of, _, shown)) => {
                let other_name = !name.is_empty() && name != of.as_str();
                let other_token = !token.is_empty() && token != *shown;
                if other_name || other_token {
                    let problem = "differs from the stream's first message";
                    return Err(
                        InvalidSession::new(if other_name { "name" } else { "token" }, problem).into()
                    );
                }
            }
        }
        if sequence != expected {
            return Err(
                InvalidSession::new("sequence", format!("is {sequence}, and {expected} is next")).into()
            );
        }
        parse::change(change)
    }

    async fn commit(
        &mut self,
        changes: Vec<StateChange>,
    ) -> Result<Option<v1::AdvanceStreamResponse>, Status> {
        let (name, bearer, _) = self.hold.as_ref().expect("a change was read, and the first message with it");
        let write = Write {
            name: name.clone(),
            bearer: Some(bearer.clone()),
            op: Op::Advance(changes),
            request: None,
            expected: None,
        };
        let refused = |sequence, refusal: Refusal| {
            Status::from(Refusal::Change { sequence, refusal: Box::new(refusal) })
        };
        let permitted = self.daemon.permit_write(&self.caller, Permission::Hold, &write);
        permitted.map_err(|denied| refused(self.sequence + 1, denied))?;
        let noting = |error: &Error| self.daemon.audit.refused("AdvanceStream", &self.caller, name, error);
        let outcome = self.daemon.engine.commit(write).await.inspect_err(noting);
        let outcome = outcome.map_err(|error| refused(self.sequence + 1, error.into()))?;
        let Outcome { revision, applied, refused: error } = outcome;
        self.sequence += i64::try_from(applied).unwrap_or(i64::MAX);
        if let Some(error) = error {
            self.end = Some(refused(self.sequence + 1, error.into()));
        }
        Ok(Some(v1::AdvanceStreamResponse { sequence: self.sequence, revision }))
    }
}
