use super::lock::{LockKey, passcode_key, strong_passcode_key, unlock};
use crate::formats::{FormatError, bytes::Bytes};

/// The most accounts that are looked for. Telegram Desktop has 6 at most.
const MAX_ACCOUNTS: u32 = 100;

/// The most ways from a passcode to a key that are tried. Each may take a second, and Telegram Desktop writes one.
const MAX_WAYS: u32 = 4;

/// What begins the part that came with 7.3, its version, and its only way from a passcode to a key: Argon2id.
const MAGIC: &[u8] = b"KD2\0";
const VERSION: u32 = 2;
const ARGON2ID: u32 = 1;

/// What `key_datas` has.
pub(super) struct KeyFile {
    /// What opens the accounts' files.
    pub(super) key: LockKey,
    /// The accounts' numbers, from 0.
    pub(super) accounts: Vec<u32>,
}

impl KeyFile {
    /// Reads it, and unlocks it with a passcode where it is locked with one.
    pub(super) fn read(contents: &[u8], passcode: Option<&str>) -> Result<Self, FormatError> {
        let mut bytes = Bytes::new(contents);
        let salt = bytes.qt_bytes()?;
        let locked_key = bytes.qt_bytes()?;
        let locked_list = bytes.qt_bytes()?;
        // From 7.3 on, what is locked with a passcode stands in a fourth part, and nothing in the second.
        let key = if locked_key.is_empty() && bytes.left() > 0 {
            unlock_strong(bytes.qt_bytes()?, passcode)?
        } else {
            let with = |passcode: &str| unlock(locked_key, &passcode_key(passcode, salt));
            with("").or_else(|| with(passcode?))
        };
        let key = key.ok_or_else(|| not_opened(passcode))?;
        let key: [u8; 256] = *key.first_chunk().ok_or_else(|| wrong("has a key of less than 256 bytes"))?;
        let key = LockKey::new(key);
        let list =
            unlock(locked_list, &key).ok_or_else(|| wrong("is damaged: its key does not open its list"))?;
        Ok(Self { accounts: accounts(&list)?, key })
    }
}

fn accounts(list: &[u8]) -> Result<Vec<u32>, FormatError> {
    let mut bytes = Bytes::new(list);
    let count = bytes.u32_be()?;
    if count > MAX_ACCOUNTS {
        return Err(wrong(format!("lists {count} accounts")));
    }
    let mut accounts = Vec::new();
    for _ in 0..count {
        let index = bytes.u32_be()?;
        if !accounts.contains(&index) && index < MAX_ACCOUNTS {
            accounts.push(index);
        }
    }
    Ok(accounts)
}

/// A version, whether there is a passcode, and how many times the key is in it, locked each time in a way of its own.
fn unlock_strong(
    part: &[u8],
    passcode: Option<&str>,
) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, FormatError> {
    let mut bytes = Bytes::new(part);
    if bytes.take(MAGIC.len())? != MAGIC || bytes.u32_be()? != VERSION {
        return Err(wrong("is of a version of Telegram Desktop that is not known here"));
    }
    bytes.u32_be()?;
    let ways = bytes.u32_be()?;
    let Some(passcode) = passcode else { return Ok(None) };
    for _ in 0..ways.min(MAX_WAYS) {
        let (_, kind) = (bytes.u32_be()?, bytes.u32_be()?);
        let cost = [bytes.u32_be()?, bytes.u32_be()?, bytes.u32_be()?];
        let (salt, locked) = (bytes.qt_bytes()?, bytes.qt_bytes()?);
        if kind != ARGON2ID {
            continue;
        }
        let key = strong_passcode_key(passcode, salt, cost).ok_or_else(|| {
            wrong("asks for more memory or time to try a passcode than Telegram Desktop does")
        })?;
        if let Some(unlocked) = unlock(locked, &key) {
            return Ok(Some(unlocked));
        }
    }
    Ok(None)
}

fn not_opened(passcode: Option<&str>) -> FormatError {
    match passcode {
        None | Some("") => FormatError::PasscodeNeeded,
        Some(_) => FormatError::PasscodeWrong,
    }
}

fn wrong(problem: impl Into<String>) -> FormatError {
    FormatError::Value { column: "key_datas".into(), problem: problem.into() }
}
