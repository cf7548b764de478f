use std::{fmt, path::PathBuf, str::FromStr};

/// Where the user wants the master key to be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Seal {
    None,
    File(PathBuf),
    Credential,
}

/// What says none of these.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InvalidSeal;

impl FromStr for Seal {
    type Err = InvalidSeal;

    fn from_str(text: &str) -> Result<Self, InvalidSeal> {
        match (text, text.strip_prefix("file:")) {
            ("none", _) => Ok(Self::None),
            ("credential", _) => Ok(Self::Credential),
            (_, Some(path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(InvalidSeal),
        }
    }
}

impl TryFrom<String> for Seal {
    type Error = InvalidSeal;

    fn try_from(text: String) -> Result<Self, InvalidSeal> {
        text.parse()
    }
}

impl std::error::Error for InvalidSeal {}

impl fmt::Display for InvalidSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is none, file:PATH or credential")
    }
}
