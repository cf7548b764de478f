use std::fmt;

use sessiond_proto::SessionName;
use sha2::{Digest as _, Sha256};

use super::{
    DataKey, Label, NotOpened, What, Wrapped,
    data_key::{self, KEY_BYTES, KeyBytes},
};

/// What tells a master key from others and is no secret: the beginning of its digest, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MasterKeyId(String);

/// The master keys: one that wraps, and those that were it before, with which earlier copies may still be opened.
pub(crate) struct Keyring {
    current: MasterKey,
    /// Newest first.
    retired: Vec<MasterKey>,
}

struct MasterKey {
    id: MasterKeyId,
    bytes: KeyBytes,
}

impl Keyring {
    /// A new master key alone.
    pub(super) fn random() -> Self {
        Self { current: MasterKey::of(data_key::random()), retired: Vec::new() }
    }

    /// The same keys, retired, and a new one.
    pub(super) fn rotated(&self) -> Self {
        let retired = [&self.current].into_iter().chain(&self.retired);
        let retired = retired.map(|key| MasterKey::of(key.bytes.clone())).collect();
        Self { retired, ..Self::random() }
    }

    /// Id of the key that wraps.
    pub(crate) fn current(&self) -> &MasterKeyId {
        &self.current.id
    }

    /// Ids of the keys that only unwrap, newest first.
    pub(crate) fn retired(&self) -> impl Iterator<Item = &MasterKeyId> {
        self.retired.iter().map(|key| &key.id)
    }

    /// Whether it has the key of this id.
    pub(crate) fn has(&self, id: &MasterKeyId) -> bool {
        self.find(id).is_some()
    }

    pub(crate) fn wrap(&self, session: &SessionName, key: &DataKey) -> Wrapped {
        let master = self.current.id.clone();
        let label = Label { session, what: What::DataKey { master: master.as_str() }, revision: 0 };
        let bytes = data_key::seal(&self.current.bytes, &label, key.bytes().as_slice());
        Wrapped { master, bytes }
    }

    pub(crate) fn unwrap(&self, session: &SessionName, wrapped: &Wrapped) -> Result<DataKey, NotOpened> {
        let Wrapped { master, bytes } = wrapped;
        let key = self.find(master).ok_or(NotOpened)?;
        let label = Label { session, what: What::DataKey { master: master.as_str() }, revision: 0 };
        DataKey::from_bytes(&data_key::open(&key.bytes, &label, bytes)?)
    }

    fn find(&self, id: &MasterKeyId) -> Option<&MasterKey> {
        [&self.current].into_iter().chain(&self.retired).find(|key| key.id == *id)
    }

    /// Reads what [`Keyring::to_text`] wrote, or a file with 64 hexadecimal digits. The error says what is wrong, and has
    /// nothing of a key in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut current, mut retired) = (None, Vec::new());
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (is_retired, digits) = match line.strip_prefix("retired ") {
                Some(digits) => (true, digits.trim()),
                None => (false, line),
            };
            let wrong = |what: &str| format!("line {}: {what}", at + 1);
            let key = MasterKey::of(bytes(digits).ok_or_else(|| wrong("a key has 64 hexadecimal digits"))?);
            if is_retired {
                retired.push(key);
            } else if current.replace(key).is_some() {
                return Err(wrong("there is a second key that is not retired"));
            }
        }
        Ok(Self { current: current.ok_or("there is no key that is not retired")?, retired })
    }

    pub(super) fn to_text(&self) -> zeroize::Zeroizing<String> {
        let mut text = zeroize::Zeroizing::new(String::with_capacity(512 + 80 * self.retired.len()));
        text.push_str(
            "# sessiond's master key. Whoever has it and a copy of the sessions can open them: keep the two apart.\n\
             # Without it they are lost. The key that wraps stands alone; retired ones open copies that were made earlier:\n\
             # when no such copy is left, their lines can be deleted.\n",
        );
        add_line(&mut text, "", &self.current);
        self.retired.iter().for_each(|key| add_line(&mut text, "retired ", key));
        text
    }
}

impl MasterKey {
    fn of(bytes: KeyBytes) -> Self {
        let digest = Sha256::new().chain_update(b"sessiond master key").chain_update(*bytes).finalize();
        let id = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { id: MasterKeyId(id), bytes }
    }
}

impl MasterKeyId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for MasterKeyId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("current", &self.current.id).finish_non_exhaustive()
    }
}

fn bytes(digits: &str) -> Option<KeyBytes> {
    let mut bytes = KeyBytes::default();
    if digits.len() != 2 * KEY_BYTES || !digits.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn add_line(text: &mut String, mark: &str, key: &MasterKey) {
    text.push_str(mark);
    for byte in key.bytes.iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("below 16"));
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::Keyring;
    use crate::seal::DataKey;

    #[test]
    fn a_rotated_ring_unwraps_what_was_wrapped_before_and_wraps_with_its_new_key() {
        let (alice, bob) = ("alice".parse().expect("valid"), "bob".parse().expect("valid"));
        let (old, key) = (Keyring::random(), DataKey::random());
        let wrapped = old.wrap(&alice, &key);
        let new = old.rotated();
        assert_eq!(new.unwrap(&alice, &wrapped).expect("it is retired").bytes(), key.bytes());
        assert!(new.unwrap(&bob, &wrapped).is_err());
        let again = new.wrap(&alice, &key);
        assert_ne!(again.master, wrapped.master);
        assert!(old.unwrap(&alice, &again).is_err());
    }

    #[test]
    fn the_text_of_a_ring_is_a_ring() {
        let ring = Keyring::random().rotated().rotated();
        let again = Keyring::parse(&ring.to_text()).expect("it was just written");
        assert_eq!(ring.current(), again.current());
        assert!(ring.retired().eq(again.retired()));
        assert_eq!(again.retired().count(), 2);
    }

    #[test]
    fn sixty_four_digits_are_a_key_and_what_is_none_is_not_shown() {
        assert!(Keyring::parse(&format!("{}\n", "0a".repeat(32))).is_ok());
        for text in ["", "0a0a", "retired 00\n", &"zz".repeat(32), &format!("{0}\n{0}", "0a".repeat(32))] {
            let error = Keyring::parse(text).expect_err("no ring");
            assert!(!error.contains("0a0a") && !error.contains("zz"), "{error}");
        }
    }
}
