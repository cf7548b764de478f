use serde::de::DeserializeOwned;

/// What is wrong with a TOML file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub(crate) struct Fault {
    /// Counted from 1.
    pub(crate) line: usize,
    /// In characters, counted from 1.
    pub(crate) column: usize,
    /// In one line.
    pub(crate) message: String,
}

impl Fault {
    /// A fault at a place in a text, in bytes from its beginning.
    pub(crate) fn at(text: &str, start: usize, message: &str) -> Self {
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.replace('\n', "; ").replace(char::is_control, "\u{FFFD}"),
        }
    }
}

/// What a file says whose text this is.
///
/// # Errors
/// Where it says something that means nothing; the first such thing is told.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        Fault::at(text, start, error.message())
    })
}
