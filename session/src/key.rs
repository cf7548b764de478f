use std::{fmt, sync::Arc};

use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

/// An authorization key: 256 bytes, agreed with one data center (<https://core.telegram.org/mtproto/auth_key>).
///
/// Clones share the bytes; they are wiped when the last one is dropped. `Debug` shows nothing of them.
#[derive(Clone)]
pub struct AuthKey(Arc<Zeroizing<[u8; AuthKey::LEN]>>);

/// Bytes that are not an authorization key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an authorization key has {} bytes, not {len}", AuthKey::LEN)]
pub struct InvalidAuthKey {
    /// How many bytes there were.
    pub len: usize,
}

impl AuthKey {
    /// Size of a key in bytes.
    pub const LEN: usize = 256;

    /// The bytes themselves. Never log or print them.
    pub fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// What tells it from others and is no secret: its `auth_key_id`, the end of its SHA-1, with which every message begins
    /// (<https://core.telegram.org/mtproto/description#key-identifier-auth-key-id>).
    pub fn id(&self) -> [u8; 8] {
        *Sha1::digest(self.expose()).last_chunk().expect("SHA-1 has 20 bytes")
    }
}

impl TryFrom<&[u8]> for AuthKey {
    type Error = InvalidAuthKey;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidAuthKey> {
        if bytes.len() != Self::LEN {
            return Err(InvalidAuthKey { len: bytes.len() });
        }
        let mut key = Arc::new(Zeroizing::new([0; Self::LEN]));
        Arc::get_mut(&mut key).expect("nobody else has it yet").copy_from_slice(bytes);
        Ok(Self(key))
    }
}

impl PartialEq for AuthKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.expose() == other.expose()
    }
}

impl Eq for AuthKey {}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthKey, InvalidAuthKey};

    #[test]
    fn a_key_has_256_bytes() {
        assert!(AuthKey::try_from([7; 256].as_slice()).is_ok());
        assert_eq!(AuthKey::try_from([7; 255].as_slice()), Err(InvalidAuthKey { len: 255 }));
    }

    #[test]
    fn a_key_is_silent_in_debug() {
        let key = AuthKey::try_from([7; 256].as_slice()).expect("256 bytes");
        assert_eq!(format!("{key:?}"), "AuthKey(..)");
    }
}
