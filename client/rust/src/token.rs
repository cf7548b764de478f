use std::{fmt, str::FromStr, sync::Arc};

use sessiond_proto::TOKEN_LEN;
use zeroize::Zeroizing;

/// The token of a hold. A secret: who shows it is taken for the holder. `Debug` shows nothing of it, and its memory is
/// wiped when the last clone is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<Zeroizing<[u8; TOKEN_LEN]>>);

/// Something that is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hold's token is {TOKEN_LEN} bytes, or twice as many hexadecimal digits")]
pub struct InvalidToken;

impl Token {
    /// The token in hexadecimal, as `sessiond hold` puts it into `SESSIOND_TOKEN`, for a process that works for the
    /// holder. Never log or print it.
    pub fn expose_hex(&self) -> Zeroizing<String> {
        let mut text = String::with_capacity(2 * TOKEN_LEN);
        for byte in self.0.iter() {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(half.into(), 16).expect("four bits are a digit"));
            }
        }
        Zeroizing::new(text)
    }

    /// The bytes as a message carries them.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl TryFrom<&[u8]> for Token {
    type Error = InvalidToken;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidToken> {
        let bytes: [u8; TOKEN_LEN] = bytes.try_into().map_err(|_| InvalidToken)?;
        Ok(Self(Arc::new(Zeroizing::new(bytes))))
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    /// Reads hexadecimal.
    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
        let digits = Zeroizing::new(digits.ok_or(InvalidToken)?);
        if digits.len() != 2 * TOKEN_LEN {
            return Err(InvalidToken);
        }
        let bytes: Zeroizing<Vec<u8>> =
            Zeroizing::new(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect());
        Self::try_from(bytes.as_slice())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidToken, Token};

    #[test]
    fn a_token_reads_back_from_its_hexadecimal_form() {
        let bytes: Vec<u8> = (0..32).map(|n| n * 8).collect();
        let token = Token::try_from(bytes.as_slice()).expect("32 bytes");
        assert_eq!(token.expose_hex().parse(), Ok(token));
    }

    #[test]
    fn a_token_has_32_bytes() {
        assert_eq!(Token::try_from([0; 31].as_slice()), Err(InvalidToken));
        for text in ["", "00", &"0".repeat(63), &"g".repeat(64)] {
            assert_eq!(text.parse::<Token>(), Err(InvalidToken), "{text:?}");
        }
    }

    #[test]
    fn a_token_is_silent_in_debug() {
        let token = Token::try_from([171; 32].as_slice()).expect("32 bytes");
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
}
