use std::fmt;

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use zeroize::Zeroizing;

use super::{Label, MasterKeyId};

/// Size of every key here, in bytes.
pub(super) const KEY_BYTES: usize = 32;

/// A key's bytes, wiped when they are dropped.
pub(super) type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

/// What a sealed value begins with: how it is sealed. Then come the nonce, what was sealed, and the tag.
const FORMAT: u8 = 1;

/// Size of the nonce in bytes: random ones do not repeat.
const NONCE_BYTES: usize = 24;

/// What one session's secrets are sealed with. Wiped when it is dropped.
pub(crate) struct DataKey(KeyBytes);

/// A data key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrapped {
    /// What it is wrapped by.
    pub(crate) master: MasterKeyId,
    pub(crate) bytes: Vec<u8>,
}

/// A value that was changed, is another one than it is taken for, or was sealed by another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not open: it was changed, or is not what was sealed there last")]
pub(crate) struct NotOpened;

impl DataKey {
    /// A new one.
    pub(crate) fn random() -> Self {
        Self(random())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, NotOpened> {
        let mut key = KeyBytes::default();
        if bytes.len() != key.len() {
            return Err(NotOpened);
        }
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }

    pub(super) fn bytes(&self) -> &KeyBytes {
        &self.0
    }

    /// Seals a secret, which opens under the same label only.
    pub(crate) fn seal(&self, label: &Label<'_>, secret: &[u8]) -> Vec<u8> {
        seal(&self.0, label, secret)
    }

    /// What was sealed under this label.
    pub(crate) fn open(&self, label: &Label<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        open(&self.0, label, sealed)
    }

    /// What shows later that the label holds: nothing, sealed under it.
    pub(crate) fn stamp(&self, label: &Label<'_>) -> Vec<u8> {
        self.seal(label, &[])
    }

    /// Checks that it is a stamp of this label.
    pub(crate) fn check(&self, label: &Label<'_>, stamp: &[u8]) -> Result<(), NotOpened> {
        self.open(label, stamp).and_then(|nothing| if nothing.is_empty() { Ok(()) } else { Err(NotOpened) })
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// Random bytes for a key.
pub(super) fn random() -> KeyBytes {
    let mut bytes = KeyBytes::default();
    fill(bytes.as_mut_slice());
    bytes
}

pub(super) fn seal(key: &KeyBytes, label: &Label<'_>, secret: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_BYTES];
    fill(&mut nonce);
    let payload = Payload { msg: secret, aad: &label.encode() };
    let sealed = XChaCha20Poly1305::new((&**key).into())
        .encrypt(&XNonce::from(nonce), payload)
        .expect("a secret is much shorter than what the cipher takes, 256 GiB");
    [&[FORMAT][..], &nonce, &sealed].concat()
}

pub(super) fn open(
    key: &KeyBytes,
    label: &Label<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let Some((&[FORMAT], sealed)) = sealed.split_first_chunk() else { return Err(NotOpened) };
    let Some((nonce, sealed)) = sealed.split_first_chunk::<NONCE_BYTES>() else { return Err(NotOpened) };
    let payload = Payload { msg: sealed, aad: &label.encode() };
    let opened = XChaCha20Poly1305::new((&**key).into()).decrypt(&XNonce::from(*nonce), payload);
    opened.map(Zeroizing::new).map_err(|_| NotOpened)
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("a system without random numbers has not let the daemon start");
}

#[cfg(test)]
mod tests {
    use super::{DataKey, NotOpened};
    use crate::seal::{Label, What};

    #[test]
    fn a_sealed_value_opens_under_its_own_label_and_key_only() {
        let (alice, bob) = ("alice".parse().expect("valid"), "bob".parse().expect("valid"));
        let key = DataKey::random();
        let label = Label { session: &alice, what: What::AuthKey { dc: 2 }, revision: 7 };
        let sealed = key.seal(&label, b"secret");
        assert_eq!(key.open(&label, &sealed).expect("it is the same").as_slice(), b"secret");

        for other in [
            Label { session: &bob, ..label },
            Label { what: What::AuthKey { dc: 3 }, ..label },
            Label { what: What::AccessHash { peer: 2 }, ..label },
            Label { what: What::Attribute { key: "2" }, ..label },
            Label { revision: 6, ..label },
        ] {
            assert_eq!(key.open(&other, &sealed), Err(NotOpened), "{other:?}");
        }
        assert_eq!(DataKey::random().open(&label, &sealed), Err(NotOpened));
    }

    #[test]
    fn no_byte_of_a_sealed_value_can_be_changed_or_left_out() {
        let alice = "alice".parse().expect("valid");
        let (key, label) = (DataKey::random(), Label { session: &alice, what: What::LeftOpen, revision: 0 });
        let sealed = key.seal(&label, b"secret");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&label, &changed), Err(NotOpened), "byte {at}");
            assert_eq!(key.open(&label, &sealed[..at]), Err(NotOpened), "{at} bytes");
        }
    }

    #[test]
    fn a_value_sealed_twice_looks_different_and_shows_nothing_of_itself() {
        let alice = "alice".parse().expect("valid");
        let (key, label) = (DataKey::random(), Label { session: &alice, what: What::LeftOpen, revision: 0 });
        let (one, other) = (key.seal(&label, &[7; 256]), key.seal(&label, &[7; 256]));
        assert_ne!(one, other);
        assert!(!one.windows(8).any(|window| window == [7; 8]));
        assert_eq!(format!("{key:?}"), "DataKey(..)");
    }

    #[test]
    fn a_stamp_tells_what_is_missing_and_what_is_older() {
        let alice = "alice".parse().expect("valid");
        let label = |keys| Label { session: &alice, what: What::AllAuthKeys(keys), revision: 0 };
        let key = DataKey::random();
        let stamp = key.stamp(&label(&[(1, 5), (2, 9)]));
        assert_eq!(key.check(&label(&[(1, 5), (2, 9)]), &stamp), Ok(()));
        for other in [&[(1, 5)][..], &[(1, 5), (2, 8)], &[(1, 5), (2, 9), (3, 9)], &[]] {
            assert_eq!(key.check(&label(other), &stamp), Err(NotOpened), "{other:?}");
        }
    }
}
