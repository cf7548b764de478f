use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime},
};

use sessiond_client::{
    Change, Commit, Holder, ServerInfo, Session, SessionName, SessionSummary, Snapshot, StateChange, User,
    WatchEvent,
};

use super::{fares::Fares, feed::Update, pace::Pace};
use crate::cli::watch::commit_text;

/// Events of a session that are remembered.
const EVENTS: usize = 32;

/// A moment, for the clock of the view and for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// Since the view began.
    pub(super) elapsed: Duration,
    /// What the clock on the wall says.
    pub(super) wall: SystemTime,
}

/// What is known of a daemon and its sessions: what it told, and how fast things move.
#[derive(Debug, Default)]
pub(super) struct Known {
    sessions: BTreeMap<SessionName, Row>,
    /// Counted up when the watch starts over: what has no snapshot since then does not exist.
    round: u64,
    /// Counted up whenever a session comes or goes.
    generation: u64,
    synced: bool,
    listed: bool,
    /// The daemon's figures.
    pub(super) fares: Fares,
    /// Since when no daemon answers.
    away: Option<Duration>,
    /// The session that this view follows a second time, for its details.
    pub(super) detailed: Option<SessionName>,
}

/// A session.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) user: Option<User>,
    pub(super) home_dc: Option<i32>,
    pub(super) holder: Option<Holder>,
    pub(super) pts: Option<i32>,
    /// 0: it has no data.
    pub(super) revision: i64,
    pub(super) changed: Option<SystemTime>,
    pub(super) waiting: i32,
    /// Watches beside this view's own.
    pub(super) watchers: i32,
    pub(super) channel_count: i32,
    pub(super) damaged: bool,
    pub(super) test_mode: bool,
    /// How its pts moves.
    pub(super) pace: Pace,
    /// The newest first.
    pub(super) events: VecDeque<Event>,
    round: u64,
}

/// Something that happened to a session.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) revision: i64,
    pub(super) time: Option<SystemTime>,
    pub(super) what: What,
}

/// What it was. Changes are many, and few of them are ever looked at.
#[derive(Debug, Clone)]
pub(super) enum What {
    Advanced(StateChange),
    Told(String),
}

impl Now {
    /// Whole seconds since the view began.
    pub(super) fn second(&self) -> u64 {
        self.elapsed.as_secs()
    }
}

impl Known {
    /// Takes what the daemon told.
    pub(super) fn apply(&mut self, update: Update, now: Now) {
        match update {
            Update::Watched(event) => self.watched(event, now),
            Update::Listed(summaries) => summaries.iter().for_each(|summary| self.listed(summary)),
            Update::ListedAll => self.listed = true,
            Update::Info(info) => self.heard(*info, now),
            Update::Away => {
                self.away.get_or_insert(now.elapsed);
            }
            // It is the detail's.
            Update::Detail(_) => {}
        }
    }

    /// The sessions, by name.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (&SessionName, &Row)> {
        self.sessions.iter()
    }

    pub(super) fn session(&self, name: &SessionName) -> Option<&Row> {
        self.sessions.get(name)
    }

    /// Another number whenever there are other sessions.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether every session was told, once.
    pub(super) fn is_synced(&self) -> bool {
        self.synced
    }

    /// Whether everything was told, once.
    pub(super) fn is_complete(&self) -> bool {
        self.synced && self.listed && self.fares.is_known()
    }

    /// For how long no daemon has answered. `None`: one does.
    pub(super) fn away_for(&self, now: Now) -> Option<Duration> {
        self.away.map(|since| now.elapsed.saturating_sub(since))
    }

    fn heard(&mut self, info: ServerInfo, now: Now) {
        self.away = None;
        self.fares.heard(info, now);
    }

    fn watched(&mut self, event: WatchEvent, now: Now) {
        match event {
            WatchEvent::Restarted(_) => {
                self.round += 1;
                self.synced = false;
            }
            WatchEvent::Snapshot(snapshot) => self.snapshot(snapshot),
            WatchEvent::Synced { .. } => {
                self.synced = true;
                self.sessions.retain(|_, row| row.round == self.round);
                self.generation += 1;
            }
            WatchEvent::Commit(commit) => self.committed(commit, now),
            _ => {}
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot) {
        let Snapshot { name, revision, session, holder } = snapshot;
        let round = self.round;
        let row = self.row(name);
        (row.round, row.revision, row.holder) = (round, revision, holder);
        row.becomes(session);
    }

    fn committed(&mut self, commit: Commit, now: Now) {
        let Commit { name, revision, previous_revision: _, time, change } = commit;
        let round = self.round;
        let row = self.row(name.clone());
        row.round = round;
        let before = row.pts;
        let is_hold = matches!(change, Change::HoldChanged { .. });
        if !is_hold {
            (row.revision, row.changed) = (revision, time);
        }
        let what = match change {
            Change::Advanced(change) => {
                row.pts = change.pts.or(row.pts);
                What::Advanced(change)
            }
            change => {
                let what = What::Told(commit_text(&change));
                match change {
                    Change::Saved(session) => row.becomes(Some(session)),
                    Change::Deleted => {
                        row.revision = 0;
                        row.becomes(None);
                    }
                    Change::HoldChanged { holder, .. } => row.holder = holder,
                    _ => {}
                }
                what
            }
        };
        row.remember(Event { revision, time, what });
        if let (Some(before), Some(pts)) = (before, row.pts) {
            row.pace.add(now.second(), u32::try_from(i64::from(pts) - i64::from(before)).unwrap_or(0));
        }
        if row.revision == 0 && row.holder.is_none() {
            self.sessions.remove(&name);
            self.generation += 1;
        }
    }

    /// What only a listing tells. Everything else is newer from the watch.
    fn listed(&mut self, summary: &SessionSummary) {
        let own = 1 + i32::from(self.detailed.as_ref() == Some(&summary.name));
        let Some(row) = self.sessions.get_mut(&summary.name) else { return };
        row.waiting = summary.waiting;
        row.watchers = (summary.watchers - own).max(0);
        row.channel_count = summary.channel_count;
        row.damaged = summary.damaged;
        row.test_mode = summary.test_mode == Some(true);
        row.changed = row.changed.max(summary.changed);
    }

    fn row(&mut self, name: SessionName) -> &mut Row {
        let generation = &mut self.generation;
        self.sessions.entry(name).or_insert_with(|| {
            *generation += 1;
            Row::default()
        })
    }
}

impl Row {
    fn becomes(&mut self, session: Option<Session>) {
        self.home_dc = session.as_ref().map(Session::home_dc_id);
        let (user, state) = session.map_or((None, None), |session| (session.user, session.state));
        self.user = user;
        self.pts = state.as_ref().map(|state| state.pts);
        let channels = state.map_or(0, |state| state.channels.len());
        self.channel_count = i32::try_from(channels).unwrap_or(i32::MAX);
    }

    fn remember(&mut self, event: Event) {
        self.events.truncate(EVENTS - 1);
        self.events.push_front(event);
    }
}

#[cfg(test)]
#[path = "known/tests.rs"]
mod tests;
