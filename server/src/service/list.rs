use std::ops::Bound;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sessiond_proto::{SessionName, v1};
use sessiond_session::InvalidSession;

use super::{Daemon, Refusal};
use crate::{
    caller::Caller,
    engine::{Engine, Entry},
    policy::Permission,
};

/// Sessions, or attributes, on a page, unless the client says otherwise, and at the most.
const PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;

/// A page of the sessions that the caller may see.
pub(super) fn page(
    daemon: &Daemon,
    caller: &Caller,
    request: v1::ListRequest,
) -> Result<v1::ListResponse, Refusal> {
    let v1::ListRequest { page_size, page_token, name_prefix } = request;
    let size = self::page_size(page_size)?;
    let last = if page_token.is_empty() { None } else { Some(read_token(&page_token, &name_prefix)?) };
    if last.as_ref().is_some_and(|last| last.parse::<SessionName>().is_err()) {
        return Err(Refusal::PageToken);
    }
    let start: Bound<&str> = match &last {
        Some(last) => Bound::Excluded(last.as_str()),
        None => Bound::Included(&name_prefix),
    };
    let visible = daemon.permit_some(caller, Permission::List)?;
    let engine = &*daemon.engine;
    let snapshot = engine.snapshot();
    let by_prefix = |(name, _): &(&SessionName, &Entry)| name.as_str().starts_with(&name_prefix);
    let rest = snapshot.sessions.range::<_, str>((start, Bound::Unbounded)).take_while(by_prefix);
    let mut rest = rest.filter(|(name, entry)| entry.is_visible() && visible.has(name.as_str())).peekable();
    let sessions: Vec<_> =
        rest.by_ref().take(size).map(|(name, entry)| summary(engine, name, entry)).collect();
    let next_page_token = match (rest.peek(), sessions.last()) {
        (Some(_), Some(last)) => page_token_after(&last.name, &name_prefix),
        _ => String::new(),
    };
    Ok(v1::ListResponse {
        sessions,
        next_page_token,
        revision: snapshot.revision,
        store_id: engine.store_id(),
    })
}

fn summary(engine: &dyn Engine, name: &SessionName, entry: &Entry) -> v1::SessionSummary {
    let session = entry.session.as_deref();
    let state = session.and_then(|session| session.state.as_ref());
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let with_auth = session.into_iter().flat_map(|session| &session.dcs).filter(|dc| dc.auth.is_present());
    v1::SessionSummary {
        name: name.to_string(),
        revision: entry.revision,
        user: session.and_then(|session| session.user.clone()).map(Into::into),
        changed: session.map(|_| entry.changed.into()),
        holder: entry.holder().map(|holder| (&**holder).into()),
        pts: state.map(|state| state.pts),
        channel_count: count(state.map_or(0, |state| state.channels.len())),
        dcs_with_auth: with_auth.map(|dc| dc.id).collect(),
        waiting: count(engine.waiting(name)),
        watchers: count(engine.watchers(name)),
        damaged: entry.damage.is_some(),
        test_mode: session.and_then(|session| session.test_mode),
    }
}

/// How many are on a page that is asked for.
pub(super) fn page_size(page_size: i32) -> Result<usize, Refusal> {
    match usize::try_from(page_size) {
        Ok(0) => Ok(PAGE),
        Ok(size) => Ok(size.min(MAX_PAGE)),
        Err(_) => Err(InvalidSession::new("page_size", "is negative").into()),
    }
}

/// A page token is the listing's prefix and the last name or key told; neither has a line break in it.
pub(super) fn page_token_after(last: &str, prefix: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{prefix}\n{last}"))
}

/// The last name or key told before the page of a token.
pub(super) fn read_token(token: &str, prefix: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Refusal::PageToken)?;
    let text = String::from_utf8(bytes).map_err(|_| Refusal::PageToken)?;
    let (of, last) = text.split_once('\n').ok_or(Refusal::PageToken)?;
    let usable = of == prefix && last.starts_with(prefix);
    if usable { Ok(last.to_owned()) } else { Err(Refusal::PageToken) }
}
