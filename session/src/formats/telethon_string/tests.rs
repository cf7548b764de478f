use super::{dropped, looks_like, read, write};
use crate::{
    Auth, AuthKey,
    formats::{
        ExportError, Format, FormatError, Lacking, Reading, Wanting, random, read_bytes, strings::Base64,
    },
};

/// What Telethon 1.45 writes for data center 2 with this address and the key 00 01 02 ... ff.
fn telethons(ip: &[u8]) -> String {
    let mut raw = vec![2];
    raw.extend(ip);
    raw.extend(443_u16.to_be_bytes());
    raw.extend(0..=255_u8);
    format!("1{}", *Base64::UrlSafe.encode(&raw))
}

fn key() -> Auth {
    let bytes: Vec<_> = (0..=255).collect();
    Auth::Key(AuthKey::try_from(bytes.as_slice()).expect("256 bytes"))
}

const IPV6: [u8; 16] = [0x20, 1, 6, 0x7c, 4, 0xe8, 0xf0, 2, 0, 0, 0, 0, 0, 0, 0, 0xa];

#[test]
fn a_string_with_an_ipv4_address_is_read() {
    let text = telethons(&[149, 154, 167, 51]);
    assert_eq!(text.len(), 353);
    assert!(text.starts_with("1ApWapzMBuwABAgME") && text.ends_with("z9_v8="));
    let imported = read(&text).expect("read");
    let [dc] = imported.contents.session.dcs.as_slice() else { panic!("one") };
    assert_eq!((dc.id, dc.ipv4_addr, dc.ipv6_addr), (2, "149.154.167.51:443".parse().ok(), None));
    assert_eq!(dc.auth, key());
    assert_eq!(imported.contents.session.home_dc, Some(2));
    assert_eq!(imported.contents.session.user, None);
}

#[test]
fn a_string_with_an_ipv6_address_is_read() {
    let text = telethons(&IPV6);
    assert_eq!(text.len(), 369);
    let dc = read(&text).expect("read").contents.session.dcs.remove(0);
    assert_eq!((dc.ipv4_addr, dc.ipv6_addr), (None, "[2001:67c:4e8:f002::a]:443".parse().ok()));
}

#[test]
fn blanks_and_line_ends_around_a_string_do_no_harm() {
    let text = format!("  {}\r\n", telethons(&[149, 154, 167, 51]));
    let imported = read_bytes(text.as_bytes(), &Reading::default()).expect("read");
    assert_eq!(imported[0].format, Format::TelethonString);
}

#[test]
fn a_string_of_gramjs_as_long_as_one_with_an_ipv6_address_is_not_taken_for_one() {
    let mut raw = vec![4, 0, 14];
    raw.extend(b"149.154.167.91");
    raw.extend(443_i16.to_be_bytes());
    raw.extend(0..=255_u8);
    assert_eq!(raw.len(), 275);
    assert!(!looks_like(&format!("1{}", *Base64::UrlSafe.encode(&raw))));
    assert!(looks_like(&telethons(&IPV6)));
}

#[test]
fn a_key_of_zeros_is_none() {
    let mut raw = vec![2, 149, 154, 167, 51, 1, 187];
    raw.extend([0; 256]);
    let text = format!("1{}", *Base64::UrlSafe.encode(&raw));
    assert_eq!(read(&text).expect("read").contents.session.dcs[0].auth, Auth::Absent);
}

#[test]
fn what_is_cut_off_or_has_no_version_is_refused() {
    let text = telethons(&[149, 154, 167, 51]);
    assert!(matches!(read(&text[1..]), Err(FormatError::Unknown(_))));
    assert!(read(&text[..200]).is_err());
    assert!(read("1").is_err());
    let no_dc = format!("1{}", *Base64::UrlSafe.encode(&[0; 263]));
    assert!(matches!(read(&no_dc), Err(FormatError::Byte { offset: 0, .. })));
}

#[test]
fn what_is_written_is_what_telethon_writes() {
    let mut contents = random::rich();
    contents.session.dcs[0].auth = key();
    let written = write(&contents, &Wanting::default()).expect("written");
    assert_eq!(*written, telethons(&[149, 154, 167, 51]));
}

#[test]
fn a_session_without_a_key_makes_no_string() {
    let mut contents = random::rich();
    contents.session.dcs[0].auth = Auth::Absent;
    let error = write(&contents, &Wanting::default()).expect_err("no key");
    assert!(matches!(error, ExportError::Lacks { what: Lacking::Key(2), .. }), "{error}");
    contents.session.dcs[0].auth = key();
    contents.session.dcs[0].id = 300;
    contents.session.home_dc = Some(300);
    let error = write(&contents, &Wanting::default()).expect_err("too large");
    assert!(matches!(error, ExportError::TooLarge { .. }), "{error}");
}

#[test]
fn an_ipv6_address_is_written_where_it_is_the_only_one_of_its_own_and_else_said_to_be_lost() {
    let mut contents = random::rich();
    let lost = |contents: &_| {
        dropped(contents).contains(&"1 address: of data centers that no library knows by itself".to_owned())
    };
    let address_of = |contents: &_| {
        let text = write(contents, &Wanting::default()).expect("written");
        let home = read(&text).expect("read").contents.session.dcs.remove(0);
        (home.ipv4_addr.map(|address| address.to_string()), home.ipv6_addr.map(|address| address.to_string()))
    };
    // One that every library knows is no loss: they connect over IPv4 unless told otherwise.
    contents.session.dcs[0].ipv4_addr = None;
    contents.session.dcs[0].ipv6_addr = "[2001:67c:4e8:f002::a]:443".parse().ok();
    assert_eq!(address_of(&contents), (Some("149.154.167.51:443".into()), None));
    assert!(!lost(&contents));

    contents.session.dcs[0].ipv4_addr = "149.154.167.51:443".parse().ok();
    contents.session.dcs[0].ipv6_addr = "[2001:db8::7]:443".parse().ok();
    assert_eq!(address_of(&contents), (None, Some("[2001:db8::7]:443".into())));
    assert!(!lost(&contents));

    contents.session.dcs[0].ipv4_addr = "9.8.7.6:443".parse().ok();
    assert_eq!(address_of(&contents), (Some("9.8.7.6:443".into()), None));
    assert!(lost(&contents));
}
