use std::{path::Path, time::SystemTime};

use ratatui::{
    style::Style,
    text::{Line, Span},
};
use sessiond_client::{Holder, SessionName};

use super::{
    known::{Known, Now, Row},
    order::{Order, SortBy},
    palette::Palette,
};
use crate::cli::render::{NOTHING, printable, sparkline, user_text, width as wide};

/// Columns, but for the mark before them.
const COLUMNS: usize = 12;
/// The column of the bars, which takes what the others leave.
const BARS: usize = 9;
/// Fewest and most bars.
const FEWEST_BARS: usize = 4;
const MOST_BARS: usize = 30;
/// Columns that are cut where there is no room, and how narrow they become, one after the other: a name's end often tells it
/// from the next one's, so that the others come first.
const CUTS: [(usize, usize); 5] = [(0, 24), (1, 9), (3, 9), (0, 12), (1, 6)];
/// Columns that are left out where that is not enough, and what is cut then.
const LEFT_OUT: [usize; 7] = [BARS, 2, 4, 11, 1, 5, 10];
const LAST_CUTS: [(usize, usize); 2] = [(3, 6), (0, 6)];
/// From this width on, a user is shown with id and name, and not with either.
const WIDE: usize = 110;

const HEADINGS: [(&str, Option<SortBy>); COLUMNS] = [
    ("NAME", Some(SortBy::Name)),
    ("USER", Some(SortBy::User)),
    ("DC", None),
    ("HELD BY", Some(SortBy::Holder)),
    ("PID", None),
    ("FOR", None),
    ("WAIT", Some(SortBy::Waiting)),
    ("PTS", Some(SortBy::Pts)),
    ("PTS/S", Some(SortBy::Rate)),
    ("", None),
    ("LAST", Some(SortBy::Changed)),
    ("WATCH", Some(SortBy::Watchers)),
];
/// Columns of numbers, which stand below each other by their ends.
const NUMBERS: [usize; 8] = [2, 4, 5, 6, 7, 8, 10, 11];

/// A row as text.
struct Cells {
    texts: [String; COLUMNS],
    styles: [Style; COLUMNS],
    mark: char,
    is_selected: bool,
}

/// What the table is drawn of, beside the sessions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) known: &'a Known,
    pub(super) order: &'a Order,
    pub(super) selected: Option<&'a SessionName>,
    pub(super) now: Now,
    pub(super) width: usize,
    pub(super) palette: Palette,
}

impl Table<'_> {
    /// The heading, and a line for each of these sessions. Nothing is done for any other session.
    pub(super) fn lines(self, names: &[SessionName]) -> Vec<Line<'static>> {
        let rows: Vec<Cells> = names
            .iter()
            .map(|name| self.cells(name, self.known.session(name).unwrap_or(&Row::default())))
            .collect();
        let headings = HEADINGS.map(|(heading, sort)| {
            let arrow = if self.order.reverse { '^' } else { 'v' };
            if sort == Some(self.order.sort_by) { format!("{heading}{arrow}") } else { heading.to_owned() }
        });
        let widths = self.widths(&headings, &rows);
        let strong = [self.palette.strong(); COLUMNS];
        let heading = Cells { texts: headings, styles: strong, mark: ' ', is_selected: false };
        let bars = names.iter().map(|name| self.bars(name, widths[BARS]));
        let mut lines = vec![self.line(heading, &widths)];
        lines.extend(rows.into_iter().zip(bars).map(|(mut row, bars)| {
            row.texts[BARS] = bars;
            self.line(row, &widths)
        }));
        lines
    }

    fn cells(&self, name: &SessionName, row: &Row) -> Cells {
        let holder = row.holder.as_ref();
        let since =
            |time: Option<SystemTime>| time.map_or_else(|| NOTHING.to_owned(), |time| age(time, self.now));
        let rate = row.pace.rate(self.now.second());
        let texts = [
            name.to_string(),
            self.user(row),
            row.home_dc.map_or_else(|| NOTHING.to_owned(), |dc| dc.to_string()),
            holder.map_or_else(|| NOTHING.to_owned(), holder_name),
            holder.and_then(|holder| holder.pid).map_or_else(|| NOTHING.to_owned(), |pid| pid.to_string()),
            since(holder.and_then(|holder| holder.since)),
            row.waiting.to_string(),
            row.pts.map_or_else(|| NOTHING.to_owned(), |pts| pts.to_string()),
            short(rate),
            String::new(),
            since(row.changed),
            row.watchers.to_string(),
        ];
        let styles = self.styles(row, &texts);
        let is_selected = self.selected == Some(name);
        let mark = if is_selected {
            '>'
        } else if row.damaged {
            '!'
        } else {
            ' '
        };
        Cells { texts, styles, mark, is_selected }
    }

    fn styles(&self, row: &Row, texts: &[String; COLUMNS]) -> [Style; COLUMNS] {
        let mut styles = [Style::new(); COLUMNS];
        styles[BARS] = self.palette.bars();
        for at in 0..COLUMNS {
            if texts[at] == NOTHING || texts[at] == "0" {
                styles[at] = self.palette.dim();
            }
        }
        if row.holder.is_some() {
            styles[3] = self.palette.good();
        }
        if row.waiting > 0 {
            styles[6] = self.palette.waits();
        }
        if row.damaged {
            styles[0] = self.palette.bad();
        }
        styles
    }

    fn user(&self, row: &Row) -> String {
        match &row.user {
            None => NOTHING.to_owned(),
            Some(user) if self.width >= WIDE => user_text(user),
            Some(user) => match &user.username {
                Some(username) => format!("@{}", printable(username)),
                None => user.id.to_string(),
            },
        }
    }

    fn bars(&self, name: &SessionName, width: usize) -> String {
        let pace = self.known.session(name).map(|row| &row.pace);
        pace.map(|pace| sparkline(pace.last(width, self.now.second()))).unwrap_or_default()
    }

    /// How wide each column is: as its widest cell if there is room. Else texts are cut, and then
    /// columns left out.
    fn widths(&self, headings: &[String; COLUMNS], rows: &[Cells]) -> [usize; COLUMNS] {
        let mut widths = [0; COLUMNS];
        for (at, width) in widths.iter_mut().enumerate() {
            let cells = rows.iter().map(|row| wide(&row.texts[at]));
            *width = cells.chain([wide(&headings[at])]).max().unwrap_or(0);
        }
        widths[BARS] = FEWEST_BARS;
        let missing = |widths: &[usize; COLUMNS]| taken(widths).saturating_sub(self.width);
        let cut = |widths: &mut [usize; COLUMNS], (at, narrowest): (usize, usize)| {
            widths[at] -= missing(widths).min(widths[at].saturating_sub(narrowest));
        };
        CUTS.into_iter().for_each(|step| cut(&mut widths, step));
        for at in LEFT_OUT {
            if missing(&widths) > 0 {
                widths[at] = 0;
            }
        }
        LAST_CUTS.into_iter().for_each(|step| cut(&mut widths, step));
        if widths[BARS] > 0 {
            widths[BARS] = (FEWEST_BARS + self.width.saturating_sub(taken(&widths))).min(MOST_BARS);
        }
        widths
    }

    fn line(&self, row: Cells, widths: &[usize; COLUMNS]) -> Line<'static> {
        let Cells { texts, styles, mark, is_selected } = row;
        let mut spans = vec![Span::styled(mark.to_string(), styles[0])];
        for (at, (text, style)) in texts.into_iter().zip(styles).enumerate() {
            if widths[at] == 0 {
                continue;
            }
            let text = fit(&text, widths[at], NUMBERS.contains(&at));
            spans.push(Span::styled(text, if is_selected { Style::new() } else { style }));
            spans.push(Span::raw(" "));
        }
        spans.pop();
        let mut line = Line::from(spans);
        if is_selected {
            let rest = self.width.saturating_sub(line.width());
            line.push_span(" ".repeat(rest));
            line = line.style(self.palette.selected());
        }
        line
    }
}

/// How long ago, in at most four characters.
pub(super) fn age(time: SystemTime, now: Now) -> String {
    let seconds = now.wall.duration_since(time).unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A number in at most five characters.
pub(super) fn short(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{}k", number / 1_000),
        1_000_000..10_000_000_000 => format!("{}M", number / 1_000_000),
        _ => "much".to_owned(),
    }
}

/// A text in so many columns: filled up with spaces, or cut.
pub(super) fn fit(text: &str, width: usize, to_the_right: bool) -> String {
    let mut fitted = String::new();
    if wide(text) > width {
        for character in text.chars() {
            fitted.push(character);
            if wide(&fitted) >= width {
                fitted.pop();
                break;
            }
        }
        if width > 0 {
            fitted.push('…');
        }
    } else {
        text.clone_into(&mut fitted);
    }
    let space = " ".repeat(width.saturating_sub(wide(&fitted)));
    if to_the_right { space + &fitted } else { fitted + &space }
}

/// What a holder is called: by itself, or by its program.
fn holder_name(holder: &Holder) -> String {
    let program =
        || Path::new(&holder.executable).file_name().map(|name| name.to_string_lossy().into_owned());
    let label = Some(holder.label.clone()).filter(|label| !label.is_empty());
    printable(&label.or_else(program).unwrap_or_else(|| "?".to_owned()))
}

/// What columns of these widths take: each with the mark, or a space, before it. Those of no width are not there.
fn taken(widths: &[usize; COLUMNS]) -> usize {
    widths.iter().filter(|width| **width > 0).map(|width| width + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::{fit, short};

    #[test]
    fn a_text_takes_the_columns_it_is_given() {
        assert_eq!(fit("alice", 8, false), "alice   ");
        assert_eq!(fit("42", 5, true), "   42");
        assert_eq!(fit("worker-with-a-long-name", 8, false), "worker-…");
        assert_eq!(fit("工人工人工人", 6, false), "工人… ");
        assert_eq!(fit("x", 0, false), "");
    }

    #[test]
    fn a_rate_is_five_characters_at_most() {
        let texts = [0, 9_999, 12_345, 1_234_567].map(short);
        assert_eq!(texts, ["0", "9999", "12k", "1M"]);
    }
}
