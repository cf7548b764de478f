use std::{fmt, str::FromStr};

use serde::Deserialize;

/// Longest name: the kernel's 108 bytes without the NUL byte before it (unix(7)).
const MAX_LEN: usize = 107;

/// Name of a socket in the abstract namespace: 1 to 107 bytes, without control characters or white space.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct AbstractName(String);

/// A text that is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidAbstractName {
    /// Empty or too long.
    #[error("the name of an abstract socket has 1 to {MAX_LEN} bytes, this one has {0}")]
    Length(usize),
    /// A character that no name has.
    #[error("the name of an abstract socket has no {0:?}")]
    Character(char),
}

impl AbstractName {
    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AbstractName {
    type Error = InvalidAbstractName;

    fn try_from(text: String) -> Result<Self, InvalidAbstractName> {
        if !(1..=MAX_LEN).contains(&text.len()) {
            return Err(InvalidAbstractName::Length(text.len()));
        }
        match text.chars().find(|c| c.is_control() || c.is_whitespace()) {
            Some(character) => Err(InvalidAbstractName::Character(character)),
            None => Ok(Self(text)),
        }
    }
}

impl FromStr for AbstractName {
    type Err = InvalidAbstractName;

    fn from_str(text: &str) -> Result<Self, InvalidAbstractName> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for AbstractName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{AbstractName, InvalidAbstractName};

    #[test]
    fn a_name_fits_the_kernels_limit_and_a_terminal() {
        let parse = |text: &str| text.parse::<AbstractName>().map(|name| name.to_string());
        assert_eq!(parse("sessiond"), Ok("sessiond".to_owned()));
        assert!(parse(&"x".repeat(107)).is_ok());
        assert_eq!(parse(&"x".repeat(108)), Err(InvalidAbstractName::Length(108)));
        assert_eq!(parse(""), Err(InvalidAbstractName::Length(0)));
        assert_eq!(parse("a\0b"), Err(InvalidAbstractName::Character('\0')));
        assert_eq!(parse("a b"), Err(InvalidAbstractName::Character(' ')));
    }
}
