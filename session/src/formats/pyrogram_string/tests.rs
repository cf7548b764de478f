use super::{looks_like, read, write};
use crate::{
    Auth,
    formats::{ExportError, Format, Lacking, Reading, Wanting, random, read_bytes, strings::Base64},
};

/// A string of the form that has so many characters.
fn string(length: usize, test: u8, user: u64, bot: u8) -> String {
    let mut raw = vec![4];
    if length == 362 {
        raw.extend(12_345_u32.to_be_bytes());
    }
    raw.push(test);
    raw.extend(random::key(9).expose());
    if length == 351 {
        raw.extend(u32::try_from(user).expect("small").to_be_bytes());
    } else {
        raw.extend(user.to_be_bytes());
    }
    raw.push(bot);
    let text = Base64::UrlSafeBare.encode(&raw).to_string();
    assert_eq!(text.len(), length);
    text
}

#[test]
fn strings_of_351_and_356_and_362_characters_are_read() {
    for (length, api_id) in [(351, None), (356, None), (362, Some(12_345))] {
        let text = string(length, 0, 4_000_000_000, 1);
        let imported = read_bytes(text.as_bytes(), &Reading::default()).expect("read").remove(0);
        assert_eq!((imported.format, imported.doubts.len()), (Format::PyrogramString, 0));
        let session = &imported.contents.session;
        let user = session.user.as_ref().expect("a user");
        assert_eq!((user.id, user.dc, user.bot), (4_000_000_000, 4, Some(true)));
        assert_eq!(session.dcs[0].auth, Auth::Key(random::key(9)));
        assert_eq!(session.dcs[0].ipv4_addr, "149.154.167.91:443".parse().ok(), "from the table");
        assert_eq!((session.home_dc, session.test_mode), (Some(4), Some(false)));
        assert_eq!(imported.contents.number("api_id"), api_id);
    }
}

#[test]
fn a_test_servers_address_is_of_the_test_servers() {
    let mut raw = Base64::UrlSafeBare.decode(&string(356, 1, 7, 0), 0).expect("base64");
    raw[0] = 2;
    let session = read(&Base64::UrlSafeBare.encode(&raw)).expect("read").contents.session;
    assert_eq!(session.dcs[0].ipv4_addr, "149.154.167.40:80".parse().ok());
    assert_eq!(session.test_mode, Some(true));
}

#[test]
fn a_flag_that_is_no_flag_and_a_user_that_is_none_are_refused() {
    assert!(read(&string(356, 2, 7, 0)).is_err());
    assert!(read(&string(356, 0, 7, 2)).is_err());
    assert!(!looks_like(&string(356, 0, 7, 2)));
    assert!(read(&string(356, 0, 0, 0)).is_err());
    assert!(read(&string(356, 0, u64::MAX, 0)).is_err());
    assert!(read(&string(362, 0, 7, 0)[..361]).is_err());
}

#[test]
fn the_newest_form_is_written_and_needs_what_it_has() {
    let written = write(&random::rich(), &Wanting::default()).expect("written");
    assert_eq!(written.len(), 362);
    let mut contents = random::rich();
    contents.attributes.clear();
    let error = write(&contents, &Wanting::default()).expect_err("no API id");
    assert!(matches!(error, ExportError::Lacks { what: Lacking::ApiId, .. }), "{error}");
    contents.session.user = None;
    let wanting = Wanting { api_id: Some(12_345), user_id: Some(7), bot: Some(true) };
    assert_eq!(*write(&contents, &wanting).expect("written"), *written);
    for lacking in [Wanting { user_id: None, ..wanting }, Wanting { bot: None, ..wanting }] {
        assert!(matches!(write(&contents, &lacking), Err(ExportError::Lacks { .. })));
    }
}
