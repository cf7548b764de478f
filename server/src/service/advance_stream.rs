//! AdvanceStream: changes are committed in the chunks in which they arrive, each acknowledged by one message.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream, stream::ReadyChunks};
use sessiond_proto::{SessionName, v1};
use sessiond_session::{InvalidSession, StateChange};
use tonic::{Code, Status, Streaming};

use super::{Refusal, parse, streams::ResponseStream};
use crate::{
    caller::Caller,
    engine::{Bearer, Engine, Error, Op, Outcome, Write},
    shutdown::Shutdown,
};

/// Most changes in one write: enough that the cost of a transaction is small beside them.
const CHUNK: usize = 1_024;

type Requests = ReadyChunks<Streaming<v1::AdvanceStreamRequest>>;

/// A stream of changes. While one chunk is committed, the client's next ones arrive.
struct Changes {
    engine: Arc<dyn Engine>,
    shutdown: Shutdown,
    caller: Caller,
    requests: Requests,
    /// From the first message.
    hold: Option<(SessionName, Bearer, Vec<u8>)>,
    /// Sequence of the last change that was durable.
    sequence: i64,
    /// What ends the stream, to be told once what came before it is acknowledged.
    end: Option<Status>,
}

/// What arrived together: changes that are valid, and what came after them that is not.
struct Chunk {
    changes: Vec<StateChange>,
    end: Option<Status>,
}

pub(super) fn serve(
    engine: Arc<dyn Engine>,
    shutdown: Shutdown,
    caller: Caller,
    requests: Streaming<v1::AdvanceStreamRequest>,
) -> ResponseStream<v1::AdvanceStreamResponse> {
    let requests = requests.ready_chunks(CHUNK);
    let changes = Changes { engine, shutdown, caller, requests, hold: None, sequence: 0, end: None };
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
    async fn next(&mut self) -> Result<Option<v1::AdvanceStreamResponse>, Status> {
        if let Some(end) = self.end.take() {
            return Err(end);
        }
        let arrived = tokio::select! {
            arrived = self.requests.next() => arrived,
            () = self.shutdown.requested() => return Err(Refusal::ShuttingDown.into()),
        };
        let Some(arrived) = arrived else { return Ok(None) };
        let Chunk { changes, end } = self.read(arrived);
        self.end = end;
        if changes.is_empty() {
            return self.end.take().map_or(Ok(None), Err);
        }
        self.commit(changes).await
    }

    fn read(&mut self, arrived: Vec<Result<v1::AdvanceStreamRequest, Status>>) -> Chunk {
        let mut chunk = Chunk { changes: Vec::with_capacity(arrived.len()), end: None };
        for request in arrived {
            let sequence = self.sequence + i64::try_from(chunk.changes.len()).unwrap_or(i64::MAX) + 1;
            let refused = |refusal| Status::from(Refusal::Change { sequence, refusal: Box::new(refusal) });
            let change = match request {
                Ok(request) => self.read_one(request, sequence).map_err(refused),
                // The codec's word for a message that is too large, which nothing of ours says.
                Err(status) if status.code() == Code::OutOfRange => Err(refused(Refusal::TooLarge)),
                Err(status) => Err(status),
            };
            match change {
                Ok(change) => chunk.changes.push(change),
                Err(status) => {
                    chunk.end = Some(status);
                    break;
                }
            }
        }
        chunk
    }

    fn read_one(&mut self, request: v1::AdvanceStreamRequest, expected: i64) -> Result<StateChange, Refusal> {
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
        let refused = |sequence, error: Error| {
            Status::from(Refusal::Change { sequence, refusal: Box::new(error.into()) })
        };
        let outcome = self.engine.commit(write).await.map_err(|error| refused(self.sequence + 1, error))?;
        let Outcome { revision, applied, refused: error } = outcome;
        self.sequence += i64::try_from(applied).unwrap_or(i64::MAX);
        if let Some(error) = error {
            self.end = Some(refused(self.sequence + 1, error));
        }
        Ok(Some(v1::AdvanceStreamResponse { sequence: self.sequence, revision }))
    }
}
