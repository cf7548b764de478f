use std::fmt;

use zeroize::Zeroizing;

/// What only one library, or a few, keep in a session: a value under a key. docs/attributes.md has the keys that libraries
/// share. Values are wiped when dropped, and `Debug` does not show them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attribute {
    /// 1 to 256 bytes of printable ASCII, beginning with the library's name and a dot where one library alone knows it.
    pub key: String,
    /// At most 64 KiB, in the encoding that the key's owner defines.
    pub value: Zeroizing<Vec<u8>>,
    /// Whether the value is as secret as an authorization key.
    pub secret: bool,
}

impl Attribute {
    /// One whose value is a number, and not secret.
    pub fn number(key: impl Into<String>, value: i64) -> Self {
        Self { key: key.into(), value: Zeroizing::new(value.to_le_bytes().to_vec()), secret: false }
    }

    /// How many bytes it counts for, key and value.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attribute")
            .field("key", &self.key)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}
