//! How Telegram Desktop locks its files: AES-256 in IGE mode, with keys made of a key of 256 bytes and of the SHA-1 of what is
//! locked, as MTProto 1.0 does (<https://core.telegram.org/mtproto/description_v1>).

use aes::{
    Aes256,
    cipher::{Block, BlockCipherDecrypt as _, KeyInit as _},
};
use argon2::{Algorithm, Argon2, Params, Version};
use pbkdf2::pbkdf2_hmac;
use sha1::{Digest as _, Sha1};
use sha2::Sha512;
use zeroize::Zeroizing;

/// The bytes of a block.
const BLOCK: usize = 16;

/// How often a passcode is hashed. Without one there is nothing to guess.
const ROUNDS: u32 = 100_000;

/// The most memory in KiB and passes that a passcode may cost, which is what Telegram Desktop 7.3 asks for, and lanes.
const MAX_MEMORY: u32 = 64 << 10;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 4;

/// A key that locks and unlocks.
pub(super) type LockKey = Zeroizing<[u8; 256]>;

/// The key of a passcode, or of none.
pub(super) fn passcode_key(passcode: &str, salt: &[u8]) -> LockKey {
    let digest = Sha512::new().chain_update(salt).chain_update(passcode).chain_update(salt).finalize();
    let mut key = LockKey::new([0; 256]);
    pbkdf2_hmac::<Sha512>(&digest, salt, if passcode.is_empty() { 1 } else { ROUNDS }, &mut *key);
    key
}

/// The key of a passcode since 7.3, by Argon2id. `None`: it would cost more than Telegram Desktop asks for.
pub(super) fn strong_passcode_key(
    passcode: &str,
    salt: &[u8],
    [memory, passes, lanes]: [u32; 3],
) -> Option<LockKey> {
    if memory > MAX_MEMORY || passes > MAX_PASSES || lanes > MAX_LANES {
        return None;
    }
    let params = Params::new(memory, passes, lanes, Some(256)).ok()?;
    let mut key = LockKey::new([0; 256]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(passcode.as_bytes(), salt, &mut *key).ok()?;
    Some(key)
}

/// Unlocks. `None`: it was locked with another key, or is damaged.
pub(super) fn unlock(locked: &[u8], key: &LockKey) -> Option<Zeroizing<Vec<u8>>> {
    let (message_key, locked) = locked.split_first_chunk::<BLOCK>()?;
    if locked.is_empty() || locked.len() % BLOCK != 0 {
        return None;
    }
    let (aes_key, iv) = aes_key(key, message_key);
    let mut plain = Zeroizing::new(locked.to_vec());
    decrypt_ige(&mut plain, &aes_key, &iv);
    if Sha1::digest(&*plain)[..BLOCK] != *message_key {
        return None;
    }
    // It begins with its length, that one counted; zeros or anything else follow.
    let length = u32::from_le_bytes(*plain.first_chunk()?) as usize;
    if length < 4 || length > plain.len() {
        return None;
    }
    plain.truncate(length);
    plain.drain(..4);
    Some(plain)
}

fn aes_key(key: &LockKey, message_key: &[u8; BLOCK]) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
    // As a message of a server's.
    let part = |from: usize, length: usize| &key[8 + from..8 + from + length];
    let digest = |parts: [&[u8]; 3]| {
        let hash = parts.into_iter().fold(Sha1::new(), Sha1::chain_update);
        Zeroizing::new(<[u8; 20]>::from(hash.finalize()))
    };
    let a = digest([message_key, part(0, 32), &[]]);
    let b = digest([part(32, 16), message_key, part(48, 16)]);
    let c = digest([part(64, 32), message_key, &[]]);
    let d = digest([message_key, part(96, 32), &[]]);
    let joined = |parts: [&[u8]; 4]| {
        let mut all = Zeroizing::new([0; 32]);
        for (to, from) in all.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        all
    };
    (joined([&a[..8], &b[8..20], &c[4..16], &[]]), joined([&a[8..20], &b[..8], &c[16..20], &d[..8]]))
}

/// Each block is mixed with the plain one before it, deciphered, and mixed with the locked one before it.
fn decrypt_ige(bytes: &mut [u8], key: &[u8; 32], iv: &[u8; 32]) {
    let cipher = Aes256::new(key.into());
    let (mut locked_before, mut plain_before) = ([0; BLOCK], [0; BLOCK]);
    locked_before.copy_from_slice(&iv[..BLOCK]);
    plain_before.copy_from_slice(&iv[BLOCK..]);
    let mix =
        |one: &[u8], other: &[u8; BLOCK]| -> [u8; BLOCK] { std::array::from_fn(|at| one[at] ^ other[at]) };
    for chunk in bytes.chunks_exact_mut(BLOCK) {
        let locked = mix(chunk, &[0; BLOCK]);
        let mut block = Block::<Aes256>::from(mix(chunk, &plain_before));
        cipher.decrypt_block(&mut block);
        plain_before = mix(&block, &locked_before);
        locked_before = locked;
        chunk.copy_from_slice(&plain_before);
    }
}
