use sessiond_proto::{SessionName, v1};
use sessiond_session::{InvalidSession, formats::Imported};
use tonic::{Status, Streaming};
use tracing::info;
use zeroize::Zeroizing;

use super::{Daemon, Refusal, parse};
use crate::{
    audit::{Event, Pending},
    caller::Caller,
    engine,
    policy::Permission,
    transfer::{Error, Existing, Import, TakenIn},
};

/// A part of what is imported.
struct Piece {
    file: String,
    data: Zeroizing<Vec<u8>>,
    last: bool,
}

/// Takes a session in, piece by piece.
pub(super) async fn import(
    daemon: &Daemon,
    caller: &Caller,
    mut requests: Streaming<v1::ImportRequest>,
) -> Result<v1::ImportResponse, Status> {
    let Daemon { engine, transfers, .. } = daemon;
    let Some(first) = next(daemon, &mut requests).await? else {
        return Err(Refusal::from(InvalidSession::new("name", "is missing: there is no message")).into());
    };
    let (import, mut piece) = parsed(first, caller)?;
    let name = import.name.clone();
    daemon.permit(caller, Permission::Admin, &name)?;
    let begun = transfers.begin(&**engine, &import).await;
    let mut intake = begun.map_err(|error| refused(daemon, caller, &name, error))?;
    loop {
        intake.take(piece.file, piece.data).map_err(Refusal::from)?;
        if piece.last {
            break;
        }
        // A client that has gone looks like one that has sent everything.
        let Some(request) = next(daemon, &mut requests).await? else {
            return Err(
                Refusal::from(InvalidSession::new("last", "is in no message: it was broken off")).into()
            );
        };
        piece = later(request)?;
    }
    let pending = daemon.audit.begin(daemon.record_of(Event::Imported, "Import", caller, &name));
    let pending = pending.map_err(Refusal::from)?;
    let taken_in = match transfers.import(&**engine, import, intake).await {
        Ok(taken_in) => taken_in,
        Err(error) => return Err(not_taken_in(pending, error).into()),
    };
    let (session, format) = (&taken_in.session, taken_in.imported.format.name());
    let recorded = pending.done(|record| record.format(format).keys_of(session).at(taken_in.revision));
    recorded.map_err(Refusal::from)?;
    info!(session = %name, revision = taken_in.revision, format = taken_in.imported.format.name(), "imported");
    Ok(taken_in.into())
}

/// An import that is refused before anything is sent.
fn refused(daemon: &Daemon, caller: &Caller, name: &SessionName, error: Error) -> Refusal {
    if let Error::Engine(error) = &error {
        daemon.audit.refused("Import", caller, name, error);
    }
    error.into()
}

/// An import that failed. Where that was in what was read, nothing was done; where it was in writing, some of it may be there.
fn not_taken_in(pending: Pending, error: Error) -> Refusal {
    match error {
        Error::Engine(error @ (engine::Error::Fenced | engine::Error::NotPermitted)) => {
            pending.failed(error).into()
        }
        Error::Engine(error) => {
            drop(pending);
            error.into()
        }
        error => {
            pending.nothing();
            error.into()
        }
    }
}

async fn next(
    daemon: &Daemon,
    requests: &mut Streaming<v1::ImportRequest>,
) -> Result<Option<v1::ImportRequest>, Status> {
    let mut shutdown = daemon.shutdown.clone();
    tokio::select! {
        request = requests.message() => {
            request.map_err(|status| Refusal::of_codec(&status).map_or(status, Into::into))
        }
        () = shutdown.requested() => Err(Refusal::ShuttingDown.into()),
    }
}

/// What to do, and the first piece.
fn parsed(request: v1::ImportRequest, caller: &Caller) -> Result<(Import, Piece), Refusal> {
    let v1::ImportRequest { name, token, format, force, passcode, account, file, data, last } = request;
    let data = Zeroizing::new(data);
    let passcode = Some(Zeroizing::new(passcode)).filter(|passcode| !passcode.is_empty());
    let import = Import {
        name: parse::name(&name)?,
        from: if format.is_empty() { None } else { Some(parse::format(&format)?) },
        passcode,
        account: Some(account).filter(|account| !account.is_empty()),
        existing: if force { Existing::Replaced } else { Existing::Kept },
        bearer: parse::bearer(&token, caller)?,
    };
    Ok((import, Piece { file, data, last }))
}

/// A piece that is not the first.
fn later(request: v1::ImportRequest) -> Result<Piece, Refusal> {
    let v1::ImportRequest { name, token, format, force, passcode, account, file, data, last } = request;
    let (data, passcode) = (Zeroizing::new(data), Zeroizing::new(passcode));
    let others = [
        ("name", name.is_empty()),
        ("token", token.is_empty()),
        ("format", format.is_empty()),
        ("force", !force),
        ("passcode", passcode.is_empty()),
        ("account", account.is_empty()),
    ];
    match others.into_iter().find(|(_, is_empty)| !is_empty) {
        Some((field, _)) => Err(InvalidSession::new(field, "is for the first message alone").into()),
        None => Ok(Piece { file, data, last }),
    }
}

impl From<TakenIn> for v1::ImportResponse {
    fn from(taken_in: TakenIn) -> Self {
        let TakenIn { revision, imported, session, peers, attributes } = taken_in;
        let Imported { format, version, account, contents: _, left_behind, doubts } = imported;
        Self {
            revision,
            format: format.name().into(),
            format_version: version,
            account: account.unwrap_or_default(),
            session: Some(session.into()),
            peer_count: parse::count(peers),
            attribute_count: parse::count(attributes),
            left_behind,
            doubts,
        }
    }
}
