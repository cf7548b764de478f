//! Sessions as messages, and back. The one place that knows both; everything that comes in is checked here.

mod attribute;
mod contents;
mod peer;

use sessiond_proto::v1;

pub use self::peer::peer_kind;
use crate::{
    Auth, AuthKey, ChannelState, Clear, DataCenter, MAX_CHANNELS, MAX_DCS, MAX_KEY, MAX_USERNAME, Session,
    StateChange, UpdateState, User, address,
};

/// A message that is not a session, or not a change of one: the field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidSession {
    /// Path of the field in the message, as in `dcs[3].auth`.
    pub field: String,
    /// What is wrong with its value.
    pub problem: String,
}

impl InvalidSession {
    /// Says that a field is wrong.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl From<Session> for v1::Session {
    fn from(session: Session) -> Self {
        let Session { dcs, user, state, home_dc, test_mode } = session;
        Self {
            version: Session::VERSION,
            dcs: dcs.into_iter().map(Into::into).collect(),
            user: user.map(Into::into),
            state: state.map(Into::into),
            home_dc,
            test_mode,
        }
    }
}

impl TryFrom<v1::Session> for Session {
    type Error = InvalidSession;

    fn try_from(session: v1::Session) -> Result<Self, InvalidSession> {
        let v1::Session { version, dcs, user, state, home_dc, test_mode } = session;
        if !(0..=Self::VERSION).contains(&version) {
            let known = Self::VERSION;
            return Err(InvalidSession::new(
                "version",
                format!("is {version}, and only {known} is known here"),
            ));
        }
        if dcs.len() > MAX_DCS {
            return Err(InvalidSession::new(
                "dcs",
                format!("has {} entries, at most {MAX_DCS} are kept", dcs.len()),
            ));
        }
        let mut dcs = each(dcs, DataCenter::try_from)?;
        dcs.sort_by_key(|dc| dc.id);
        if let Some(pair) = dcs.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(InvalidSession::new("dcs", format!("has id {} twice", pair[0].id)));
        }
        let user = user.map(User::try_from).transpose()?;
        if let Some(id) = home_dc {
            positive("home_dc", id.into())?;
            if let Some(user) = user.as_ref().filter(|user| user.dc != id) {
                return Err(InvalidSession::new("home_dc", format!("is {id}, and user.dc is {}", user.dc)));
            }
        }
        let state = state.map(UpdateState::try_from).transpose()?;
        Ok(Self { dcs, user, state, home_dc, test_mode })
    }
}

impl From<DataCenter> for v1::DataCenter {
    fn from(dc: DataCenter) -> Self {
        let DataCenter { id, ipv4_addr, ipv6_addr, auth } = dc;
        Self {
            id,
            ipv4_addr: ipv4_addr.map(|address| address.to_string()),
            ipv6_addr: ipv6_addr.as_ref().map(address::ipv6_text),
            has_auth: auth.is_present(),
            auth: auth.key().map(|key| key.expose().to_vec()),
        }
    }
}

impl TryFrom<v1::DataCenter> for DataCenter {
    type Error = InvalidSession;

    /// `has_auth` without `auth` is [`Auth::Withheld`], as a reader without the token gets it; a Save that is sent it
    /// keeps the key under MERGE.
    fn try_from(dc: v1::DataCenter) -> Result<Self, InvalidSession> {
        let v1::DataCenter { id, ipv4_addr, ipv6_addr, auth, has_auth } = dc;
        positive("dcs.id", id.into())?;
        let at = |field: &str| format!("dcs[id={id}].{field}");
        let auth = match auth.filter(|auth| !auth.is_empty()) {
            Some(bytes) => Auth::Key(
                AuthKey::try_from(zeroize::Zeroizing::new(bytes).as_slice())
                    .map_err(|e| InvalidSession::new(at("auth"), e.to_string()))?,
            ),
            None if has_auth => Auth::Withheld,
            None => Auth::Absent,
        };
        let ipv4_addr = ipv4_addr
            .map(|text| address::ipv4(&text))
            .transpose()
            .map_err(|e| InvalidSession::new(at("ipv4_addr"), e.to_string()))?;
        let ipv6_addr = ipv6_addr
            .map(|text| address::ipv6(&text))
            .transpose()
            .map_err(|e| InvalidSession::new(at("ipv6_addr"), e.to_string()))?;
        Ok(Self { id, ipv4_addr, ipv6_addr, auth })
    }
}

impl From<User> for v1::User {
    fn from(user: User) -> Self {
        let User { id, dc, bot, username } = user;
        Self { id, dc, bot, username }
    }
}

impl TryFrom<v1::User> for User {
    type Error = InvalidSession;

    fn try_from(user: v1::User) -> Result<Self, InvalidSession> {
        let v1::User { id, dc, bot, username } = user;
        positive("user.id", id)?;
        positive("user.dc", dc.into())?;
        if let Some(bytes) = username.as_ref().map(String::len).filter(|bytes| *bytes > MAX_USERNAME) {
            let problem = format!("has {bytes} bytes, and at most {MAX_USERNAME} are kept");
            return Err(InvalidSession::new("user.username", problem));
        }
        Ok(Self { id, dc, bot, username })
    }
}

impl From<UpdateState> for v1::UpdateState {
    fn from(state: UpdateState) -> Self {
        let UpdateState { pts, qts, date, seq, channels } = state;
        Self { pts, qts, date, seq, channels: channels.into_iter().map(Into::into).collect() }
    }
}

impl TryFrom<v1::UpdateState> for UpdateState {
    type Error = InvalidSession;

    fn try_from(state: v1::UpdateState) -> Result<Self, InvalidSession> {
        let v1::UpdateState { pts, qts, date, seq, channels } = state;
        not_negative("state.pts", pts.into())?;
        not_negative("state.qts", qts.into())?;
        not_negative("state.date", date)?;
        not_negative("state.seq", seq.into())?;
        let mut channels = checked_channels("state.channels", channels)?;
        channels.sort_by_key(|channel| channel.id);
        Ok(Self { pts, qts, date, seq, channels })
    }
}

impl From<ChannelState> for v1::ChannelState {
    fn from(channel: ChannelState) -> Self {
        let ChannelState { id, pts } = channel;
        Self { id, pts }
    }
}

impl From<StateChange> for v1::StateChange {
    fn from(change: StateChange) -> Self {
        let StateChange { pts, qts, date, seq, channels, removed_channels } = change;
        let channels = channels.into_iter().map(Into::into).collect();
        Self { pts, qts, date, seq, channels, removed_channels }
    }
}

impl TryFrom<v1::StateChange> for StateChange {
    type Error = InvalidSession;

    fn try_from(change: v1::StateChange) -> Result<Self, InvalidSession> {
        let v1::StateChange { pts, qts, date, seq, channels, removed_channels } = change;
        not_negative("change.pts", pts.unwrap_or(0).into())?;
        not_negative("change.qts", qts.unwrap_or(0).into())?;
        not_negative("change.date", date.unwrap_or(0))?;
        not_negative("change.seq", seq.unwrap_or(0).into())?;
        let channels = checked_channels("change.channels", channels)?;
        for id in &removed_channels {
            positive("change.removed_channels", *id)?;
        }
        let change = Self { pts, qts, date, seq, channels, removed_channels };
        unique_channels("change.channels and change.removed_channels", &change)?;
        Ok(change)
    }
}

impl From<v1::SaveClear> for Clear {
    fn from(clear: v1::SaveClear) -> Self {
        let v1::SaveClear { auth_dcs, all_auth, user, state, channels } = clear;
        Self { auth_dcs, all_auth, user, state, channels }
    }
}

impl From<Clear> for v1::SaveClear {
    fn from(clear: Clear) -> Self {
        let Clear { auth_dcs, all_auth, user, state, channels } = clear;
        Self { auth_dcs, all_auth, user, state, channels }
    }
}

/// What is made of each message. `collect` would keep the messages' own, larger allocation, and sessions stay in memory.
fn each<M, T>(
    messages: Vec<M>,
    mut make: impl FnMut(M) -> Result<T, InvalidSession>,
) -> Result<Vec<T>, InvalidSession> {
    let mut made = Vec::with_capacity(messages.len());
    for message in messages {
        made.push(make(message)?);
    }
    Ok(made)
}

fn checked_channels(
    field: &str,
    channels: Vec<v1::ChannelState>,
) -> Result<Vec<ChannelState>, InvalidSession> {
    if channels.len() > MAX_CHANNELS {
        let problem = format!("has {} entries, at most {MAX_CHANNELS} are kept", channels.len());
        return Err(InvalidSession::new(field, problem));
    }
    let mut checked = Vec::with_capacity(channels.len());
    for v1::ChannelState { id, pts } in channels {
        positive(field, id)?;
        if pts < 0 {
            return Err(InvalidSession::new(
                field,
                format!("has pts {pts} for id {id}, and a counter is not negative"),
            ));
        }
        checked.push(ChannelState { id, pts });
    }
    unique(field, checked.iter().map(|channel| channel.id))?;
    Ok(checked)
}

fn unique_channels(field: &str, change: &StateChange) -> Result<(), InvalidSession> {
    if change.removed_channels.is_empty() {
        return Ok(());
    }
    unique(
        field,
        change.channels.iter().map(|channel| channel.id).chain(change.removed_channels.iter().copied()),
    )
}

fn unique(field: &str, ids: impl Iterator<Item = i64>) -> Result<(), InvalidSession> {
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(InvalidSession::new(field, format!("has id {} twice", pair[0]))),
        None => Ok(()),
    }
}

/// Checks a key under which something is kept: an attribute's, or one of a peer's extra.
///
/// # Errors
/// It is not 1 to 256 bytes of printable ASCII.
pub fn checked_key(field: &str, key: &str) -> Result<(), InvalidSession> {
    let printable = |byte: u8| (b' '..=b'~').contains(&byte);
    if (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(printable) {
        Ok(())
    } else {
        Err(InvalidSession::new(field, format!("is not 1 to {MAX_KEY} bytes of printable ASCII")))
    }
}

fn positive(field: &str, value: i64) -> Result<(), InvalidSession> {
    if value > 0 {
        Ok(())
    } else {
        Err(InvalidSession::new(field, format!("is {value}, and an id is positive")))
    }
}

fn not_negative(field: &str, value: i64) -> Result<(), InvalidSession> {
    if value >= 0 {
        Ok(())
    } else {
        Err(InvalidSession::new(field, format!("is {value}, and a counter is not negative")))
    }
}

#[cfg(test)]
mod tests {
    use sessiond_proto::v1;

    use crate::{Auth, AuthKey, MAX_USERNAME, Session, StateChange, User};

    fn full() -> v1::Session {
        v1::Session {
            version: 1,
            dcs: vec![v1::DataCenter {
                id: i32::MAX,
                ipv4_addr: Some("149.154.167.51:443".into()),
                ipv6_addr: Some("2001:67c:4e8:f002::a:443".into()),
                auth: Some(vec![3; AuthKey::LEN]),
                has_auth: true,
            }],
            user: Some(v1::User { id: i64::MAX, dc: 2, bot: Some(false), username: Some("a".into()) }),
            state: Some(v1::UpdateState {
                pts: i32::MAX,
                qts: i32::MAX,
                date: i64::MAX,
                seq: i32::MAX,
                channels: vec![v1::ChannelState { id: i64::MAX, pts: i32::MAX }],
            }),
            home_dc: Some(2),
            test_mode: Some(false),
        }
    }

    #[test]
    fn every_field_survives_the_round_trip_at_its_limits() {
        for message in [full(), v1::Session { version: 1, ..v1::Session::default() }] {
            let session = Session::try_from(message.clone()).expect("valid");
            assert_eq!(v1::Session::from(session), message);
        }
    }

    #[test]
    fn a_username_has_at_most_1024_bytes() {
        let named =
            |username: String| User::try_from(v1::User { id: 1, dc: 2, bot: None, username: Some(username) });
        assert!(named("x".repeat(MAX_USERNAME)).is_ok());
        for refused in [named("x".repeat(MAX_USERNAME + 1)), named("é".repeat(MAX_USERNAME / 2 + 1))] {
            assert_eq!(refused.expect_err("it is too long").field, "user.username");
        }
    }

    #[test]
    fn an_empty_key_is_no_key() {
        let mut message = full();
        message.dcs[0].auth = Some(Vec::new());
        message.dcs[0].has_auth = false;
        let session = Session::try_from(message).expect("valid");
        assert_eq!(session.dcs[0].auth, Auth::Absent);
    }

    #[test]
    fn a_message_that_is_no_session_is_refused_by_its_field() {
        type Spoil = fn(&mut v1::Session);
        let spoiled: [(&str, Spoil); 13] = [
            ("version", |s| s.version = 2),
            ("dcs.id", |s| s.dcs[0].id = 0),
            ("dcs", |s| s.dcs.push(s.dcs[0].clone())),
            ("dcs", |s| s.dcs = vec![v1::DataCenter::default(); 65]),
            ("dcs[id=2147483647].auth", |s| s.dcs[0].auth = Some(vec![0; 255])),
            ("dcs[id=2147483647].ipv4_addr", |s| s.dcs[0].ipv4_addr = Some("None:None".into())),
            ("dcs[id=2147483647].ipv6_addr", |s| s.dcs[0].ipv6_addr = Some("::1".into())),
            ("user.id", |s| s.user.as_mut().expect("there").id = -1),
            ("user.username", |s| s.user.as_mut().expect("there").username = Some("x".repeat(1025))),
            ("home_dc", |s| s.home_dc = Some(3)),
            ("state.pts", |s| s.state.as_mut().expect("there").pts = -1),
            ("state.channels", |s| s.state.as_mut().expect("there").channels[0].id = 0),
            ("state.channels", |s| {
                let channels = &mut s.state.as_mut().expect("there").channels;
                channels.push(channels[0]);
            }),
        ];
        for (field, spoil) in spoiled {
            let mut message = full();
            spoil(&mut message);
            let refused = Session::try_from(message).expect_err(field);
            assert_eq!(refused.field, field);
        }
    }

    #[test]
    fn a_channel_is_not_both_set_and_removed() {
        let change = v1::StateChange {
            channels: vec![v1::ChannelState { id: 5, pts: 1 }],
            removed_channels: vec![5],
            ..v1::StateChange::default()
        };
        assert!(StateChange::try_from(change).is_err());
    }
}
