//! `StringSession` of Telethon 1 (`telethon/sessions/string.py`): a `1`, and in base64 the home data center's id, its IPv4 or
//! IPv6 address, its port and its key.
//!
//! GramJS's strings begin with a `1`, too, and one with an address of 14 characters is as long as Telethon's with an IPv6
//! address: they are told apart by what stands in the address's place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use zeroize::Zeroizing;

use super::{
    ExportError, Format, FormatError, Imported, Wanting,
    account::Account,
    bytes::Bytes,
    dc_table, place,
    place::{Addresses, Dcs, Place, Username},
    strings::{Base64, trimmed},
};
use crate::{Auth, Contents, DataCenter, Session};

/// Characters after the `1`, with an IPv4 and an IPv6 address.
const LENGTHS: [usize; 2] = [352, 368];

const PLACE: Place = Place {
    dcs: Dcs::Home,
    addresses: Addresses::One,
    test_mode: false,
    user: false,
    bot: false,
    username: Username::Nowhere,
    counters: false,
    channels: false,
    peers: place::NO_PEERS,
    attribute: place::no_attribute,
};

/// Whether a text has the shape.
pub(super) fn looks_like(text: &str) -> bool {
    let Some(rest) = trimmed(text).strip_prefix('1') else { return false };
    let length = rest.trim_end_matches('=').len().next_multiple_of(4);
    if !LENGTHS.contains(&length) {
        return false;
    }
    // GramJS has the length of the address where Telethon has the first two bytes of an IPv6 address; none begins with 0.
    Base64::UrlSafe.decode(rest, 1).is_ok_and(|raw| length == LENGTHS[0] || raw.get(1) != Some(&0))
}

/// What is in a string.
pub(super) fn read(text: &str) -> Result<Imported, FormatError> {
    let text = trimmed(text);
    let Some(rest) = text.strip_prefix('1') else {
        return Err(FormatError::Unknown("byte 0 is not the 1 with which such strings begin".into()));
    };
    let raw = Base64::UrlSafe.decode(rest, 1)?;
    let mut bytes = Bytes::new(&raw);
    let id = match bytes.u8()? {
        0 => return Err(FormatError::Byte { offset: 0, problem: "is 0, which is no data center".into() }),
        id => i32::from(id),
    };
    let mut dc = DataCenter { id, ..DataCenter::default() };
    if raw.len() == 263 {
        let ip = Ipv4Addr::from(bytes.array::<4>()?);
        dc.ipv4_addr = Some(SocketAddrV4::new(ip, bytes.u16_be()?));
    } else {
        let ip = Ipv6Addr::from(bytes.array::<16>()?);
        dc.ipv6_addr = Some(SocketAddrV6::new(ip, bytes.u16_be()?, 0, 0));
    }
    let key = bytes.key()?;
    bytes.end()?;
    if key.expose().iter().any(|byte| *byte != 0) {
        dc.auth = Auth::Key(key);
    }
    let test_mode = dc_table::is_test(&dc).then_some(true);
    let session = Session { dcs: vec![dc], home_dc: Some(id), test_mode, ..Session::default() };
    Ok(Imported::new(Format::TelethonString, Contents { session, ..Contents::default() }))
}

/// A string of a session whose home has a key.
pub(super) fn write(contents: &Contents, wanting: &Wanting) -> Result<Zeroizing<String>, ExportError> {
    let account = Account::of(contents, wanting, Format::TelethonString);
    let mut raw = Zeroizing::new(Vec::with_capacity(275));
    raw.push(account.fit(account.dc.into(), "the id of data center")?);
    let (ip, port) = account.need_address()?;
    match ip {
        IpAddr::V4(ip) => raw.extend(ip.octets()),
        IpAddr::V6(ip) => raw.extend(ip.octets()),
    }
    raw.extend(port.to_be_bytes());
    raw.extend(account.need_key()?.expose());
    let encoded = Base64::UrlSafe.encode(&raw);
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() + 1));
    text.push('1');
    text.push_str(&encoded);
    Ok(text)
}

/// What has no place in such a string.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    place::losses(contents, &PLACE)
}

#[cfg(test)]
mod tests;
