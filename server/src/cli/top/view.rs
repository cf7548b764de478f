use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use sessiond_client::SessionName;

use super::{
    known::{Known, Now},
    order::Order,
};

/// Channels that a page is turned by.
const SCROLL: usize = 10;

/// What is looked at: which sessions, in which order, which of them, and what is open over them.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) order: Order,
    pub(super) page: Page,
    /// Channels of the session in detail that are above the screen.
    pub(super) scroll: usize,
    /// The sessions shown, as of when they were sorted last.
    shown: Vec<SessionName>,
    /// The one that is selected, once somebody has chosen; else the first one is.
    selected: Option<SessionName>,
    at: usize,
    /// The first row that is on the screen.
    top: usize,
    /// Rows on the screen, as of the last frame.
    rows: usize,
    /// What `shown` was made of: the generation of the sessions, and the second. `None`: it has to be made again.
    made: Option<(u64, u64)>,
}

/// What is open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Page {
    /// The table.
    #[default]
    Table,
    /// The table, and a text is being written that the sessions shown have in them.
    Filter,
    /// One session.
    Detail(SessionName),
    /// What the keys do.
    Help,
}

/// What is to be done about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Draw.
    Draw,
    /// Look at this session in detail.
    Open(SessionName),
    /// Look at none in detail any more.
    Close,
    /// Let the shell have the terminal for a while.
    Suspend,
    /// End.
    Quit,
}

impl View {
    /// A table in this order.
    pub(super) fn new(order: Order) -> Self {
        Self { order, ..Self::default() }
    }

    /// The sessions on the screen, where it has so many rows. Sorts where something has changed that matters: at most once a
    /// second, unless the user has asked for another order.
    pub(super) fn arrange(&mut self, known: &Known, now: Now, rows: usize) -> &[SessionName] {
        self.rows = rows;
        let made_of = (known.generation(), now.second());
        let is_fresh = self.made.is_some_and(|(generation, second)| {
            second == made_of.1 || (generation == made_of.0 && !self.order.moves())
        });
        if !is_fresh {
            self.shown = self.order.of(known, now);
            self.made = Some(made_of);
            let selected = self.selected.as_ref();
            let place = selected.and_then(|selected| self.shown.iter().position(|name| name == selected));
            self.at = place.unwrap_or(self.at).min(self.shown.len().saturating_sub(1));
        }
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(rows));
        self.top = self.top.min(self.shown.len().saturating_sub(rows));
        &self.shown[self.top..self.shown.len().min(self.top + rows)]
    }

    /// All sessions shown.
    pub(super) fn shown(&self) -> &[SessionName] {
        &self.shown
    }

    /// The session that is selected.
    pub(super) fn selected(&self) -> Option<&SessionName> {
        self.shown.get(self.at)
    }

    /// Does what a key says to the view, and tells what else is to be done.
    pub(super) fn press(&mut self, key: KeyEvent) -> Step {
        if key.kind == KeyEventKind::Release {
            return Step::Draw;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return Step::Quit,
                KeyCode::Char('z') => return Step::Suspend,
                _ => {}
            }
        }
        match &self.page {
            Page::Table => self.press_in_table(key.code),
            Page::Filter => self.press_in_filter(key.code),
            Page::Detail(_) => match key.code {
                KeyCode::Esc | KeyCode::Enter | KeyCode::Left | KeyCode::Backspace | KeyCode::Char('q') => {
                    self.page = Page::Table;
                    Step::Close
                }
                KeyCode::PageDown | KeyCode::Char(' ') => {
                    self.scroll += SCROLL;
                    Step::Draw
                }
                KeyCode::PageUp => {
                    self.scroll = self.scroll.saturating_sub(SCROLL);
                    Step::Draw
                }
                code => self.turn(code),
            },
            Page::Help => {
                self.page = Page::Table;
                if key.code == KeyCode::Char('q') { Step::Quit } else { Step::Draw }
            }
        }
    }

    fn press_in_table(&mut self, code: KeyCode) -> Step {
        match code {
            KeyCode::Char('q') => return Step::Quit,
            KeyCode::Char('?' | 'h') => self.page = Page::Help,
            KeyCode::Char('/') => self.page = Page::Filter,
            KeyCode::Char('s') => self.reorder(|order| order.sort_by = order.sort_by.next()),
            KeyCode::Char('S') => self.reorder(|order| order.sort_by = order.sort_by.previous()),
            KeyCode::Char('r') => self.reorder(|order| order.reverse ^= true),
            KeyCode::Char('f') => self.reorder(|order| order.only = order.only.next()),
            KeyCode::Esc => self.reorder(|order| {
                order.text.clear();
                order.only = Default::default();
            }),
            KeyCode::Enter | KeyCode::Right => {
                if let Some(name) = self.selected().cloned() {
                    return self.open(name);
                }
            }
            code => return self.turn(code),
        }
        Step::Draw
    }

    fn press_in_filter(&mut self, code: KeyCode) -> Step {
        match code {
            KeyCode::Enter | KeyCode::Up | KeyCode::Down => self.page = Page::Table,
            KeyCode::Esc => {
                self.page = Page::Table;
                self.reorder(|order| order.text.clear());
            }
            KeyCode::Backspace => self.reorder(|order| _ = order.text.pop()),
            KeyCode::Char(character) => self.reorder(|order| order.text.push(character)),
            _ => {}
        }
        Step::Draw
    }

    /// Moves the selection. In the detail of a session, to the next one's.
    fn turn(&mut self, code: KeyCode) -> Step {
        let last = self.shown.len().saturating_sub(1);
        let page = self.rows.saturating_sub(1).max(1);
        let at = match code {
            KeyCode::Up | KeyCode::Char('k') => self.at.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.at + 1,
            KeyCode::PageUp => self.at.saturating_sub(page),
            KeyCode::PageDown | KeyCode::Char(' ') => self.at + page,
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => last,
            _ => return Step::Draw,
        };
        self.at = at.min(last);
        self.selected = self.shown.get(self.at).cloned();
        match (&self.page, &self.selected) {
            (Page::Detail(open), Some(name)) if open != name => {
                let name = name.clone();
                self.open(name)
            }
            _ => Step::Draw,
        }
    }

    fn open(&mut self, name: SessionName) -> Step {
        self.page = Page::Detail(name.clone());
        self.scroll = 0;
        Step::Open(name)
    }

    fn reorder(&mut self, change: impl FnOnce(&mut Order)) {
        change(&mut self.order);
        self.made = None;
    }
}

#[cfg(test)]
#[path = "view/tests.rs"]
mod tests;
