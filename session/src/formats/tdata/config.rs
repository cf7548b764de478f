use std::{
    net::{IpAddr, SocketAddrV4, SocketAddrV6},
    path::Path,
};

use super::{file, lock::LockKey, lock::unlock};
use crate::{
    DataCenter,
    formats::{FormatError, bytes::Bytes},
};

/// The version that is known.
const VERSION: i32 = 1;

/// Flags of addresses that are not for everything: media only, obfuscated only, CDN.
const SPECIAL: u32 = 2 | 4 | 8;

/// What Telegram said of data centers (`mtproto/mtproto_config.cpp`, `mtproto/mtproto_dc_options.cpp`).
#[derive(Default)]
pub(super) struct Config {
    /// Whether they are the test servers.
    pub(super) test: Option<bool>,
    addresses: Vec<(i32, IpAddr, u16)>,
}

impl Config {
    /// Reads the file in an account's directory. Telegram Desktop does without it, if need be.
    pub(super) fn read(directory: &Path, key: &LockKey) -> Option<Self> {
        let contents = file::read(directory, "config").ok()?;
        let plain = unlock(Bytes::new(&contents).qt_bytes().ok()?, key)?;
        let config = Bytes::new(&plain).qt_bytes().ok()?;
        Self::parse(config).ok()
    }

    /// What its file has when it is unlocked.
    pub(super) fn parse(config: &[u8]) -> Result<Self, FormatError> {
        let mut bytes = Bytes::new(config);
        if bytes.i32_be()? != VERSION {
            return Err(bytes.wrong("follows a version that is not known here"));
        }
        let test = match bytes.u32_be()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        };
        Ok(Self { test, addresses: addresses(bytes.qt_bytes()?)? })
    }

    /// Sets the first address of each family.
    pub(super) fn set_addresses(&self, dc: &mut DataCenter) {
        for (_, ip, port) in self.addresses.iter().filter(|(id, ..)| *id == dc.id) {
            match *ip {
                IpAddr::V4(ip) => _ = dc.ipv4_addr.get_or_insert(SocketAddrV4::new(ip, *port)),
                IpAddr::V6(ip) => _ = dc.ipv6_addr.get_or_insert(SocketAddrV6::new(ip, *port, 0, 0)),
            }
        }
    }
}

/// A negative version and a count, or a count alone as of old, when nothing had a secret.
fn addresses(options: &[u8]) -> Result<Vec<(i32, IpAddr, u16)>, FormatError> {
    let mut bytes = Bytes::new(options);
    let first = bytes.i32_be()?;
    let count = if first < 0 { bytes.i32_be()? } else { first };
    let mut addresses = Vec::new();
    for _ in 0..count {
        let (id, flags, port) = (bytes.i32_be()?, bytes.u32_be()?, bytes.u32_be()?);
        let ip = std::str::from_utf8(bytes.qt_bytes()?).ok().and_then(|ip| ip.parse().ok());
        if first < 0 {
            bytes.qt_bytes()?;
        }
        if let (Some(ip), Ok(port), 0) = (ip, u16::try_from(port), flags & SPECIAL) {
            addresses.push((id, ip, port));
        }
    }
    Ok(addresses)
}
