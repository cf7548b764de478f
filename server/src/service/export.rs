use std::collections::VecDeque;

use futures_util::{StreamExt as _, stream};
use sessiond_proto::{SessionName, v1};
use sessiond_session::formats::Wanting;
use tokio::sync::OwnedSemaphorePermit;
use tracing::info;
use zeroize::Zeroizing;

use super::{Daemon, Place, Refusal, parse, streams::ResponseStream};
use crate::{
    audit::Event,
    caller::Caller,
    policy::Permission,
    transfer::{Error, Export, GivenOut, Losses},
};

/// Bytes of a file in one message: well below what clients take, unless they say otherwise.
const MESSAGE_BYTES: usize = 1 << 20;

/// A session on its way to a client, from its second message on.
struct Told {
    files: VecDeque<(String, Zeroizing<Vec<u8>>)>,
    /// How much of the first file was told. 0: not even its path.
    told: usize,
    _places: (Place, OwnedSemaphorePermit),
}

/// Makes what is given out.
pub(super) async fn export(
    daemon: &Daemon,
    caller: &Caller,
    request: v1::ExportRequest,
) -> Result<GivenOut, Refusal> {
    let v1::ExportRequest { name, token, format, lossy, api_id, user_id, bot } = request;
    let export = Export {
        name: parse::name(&name)?,
        format: parse::format(&format)?,
        wanting: Wanting { api_id, user_id, bot },
        losses: if lossy { Losses::Accepted } else { Losses::Refused },
        bearer: parse::bearer(&token, caller)?,
    };
    daemon.permit(caller, Permission::Admin, &export.name)?;
    let (session, to) = (export.name.clone(), export.format.name());
    let given_out = daemon.transfers.export(&*daemon.engine, export).await;
    let given_out = given_out.inspect_err(|error| note_refusal(daemon, caller, &session, error))?;
    let record = daemon.record_of(Event::Exported, "Export", caller, &session);
    daemon.audit.record(&record.format(to).at(given_out.revision))?;
    info!(session = name, revision = given_out.revision, format, "exported");
    Ok(given_out)
}

fn note_refusal(daemon: &Daemon, caller: &Caller, name: &SessionName, error: &Error) {
    if let Error::Engine(error) = error {
        daemon.audit.refused("Export", caller, name, error);
    }
}

/// Tells it, in as many messages as it takes.
pub(super) fn messages(given_out: GivenOut, place: Place) -> ResponseStream<v1::ExportResponse> {
    let GivenOut { revision, left_behind, files, room } = given_out;
    let first = v1::ExportResponse { revision, left_behind, ..Default::default() };
    let told = Told { files: files.into_iter().collect(), told: 0, _places: (place, room) };
    Box::pin(stream::iter([Ok(first)]).chain(stream::iter(told).map(Ok)))
}

impl Iterator for Told {
    type Item = v1::ExportResponse;

    fn next(&mut self) -> Option<v1::ExportResponse> {
        let (path, bytes) = self.files.front()?;
        let end = bytes.len().min(self.told + MESSAGE_BYTES);
        let file = if self.told == 0 { path.clone() } else { String::new() };
        let data = bytes[self.told..end].to_vec();
        self.told = end;
        if end == bytes.len() {
            self.files.pop_front();
            self.told = 0;
        }
        Some(v1::ExportResponse { file, data, ..Default::default() })
    }
}
