//! Session strings: base64 in the variants that libraries use, and what people copy along with it.

use base64::{
    DecodeError, Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use super::FormatError;

/// Decodes whether or not `=` stand at the end, and whatever the last character's spare bits are: libraries do.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

const STANDARD_PADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const URL_SAFE_PADDED: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
const URL_SAFE_BARE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT.with_encode_padding(false));

/// A variant of base64: <https://www.rfc-editor.org/rfc/rfc4648>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base64 {
    /// With `+` and `/`, and `=` at the end when written.
    Standard,
    /// With `-` and `_`, and `=` at the end when written.
    UrlSafe,
    /// With `-` and `_`, and nothing at the end when written.
    UrlSafeBare,
}

/// The string itself: without the blanks, line ends and byte order mark that files and terminals put around it.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0')
}

impl Base64 {
    /// Decodes a string that begins at a character of what was given.
    pub(super) fn decode(self, text: &str, begin: usize) -> Result<Zeroizing<Vec<u8>>, FormatError> {
        self.engine().decode(text).map(Zeroizing::new).map_err(|error| {
            let (character, problem) = match error {
                DecodeError::InvalidByte(at, _) => (at, "is not one of this format's base64"),
                DecodeError::InvalidLastSymbol { offset: at, .. } => (at, "cannot be the last one"),
                DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
                    (text.len(), "is missing: its base64 is cut off")
                }
            };
            FormatError::Value {
                column: format!("character {}", begin + character + 1),
                problem: problem.into(),
            }
        })
    }

    /// Encodes bytes.
    pub(super) fn encode(self, bytes: &[u8]) -> Zeroizing<String> {
        // With room for all of it no copy is left behind by growing.
        let mut text = Zeroizing::new(String::with_capacity(bytes.len() / 3 * 4 + 8));
        self.engine().encode_string(bytes, &mut text);
        text
    }

    fn engine(self) -> GeneralPurpose {
        match self {
            Self::Standard => STANDARD_PADDED,
            Self::UrlSafe => URL_SAFE_PADDED,
            Self::UrlSafeBare => URL_SAFE_BARE,
        }
    }
}

#[cfg(test)]
mod tests;
