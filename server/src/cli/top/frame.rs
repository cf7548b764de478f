use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    detail::{Detail, DetailPage},
    header::{self, apart},
    known::{Known, Now},
    order::{Only, Order},
    palette::Palette,
    table::Table,
    view::{Page, View},
};
use crate::cli::render::grouped;

/// What the keys do, for who asks.
const HELP: &str = "
 up, down, j, k        select a session; PgUp, PgDn, g, G further
 Enter                 look at it in detail; Esc goes back
 s, S                  sort by the next column, or the one before
 r                     the other way around
 /                     only sessions with this text in name, user or holder
 f                     only those held, waited for, damaged; then all again
 Esc                   all of them
 Ctrl-Z, q             to the shell for a while, or for good

 FOR, LAST             since when it is held, and was changed
 WAIT, WATCH           who waits for it, and watches it beside this view
 PTS/S                 how fast its pts moves, with the last seconds as bars
 12.0 a sync           changes that share one sync of the disk
 p50, p99              how long it takes until changes are synced
 !                     damaged, or its file was changed by another program";

/// Everything that is drawn.
pub(super) struct Frame<'a> {
    pub(super) known: &'a Known,
    pub(super) detail: &'a Detail,
    /// Where the daemon is.
    pub(super) socket: &'a str,
    pub(super) now: Now,
    pub(super) palette: Palette,
}

impl Frame<'_> {
    /// Draws on the whole of a screen.
    pub(super) fn draw(&self, view: &mut View, buffer: &mut Buffer) {
        let Rect { width, height, .. } = buffer.area;
        let (width, height) = (usize::from(width), usize::from(height));
        let mut lines = self.lines(view, width, height.saturating_sub(1));
        lines.resize(height.saturating_sub(1), Line::raw(""));
        lines.push(self.footer(view, width));
        for (y, line) in (0..).zip(&lines) {
            buffer.set_line(0, y, line, buffer.area.width);
        }
    }

    fn lines(&self, view: &mut View, width: usize, height: usize) -> Vec<Line<'static>> {
        let Self { known, now, palette, .. } = *self;
        let mut lines = header::lines(known, self.socket, now, width, palette).to_vec();
        lines.push(Line::raw(""));
        let height = height.saturating_sub(lines.len());
        match view.page.clone() {
            Page::Help => lines.extend(HELP.lines().map(Line::raw)),
            Page::Detail(name) => {
                view.scroll = view.scroll.min(self.detail.channels());
                let scroll = view.scroll;
                let page = DetailPage { name: &name, known, now, scroll, width, height, palette };
                lines.extend(self.detail.lines(page));
            }
            Page::Table | Page::Filter => {
                let names = view.arrange(known, now, height.saturating_sub(1)).to_vec();
                let (order, selected) = (&view.order, view.selected());
                let table = Table { known, order, selected, now, width, palette };
                lines.extend(table.lines(&names));
                if names.is_empty() && known.is_synced() {
                    lines.push(Line::raw(" no session; Esc shows all, `sessiond import FILE` brings one in"));
                }
            }
        }
        lines.truncate(height + header::LINES + 1);
        lines
    }

    fn footer(&self, view: &View, width: usize) -> Line<'static> {
        let Order { only, text, .. } = &view.order;
        let is_all = *only == Only::All && text.is_empty();
        let keys = match &view.page {
            Page::Table if is_all => " Enter detail  s sort  r reverse  / filter  f only  ? help  q quit",
            Page::Table => " Esc all  ? help  q quit",
            Page::Filter => return Line::raw(format!(" /{text}_")),
            Page::Detail(_) => " Esc back  up, down the next session  PgUp, PgDn channels",
            Page::Help => " any key goes back",
        };
        let keys = Span::styled(keys, self.palette.dim());
        if is_all || view.page != Page::Table {
            return keys.into();
        }
        let only = Some(only.text().to_owned()).filter(|_| *only != Only::All);
        let text = Some(format!("/{text}")).filter(|_| !text.is_empty());
        let count = grouped(i64::try_from(view.shown().len()).unwrap_or(i64::MAX));
        let shown: Vec<String> = [only, text, Some(format!("{count} shown"))].into_iter().flatten().collect();
        apart(vec![keys], Span::raw(shown.join(", ")), width)
    }
}

#[cfg(test)]
#[path = "frame/tests.rs"]
mod tests;
