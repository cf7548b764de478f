use proptest::prelude::*;

use super::{dropped, looks_like, read, write};
use crate::{
    Auth, AuthKey, Contents, Session,
    formats::{FormatError, Wanting, samples},
};

/// Made with gotd/td 0.150.0: `session.Loader.Save` of a config with five options, DC 2, salt -5.
const FILE: &str = include_str!("../../../tests/fixtures/gotd.json");

fn refused(json: &str) -> (String, String) {
    match read(json.as_bytes()) {
        Err(FormatError::Value { column, problem }) => (column, problem),
        other => panic!("{:?}", other.map(|_| "read")),
    }
}

#[test]
fn what_the_library_wrote_is_read_whole_and_written_alike() {
    assert!(looks_like(FILE.as_bytes()));
    let contents = read(FILE.as_bytes()).expect("read").contents;
    let session = &contents.session;
    assert_eq!(session.dcs.iter().map(|dc| dc.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(session.dcs[1].ipv4_addr, Some("149.154.167.41:443".parse().expect("an address")));
    assert_eq!(session.dcs[1].ipv6_addr, Some("[2001:67c:4e8:f002::a]:443".parse().expect("an address")));
    assert_eq!(session.dcs[1].auth, Auth::Key(samples::key()));
    assert_eq!((session.home_dc, session.test_mode), (Some(2), Some(false)));
    assert_eq!(contents.number("gotd.salt"), Some(-5));
    let written = write(&contents, &Wanting::default()).expect("written");
    assert_eq!(std::str::from_utf8(&written), Ok(FILE.trim_end()));
    assert_eq!(dropped(&contents), Vec::<String>::new());
}

#[test]
fn addresses_for_media_and_cdns_are_no_data_centers() {
    let contents = read(FILE.as_bytes()).expect("read").contents;
    assert!(contents.session.dc(203).is_none());
}

#[test]
fn another_version_is_refused_since_gotd_would_log_in_anew() {
    let (column, problem) = refused(&FILE.replace("\"Version\":1", "\"Version\":2"));
    assert_eq!(column, "Version");
    assert!(problem.contains("log in anew"), "{problem}");
}

#[test]
fn a_key_that_does_not_have_its_id_is_refused() {
    let (column, _) = refused(&FILE.replace("MtFYbqRX38g=", "MtFYbqRX38k="));
    assert_eq!(column, "Data.AuthKeyID");
}

#[test]
fn without_a_config_the_known_address_is_taken_and_test_mode_is_not_known() {
    let begin = FILE.find("{\"BlockedMode\"").expect("a config");
    let end = FILE.find(",\"DC\":2,").expect("an end");
    let contents = read([&FILE[..begin], "null", &FILE[end..]].concat().as_bytes()).expect("read").contents;
    assert_eq!(contents.session.test_mode, None);
    assert!(contents.session.dcs[0].ipv4_addr.is_some());
}

#[test]
fn data_center_0_is_the_one_that_answered() {
    let contents = read(FILE.replace("\"DC\":2,", "\"DC\":0,").as_bytes()).expect("read").contents;
    assert_eq!(contents.session.home_dc, Some(2));
}

#[test]
fn what_is_no_such_json_is_said_by_its_offset_and_without_what_stands_there() {
    let json = FILE.replace("\"Salt\":-5", "\"Salt\":\"secret\"");
    let error = read(json.as_bytes()).expect_err("refused");
    assert!(matches!(&error, FormatError::Byte { offset, .. } if *offset > 1_000), "{error:?}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(id in 1..1_000i32, ip: std::net::Ipv4Addr, port: u16, test: bool, key: u8) {
        let mut dc = samples::dc(id);
        dc.ipv4_addr = Some(std::net::SocketAddrV4::new(ip, port));
        dc.auth = Auth::Key(AuthKey::try_from([key; 256].as_slice()).expect("256 bytes"));
        let session = Session { dcs: vec![dc], home_dc: Some(id), test_mode: Some(test), ..Session::default() };
        let contents = Contents { session, ..Contents::default() };
        let written = write(&contents, &Wanting::default()).expect("written");
        prop_assert!(looks_like(&written));
        prop_assert_eq!(read(&written).expect("read").contents.session, contents.session);
    }

    #[test]
    fn changed_json_is_read_or_refused(at in 0..2_000usize, with in "[\\x20-\\x7e]|\\PC", cut in 0..2_500usize) {
        let changed = samples::changed(FILE, at, &with, cut);
        let _ = (looks_like(changed.as_bytes()), read(changed.as_bytes()));
    }
}
