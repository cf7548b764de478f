use std::collections::HashMap;

use sessiond_session::{ChannelState, StateChange, UpdateState};

/// Counters and channels that a batch has set, beside the durable state that it has set them in.
#[derive(Default)]
pub(super) struct Moved {
    pts: Option<i32>,
    qts: Option<i32>,
    date: Option<i64>,
    seq: Option<i32>,
    /// By id: the new pts, or that it is forgotten.
    channels: HashMap<i64, Option<i32>>,
    /// How many more channels there are than in the durable state.
    more_channels: isize,
    any: bool,
}

impl Moved {
    pub(super) fn is_empty(&self) -> bool {
        !self.any
    }

    /// Whether anything that it mentions is otherwise.
    pub(super) fn would_change(&self, state: Option<&UpdateState>, change: &StateChange) -> bool {
        let StateChange { pts, qts, date, seq, channels, removed_channels } = change;
        let differs = |new: Option<i32>, moved: Option<i32>, durable: Option<i32>| {
            new.is_some_and(|new| new != moved.or(durable).unwrap_or(0))
        };
        differs(*pts, self.pts, state.map(|state| state.pts))
            || differs(*qts, self.qts, state.map(|state| state.qts))
            || differs(*seq, self.seq, state.map(|state| state.seq))
            || date.is_some_and(|new| new != self.date.or(state.map(|state| state.date)).unwrap_or(0))
            || channels.iter().any(|channel| self.channel(state, channel.id) != Some(channel.pts))
            || removed_channels.iter().any(|id| self.channel(state, *id).is_some())
    }

    fn channel(&self, state: Option<&UpdateState>, id: i64) -> Option<i32> {
        match self.channels.get(&id) {
            Some(moved) => *moved,
            None => state.and_then(|state| state.channel(id)),
        }
    }

    /// How many channels there would be after the change.
    pub(super) fn channel_count(&self, state: Option<&UpdateState>, change: &StateChange) -> usize {
        let durable = state.map_or(0, |state| state.channels.len());
        let new = change.channels.iter().filter(|channel| self.channel(state, channel.id).is_none()).count();
        let gone = change.removed_channels.iter().filter(|id| self.channel(state, **id).is_some()).count();
        durable.saturating_add_signed(self.more_channels) + new - gone
    }

    /// Sets what it mentions.
    pub(super) fn take(&mut self, state: Option<&UpdateState>, change: &StateChange) {
        let StateChange { pts, qts, date, seq, channels, removed_channels } = change;
        self.any = true;
        self.pts = pts.or(self.pts);
        self.qts = qts.or(self.qts);
        self.date = date.or(self.date);
        self.seq = seq.or(self.seq);
        for channel in channels {
            self.more_channels += isize::from(self.channel(state, channel.id).is_none());
            self.channels.insert(channel.id, Some(channel.pts));
        }
        for id in removed_channels {
            self.more_channels -= isize::from(self.channel(state, *id).is_some());
            self.channels.insert(*id, None);
        }
    }

    pub(super) fn into_change(self) -> StateChange {
        let Self { pts, qts, date, seq, channels, more_channels: _, any: _ } = self;
        let mut change = StateChange { pts, qts, date, seq, ..StateChange::default() };
        for (id, pts) in channels {
            match pts {
                Some(pts) => change.channels.push(ChannelState { id, pts }),
                None => change.removed_channels.push(id),
            }
        }
        change
    }
}
