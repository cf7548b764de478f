use proptest::prelude::*;

use super::{dropped, looks_like, read, with_zeros, without_zeros, write};
use crate::{
    AuthKey, Contents, Session, User,
    formats::{ExportError, Lacking, Wanting, samples, strings::Base64},
};

/// The values of `exportAuthString` in order, put together by hand: the library cannot be installed from npm.
fn made(dc: &str, tail: &[u8]) -> String {
    let mut raw = vec![u8::try_from(dc.len()).expect("short")];
    raw.extend(dc.as_bytes());
    raw.resize(raw.len().next_multiple_of(4), 0);
    raw.extend([254, 0, 1, 0]);
    raw.extend(samples::key().expose());
    raw.extend(tail);
    Base64::UrlSafeBare.encode(&without_zeros(&raw)).to_string()
}

/// API id 4, a bot, user 7000000001.
const TAIL: [u8; 13] = [4, 0, 0, 0, 1, 0x01, 0x86, 0x3b, 0xa1, 1, 0, 0, 0];

#[test]
fn a_string_is_read_whole() {
    let text = made("2", &TAIL);
    assert!(looks_like(&text));
    let imported = read(&text).expect("read");
    let session = &imported.contents.session;
    assert_eq!(session.user, Some(User { id: 7_000_000_001, dc: 2, bot: Some(true), username: None }));
    assert_eq!((session.home_dc, session.test_mode), (Some(2), Some(false)));
    assert_eq!(session.dcs[0].auth.key(), Some(&samples::key()));
    assert_eq!(imported.contents.number("api_id"), Some(4));
    assert_eq!(imported.left_behind, Vec::<String>::new());
    assert_eq!(*write(&imported.contents, &Wanting::default()).expect("written"), text);
}

#[test]
fn a_test_server_is_told_by_its_name() {
    let session = read(&made("2-test", &TAIL)).expect("read").contents.session;
    assert_eq!(session.test_mode, Some(true));
    assert_eq!(
        session.dcs[0].ipv4_addr.map(|address| address.ip().to_string()).as_deref(),
        Some("149.154.167.40")
    );
}

#[test]
fn the_old_form_ends_after_the_key_and_tells_no_user() {
    let imported = read(&made("4", &[])).expect("read");
    assert_eq!(imported.contents.session.user, None);
    assert_eq!(imported.contents.session.home_dc, Some(4));
    assert!(imported.left_behind[0].contains("older"), "{:?}", imported.left_behind);
}

#[test]
fn what_is_needed_and_not_known_is_asked_for() {
    let session = Session { dcs: vec![samples::dc(2)], ..Session::default() };
    let contents = Contents { session, ..Contents::default() };
    let mut wanting = Wanting::default();
    let lacking = |wanting: &Wanting| match write(&contents, wanting) {
        Err(ExportError::Lacks { what, .. }) => what,
        other => panic!("{:?}", other.map(|_| "written")),
    };
    assert_eq!(lacking(&wanting), Lacking::ApiId);
    wanting.api_id = Some(4);
    assert_eq!(lacking(&wanting), Lacking::Bot);
    wanting.bot = Some(true);
    assert_eq!(lacking(&wanting), Lacking::UserId);
    wanting.user_id = Some(7_000_000_001);
    assert_eq!(*write(&contents, &wanting).expect("written"), made("2", &TAIL));
    assert_eq!(dropped(&contents), Vec::<String>::new());
}

#[test]
fn more_than_any_string_has_is_refused_before_it_is_made() {
    assert!(with_zeros(&[0, 255, 0, 255, 0, 3]).is_err());
    assert_eq!(*with_zeros(&[0, 0, 7]).expect("no zeros"), [7]);
}

proptest! {
    #[test]
    fn zeros_come_back(bytes in proptest::collection::vec(0..3u8, 0..512)) {
        prop_assert_eq!(&*with_zeros(&without_zeros(&bytes)).expect("put back"), &bytes);
    }

    #[test]
    fn what_was_written_is_read_back(id in 1..=255i32, test: bool, user in 1..i64::MAX, bot: bool, api in 1..i32::MAX, key: u8) {
        let mut dc = samples::dc(id);
        dc.auth = crate::Auth::Key(AuthKey::try_from([key; 256].as_slice()).expect("256 bytes"));
        crate::formats::dc_table::fill(&mut dc, test);
        let session = Session {
            dcs: vec![dc],
            home_dc: Some(id),
            test_mode: Some(test),
            user: Some(User { id: user, dc: id, bot: Some(bot), username: None }),
            ..Session::default()
        };
        let contents = Contents { session, ..Contents::default() };
        let wanting = Wanting { api_id: Some(api), ..Wanting::default() };
        let read = read(&write(&contents, &wanting).expect("written")).expect("read").contents;
        prop_assert_eq!(read.number("api_id"), Some(i64::from(api)));
        prop_assert_eq!(read.session, contents.session);
    }

    #[test]
    fn a_changed_string_is_read_or_refused(at in 0..500usize, with in ".", cut in 0..500usize) {
        let changed = samples::changed(&made("2", &TAIL), at, &with, cut);
        let _ = (looks_like(&changed), read(&changed));
    }
}
