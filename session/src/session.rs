use std::net::{SocketAddrV4, SocketAddrV6};

use crate::{
    AuthKey,
    sorted::{self, Identified},
};

/// Everything a program needs to go on being logged in to Telegram. Whoever has it has the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// The data centers known, by ascending id, each id once, at most [`MAX_DCS`](crate::MAX_DCS).
    pub dcs: Vec<DataCenter>,
    /// Who is logged in. `None`: nobody, or not known.
    pub user: Option<User>,
    /// Which updates were seen. `None`: none were.
    pub state: Option<UpdateState>,
    /// Id of the home data center, where it is known apart from the user's; see [`Session::home_dc_id`].
    pub home_dc: Option<i32>,
    /// Whether the data centers are Telegram's test servers. `None`: not known, taken as production.
    pub test_mode: Option<bool>,
}

/// A data center and the key shared with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataCenter {
    /// Its id, positive.
    pub id: i32,
    /// Its IPv4 address.
    pub ipv4_addr: Option<SocketAddrV4>,
    /// Its IPv6 address.
    pub ipv6_addr: Option<SocketAddrV6>,
    /// The authorization key.
    pub auth: Auth,
}

/// What is known of a data center's key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// There is none.
    #[default]
    Absent,
    /// There is one, told to whoever holds the session and to nobody else. Merged, it keeps the key that is there.
    Withheld,
    /// The key.
    Key(AuthKey),
}

/// Who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id, positive.
    pub id: i64,
    /// Id of the user's home data center.
    pub dc: i32,
    /// Whether the user is a bot. `None`: not known.
    pub bot: Option<bool>,
    /// Primary username, without `@`.
    pub username: Option<String>,
}

/// Which updates were seen. Zero: none was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateState {
    /// Events seen in the common message box.
    pub pts: i32,
    /// Events seen in the secondary message box.
    pub qts: i32,
    /// Date of the latest update seen, in Unix seconds.
    pub date: i64,
    /// Number of the latest update container seen.
    pub seq: i32,
    /// The channels' own counters, by ascending id, each id once, at most [`MAX_CHANNELS`](crate::MAX_CHANNELS).
    pub channels: Vec<ChannelState>,
}

/// Which updates of one channel were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelState {
    /// Bare channel id, positive.
    pub id: i64,
    /// Events seen in the channel.
    pub pts: i32,
}

/// A change of an update state: what it mentions is set, the rest stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateChange {
    /// New pts.
    pub pts: Option<i32>,
    /// New qts.
    pub qts: Option<i32>,
    /// New date, in Unix seconds.
    pub date: Option<i64>,
    /// New seq.
    pub seq: Option<i32>,
    /// Channels to set, each id once.
    pub channels: Vec<ChannelState>,
    /// Channels to forget, none of them also in `channels`.
    pub removed_channels: Vec<i64>,
}

impl Session {
    /// Version of these types' meaning, as in the reference.
    pub const VERSION: i32 = 1;

    /// The data center of this id.
    pub fn dc(&self, id: i32) -> Option<&DataCenter> {
        self.dcs.binary_search_by_key(&id, |dc| dc.id).ok().map(|at| &self.dcs[at])
    }

    /// The home data center: `home_dc`, else the user's, else 2, where every Telegram library begins.
    pub fn home_dc_id(&self) -> i32 {
        self.home_dc.or(self.user.as_ref().map(|user| user.dc)).unwrap_or(2)
    }

    /// The same session with no key in it: a key that is there becomes [`Auth::Withheld`].
    #[must_use]
    pub fn without_keys(mut self) -> Self {
        for dc in &mut self.dcs {
            if dc.auth.is_present() {
                dc.auth = Auth::Withheld;
            }
        }
        self
    }

    /// Whether every key that there is can be read here, so that the session is whole.
    pub fn has_all_keys(&self) -> bool {
        self.dcs.iter().all(|dc| dc.auth != Auth::Withheld)
    }

    /// Sets the counters that a change mentions.
    pub fn advance(&mut self, change: &StateChange) {
        self.state.get_or_insert_default().apply(change);
    }
}

impl Auth {
    /// The key, if it is known here.
    pub fn key(&self) -> Option<&AuthKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Absent | Self::Withheld => None,
        }
    }

    /// Whether there is a key, known here or not.
    pub fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl UpdateState {
    /// A channel's pts.
    pub fn channel(&self, id: i64) -> Option<i32> {
        let found = self.channels.binary_search_by_key(&id, |channel| channel.id);
        found.ok().map(|at| self.channels[at].pts)
    }

    /// Sets what the change mentions.
    pub fn apply(&mut self, change: &StateChange) {
        let StateChange { pts, qts, date, seq, channels, removed_channels } = change;
        self.pts = pts.unwrap_or(self.pts);
        self.qts = qts.unwrap_or(self.qts);
        self.date = date.unwrap_or(self.date);
        self.seq = seq.unwrap_or(self.seq);
        self.set_channels(channels);
        sorted::remove_all(&mut self.channels, removed_channels.clone());
    }

    /// Sets the counters of channels, each id once.
    pub fn set_channels(&mut self, channels: &[ChannelState]) {
        sorted::set_all(&mut self.channels, channels);
    }
}

impl StateChange {
    /// Whether it mentions nothing.
    pub fn is_empty(&self) -> bool {
        let Self { pts, qts, date, seq, channels, removed_channels } = self;
        pts.is_none()
            && qts.is_none()
            && date.is_none()
            && seq.is_none()
            && channels.is_empty()
            && removed_channels.is_empty()
    }

    /// Whether it sets a counter, and does not only forget channels.
    pub fn sets_anything(&self) -> bool {
        let Self { pts, qts, date, seq, channels, removed_channels: _ } = self;
        pts.is_some() || qts.is_some() || date.is_some() || seq.is_some() || !channels.is_empty()
    }

    /// Makes this change and a later one into one change with the same effect. Where there are many, [`joined`](Self::joined)
    /// looks at each of them once.
    pub fn followed_by(&mut self, later: Self) {
        let Self { pts, qts, date, seq, channels, removed_channels } = later;
        self.pts = pts.or(self.pts);
        self.qts = qts.or(self.qts);
        self.date = date.or(self.date);
        self.seq = seq.or(self.seq);
        sorted::sort(&mut self.channels);
        sorted::sort(&mut self.removed_channels);
        sorted::remove_all(&mut self.removed_channels, channels.iter().map(|channel| channel.id).collect());
        sorted::set_all(&mut self.channels, &channels);
        sorted::set_all(&mut self.removed_channels, &removed_channels);
        sorted::remove_all(&mut self.channels, removed_channels);
    }

    /// Makes changes, the earliest first, into one change with the same effect.
    #[must_use]
    pub fn joined(changes: impl IntoIterator<Item = Self>) -> Self {
        let mut one = Self::default();
        let mut edits = Vec::new();
        for Self { pts, qts, date, seq, channels, removed_channels } in changes {
            one.pts = pts.or(one.pts);
            one.qts = qts.or(one.qts);
            one.date = date.or(one.date);
            one.seq = seq.or(one.seq);
            edits.extend(channels.into_iter().map(|ChannelState { id, pts }| Edit { id, pts: Some(pts) }));
            edits.extend(removed_channels.into_iter().map(|id| Edit { id, pts: None }));
        }
        sorted::sort(&mut edits);
        for Edit { id, pts } in edits {
            match pts {
                Some(pts) => one.channels.push(ChannelState { id, pts }),
                None => one.removed_channels.push(id),
            }
        }
        one
    }
}

/// What becomes of a channel: its new pts, or nothing.
#[derive(Debug, Clone, Copy)]
struct Edit {
    id: i64,
    pts: Option<i32>,
}

impl Identified for Edit {
    fn id(&self) -> i64 {
        self.id
    }
}

#[cfg(test)]
mod tests;
