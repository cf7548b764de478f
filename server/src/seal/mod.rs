//! Sealing: secrets are encrypted before they are written anywhere.
//!
//! Each session has a random data key, which a master key wraps; the master key is kept outside of the data directory. A
//! secret is sealed by its session's data key with XChaCha20-Poly1305, and with it is authenticated what it is, whose, and
//! the revision of the commit that set it ([`Label`]), so that it opens nowhere else and at no other time. What a session
//! has of keys, and of secret attributes, is authenticated as a whole by a stamp: a single one that is put back as it was
//! earlier is told by that.
//!
//! What no seal can tell: that all of a session, or all of a store, was put back as it was at an earlier time. That takes an
//! anchor outside of the disk, and there is none.
//!
//! This module knows keys and ciphers, and nothing of where values are kept.

mod data_key;
mod key_file;
mod keyring;
mod label;
mod source;

pub(crate) use self::{
    data_key::{DataKey, NotOpened, Wrapped},
    key_file::KeyError,
    keyring::{Keyring, MasterKeyId},
    label::{Label, What},
    source::{KeySource, Place},
};
