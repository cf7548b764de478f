use std::{cmp::Reverse, collections::BTreeMap, time::SystemTime};

use jiff::{Timestamp, tz::TimeZone};
use ratatui::text::{Line, Span};
use sessiond_client::{Change, Commit, SessionName, Snapshot, StateChange, UpdateState, WatchEvent};

use super::{
    known::{Event, Known, Now, Row, What},
    palette::Palette,
    table::{age, fit},
};
use crate::cli::render::{NOTHING, change_text, grouped, holder_text, printable, sparkline, user_text};

/// Seconds that the bars are of.
const BARS: usize = 39;
/// Columns of the channels, which stand beside the events.
const CHANNELS_WIDTH: usize = 34;

/// One session with everything that is not kept of all: its counters, and its channels.
#[derive(Debug, Default)]
pub(super) struct Detail {
    state: UpdateState,
    channels: BTreeMap<i64, Channel>,
}

/// A channel's pts, and when it was set.
#[derive(Debug, Clone, Copy, Default)]
struct Channel {
    pts: i32,
    /// 0: not since it is looked at.
    revision: i64,
    time: Option<SystemTime>,
}

impl Detail {
    /// Takes what its own watch told.
    pub(super) fn apply(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Restarted(_) => *self = Self::default(),
            WatchEvent::Snapshot(Snapshot { session, .. }) => {
                self.becomes(session.and_then(|session| session.state));
            }
            WatchEvent::Commit(Commit { revision, time, change, .. }) => match change {
                Change::Advanced(change) => self.advance(change, revision, time),
                Change::Saved(session) => self.becomes(session.state),
                Change::Deleted => *self = Self::default(),
                _ => {}
            },
            _ => {}
        }
    }

    /// How many channels there are.
    pub(super) fn channels(&self) -> usize {
        self.channels.len()
    }

    fn becomes(&mut self, state: Option<UpdateState>) {
        let mut state = state.unwrap_or_default();
        let channels = std::mem::take(&mut state.channels).into_iter();
        self.channels = channels
            .map(|channel| (channel.id, Channel { pts: channel.pts, ..Channel::default() }))
            .collect();
        self.state = state;
    }

    fn advance(&mut self, change: StateChange, revision: i64, time: Option<SystemTime>) {
        let StateChange { pts, qts, date, seq, channels, removed_channels } = change;
        let state = &mut self.state;
        state.pts = pts.unwrap_or(state.pts);
        state.qts = qts.unwrap_or(state.qts);
        state.date = date.unwrap_or(state.date);
        state.seq = seq.unwrap_or(state.seq);
        for id in removed_channels {
            self.channels.remove(&id);
        }
        for channel in channels {
            self.channels.insert(channel.id, Channel { pts: channel.pts, revision, time });
        }
    }

    /// The page of a session, in so many lines. `scroll`: channels that are above it.
    pub(super) fn lines(&self, page: DetailPage<'_>) -> Vec<Line<'static>> {
        let nobody = Row::default();
        let row = page.known.session(page.name).unwrap_or(&nobody);
        let mut lines = self.facts(row, page);
        let rows = page.height.saturating_sub(lines.len() + 1);
        let channels = self.channel_lines(rows, page);
        let events = event_lines(row, rows, page.width.saturating_sub(CHANNELS_WIDTH + 1));
        let heading = format!("CHANNELS {}", grouped(i64::try_from(self.channels.len()).unwrap_or(i64::MAX)));
        let heading = format!(" {} {}", fit(&heading, CHANNELS_WIDTH - 1, false), "LATEST EVENTS");
        lines.push(Line::styled(heading, page.palette.strong()));
        for at in 0..rows {
            let channel = channels.get(at).map_or("", String::as_str);
            let event = events.get(at).map_or("", String::as_str);
            lines.push(Line::raw(format!(" {} {event}", fit(channel, CHANNELS_WIDTH - 1, false))));
        }
        lines
    }

    fn facts(&self, row: &Row, page: DetailPage<'_>) -> Vec<Line<'static>> {
        let DetailPage { name, now, palette, .. } = page;
        let field = |name: &str, value: String| {
            Line::from(vec![Span::styled(format!(" {name:<9} "), palette.dim()), Span::raw(value)])
        };
        let user = row.user.as_ref().map_or_else(|| "nobody, or not known".to_owned(), user_text);
        let dc = row.home_dc.map_or_else(|| NOTHING.to_owned(), |dc| dc.to_string());
        let test = if row.test_mode { ", test servers" } else { "" };
        let program = row.holder.as_ref().map(|holder| printable(&holder.executable));
        let UpdateState { pts, qts, date, seq, .. } = self.state;
        let rate = grouped(row.pace.rate(now.second()).cast_signed());
        let damaged =
            if row.damaged { "; damaged, or its file was changed: see `sessiond mirror`" } else { "" };
        let changed = row.changed.map_or_else(String::new, |time| format!(", {} ago", age(time, now)));
        vec![
            field("session", format!("{name}{damaged}")),
            field("user", format!("{user}, home DC {dc}{test}")),
            field("held by", held_by(row, now)),
            field("program", program.unwrap_or_else(|| NOTHING.to_owned())),
            field("waiting", format!("{}, watchers {} beside this view", row.waiting, row.watchers)),
            field("state", format!("pts {pts}, qts {qts}, date {date}, seq {seq}")),
            field("revision", format!("{}{changed}", row.revision)),
            field("pts/s", format!("{rate:<8} {}", sparkline(row.pace.last(BARS, now.second())))),
            Line::raw(""),
        ]
    }

    /// Those that were set last come first, then the others by their ids.
    fn channel_lines(&self, rows: usize, page: DetailPage<'_>) -> Vec<String> {
        let mut channels: Vec<_> = self.channels.iter().collect();
        channels.sort_by_key(|(id, channel)| (Reverse(channel.revision), **id));
        let first = page.scroll.min(channels.len().saturating_sub(rows));
        let shown = channels.into_iter().skip(first).take(rows);
        shown
            .map(|(id, channel)| {
                let ago = channel.time.map(|time| age(time, page.now)).unwrap_or_default();
                format!("{id:<14} {:>10} {ago:>5}", channel.pts)
            })
            .collect()
    }
}

/// What the page is drawn of, beside the detail itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct DetailPage<'a> {
    pub(super) name: &'a SessionName,
    pub(super) known: &'a Known,
    pub(super) now: Now,
    pub(super) scroll: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) palette: Palette,
}

fn held_by(row: &Row, now: Now) -> String {
    let Some(holder) = &row.holder else { return "nobody".to_owned() };
    let since = holder.since.map_or_else(String::new, |since| {
        format!(", for {}, since {}", age(since, now), clock(since, "%Y-%m-%d %H:%M:%S"))
    });
    let host =
        if holder.host.is_empty() { String::new() } else { format!(" on {}", printable(&holder.host)) };
    format!("{}{host}{since}", holder_text(holder))
}

fn event_lines(row: &Row, rows: usize, width: usize) -> Vec<String> {
    let line = |event: &Event| {
        let time = event.time.map(|time| clock(time, "%H:%M:%S")).unwrap_or_default();
        let text = match &event.what {
            What::Advanced(change) => change_text(change),
            What::Told(text) => text.clone(),
        };
        fit(&format!("{time:<8} {:>8} {text}", event.revision), width, false)
    };
    row.events.iter().take(rows).map(line).collect()
}

fn clock(time: SystemTime, format: &str) -> String {
    let time = Timestamp::try_from(time)
        .map(|time| TimeZone::system().to_datetime(time).strftime(format).to_string());
    time.unwrap_or_default()
}
