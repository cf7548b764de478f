use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

/// Where a command's results go: JSON to programs, text to people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
    color: bool,
}

impl Output {
    pub(super) fn new(json: bool, no_color: bool) -> Self {
        Self { json, color: !no_color && io::stdout().is_terminal() }
    }

    /// Whether objects are wanted, and not text.
    pub(super) fn is_json(self) -> bool {
        self.json
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
    pub(super) fn table(self, heading: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([heading[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heading.len()).map(width).collect();
        let heading: Vec<String> = heading.iter().map(|&cell| cell.to_owned()).collect();
        self.line(&self.dim(&aligned(&heading, &widths)))?;
        rows.iter().try_for_each(|row| self.line(&aligned(row, &widths)))
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

fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
    cells.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn columns_stand_below_each_other_and_nothing_trails() {
        let row = |a: &str, b: &str| aligned(&[a.to_owned(), b.to_owned()], &[5, 3]);
        assert_eq!(row("a", "b"), "a      b");
        assert_eq!(row("alice", ""), "alice");
        assert_eq!(row("é", "b"), "é      b");
    }
}
