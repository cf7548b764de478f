//! Requests into model types. Whatever comes in is checked here, once.

use std::time::Duration;

use prost::Message;
use sessiond_proto::{SessionName, TOKEN_LEN, v1};
use sessiond_session::{
    Auth, InvalidSession, Session, StateChange,
    formats::{Format, UnknownFormat},
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Refusal;
use crate::{
    caller::Caller,
    engine::{Bearer, Error, MirrorAction, Op, Request, Revision, SaveMode, Selection, TokenHash, Write},
    holds::{Claim, Patience, Token},
    watch::{Mode, Start},
};

/// Longest label, in characters, and longest request id, in bytes.
const MAX_LABEL: usize = 128;
const MAX_REQUEST_ID: usize = 128;

/// Most names that a watch has, each of which is looked up when it begins. More have a prefix.
const MAX_NAMES: usize = 10_000;

/// Most peers, attributes or keys in one request, and most bytes of one that puts them.
const MAX_AT_ONCE: usize = 1_000;
const MAX_BYTES_AT_ONCE: usize = 1 << 20;

/// How long a watch may be silent.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(5);
const MIN_BOOKMARK_INTERVAL: Duration = Duration::from_millis(100);
const MAX_BOOKMARK_INTERVAL: Duration = Duration::from_secs(3_600);

pub(super) fn token(bytes: &[u8]) -> Result<[u8; TOKEN_LEN], Refusal> {
    bytes.try_into().map_err(|_| Refusal::Token)
}

pub(super) fn bearer(token_bytes: &[u8], caller: &Caller) -> Result<Bearer, Refusal> {
    Ok(Bearer { token: TokenHash::of(&token(token_bytes)?), principal: caller.principal() })
}

pub(super) fn hold(request: v1::HoldRequest, caller: Caller) -> Result<(Claim, Option<Token>), Refusal> {
    let v1::HoldRequest { name, label, wait, token: shown } = request;
    let name = name.parse()?;
    if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
        let problem = format!("has at most {MAX_LABEL} characters, none of them a control character");
        return Err(InvalidSession::new("label", problem).into());
    }
    let shown = if shown.is_empty() { None } else { Some(Token::from_bytes(token(&shown)?)) };
    let patience = if wait { Patience::Wait } else { Patience::DoNotWait };
    Ok((Claim { name, label, caller, patience }, shown))
}

pub(super) fn save(mut message: v1::SaveRequest, caller: &Caller) -> Result<Write, Refusal> {
    let shown = std::mem::take(&mut message.token);
    let id = std::mem::take(&mut message.request_id);
    let name = message.name.parse()?;
    let request = request("Save", &id, &message)?;
    let mode = match v1::SaveMode::try_from(message.mode) {
        Ok(v1::SaveMode::Unspecified | v1::SaveMode::Replace) => SaveMode::Replace,
        Ok(v1::SaveMode::Merge) => SaveMode::Merge,
        Err(_) => return Err(InvalidSession::new("mode", "is not one that is known here").into()),
    };
    let v1::SaveRequest { name: _, token: _, session, mode: _, expected_revision, request_id: _, clear } =
        message;
    let session = session.ok_or_else(|| InvalidSession::new("session", "is missing"))?;
    let session = ignoring_has_auth(Session::try_from(session)?);
    let clear = clear.map(Into::into).unwrap_or_default();
    if mode == SaveMode::Replace && clear != sessiond_session::Clear::default() {
        return Err(InvalidSession::new(
            "clear",
            "goes with MERGE; REPLACE forgets whatever it does not have",
        )
        .into());
    }
    let expected = not_negative("expected_revision", expected_revision)?;
    let op = Op::Save { session: Box::new(session), mode, clear };
    Ok(Write { name, bearer: Some(bearer(&shown, caller)?), op, request, expected })
}

pub(super) fn advance(mut message: v1::AdvanceRequest, caller: &Caller) -> Result<Write, Refusal> {
    let shown = std::mem::take(&mut message.token);
    let id = std::mem::take(&mut message.request_id);
    let name = message.name.parse()?;
    let request = request("Advance", &id, &message)?;
    let v1::AdvanceRequest { name: _, token: _, change: given, expected_revision, request_id: _ } = message;
    let op = Op::Advance(vec![change(given)?]);
    let expected = not_negative("expected_revision", expected_revision)?;
    Ok(Write { name, bearer: Some(bearer(&shown, caller)?), op, request, expected })
}

pub(super) fn delete(mut message: v1::DeleteRequest, caller: &Caller) -> Result<Write, Refusal> {
    let shown = std::mem::take(&mut message.token);
    let id = std::mem::take(&mut message.request_id);
    let name = message.name.parse()?;
    let request = request("Delete", &id, &message)?;
    let v1::DeleteRequest { name: _, token: _, expected_revision, request_id: _ } = message;
    let expected = not_negative("expected_revision", expected_revision)?;
    Ok(Write { name, bearer: Some(bearer(&shown, caller)?), op: Op::Delete, request, expected })
}

/// A change that mentions something.
pub(super) fn change(change: Option<v1::StateChange>) -> Result<StateChange, Refusal> {
    let change = StateChange::try_from(change.unwrap_or_default())?;
    if change.is_empty() {
        return Err(InvalidSession::new("change", "mentions nothing").into());
    }
    Ok(change)
}

pub(super) fn watch(request: v1::WatchRequest) -> Result<(Selection, Start, Mode, Duration), Refusal> {
    let v1::WatchRequest { names, name_prefix, after_revision, mode, bookmark_interval, store_id } = request;
    let everything = names.is_empty() && name_prefix.is_empty();
    if names.len() > MAX_NAMES {
        let problem = format!("has {} entries, at most {MAX_NAMES} are taken: use name_prefix", names.len());
        return Err(InvalidSession::new("names", problem).into());
    }
    let names = names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    let prefix =
        if everything { Some(String::new()) } else { Some(name_prefix).filter(|prefix| !prefix.is_empty()) };
    let start = match not_negative("after_revision", after_revision)? {
        Some(revision) => Start::After { revision, store_id: Some(store_id).filter(|id| !id.is_empty()) },
        None => Start::Anew,
    };
    let mode = match v1::WatchMode::try_from(mode) {
        Ok(v1::WatchMode::Unspecified | v1::WatchMode::EveryChange) => Mode::EveryChange,
        Ok(v1::WatchMode::Latest) => Mode::Latest,
        Err(_) => return Err(InvalidSession::new("mode", "is not one that is known here").into()),
    };
    Ok((Selection { names, prefix, ..Selection::default() }, start, mode, interval(bookmark_interval)?))
}

pub(super) fn mirror_action(action: i32) -> Result<MirrorAction, Refusal> {
    match v1::MirrorAction::try_from(action) {
        Ok(v1::MirrorAction::Unspecified | v1::MirrorAction::Write) => Ok(MirrorAction::Write),
        Ok(v1::MirrorAction::Replace) => Ok(MirrorAction::Replace),
        Ok(v1::MirrorAction::Take) => Ok(MirrorAction::Take),
        Err(_) => Err(InvalidSession::new("action", "is not one that is known here").into()),
    }
}

/// A format by its name.
pub(super) fn format(name: &str) -> Result<Format, Refusal> {
    let format = name
        .parse()
        .map_err(|error: UnknownFormat| InvalidSession::new("format", format!("is wrong: {error}")));
    Ok(format?)
}

/// A write that needs the token and knows neither a request id nor a revision.
pub(super) fn by_holder(name: &str, token: &[u8], caller: &Caller, op: Op) -> Result<Write, Refusal> {
    let (name, bearer) = (self::name(name)?, bearer(token, caller)?);
    Ok(Write { bearer: Some(bearer), ..Write::own(name, op) })
}

/// Checks how many peers, attributes or keys are in one request, and how large that is.
pub(super) fn kept_at_once(field: &str, count: usize, bytes: usize) -> Result<(), Refusal> {
    if !(1..=MAX_AT_ONCE).contains(&count) {
        let problem = format!("has {count} entries, and 1 to {MAX_AT_ONCE} are taken at a time");
        return Err(InvalidSession::new(field, problem).into());
    }
    if bytes > MAX_BYTES_AT_ONCE {
        return Err(Error::Limit(format!(
            "{field}: {bytes} bytes, and at most {MAX_BYTES_AT_ONCE} are taken at a time"
        ))
        .into());
    }
    Ok(())
}

/// A count as messages have it.
pub(super) fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

pub(super) fn name(name: &str) -> Result<SessionName, Refusal> {
    Ok(name.parse()?)
}

fn interval(interval: Option<prost_types::Duration>) -> Result<Duration, Refusal> {
    let Some(interval) = interval else { return Ok(BOOKMARK_INTERVAL) };
    let range = MIN_BOOKMARK_INTERVAL..=MAX_BOOKMARK_INTERVAL;
    let interval = Duration::try_from(interval).ok().filter(|interval| range.contains(interval));
    interval.ok_or_else(|| InvalidSession::new("bookmark_interval", "is not between 0.1 s and 1 h").into())
}

fn not_negative(field: &str, revision: Option<Revision>) -> Result<Option<Revision>, Refusal> {
    match revision {
        Some(revision) if revision < 0 => {
            Err(InvalidSession::new(field, format!("is {revision}, and a revision is not negative")).into())
        }
        revision => Ok(revision),
    }
}

/// `has_auth` is output only: what a client read and sends back with it has no key.
fn ignoring_has_auth(mut session: Session) -> Session {
    for dc in session.dcs.iter_mut().filter(|dc| dc.auth == Auth::Withheld) {
        dc.auth = Auth::Absent;
    }
    session
}

/// A request's identity. `message` is all that has to be the same in a retry: not the token, since a client may have
/// resumed in between.
fn request(method: &str, id: &str, message: &impl Message) -> Result<Option<Request>, Refusal> {
    if id.is_empty() {
        return Ok(None);
    }
    if id.len() > MAX_REQUEST_ID {
        return Err(InvalidSession::new("request_id", format!("has at most {MAX_REQUEST_ID} bytes")).into());
    }
    // There may be keys in it.
    let content = Zeroizing::new(message.encode_to_vec());
    let key = digest(&[method.as_bytes(), &[0], id.as_bytes()]);
    Ok(Some(Request { key, content: digest(&[&content]) }))
}

/// The first eight bytes of SHA-256.
fn digest(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let hash: [u8; 32] = hash.finalize().into();
    u64::from_le_bytes(*hash.first_chunk().expect("it has 32 bytes"))
}
