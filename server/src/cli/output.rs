use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use super::render::width;

/// Where a command's results go: JSON to programs, text to people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
    color: bool,
}

/// A column of a table, with its heading.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// Texts begin below each other.
    Text(&'static str),
    /// Numbers end below each other.
    Number(&'static str),
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Text(heading) | Self::Number(heading) => heading,
        }
    }
}

impl Output {
    pub(super) fn new(json: bool, no_color: bool) -> Self {
        Self { json, color: !no_color && io::stdout().is_terminal() }
    }

    /// Whether objects are wanted, and not text.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Whether results go to a terminal.
    pub(super) fn is_to_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether a terminal is there that may be written to in colour.
    pub(super) fn has_color(self) -> bool {
        self.color
    }

    /// Prints a result: the object to programs, the text to people.
    pub(super) fn result(
        self,
        object: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> io::Result<()> {
        if self.json { self.line(&object().to_string()) } else { self.line(&text()) }
    }

    /// Prints a line of the result.
    pub(super) fn line(self, line: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{line}")
    }

    /// Prints rows in columns as wide as they need, with a heading.
    pub(super) fn table(self, columns: &[Column], rows: &[Vec<String>]) -> io::Result<()> {
        let headings: Vec<String> = columns.iter().map(|column| column.heading().to_owned()).collect();
        let width_of = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at)).chain([&headings[at]]);
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns.len()).map(width_of).collect();
        self.line(&self.dim(&aligned(&headings, columns, &widths)))?;
        rows.iter().try_for_each(|row| self.line(&aligned(row, columns, &widths)))
    }

    /// Tells a person what is no result: on stderr, and without the program's name before it.
    pub(super) fn note(self, text: &str) {
        // Who closed stderr does not want to know.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Tells why there is no result.
    pub(super) fn error(self, text: &str) {
        self.note(&format!("sessiond: {text}"));
    }

    /// Text that stands back.
    pub(super) fn dim(self, text: &str) -> String {
        self.styled("2", text)
    }

    /// Text that tells of something good.
    pub(super) fn good(self, text: &str) -> String {
        self.styled("32", text)
    }

    /// Text that tells of something bad.
    pub(super) fn bad(self, text: &str) -> String {
        self.styled("31", text)
    }

    fn styled(self, style: &str, text: &str) -> String {
        if self.color && !text.is_empty() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn aligned(row: &[String], columns: &[Column], widths: &[usize]) -> String {
    let cells = row.iter().zip(columns).zip(widths).map(|((cell, column), widest)| {
        let space = " ".repeat(widest.saturating_sub(width(cell)));
        match column {
            Column::Text(_) => format!("{cell}{space}"),
            Column::Number(_) => format!("{space}{cell}"),
        }
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Column, aligned};

    #[test]
    fn texts_begin_and_numbers_end_below_each_other_and_nothing_trails() {
        let columns = [Column::Text("NAME"), Column::Number("PTS"), Column::Text("")];
        let row = |cells: [&str; 3]| aligned(&cells.map(str::to_owned), &columns, &[5, 4, 3]);
        assert_eq!(row(["a", "12", "b"]), "a        12  b");
        assert_eq!(row(["alice", "1234", ""]), "alice  1234");
        assert_eq!(row(["é", "-", "b"]), "é         -  b");
        assert_eq!(row(["工人", "7", "b"]), "工人      7  b");
    }
}
