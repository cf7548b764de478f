use std::net::Ipv6Addr;

use proptest::{
    collection,
    prelude::{any, proptest},
    sample::Index,
};

use super::read;
use crate::{
    Auth, ChannelState, UpdateState, User,
    formats::{Format, FormatError, Imported, Reading, bytes::put_tl_bytes, random, read_bytes},
};

/// The IPv6 address of all data centers here.
const IPV6: &str = "2001:67c:4e8:f002::a";

/// A data center as the versions up to 0.7 write it, or 0.8.
fn data_center(id: i32, mut octets: [u8; 4], version: u8) -> Vec<u8> {
    let mut ipv6 = IPV6.parse::<Ipv6Addr>().expect("an address").octets();
    if version == 8 {
        octets.reverse();
        ipv6.reverse();
    }
    let mut bytes = 0x756d_16b6_u32.to_le_bytes().to_vec();
    bytes.extend(7_u32.to_le_bytes());
    bytes.extend(id.to_le_bytes());
    bytes.extend(octets);
    bytes.extend(ipv6);
    bytes.extend(443_i32.to_le_bytes());
    put_tl_bytes(&mut bytes, random::key(9).expose());
    bytes
}

fn file(dcs: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let mut bytes = words(&[0xa73e_b8ce, 3, 0x1cb5_c415, u32::try_from(dcs.len()).expect("few")]);
    bytes.extend(dcs.concat());
    bytes.extend(words(&[0x672f_428d, 7, 0, 2, 0x9972_75b5]));
    bytes.extend(words(&[0xd0ca_dcc1, 10, 20, 1_700_000_000, 40, 0x1cb5_c415, 1, 0xc2b0_f8cd, 1234, 0, 99]));
    bytes
}

#[test]
fn addresses_are_read_in_the_order_of_either_version() {
    for version in [7, 8] {
        let bytes = file(&[data_center(2, [149, 154, 167, 41], version)]);
        let Imported { format, contents, doubt, .. } =
            read_bytes(&bytes, &Reading::default()).expect("read").remove(0);
        assert_eq!((format, doubt), (Format::GrammersTl, None));
        let session = contents.session;
        assert_eq!(session.dcs[0].ipv4_addr, "149.154.167.41:443".parse().ok(), "0.{version}");
        assert_eq!(session.dcs[0].ipv6_addr, format!("[{IPV6}]:443").parse().ok(), "0.{version}");
        assert_eq!(session.dcs[0].auth, Auth::Key(random::key(9)));
        assert_eq!(session.user, Some(User { id: 7, dc: 2, bot: Some(true), username: None }));
        let channels = vec![ChannelState { id: 1234, pts: 99 }];
        let state = UpdateState { pts: 10, qts: 20, date: 1_700_000_000, seq: 40, channels };
        assert_eq!((session.state, session.home_dc), (Some(state), Some(2)));
    }
}

#[test]
fn one_known_address_tells_the_order_of_them_all() {
    let dcs = [data_center(2, [149, 154, 167, 41], 8), data_center(9, [1, 2, 3, 4], 8)];
    let imported = read(&file(&dcs), Format::GrammersTl).expect("read");
    assert_eq!(imported.contents.session.dcs[1].ipv4_addr, "1.2.3.4:443".parse().ok());
    assert_eq!(imported.doubt, None);
}

#[test]
fn addresses_that_are_not_known_are_doubtful() {
    let imported = read(&file(&[data_center(9, [1, 2, 3, 4], 7)]), Format::GrammersTl).expect("read");
    assert_eq!(imported.contents.session.dcs[0].ipv4_addr, "1.2.3.4:443".parse().ok());
    assert!(imported.doubt.expect("a doubt").contains("--from grammers-tl-0.8"));
}

#[test]
fn who_says_that_0_8_wrote_it_has_its_order_and_no_doubt() {
    let how = Reading { from: Some(Format::GrammersTl08), passcode: None };
    let bytes = file(&[data_center(9, [1, 2, 3, 4], 8)]);
    let Imported { format, contents, doubt, .. } = read_bytes(&bytes, &how).expect("read").remove(0);
    assert_eq!((format, doubt), (Format::GrammersTl08, None));
    let dc = &contents.session.dcs[0];
    assert_eq!(dc.ipv4_addr, "1.2.3.4:443".parse().ok());
    assert_eq!(dc.ipv6_addr, format!("[{IPV6}]:443").parse().ok());
}

#[test]
fn a_web_socket_is_left_behind() {
    let mut ws = 0x7249_0a88_u32.to_le_bytes().to_vec();
    ws.extend(0_u32.to_le_bytes());
    ws.extend(4_i32.to_le_bytes());
    put_tl_bytes(&mut ws, b"wss://example.org");
    let imported =
        read(&file(&[ws, data_center(2, [149, 154, 167, 41], 8)]), Format::GrammersTl).expect("read");
    assert_eq!(imported.contents.session.dcs.len(), 1);
    assert!(imported.left_behind[0].contains("data center 4"));
}

#[test]
fn a_list_that_claims_more_than_there_is_is_refused_by_its_place() {
    let mut bytes = file(&[]);
    bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read(&bytes, Format::GrammersTl), Err(FormatError::Byte { offset: 12, .. })));
    let bytes = file(&[]);
    for end in 0..bytes.len() {
        assert!(matches!(read(&bytes[..end], Format::GrammersTl), Err(FormatError::Byte { .. })), "{end}");
    }
}

proptest! {
    #[test]
    fn a_damaged_file_is_read_or_refused(changes in collection::vec((any::<Index>(), any::<u8>()), 1..5)) {
        let mut bytes = file(&[data_center(2, [149, 154, 167, 41], 8)]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes, Format::GrammersTl);
    }
}
