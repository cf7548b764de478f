//! Telegram's data centers. Every library has such a table built in, to connect before it was told addresses; for the formats
//! that keep none, it is where a session's data centers are.
//!
//! The addresses are those in the sources of Telethon 1.45, Pyrogram 2.0.106 and its forks (`session/internals/data_center.py`),
//! Kurigram 2.2.26 (`storage/sqlite_storage.py`), grammers-session 0.11 (`dc_options.rs`), GramJS 2.26 and mtcute. They differ
//! in which of a data center's addresses they begin with. The port is 443, and 80 for the test servers, as those libraries have
//! it; Telegram listens on both and on 5222 everywhere (<https://core.telegram.org/mtproto/transports>).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use crate::{DataCenter, Session};

/// Ports that mean nothing but Telegram's usual service.
const PORTS: [u16; 3] = [443, 80, 5222];

/// A data center of Telegram.
struct Known {
    id: i32,
    test: bool,
    /// The first is the one that is written.
    ipv4: &'static [Ipv4Addr],
    ipv6: &'static [Ipv6Addr],
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// An address in which all but the first four parts and the last are 0.
const fn v6(parts: [u16; 4], last: u16) -> Ipv6Addr {
    let [a, b, c, d] = parts;
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, last)
}

const KNOWN: [Known; 9] = [
    Known {
        id: 1,
        test: false,
        ipv4: &[v4(149, 154, 175, 53), v4(149, 154, 175, 50), v4(149, 154, 175, 54), v4(149, 154, 175, 55)],
        ipv6: &[v6([0x2001, 0xb28, 0xf23d, 0xf001], 0xa)],
    },
    Known {
        id: 2,
        test: false,
        ipv4: &[v4(149, 154, 167, 51), v4(149, 154, 167, 50), v4(149, 154, 167, 41)],
        ipv6: &[v6([0x2001, 0x67c, 0x4e8, 0xf002], 0xa)],
    },
    Known {
        id: 3,
        test: false,
        ipv4: &[v4(149, 154, 175, 100)],
        ipv6: &[v6([0x2001, 0xb28, 0xf23d, 0xf003], 0xa)],
    },
    Known {
        id: 4,
        test: false,
        ipv4: &[v4(149, 154, 167, 91), v4(149, 154, 167, 92)],
        ipv6: &[v6([0x2001, 0x67c, 0x4e8, 0xf004], 0xa)],
    },
    Known {
        id: 5,
        test: false,
        ipv4: &[v4(91, 108, 56, 130), v4(91, 108, 56, 104), v4(91, 108, 56, 100), v4(91, 108, 56, 165)],
        ipv6: &[v6([0x2001, 0xb28, 0xf23f, 0xf005], 0xa)],
    },
    Known { id: 203, test: false, ipv4: &[v4(91, 105, 192, 100)], ipv6: &[] },
    Known {
        id: 1,
        test: true,
        ipv4: &[v4(149, 154, 175, 10)],
        ipv6: &[v6([0x2001, 0xb28, 0xf23d, 0xf001], 0xe)],
    },
    Known {
        id: 2,
        test: true,
        ipv4: &[v4(149, 154, 167, 40)],
        ipv6: &[v6([0x2001, 0x67c, 0x4e8, 0xf002], 0xe)],
    },
    Known {
        id: 3,
        test: true,
        ipv4: &[v4(149, 154, 175, 117)],
        ipv6: &[v6([0x2001, 0xb28, 0xf23d, 0xf003], 0xe)],
    },
];

impl Session {
    /// The data center of this id, with the addresses that it lacks as far as Telegram's are known. `None`: it is neither in
    /// the session nor known.
    pub fn dc_with_addresses(&self, id: i32) -> Option<DataCenter> {
        let test = test_mode(self);
        let mut dc = match self.dc(id) {
            Some(dc) => dc.clone(),
            None => DataCenter { id: known(id, test)?.id, ..DataCenter::default() },
        };
        complete(&mut dc, test);
        Some(dc)
    }
}

/// The IPv4 address at which a data center, of the test servers or not, is first looked for.
pub(super) fn ipv4(id: i32, test: bool) -> Option<SocketAddrV4> {
    let ip = known(id, test)?.ipv4.first()?;
    Some(SocketAddrV4::new(*ip, port(test)))
}

/// The IPv6 address at which a data center is first looked for.
fn ipv6(id: i32, test: bool) -> Option<SocketAddrV6> {
    let ip = known(id, test)?.ipv6.first()?;
    Some(SocketAddrV6::new(*ip, port(test), 0, 0))
}

/// The port of the test servers, or of the others.
const fn port(test: bool) -> u16 {
    if test { 80 } else { 443 }
}

/// Whether an address is one that libraries know by themselves, so that a format without a place for it loses nothing.
pub(super) fn knows(id: i32, test: bool, ip: IpAddr, port: u16) -> bool {
    let is_there = |known: &Known| match ip {
        IpAddr::V4(ip) => known.ipv4.contains(&ip),
        IpAddr::V6(ip) => known.ipv6.contains(&ip),
    };
    PORTS.contains(&port) && known(id, test).is_some_and(is_there)
}

/// Whether an address is one of the data center of this id, whichever of its ports it has.
pub(super) fn has_ipv4(id: i32, ip: Ipv4Addr) -> bool {
    KNOWN.iter().any(|known| known.id == id && known.ipv4.contains(&ip))
}

/// Whether one of a data center's addresses is a test server's.
pub(super) fn is_test(dc: &DataCenter) -> bool {
    KNOWN.iter().filter(|known| known.test && known.id == dc.id).any(|known| {
        dc.ipv4_addr.is_some_and(|address| known.ipv4.contains(address.ip()))
            || dc.ipv6_addr.is_some_and(|address| known.ipv6.contains(address.ip()))
    })
}

/// Whether a session's data centers are test servers: as it says, or else as the address of its home tells.
pub(super) fn test_mode(session: &Session) -> bool {
    let home = || session.dc(session.home_dc_id()).is_some_and(is_test);
    session.test_mode.unwrap_or_else(home)
}

/// Gives a data center without an address the one that libraries begin with.
pub(super) fn fill(dc: &mut DataCenter, test: bool) {
    if dc.ipv4_addr.is_none() && dc.ipv6_addr.is_none() {
        dc.ipv4_addr = ipv4(dc.id, test);
    }
}

/// Gives a data center the addresses that it lacks, as far as they are known.
pub(super) fn complete(dc: &mut DataCenter, test: bool) {
    dc.ipv4_addr = dc.ipv4_addr.or(ipv4(dc.id, test));
    dc.ipv6_addr = dc.ipv6_addr.or(ipv6(dc.id, test));
}

fn known(id: i32, test: bool) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.id == id && known.test == test)
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, ipv4, is_test, knows};
    use crate::{DataCenter, Session};

    #[test]
    fn a_data_center_is_found_though_a_session_has_no_address_of_it() {
        let own = "10.0.0.4:4430".parse().ok();
        let dcs = vec![DataCenter { id: 4, ipv4_addr: own, ..DataCenter::default() }];
        let session = Session { dcs, ..Session::default() };
        assert_eq!(session.dc_with_addresses(4).expect("known").ipv4_addr, own);
        assert_eq!(session.dc_with_addresses(4).expect("known").ipv6_addr, super::ipv6(4, false));
        assert_eq!(session.dc_with_addresses(1).expect("known").ipv4_addr, ipv4(1, false));
        assert_eq!(session.dc_with_addresses(77), None);
        let test = Session { test_mode: Some(true), ..Session::default() };
        assert_eq!(test.dc_with_addresses(1).expect("known").ipv4_addr, ipv4(1, true));
        assert_eq!(test.dc_with_addresses(4), None, "there is no fourth test server");
    }

    #[test]
    fn no_address_is_that_of_two_data_centers() {
        let mut all: Vec<_> = KNOWN.iter().flat_map(|known| known.ipv4).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn what_is_written_is_known_and_tells_the_test_servers() {
        for known in &KNOWN {
            let address = ipv4(known.id, known.test).expect("an address");
            assert!(knows(known.id, known.test, (*address.ip()).into(), address.port()));
            let dc = DataCenter { id: known.id, ipv4_addr: Some(address), ..DataCenter::default() };
            assert_eq!(is_test(&dc), known.test);
        }
        assert_eq!(ipv4(4, true), None);
    }
}
