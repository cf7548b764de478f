use proptest::prelude::*;

use super::{dropped, looks_like, read, write};
use crate::{
    Auth, AuthKey, Contents, Session, User,
    formats::{ExportError, Lacking, Wanting, mtcute::DcOption, mtcute::MEDIA_KEY, samples, strings::Base64},
};

#[test]
fn what_the_library_wrote_is_read_whole_and_written_alike() {
    let user = |id, bot| Some(User { id, dc: 2, bot: Some(bot), username: None });
    for (name, address, test, user) in [
        ("mtcute-media", "149.154.167.50:443", false, user(7_000_000_001, true)),
        ("mtcute-plain", "149.154.167.50:443", false, None),
        ("mtcute-test6", "[2001:67c:4e8:f002::e]:80", true, user(8, false)),
    ] {
        let text = samples::string(name);
        assert!(looks_like(text), "{name}");
        let contents = read(text).expect(name).contents;
        let [dc] = contents.session.dcs.as_slice() else { panic!("one data center") };
        let ipv4 = dc.ipv4_addr.map(|address| address.to_string());
        let ipv6 = dc.ipv6_addr.map(|address| address.to_string());
        assert_eq!(ipv4.or(ipv6).as_deref(), Some(address), "{name}");
        assert_eq!(dc.auth, Auth::Key(samples::key()), "{name}");
        assert_eq!(contents.session.user, user, "{name}");
        assert_eq!((contents.session.home_dc, contents.session.test_mode), (Some(2), Some(test)), "{name}");
        if name != "mtcute-test6" {
            assert_eq!(write(&contents, &Wanting::default()).expect(name).as_str(), text, "{name}");
        }
        assert_eq!(dropped(&contents), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_data_center_of_files_is_kept_as_mtcute_has_it() {
    let contents = read(samples::string("mtcute-media")).expect("read").contents;
    let media = DcOption::read(contents.attribute(MEDIA_KEY).expect("kept")).expect("read").expect("known");
    assert_eq!((media.ip.as_str(), media.media), ("149.154.167.222", true));
}

#[test]
fn the_old_flag_of_test_mode_counts_for_both_data_centers() {
    let mut raw = Base64::UrlSafeBare.decode(samples::string("mtcute-media"), 0).expect("decoded").to_vec();
    raw[1] |= 2;
    let contents = read(&Base64::UrlSafeBare.encode(&raw)).expect("read").contents;
    assert_eq!(contents.session.test_mode, Some(true));
    let media = DcOption::read(contents.attribute(MEDIA_KEY).expect("kept")).expect("read").expect("known");
    assert!(media.test);
}

#[test]
fn another_version_is_refused_by_its_number() {
    let mut raw = Base64::UrlSafeBare.decode(samples::string("mtcute-plain"), 0).expect("decoded").to_vec();
    raw[0] = 2;
    let error = read(&Base64::UrlSafeBare.encode(&raw)).expect_err("refused").to_string();
    assert!(error.contains("version 2"), "{error}");
}

#[test]
fn of_a_user_it_has_to_be_known_whether_it_is_a_bot() {
    let user = Some(User { id: 7, dc: 2, bot: None, username: None });
    let session = Session { dcs: vec![samples::dc(2)], user, ..Session::default() };
    let contents = Contents { session, ..Contents::default() };
    let refused = write(&contents, &Wanting::default());
    assert!(matches!(refused, Err(ExportError::Lacks { what: Lacking::Bot, .. })), "{refused:?}");
    let text = write(&contents, &Wanting { bot: Some(true), ..Wanting::default() }).expect("written");
    assert_eq!(read(&text).expect("read").contents.session.user.and_then(|user| user.bot), Some(true));
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(
        id in 1..=255i32, ip: std::net::Ipv4Addr, port: u16, test: bool, user in 1..i64::MAX, bot: bool, key: u8,
    ) {
        let mut dc = samples::dc(id);
        dc.ipv4_addr = Some(std::net::SocketAddrV4::new(ip, port));
        dc.auth = Auth::Key(AuthKey::try_from([key; 256].as_slice()).expect("256 bytes"));
        let user = User { id: user, dc: id, bot: Some(bot), username: None };
        let session = Session {
            dcs: vec![dc], user: Some(user), home_dc: Some(id), test_mode: Some(test), state: None,
        };
        let contents = Contents { session, ..Contents::default() };
        let text = write(&contents, &Wanting::default()).expect("written");
        prop_assert!(looks_like(&text));
        prop_assert_eq!(read(&text).expect("read").contents, contents);
    }

    #[test]
    fn a_changed_string_is_read_or_refused(at in 0..500usize, with in ".", cut in 0..500usize) {
        let changed = samples::changed(samples::string("mtcute-media"), at, &with, cut);
        let _ = (looks_like(&changed), read(&changed));
    }
}
