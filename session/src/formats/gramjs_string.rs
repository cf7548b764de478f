//! `StringSession` of GramJS and of teleproto, which goes on with it (`sessions/StringSession.js`): a `1`, and in base64 the
//! home data center's id, the length of its address and the address as text, its port and its key. Both libraries take
//! Telethon 1's strings, too.
//!
//! A string with an address of 14 characters, as `149.154.167.91` is, is as long as Telethon's with an IPv6 address. They are
//! told apart by what stands there: an address of Telegram's does not begin with the bytes `00 0e`.

use std::net::{IpAddr, SocketAddrV4, SocketAddrV6};

use zeroize::Zeroizing;

use super::{
    ExportError, Format, FormatError, Imported, Wanting,
    account::Account,
    bytes::Bytes,
    dc_table,
    error::shown,
    place,
    place::{Addresses, Dcs, Place, Username},
    strings::{Base64, trimmed},
};
use crate::{Auth, AuthKey, Contents, DataCenter, Session};

/// What every such string begins with.
const VERSION: char = '1';

/// The most characters of an address. Where there are more, the libraries take them for Telethon's bytes.
const LONGEST_ADDRESS: usize = 100;

/// The bytes of Telethon's strings, with an IPv4 and with an IPv6 address.
const TELETHON: [usize; 2] = [263, 275];

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

/// Whether a text has the shape, and not Telethon's.
pub(super) fn looks_like(text: &str) -> bool {
    let Some(rest) = trimmed(text).strip_prefix(VERSION) else { return false };
    let longest = (AuthKey::LEN + LONGEST_ADDRESS + 5).div_ceil(3) * 4;
    rest.len() <= longest && Base64::Standard.decode(rest, 1).is_ok_and(|raw| has_text_address(&raw))
}

/// What is in a string.
pub(super) fn read(text: &str) -> Result<Imported, FormatError> {
    let Some(rest) = trimmed(text).strip_prefix(VERSION) else {
        return Err(FormatError::Unknown("byte 0 is not the 1 with which such strings begin".into()));
    };
    // Telethon's have the other alphabet, and the libraries read both.
    let raw = match Base64::Standard.decode(rest, 1) {
        Err(_) if rest.contains(['-', '_']) => Base64::UrlSafe.decode(rest, 1)?,
        decoded => decoded?,
    };
    let mut bytes = Bytes::new(&raw);
    let id = match bytes.u8()? {
        0 => return Err(FormatError::Byte { offset: 0, problem: "is 0, which is no data center".into() }),
        id => i32::from(id),
    };
    let mut dc = DataCenter { id, ..DataCenter::default() };
    let mut left_behind = Vec::new();
    if has_text_address(&raw) || !TELETHON.contains(&raw.len()) {
        let address = text_address(&mut bytes)?;
        left_behind.extend(set_address(&mut dc, address, bytes.u16_be()?));
    } else if raw.len() == TELETHON[0] {
        let ip = bytes.array::<4>()?;
        dc.ipv4_addr = Some(SocketAddrV4::new(ip.into(), bytes.u16_be()?));
    } else {
        let ip = bytes.array::<16>()?;
        dc.ipv6_addr = Some(SocketAddrV6::new(ip.into(), bytes.u16_be()?, 0, 0));
    }
    dc.auth = Auth::Key(bytes.key()?);
    bytes.end()?;
    let test_mode = dc_table::is_test(&dc).then_some(true);
    let session = Session { dcs: vec![dc], home_dc: Some(id), test_mode, ..Session::default() };
    let contents = Contents { session, ..Contents::default() };
    Ok(Imported { left_behind, ..Imported::new(Format::GramJsString, contents) })
}

/// A string of a session whose home has a key.
pub(super) fn write(contents: &Contents, wanting: &Wanting) -> Result<Zeroizing<String>, ExportError> {
    let account = Account::of(contents, wanting, Format::GramJsString);
    let (ip, port) = account.need_address()?;
    let address = ip.to_string();
    let mut raw = Zeroizing::new(Vec::with_capacity(AuthKey::LEN + LONGEST_ADDRESS + 5));
    raw.push(account.fit(account.dc.into(), "the id of data center")?);
    raw.extend(account.fit::<i16>(address.len() as i64, "an address as long as")?.to_be_bytes());
    raw.extend(address.as_bytes());
    // The library writes and reads it with a sign.
    raw.extend(account.fit::<i16>(port.into(), "the port")?.to_be_bytes());
    raw.extend(account.need_key()?.expose());
    let encoded = Base64::Standard.encode(&raw);
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() + 1));
    text.push(VERSION);
    text.push_str(&encoded);
    Ok(text)
}

/// What has no place in such a string.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    place::losses(contents, &PLACE)
}

/// Sets the address that GramJS has as text, and says what is not kept of it. In a browser it is the name of a host, by which
/// a data center cannot be found over TCP.
pub(super) fn set_address(dc: &mut DataCenter, address: &str, port: u16) -> Option<String> {
    match address.parse() {
        Ok(IpAddr::V4(ip)) => dc.ipv4_addr = Some(SocketAddrV4::new(ip, port)),
        Ok(IpAddr::V6(ip)) => dc.ipv6_addr = Some(SocketAddrV6::new(ip, port, 0, 0)),
        Err(_) => {
            dc_table::fill(dc, false);
            let instead =
                if dc.ipv4_addr.is_some() { ", in place of which stands the known one" } else { "" };
            let shown = shown(address);
            return Some(format!(
                "the address of data center {}: \"{shown}\" is not an IP address{instead}",
                dc.id
            ));
        }
    }
    None
}

/// Whether what follows the first byte is a text as long as it says, with a port and a key after it.
fn has_text_address(raw: &[u8]) -> bool {
    let mut bytes = Bytes::new(raw);
    let address = bytes.u8().and_then(|_| text_address(&mut bytes));
    address.is_ok_and(|address| !address.is_empty()) && bytes.left() == AuthKey::LEN + 2
}

fn text_address<'a>(bytes: &mut Bytes<'a>) -> Result<&'a str, FormatError> {
    let before = *bytes;
    let length = usize::from(bytes.u16_be()?);
    if length > LONGEST_ADDRESS {
        return Err(before.wrong(format!("begins an address of {length} characters, which none has")));
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".:-_%[]".contains(byte);
    let before = *bytes;
    let address = bytes.take(length)?;
    let text = std::str::from_utf8(address).ok().filter(|_| address.iter().all(is_part));
    text.ok_or_else(|| before.wrong("begins what is no address"))
}

#[cfg(test)]
mod tests;
