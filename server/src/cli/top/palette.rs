use ratatui::style::{Color, Modifier, Style};

/// How things are told apart. Nothing is told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Palette {
    /// With colour.
    Color,
    /// Without.
    Plain,
}

impl Palette {
    pub(super) fn of(color: bool) -> Self {
        if color { Self::Color } else { Self::Plain }
    }

    /// Headings, and what is pressed.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What stands back.
    pub(super) fn dim(self) -> Style {
        self.colored(Color::DarkGray)
    }

    /// What is at work.
    pub(super) fn good(self) -> Style {
        self.colored(Color::Green)
    }

    /// What waits.
    pub(super) fn waits(self) -> Style {
        self.colored(Color::Yellow)
    }

    /// What is wrong.
    pub(super) fn bad(self) -> Style {
        self.colored(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What moves.
    pub(super) fn bars(self) -> Style {
        self.colored(Color::Cyan)
    }

    /// What is selected.
    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    fn colored(self, color: Color) -> Style {
        match self {
            Self::Color => Style::new().fg(color),
            Self::Plain => Style::new(),
        }
    }
}
