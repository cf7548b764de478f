use std::cmp::Ordering;

use sessiond_client::SessionName;

use super::known::{Known, Now, Row};

/// What the table is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum SortBy {
    /// Name
    #[default]
    Name,
    /// User's id
    User,
    /// Label of the holder; those that nobody holds come last
    Holder,
    /// How many wait, most first
    Waiting,
    /// Pts, highest first
    Pts,
    /// How fast the pts moves, fastest first
    Rate,
    /// Time of the last change, newest first
    Changed,
    /// How many watch, most first
    Watchers,
}

/// Which sessions are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Only {
    /// All of them.
    #[default]
    All,
    /// Those that somebody holds.
    Held,
    /// Those that somebody waits for.
    WaitedFor,
    /// Those that are damaged.
    Damaged,
}

/// Which sessions are shown, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Order {
    pub(super) sort_by: SortBy,
    pub(super) reverse: bool,
    pub(super) only: Only,
    /// What is in the name, the user or the holder's label, in any case. Empty: anything.
    pub(super) text: String,
}

impl SortBy {
    const ALL: [Self; 8] = [
        Self::Name,
        Self::User,
        Self::Holder,
        Self::Waiting,
        Self::Pts,
        Self::Rate,
        Self::Changed,
        Self::Watchers,
    ];

    /// The next one, from the left to the right and around.
    pub(super) fn next(self) -> Self {
        Self::ALL[(self.index() + 1) % Self::ALL.len()]
    }

    pub(super) fn previous(self) -> Self {
        Self::ALL[(self.index() + Self::ALL.len() - 1) % Self::ALL.len()]
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|other| *other == self).unwrap_or(0)
    }

    fn compare(
        self,
        (a_name, a): (&SessionName, &Row),
        (b_name, b): (&SessionName, &Row),
        now: Now,
    ) -> Ordering {
        let user = |row: &Row| row.user.as_ref().map_or(i64::MAX, |user| user.id);
        let label = |row: &Row| row.holder.as_ref().map(|holder| holder.label.to_lowercase());
        let order = match self {
            Self::Name => Ordering::Equal,
            Self::User => user(a).cmp(&user(b)),
            Self::Holder => (a.holder.is_none(), label(a)).cmp(&(b.holder.is_none(), label(b))),
            Self::Waiting => b.waiting.cmp(&a.waiting),
            Self::Pts => b.pts.cmp(&a.pts),
            Self::Rate => b.pace.rate(now.second()).cmp(&a.pace.rate(now.second())),
            Self::Changed => b.changed.cmp(&a.changed),
            Self::Watchers => b.watchers.cmp(&a.watchers),
        };
        order.then_with(|| a_name.cmp(b_name))
    }
}

impl Only {
    /// The next one, and around.
    pub(super) fn next(self) -> Self {
        match self {
            Self::All => Self::Held,
            Self::Held => Self::WaitedFor,
            Self::WaitedFor => Self::Damaged,
            Self::Damaged => Self::All,
        }
    }

    /// What is shown, in a word.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Held => "held",
            Self::WaitedFor => "waited for",
            Self::Damaged => "damaged",
        }
    }

    fn takes(self, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Held => row.holder.is_some(),
            Self::WaitedFor => row.waiting > 0,
            Self::Damaged => row.damaged,
        }
    }
}

impl Order {
    /// Whether sessions change places, or come and go, by what happens to them.
    pub(super) fn moves(&self) -> bool {
        self.sort_by != SortBy::Name || self.only != Only::All || !self.text.is_empty()
    }

    /// The sessions that are shown, in their order.
    pub(super) fn of(&self, known: &Known, now: Now) -> Vec<SessionName> {
        let text = self.text.to_lowercase();
        let taken = |(name, row): &(&SessionName, &Row)| self.only.takes(row) && has(name, row, &text);
        // By name already.
        let mut shown: Vec<_> = known.sessions().filter(taken).collect();
        if self.sort_by != SortBy::Name {
            shown.sort_by(|a, b| self.sort_by.compare(*a, *b, now));
        }
        if self.reverse {
            shown.reverse();
        }
        shown.into_iter().map(|(name, _)| name.clone()).collect()
    }
}

fn has(name: &SessionName, row: &Row, text: &str) -> bool {
    let in_user = || {
        row.user.as_ref().is_some_and(|user| {
            let username = user.username.as_ref().map(|username| format!("@{}", username.to_lowercase()));
            username.is_some_and(|username| username.contains(text)) || user.id.to_string().contains(text)
        })
    };
    let in_holder = || row.holder.as_ref().is_some_and(|holder| holder.label.to_lowercase().contains(text));
    text.is_empty() || name.as_str().to_lowercase().contains(text) || in_user() || in_holder()
}
