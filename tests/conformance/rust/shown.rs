//! What the client answers, as the runner reads it.

use std::time::SystemTime;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sessiond_client::{
    Attribute, AttributeKey, Auth, Change, ChannelState, Commit, DataCenter, Error, Holder, LostReason, Peer,
    PeerKind, RestartReason, Session, SessionSummary, StateChange, UpdateState, User, Waiting, WatchEvent,
};

/// An object, without the fields that are absent.
pub(super) fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

/// A number of 64 bits.
pub(super) fn long(number: i64) -> Value {
    Value::String(number.to_string())
}

pub(super) fn bytes(bytes: &[u8]) -> Value {
    Value::String(BASE64_STANDARD.encode(bytes))
}

pub(super) fn session(session: &Session) -> Value {
    let Session { dcs, user, state, home_dc, test_mode } = session;
    object([
        ("version", Some(json!(Session::VERSION))),
        ("dcs", Some(dcs.iter().map(data_center).collect())),
        ("user", user.as_ref().map(self::user)),
        ("state", state.as_ref().map(self::state)),
        ("home_dc", home_dc.map(Value::from)),
        ("test_mode", test_mode.map(Value::from)),
    ])
}

fn data_center(dc: &DataCenter) -> Value {
    let DataCenter { id, ipv4_addr, ipv6_addr, auth } = dc;
    let ipv6 = ipv6_addr.map(|address| format!("{}:{}", address.ip(), address.port()));
    object([
        ("id", Some(json!(id))),
        ("ipv4_addr", ipv4_addr.map(|address| address.to_string().into())),
        ("ipv6_addr", ipv6.map(Value::from)),
        ("auth", auth.key().map(|key| bytes(key.expose()))),
        ("has_auth", Some(json!(*auth != Auth::Absent))),
    ])
}

fn user(user: &User) -> Value {
    let User { id, dc, bot, username } = user;
    object([
        ("id", Some(long(*id))),
        ("dc", Some(json!(dc))),
        ("bot", bot.map(Value::from)),
        ("username", username.clone().map(Value::from)),
    ])
}

fn state(state: &UpdateState) -> Value {
    let UpdateState { pts, qts, date, seq, channels } = state;
    json!({ "pts": pts, "qts": qts, "date": long(*date), "seq": seq, "channels": self::channels(channels) })
}

fn channels(channels: &[ChannelState]) -> Value {
    channels.iter().map(|ChannelState { id, pts }| json!({ "id": long(*id), "pts": pts })).collect()
}

fn change(change: &StateChange) -> Value {
    let StateChange { pts, qts, date, seq, channels, removed_channels } = change;
    object([
        ("pts", pts.map(Value::from)),
        ("qts", qts.map(Value::from)),
        ("date", date.map(long)),
        ("seq", seq.map(Value::from)),
        ("channels", Some(self::channels(channels))),
        ("removed_channels", Some(removed_channels.iter().copied().map(long).collect())),
    ])
}

pub(super) fn holder(holder: &Holder) -> Value {
    let Holder { label, pid, uid, executable, since, host } = holder;
    json!({
        "label": label, "pid": pid.unwrap_or(0), "uid": uid, "executable": executable,
        "since": since.map(time), "host": host,
    })
}

pub(super) fn waiting(waiting: &Waiting) -> Value {
    let Waiting { holder, position } = waiting;
    object([("holder", holder.as_ref().map(self::holder)), ("position", Some(json!(position)))])
}

pub(super) fn summary(summary: &SessionSummary) -> Value {
    object([
        ("name", Some(json!(summary.name.as_str()))),
        ("revision", Some(long(summary.revision))),
        ("user", summary.user.as_ref().map(user)),
        ("changed", summary.changed.map(time)),
        ("holder", summary.holder.as_ref().map(holder)),
        ("pts", summary.pts.map(Value::from)),
        ("channel_count", Some(json!(summary.channel_count))),
        ("dcs_with_auth", Some(json!(summary.dcs_with_auth))),
        ("waiting", Some(json!(summary.waiting))),
        ("watchers", Some(json!(summary.watchers))),
        ("damaged", Some(json!(summary.damaged))),
        ("test_mode", summary.test_mode.map(Value::from)),
    ])
}

pub(super) fn event(event: &WatchEvent) -> Value {
    match event {
        WatchEvent::Restarted(reason) => json!({ "event": "restarted", "reason": restarted(*reason) }),
        WatchEvent::Snapshot(snapshot) => object([
            ("event", Some("snapshot".into())),
            ("name", Some(snapshot.name.as_str().into())),
            ("revision", Some(long(snapshot.revision))),
            ("session", snapshot.session.as_ref().map(session)),
            ("holder", snapshot.holder.as_ref().map(holder)),
        ]),
        WatchEvent::Synced { revision, store_id } => {
            json!({ "event": "synced", "revision": long(*revision), "store_id": store_id })
        }
        WatchEvent::Bookmark { revision } => json!({ "event": "bookmark", "revision": long(*revision) }),
        WatchEvent::Commit(commit) => self::commit(commit),
        unknown => panic!("no scenario has this: {unknown:?}"),
    }
}

fn commit(commit: &Commit) -> Value {
    let (event, what) = match &commit.change {
        Change::Advanced(change) => ("advanced", vec![("change", self::change(change))]),
        Change::Saved(session) => ("saved", vec![("session", self::session(session))]),
        Change::Deleted => ("deleted", Vec::new()),
        Change::HoldChanged { holder, reason } => {
            let mut what = vec![("reason", reason.map_or_else(|| "UNSPECIFIED".into(), lost))];
            what.extend(holder.as_ref().map(|holder| ("holder", self::holder(holder))));
            ("hold_changed", what)
        }
        unknown => panic!("no scenario has this: {unknown:?}"),
    };
    let mut shown = json!({
        "event": event,
        "name": commit.name.as_str(),
        "revision": long(commit.revision),
        "previous_revision": long(commit.previous_revision),
        "time": commit.time.map(time),
    });
    for (field, value) in what {
        shown[field] = value;
    }
    shown
}

pub(super) fn peer(peer: &Peer) -> Value {
    let Peer { id, access_hash, kind, bot, is_self, min, usernames, phone, name, seen, extra } = peer;
    let extra: Map<_, _> = extra.iter().map(|(key, value)| (key.clone(), bytes(value))).collect();
    object([
        ("id", Some(long(*id))),
        ("access_hash", access_hash.map(long)),
        ("has_access_hash", Some(json!(access_hash.is_some()))),
        ("kind", Some(kind.map_or("UNSPECIFIED", self::kind).into())),
        ("bot", bot.map(Value::from)),
        ("is_self", is_self.map(Value::from)),
        ("min", min.map(Value::from)),
        ("usernames", usernames.as_ref().map(|names| json!({ "names": names }))),
        ("phone", phone.clone().map(Value::from)),
        ("name", name.clone().map(Value::from)),
        ("seen", seen.map(long)),
        ("extra", Some(Value::Object(extra))),
    ])
}

fn kind(kind: PeerKind) -> &'static str {
    match kind {
        PeerKind::User => "USER",
        PeerKind::Group => "GROUP",
        PeerKind::Channel => "CHANNEL",
        PeerKind::Supergroup => "SUPERGROUP",
        PeerKind::Gigagroup => "GIGAGROUP",
        PeerKind::Forum => "FORUM",
        PeerKind::Direct => "DIRECT",
        PeerKind::Community => "COMMUNITY",
        PeerKind::ChannelUnknown => "CHANNEL_UNKNOWN",
    }
}

pub(super) fn attribute(attribute: &Attribute) -> Value {
    let Attribute { key, value, secret } = attribute;
    json!({ "key": key, "value": bytes(value), "secret": secret, "has_value": !value.is_empty() })
}

pub(super) fn attribute_key(attribute: &AttributeKey) -> Value {
    let AttributeKey { key, secret, has_value } = attribute;
    json!({ "key": key, "value": "", "secret": secret, "has_value": has_value })
}

pub(super) fn lost(reason: LostReason) -> Value {
    match reason {
        LostReason::Fenced => "FENCED",
        LostReason::EndedByAdmin => "ENDED_BY_ADMIN",
        LostReason::ResumedElsewhere => "RESUMED_ELSEWHERE",
        unknown => panic!("no scenario has this: {unknown:?}"),
    }
    .into()
}

pub(super) fn restarted(reason: RestartReason) -> &'static str {
    match reason {
        RestartReason::First => "FIRST",
        RestartReason::LogTrimmed => "LOG_TRIMMED",
        RestartReason::OtherStore => "OTHER_STORE",
        RestartReason::Lagged => "LAGGED",
        unknown => panic!("no scenario has this: {unknown:?}"),
    }
}

pub(super) fn refusal(error: &Error) -> Value {
    let reason = |reason: &str| json!({ "reason": reason });
    match error {
        Error::InvalidName(_) => reason("INVALID_NAME"),
        Error::InvalidArgument { reason, .. } => json!({ "reason": reason.name() }),
        Error::HeldByAnother { label, pid, since } => object([
            ("reason", Some("HELD_BY_ANOTHER".into())),
            ("label", Some(label.clone().into())),
            ("pid", pid.map(Value::from)),
            ("since", since.map(time)),
        ]),
        Error::Fenced => reason("FENCED"),
        Error::Lost { reason } => json!({ "reason": "LOST", "lost": lost(*reason) }),
        Error::RevisionMismatch { current } => {
            json!({ "reason": "REVISION_MISMATCH", "current": long(*current) })
        }
        Error::FileInUse { pids, .. } => json!({ "reason": "FILE_IN_USE", "pids": pids }),
        Error::ForeignFile { .. } => reason("FOREIGN_FILE"),
        Error::NotPermitted { .. } => reason("NOT_PERMITTED"),
        Error::Damaged { .. } => reason("SESSION_DAMAGED"),
        Error::LimitExceeded { .. } => reason("LIMIT_EXCEEDED"),
        Error::StorageFull { .. } => reason("STORAGE_FULL"),
        Error::StorageFailed { .. } => reason("STORAGE_FAILED"),
        Error::Unavailable { .. } => reason("UNAVAILABLE"),
        Error::ChangeRefused { sequence, refusal } => json!({
            "reason": "CHANGE_REFUSED", "sequence": long(*sequence), "refusal": self::refusal(refusal),
        }),
        Error::Other(_) => reason("OTHER"),
        unknown => panic!("no scenario has this: {unknown:?}"),
    }
}

fn time(time: SystemTime) -> Value {
    Timestamp::try_from(time).expect("a time of these years").to_string().into()
}
