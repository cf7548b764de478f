use std::time::Duration;

use ratatui::text::{Line, Span};
use sessiond_client::{Figures, ServerInfo};

use super::{
    known::{Known, Now},
    palette::Palette,
};
use crate::cli::render::{NOTHING, duration_text, grouped, sparkline};

/// Lines of the header.
pub(super) const LINES: usize = 3;
/// Seconds that the bars are of.
const BARS: usize = 16;

/// What the daemon is, and how it fares.
pub(super) fn lines(
    known: &Known,
    socket: &str,
    now: Now,
    width: usize,
    palette: Palette,
) -> [Line<'static>; LINES] {
    let Some(info) = known.fares.info() else {
        let text = if known.away_for(now).is_some() { "no daemon answers yet" } else { "connecting" };
        return [Line::raw(format!(" sessiond: {text}")), Line::raw(""), Line::raw("")];
    };
    let figures = &info.figures;
    let what = match known.away_for(now) {
        Some(away) => {
            let text = format!(" sessiond: no daemon answers, reconnecting for {}", seconds(away));
            vec![Span::styled(text, palette.bad())]
        }
        None => vec![Span::styled(" sessiond", palette.strong()), Span::raw(version(info, now))],
    };
    let counts = counts(known, figures, palette);
    let commits = commits(known, figures, now, palette);
    let log = Span::raw(format!("log {}", size(figures.log_bytes)));
    let bars = Span::styled(sparkline(known.fares.last(BARS)), palette.bars());
    [
        apart(what, Span::styled(socket.to_owned(), palette.dim()), width),
        apart(counts, log, width),
        apart(commits, bars, width),
    ]
}

fn version(info: &ServerInfo, now: Now) -> String {
    let ServerInfo { version, engine, figures, .. } = info;
    let up = figures.started.and_then(|started| now.wall.duration_since(started).ok());
    let up = up.map(|up| format!(", up {}", seconds(up))).unwrap_or_default();
    format!(" {version}, {engine}{up}")
}

fn counts(known: &Known, figures: &Figures, palette: Palette) -> Vec<Span<'static>> {
    // Those of this view are not worth a mention.
    let own = 1 + i64::from(known.detailed.is_some());
    let counts = [
        ("sessions", figures.sessions),
        ("held", figures.held),
        ("waiting", figures.waiting),
        ("watchers", (figures.watchers - own).max(0)),
    ];
    let texts = counts.into_iter().flat_map(|(name, count)| {
        [Span::raw(format!(" {name} ")), Span::styled(grouped(count), palette.strong()), Span::raw(" ")]
    });
    let told = (!known.is_synced()).then(|| Span::styled(" being told", palette.waits()));
    texts.chain(told).collect()
}

fn commits(known: &Known, figures: &Figures, now: Now, palette: Palette) -> Vec<Span<'static>> {
    // What was a moment ago is not now.
    let rate = known.away_for(now).is_none().then(|| known.fares.commits());
    let rate = rate.and_then(|rate| Duration::try_from_secs_f64(rate).ok());
    let rate = rate.map_or_else(|| NOTHING.to_owned(), |rate| grouped(rate.as_secs().cast_signed()));
    let mut spans = vec![Span::raw(" commits "), Span::styled(rate, palette.strong()), Span::raw("/s")];
    if let Some(batch) = known.fares.batch() {
        spans.push(Span::raw(format!(", {batch:.1} a sync")));
    }
    let time = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), duration_text);
    let (median, slow) = (time(figures.commit_p50), time(figures.commit_p99));
    spans.push(Span::raw(format!("  p50 {median}, p99 {slow}")));
    spans
}

/// Something on the left, and something on the right if there is room for it.
pub(super) fn apart(left: Vec<Span<'static>>, right: Span<'static>, width: usize) -> Line<'static> {
    let mut line = Line::from(left);
    let (taken, wanted) = (line.width(), right.width());
    if taken + wanted + 3 <= width {
        line.push_span(" ".repeat(width - taken - wanted - 1));
        line.push_span(right);
    }
    line
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

fn size(bytes: i64) -> String {
    match bytes {
        ..1_048_576 => format!("{} KiB", bytes / 1024),
        // One decimal, in whole numbers.
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}
