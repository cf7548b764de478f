use std::net::{SocketAddrV4, SocketAddrV6};

use crate::AuthKey;

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
        self.position(id).ok().map(|at| self.channels[at].pts)
    }

    /// Sets what the change mentions.
    pub fn apply(&mut self, change: &StateChange) {
        let StateChange { pts, qts, date, seq, channels, removed_channels } = change;
        self.pts = pts.unwrap_or(self.pts);
        self.qts = qts.unwrap_or(self.qts);
        self.date = date.unwrap_or(self.date);
        self.seq = seq.unwrap_or(self.seq);
        for channel in channels {
            self.set_channel(*channel);
        }
        for id in removed_channels {
            if let Ok(at) = self.position(*id) {
                self.channels.remove(at);
            }
        }
    }

    /// Sets one channel's counter.
    pub fn set_channel(&mut self, channel: ChannelState) {
        match self.position(channel.id) {
            Ok(at) => self.channels[at] = channel,
            Err(at) => self.channels.insert(at, channel),
        }
    }

    fn position(&self, id: i64) -> Result<usize, usize> {
        self.channels.binary_search_by_key(&id, |channel| channel.id)
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

    /// Makes this change and a later one into one change with the same effect.
    pub fn followed_by(&mut self, later: Self) {
        let Self { pts, qts, date, seq, channels, removed_channels } = later;
        self.pts = pts.or(self.pts);
        self.qts = qts.or(self.qts);
        self.date = date.or(self.date);
        self.seq = seq.or(self.seq);
        for channel in channels {
            self.removed_channels.retain(|id| *id != channel.id);
            match self.channels.iter_mut().find(|earlier| earlier.id == channel.id) {
                Some(earlier) => *earlier = channel,
                None => self.channels.push(channel),
            }
        }
        for id in removed_channels {
            self.channels.retain(|channel| channel.id != id);
            if !self.removed_channels.contains(&id) {
                self.removed_channels.push(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ChannelState, StateChange, UpdateState};

    fn channel(id: i64, pts: i32) -> ChannelState {
        ChannelState { id, pts }
    }

    #[test]
    fn a_change_sets_what_it_mentions_and_nothing_else() {
        let mut state =
            UpdateState { pts: 1, qts: 2, date: 3, seq: 4, channels: vec![channel(7, 70), channel(9, 90)] };
        state.apply(&StateChange {
            pts: Some(0),
            channels: vec![channel(8, 80), channel(9, 91)],
            removed_channels: vec![7, 1],
            ..StateChange::default()
        });
        let expected =
            UpdateState { pts: 0, qts: 2, date: 3, seq: 4, channels: vec![channel(8, 80), channel(9, 91)] };
        assert_eq!(state, expected);
    }

    #[test]
    fn two_changes_made_into_one_have_the_same_effect() {
        let first = StateChange {
            pts: Some(5),
            seq: Some(1),
            channels: vec![channel(1, 10), channel(2, 20)],
            removed_channels: vec![3],
            ..StateChange::default()
        };
        let second = StateChange {
            pts: Some(6),
            channels: vec![channel(3, 30), channel(2, 21)],
            removed_channels: vec![1],
            ..StateChange::default()
        };
        let start = UpdateState { channels: vec![channel(1, 1), channel(3, 3)], ..UpdateState::default() };
        let mut one_by_one = start.clone();
        one_by_one.apply(&first);
        one_by_one.apply(&second);
        let mut both = first;
        both.followed_by(second);
        let mut at_once = start;
        at_once.apply(&both);
        assert_eq!(at_once, one_by_one);
    }
}
