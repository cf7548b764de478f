use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{dropped, looks_like, read, write};
use crate::{
    Auth, AuthKey, Contents, DataCenter, Session, User,
    formats::{ExportError, Wanting, samples, strings::Base64},
};

fn only_dc(contents: &Contents) -> &DataCenter {
    let [dc] = contents.session.dcs.as_slice() else { panic!("one data center") };
    dc
}

fn telethon(address: &[u8]) -> String {
    let raw = [&[2], address, &[0x01, 0xbb], samples::key().expose().as_slice()].concat();
    format!("1{}", *Base64::UrlSafe.encode(&raw))
}

#[test]
fn what_the_library_wrote_is_read_whole() {
    for (name, id, ipv4, ipv6) in [
        ("gramjs-ordinary", 2, Some("149.154.167.91:443"), None),
        ("gramjs-short", 4, Some("149.154.167.9:80"), None),
        ("gramjs-v6", 2, None, Some("[2001:67c:4e8:f002::a]:443")),
    ] {
        let text = samples::string(name);
        assert!(looks_like(text), "{name}");
        let imported = read(text).expect(name);
        let dc = only_dc(&imported.contents);
        assert_eq!(dc.id, id, "{name}");
        assert_eq!(dc.ipv4_addr.map(|address| address.to_string()).as_deref(), ipv4, "{name}");
        assert_eq!(dc.ipv6_addr.map(|address| address.to_string()).as_deref(), ipv6, "{name}");
        assert_eq!(dc.auth, Auth::Key(samples::key()), "{name}");
        assert_eq!(imported.contents.session.home_dc, Some(id), "{name}");
        assert_eq!(imported.left_behind, Vec::<String>::new(), "{name}");
        let again = write(&imported.contents, &Wanting::default()).expect(name);
        // An IPv6 address that every library knows gives way to the IPv4 address that it knows, too.
        assert!(name == "gramjs-v6" || again.as_str() == text, "{name}");
    }
}

#[test]
fn an_address_of_14_characters_is_not_taken_for_telethons_ipv6_address() {
    let text = samples::string("gramjs-ordinary");
    assert_eq!(text.len(), 369);
    assert!(looks_like(text));
    assert!(!looks_like(&telethon(&Ipv6Addr::new(0x2001, 0x67c, 0x4e8, 0xf002, 0, 0, 0, 0xa).octets())));
}

#[test]
fn telethons_strings_are_read_when_said_to_be_gramjs_but_do_not_look_like_it() {
    let text = telethon(&Ipv4Addr::new(149, 154, 167, 51).octets());
    assert!(!looks_like(&text));
    let imported = read(&text).expect("read");
    assert_eq!(
        only_dc(&imported.contents).ipv4_addr,
        Some("149.154.167.51:443".parse().expect("an address"))
    );
    let ip = Ipv6Addr::new(0x2001, 0x67c, 0x4e8, 0xf002, 0, 0, 0, 0xa);
    let imported = read(&telethon(&ip.octets())).expect("read");
    assert_eq!(only_dc(&imported.contents).ipv6_addr.map(|address| *address.ip()), Some(ip));
}

#[test]
fn a_host_name_becomes_the_known_address_and_is_said() {
    let imported = read(samples::string("gramjs-host")).expect("read");
    assert_eq!(
        only_dc(&imported.contents).ipv4_addr,
        Some("149.154.167.91:443".parse().expect("an address"))
    );
    assert!(imported.left_behind[0].contains("vesta.web.telegram.org"), "{:?}", imported.left_behind);
}

#[test]
fn port_80_does_not_mean_a_test_server() {
    let imported = read(samples::string("gramjs-short")).expect("read");
    assert_eq!(imported.contents.session.test_mode, None);
}

#[test]
fn a_port_above_32767_is_refused_since_the_library_writes_it_with_a_sign() {
    let dc = DataCenter { ipv4_addr: Some("1.2.3.4:40000".parse().expect("an address")), ..samples::dc(2) };
    let session = Session { dcs: vec![dc], ..Session::default() };
    let refused = write(&Contents { session, ..Contents::default() }, &Wanting::default());
    assert!(matches!(refused, Err(ExportError::TooLarge { .. })), "{refused:?}");
}

#[test]
fn a_session_without_a_key_is_refused() {
    let refused = write(&Contents::default(), &Wanting::default());
    assert!(matches!(refused, Err(ExportError::Lacks { .. })), "{refused:?}");
}

#[test]
fn what_has_no_place_is_said() {
    let user = Some(User { id: 7, dc: 2, bot: Some(false), username: None });
    let session = Session { dcs: vec![samples::dc(1), samples::dc(2)], user, ..Session::default() };
    let losses = dropped(&Contents { session, ..Contents::default() });
    assert!(losses.iter().any(|loss| loss.contains("key")), "{losses:?}");
    assert!(losses.iter().any(|loss| loss.contains("who is logged in")), "{losses:?}");
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(id in 1..=255i32, ip: Ipv4Addr, port in 0..=32767u16, six: bool, key: u8) {
        let mut dc = DataCenter { id, ..DataCenter::default() };
        if six {
            dc.ipv6_addr = Some(std::net::SocketAddrV6::new(ip.to_ipv6_mapped(), port, 0, 0));
        } else {
            dc.ipv4_addr = Some(std::net::SocketAddrV4::new(ip, port));
        }
        dc.auth = Auth::Key(AuthKey::try_from([key; 256].as_slice()).expect("256 bytes"));
        let test_mode = crate::formats::dc_table::is_test(&dc).then_some(true);
        let session = Session { dcs: vec![dc], home_dc: Some(id), test_mode, ..Session::default() };
        let contents = Contents { session, ..Contents::default() };
        let text = write(&contents, &Wanting::default()).expect("written");
        prop_assert!(looks_like(&text));
        prop_assert_eq!(read(&text).expect("read").contents, contents);
    }

    #[test]
    fn a_changed_string_is_read_or_refused(at in 0..500usize, with in ".", cut in 0..500usize) {
        let changed = samples::changed(samples::string("gramjs-v6"), at, &with, cut);
        let _ = (looks_like(&changed), read(&changed));
    }
}
