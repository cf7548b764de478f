//! The file of grammers up to 0.8, in TL (`tl/` and `build.rs` of grammers-session 0.5 to 0.8). It is only read: later versions
//! have a SQLite file.
//!
//! Addresses stand in it in the order of their octets up to 0.7, and the other way round in 0.8, IPv6 ones too. The file does
//! not tell which version wrote it, so the order is the one in which the IPv4 addresses are those of Telegram's data centers,
//! unless it is said that 0.8 wrote it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use super::{Format, FormatError, Imported, bytes::Bytes, dc_table};
use crate::{
    Auth, AuthKey, ChannelState, Contents, DataCenter, MAX_CHANNELS, MAX_DCS, Session, UpdateState, User,
    sorted,
};

const SESSION: u32 = 0xa73e_b8ce;
const DATA_CENTER: u32 = 0x756d_16b6;
const DATA_CENTER_WS: u32 = 0x7249_0a88;
const USER: u32 = 0x672f_428d;
const UPDATE_STATE: u32 = 0xd0ca_dcc1;
const CHANNEL_STATE: u32 = 0xc2b0_f8cd;
const VECTOR: u32 = 0x1cb5_c415;
const BOOL_FALSE: u32 = 0xbc79_9737;
const BOOL_TRUE: u32 = 0x9972_75b5;

/// Whether these are the first bytes of such a file.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    bytes.starts_with(&SESSION.to_le_bytes())
}

/// What is in a file of one of the two formats.
pub(super) fn read(bytes: &[u8], format: Format) -> Result<Imported, FormatError> {
    let mut bytes = Bytes::new(bytes);
    constructor(&mut bytes, SESSION, "a session")?;
    let flags = bytes.u32_le()?;
    let mut left_behind = Vec::new();
    let read = data_centers(&mut bytes, &mut left_behind)?;
    let user = if flags & 1 != 0 { Some(user(&mut bytes)?) } else { None };
    let state = if flags & 2 != 0 { Some(state(&mut bytes)?) } else { None };
    bytes.end()?;
    let (order, doubt) = order(&read, format);
    let dcs = in_order(read, order);
    let mut session =
        Session { dcs, state, home_dc: user.as_ref().map(|user| user.dc), ..Session::default() };
    session.user = user;
    session.test_mode = session.dc(session.home_dc_id()).is_some_and(dc_table::is_test).then_some(true);
    let contents = Contents { session, ..Contents::default() };
    Ok(Imported { left_behind, doubt, ..Imported::new(format, contents) })
}

/// A data center, and its IPv4 address as it stands in the file.
struct Read {
    dc: DataCenter,
    octets: Option<[u8; 4]>,
    port: u16,
}

fn data_centers(bytes: &mut Bytes<'_>, left_behind: &mut Vec<String>) -> Result<Vec<Read>, FormatError> {
    let count = vector(bytes, MAX_DCS)?;
    let mut dcs = Vec::new();
    for _ in 0..count {
        let before = *bytes;
        match bytes.u32_le()? {
            DATA_CENTER => dcs.push(data_center(bytes)?),
            // One that is reached from browsers, of which 0.8 has none yet.
            DATA_CENTER_WS => {
                let flags = bytes.u32_le()?;
                let id = bytes.i32_le()?;
                bytes.tl_text()?;
                if flags & 1 != 0 {
                    bytes.tl_key()?;
                }
                left_behind.push(format!("the web socket of data center {id}, and its key"));
            }
            _ => return Err(before.wrong("begins no data center")),
        }
    }
    Ok(dcs)
}

fn data_center(bytes: &mut Bytes<'_>) -> Result<Read, FormatError> {
    let flags = bytes.u32_le()?;
    let before = *bytes;
    let id = bytes.i32_le()?;
    if id <= 0 {
        return Err(before.wrong(format!("begins {id}, which is no data center")));
    }
    let octets = if flags & 1 != 0 { Some(bytes.array::<4>()?) } else { None };
    let ipv6 = if flags & 2 != 0 { Some(Ipv6Addr::from(bytes.array::<16>()?)) } else { None };
    let before = *bytes;
    let port = u16::try_from(bytes.i32_le()?).map_err(|_| before.wrong("begins no port"))?;
    let key: Option<AuthKey> = match flags & 4 {
        0 => None,
        _ => {
            let before = *bytes;
            let key = bytes.tl_bytes()?;
            let wrong = |error| before.wrong(format!("begins no key: {error}"));
            if key.is_empty() { None } else { Some(AuthKey::try_from(key).map_err(wrong)?) }
        }
    };
    let dc = DataCenter {
        id,
        ipv4_addr: None,
        ipv6_addr: ipv6.filter(|ip| !ip.is_unspecified()).map(|ip| SocketAddrV6::new(ip, port, 0, 0)),
        auth: key.map_or(Auth::Absent, Auth::Key),
    };
    Ok(Read { dc, octets: octets.filter(|octets| *octets != [0; 4]), port })
}

/// In which order the octets of addresses stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Kept,
    Turned,
}

/// The order that was said, or else that in which more of the addresses are known; and what is doubtful.
fn order(read: &[Read], format: Format) -> (Order, Option<String>) {
    if format == Format::GrammersTl08 {
        return (Order::Turned, None);
    }
    let known = |order: Order| {
        let addresses = read.iter().filter_map(|read| Some((read.dc.id, ip(read.octets?, order))));
        addresses.filter(|(id, ip)| dc_table::has_ipv4(*id, *ip)).count()
    };
    let (kept, turned) = (known(Order::Kept), known(Order::Turned));
    let has_any = read.iter().any(|read| read.octets.is_some());
    let doubt = (has_any && kept == turned).then(|| {
        format!(
            "its addresses are those of no known data center, so they were read in the order that grammers had up to 0.7; \
             if 0.8 wrote it, they are the other way round: --from {} says so",
            Format::GrammersTl08.name()
        )
    });
    (if turned > kept { Order::Turned } else { Order::Kept }, doubt)
}

/// The data centers by id.
fn in_order(read: Vec<Read>, order: Order) -> Vec<DataCenter> {
    let ipv6 = |address| if order == Order::Turned { other_way_round(address) } else { address };
    let mut dcs: Vec<_> = read
        .into_iter()
        .map(|Read { dc, octets, port }| DataCenter {
            ipv4_addr: octets.map(|octets| SocketAddrV4::new(ip(octets, order), port)),
            ipv6_addr: dc.ipv6_addr.map(ipv6),
            ..dc
        })
        .collect();
    dcs.sort_by_key(|dc| dc.id);
    dcs.dedup_by_key(|dc| dc.id);
    dcs
}

fn ip(mut octets: [u8; 4], order: Order) -> Ipv4Addr {
    if order == Order::Turned {
        octets.reverse();
    }
    octets.into()
}

fn other_way_round(address: SocketAddrV6) -> SocketAddrV6 {
    let mut octets = address.ip().octets();
    octets.reverse();
    SocketAddrV6::new(octets.into(), address.port(), 0, 0)
}

fn user(bytes: &mut Bytes<'_>) -> Result<User, FormatError> {
    constructor(bytes, USER, "a user")?;
    let before = *bytes;
    let id = bytes.i64_le()?;
    if id <= 0 {
        return Err(before.wrong("begins no user id"));
    }
    let before = *bytes;
    let dc = bytes.i32_le()?;
    if dc <= 0 {
        return Err(before.wrong(format!("begins {dc}, which is no data center")));
    }
    let before = *bytes;
    let bot = match bytes.u32_le()? {
        BOOL_FALSE => false,
        BOOL_TRUE => true,
        _ => return Err(before.wrong("begins neither true nor false")),
    };
    Ok(User { id, dc, bot: Some(bot), username: None })
}

fn state(bytes: &mut Bytes<'_>) -> Result<UpdateState, FormatError> {
    constructor(bytes, UPDATE_STATE, "an update state")?;
    let (pts, qts) = (counter(bytes)?, counter(bytes)?);
    let (date, seq) = (counter(bytes)?, counter(bytes)?);
    let mut channels = Vec::new();
    for _ in 0..vector(bytes, MAX_CHANNELS)? {
        constructor(bytes, CHANNEL_STATE, "a channel's state")?;
        let before = *bytes;
        let id = bytes.i64_le()?;
        if id <= 0 {
            return Err(before.wrong("begins no channel's id"));
        }
        channels.push(ChannelState { id, pts: counter(bytes)? });
    }
    sorted::sort(&mut channels);
    Ok(UpdateState { pts, qts, date: date.into(), seq, channels })
}

fn counter(bytes: &mut Bytes<'_>) -> Result<i32, FormatError> {
    let before = *bytes;
    let counter = bytes.i32_le()?;
    if counter >= 0 { Ok(counter) } else { Err(before.wrong("begins a counter that is negative")) }
}

/// How many elements follow, at most so many, and not more than there are bytes.
fn vector(bytes: &mut Bytes<'_>, most: usize) -> Result<usize, FormatError> {
    constructor(bytes, VECTOR, "a list")?;
    let before = *bytes;
    let count = bytes.u32_le()? as usize;
    if count > most {
        return Err(before.wrong(format!("begins a list of {count}, and at most {most} are kept")));
    }
    Ok(count)
}

fn constructor(bytes: &mut Bytes<'_>, expected: u32, what: &str) -> Result<(), FormatError> {
    let before = *bytes;
    if bytes.u32_le()? == expected { Ok(()) } else { Err(before.wrong(format!("does not begin {what}"))) }
}

#[cfg(test)]
mod tests;
