use std::io::{self, IsTerminal as _, Write as _};

/// How far an import has come, in one line of a terminal that is there for messages; nothing, where there is none. Gone when
/// dropped.
#[derive(Debug)]
pub(super) struct Progress {
    done: usize,
    of: usize,
    shown: bool,
}

impl Progress {
    pub(super) fn new(of: usize) -> Self {
        let progress = Self { done: 0, of, shown: io::stderr().is_terminal() };
        progress.show();
        progress
    }

    /// Counts one more.
    pub(super) fn step(&mut self) {
        self.done += 1;
        self.show();
    }

    /// Makes room for a line of the result.
    pub(super) fn clear(&self) {
        self.write("");
    }

    fn show(&self) {
        self.write(&format!("{} of {}", self.done, self.of));
    }

    fn write(&self, line: &str) {
        if self.shown {
            // Who closed stderr does not want to know.
            let _ = write!(io::stderr().lock(), "\r\x1b[K{line}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
