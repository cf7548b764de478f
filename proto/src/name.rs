use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// Longest session name, in bytes.
const MAX_LEN: usize = 128;

/// A session's name in the daemon: 1 to 128 of `A-Z a-z 0-9 . _ -`, not beginning with `.` or `-`. It is safe as a file
/// name, in a log and on a terminal. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(Arc<str>);

/// A text that is not a session name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing at all.
    #[error("a session name is empty")]
    Empty,
    /// Longer than 128 bytes.
    #[error("a session name is at most {MAX_LEN} characters long, this one has {0} bytes")]
    TooLong(usize),
    /// A character that no name has.
    #[error("a session name has only A-Z a-z 0-9 . _ -, not {0:?}")]
    Character(char),
    /// `.` or `-` at its beginning.
    #[error("a session name does not begin with {0:?}")]
    Beginning(char),
}

impl SessionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let first = text.chars().next().ok_or(InvalidName::Empty)?;
        if text.len() > MAX_LEN {
            return Err(InvalidName::TooLong(text.len()));
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(character) = text.chars().find(|c| !allowed(c)) {
            return Err(InvalidName::Character(character));
        }
        if matches!(first, '.' | '-') {
            return Err(InvalidName::Beginning(first));
        }
        Ok(Self(text.into()))
    }
}

impl Borrow<str> for SessionName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for SessionName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidName, SessionName};

    fn parse(text: &str) -> Result<SessionName, InvalidName> {
        text.parse()
    }

    #[test]
    fn a_name_has_letters_digits_dots_underscores_and_dashes() {
        for name in ["a", "alice", "A-1_b.session", "0", "_x", &"x".repeat(128)] {
            assert_eq!(parse(name).map(|n| n.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn a_name_cannot_leave_its_directory_or_hide_in_it() {
        assert_eq!(parse(""), Err(InvalidName::Empty));
        assert_eq!(parse("../x"), Err(InvalidName::Character('/')));
        assert_eq!(parse(".x"), Err(InvalidName::Beginning('.')));
        assert_eq!(parse("-x"), Err(InvalidName::Beginning('-')));
        assert_eq!(parse("x\n"), Err(InvalidName::Character('\n')));
        assert_eq!(parse("é"), Err(InvalidName::Character('é')));
        assert_eq!(parse(&"x".repeat(129)), Err(InvalidName::TooLong(129)));
    }
}
