use std::{fs, path::PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{account::session, config::Config, file_name, is_this, key_file::KeyFile, read};
use crate::{
    Auth, Contents,
    formats::{FormatError, Imported, samples},
};

/// Made with opentele2 2.0.0: `TData.new` with user 7000000001 at data center 2, with keys of 2 and 4, and as the third
/// account user 8 at data center 4; `locked` with the passcode 1234. The key file of `locked-before-7.3` was put together of
/// its `create_local_key` and `encrypt_local`, and is read by it.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tdata").join(name)
}

fn copied(name: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tdata");
    fs::create_dir(&path).expect("made");
    for entry in fs::read_dir(fixture(name)).expect("listed") {
        let entry = entry.expect("an entry");
        if entry.path().is_file() {
            fs::copy(entry.path(), path.join(entry.file_name())).expect("copied");
        }
    }
    (directory, path)
}

fn is_whole(accounts: &[Imported]) {
    let [first, second] = accounts else { panic!("two accounts") };
    assert_eq!((first.account.as_deref(), second.account.as_deref()), (Some("1"), Some("3")));
    let Contents { session, .. } = &first.contents;
    let user = session.user.as_ref().expect("a user");
    assert_eq!((user.id, user.dc, user.bot), (7_000_000_001, 2, None));
    assert_eq!(session.dcs.iter().map(|dc| dc.id).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(session.dcs[0].auth, Auth::Key(samples::key()));
    assert!(session.dcs.iter().all(|dc| dc.ipv4_addr.is_some()));
    assert_eq!(second.contents.session.user.as_ref().map(|user| (user.id, user.dc)), Some((8, 4)));
    assert!(accounts.iter().all(|account| account.left_behind.is_empty()));
}

#[test]
fn what_the_library_wrote_without_a_passcode_is_read_whole() {
    assert!(is_this(&fixture("open")));
    let accounts = read(&fixture("open"), None).expect("read");
    is_whole(&accounts);
    assert_eq!(accounts[0].contents.session.test_mode, Some(false));
}

#[test]
fn with_the_passcode_both_layouts_of_the_key_file_are_read_whole() {
    is_whole(&read(&fixture("locked"), Some("1234")).expect("since 7.3"));
    is_whole(&read(&fixture("locked-before-7.3"), Some("1234")).expect("before 7.3"));
}

#[test]
fn a_missing_passcode_is_asked_for_and_a_wrong_one_is_said_to_be_wrong() {
    for name in ["locked", "locked-before-7.3"] {
        assert!(matches!(read(&fixture(name), None), Err(FormatError::PasscodeNeeded)), "{name}");
        assert!(matches!(read(&fixture(name), Some("1235")), Err(FormatError::PasscodeWrong)), "{name}");
    }
}

#[test]
fn a_passcode_that_is_not_needed_does_no_harm() {
    is_whole(&read(&fixture("open"), Some("1")).expect("it is not locked"));
}

#[test]
fn the_directory_above_is_taken_too() {
    let (directory, _path) = copied("open");
    assert!(is_this(directory.path()));
    is_whole(&read(directory.path(), None).expect("read"));
}

#[test]
fn an_account_that_cannot_be_read_is_left_behind_and_said() {
    let (_directory, path) = copied("open");
    fs::remove_file(path.join("F8806DD0C461824Fs")).expect("removed");
    let accounts = read(&path, None).expect("read");
    assert_eq!(accounts.len(), 1);
    assert!(accounts[0].left_behind[0].contains("account 3"), "{:?}", accounts[0].left_behind);
}

#[test]
fn an_older_file_is_taken_where_the_newest_is_damaged() {
    let (_directory, path) = copied("open");
    fs::rename(path.join("key_datas"), path.join("key_data0")).expect("renamed");
    fs::write(path.join("key_datas"), "TDF$ and no more").expect("written");
    is_whole(&read(&path, None).expect("read"));
}

#[test]
fn a_damaged_file_is_named() {
    let (_directory, path) = copied("open");
    let mut bytes = fs::read(path.join("key_datas")).expect("read");
    bytes[40] ^= 1;
    fs::write(path.join("key_datas"), bytes).expect("written");
    let error = read(&path, None).expect_err("refused").to_string();
    assert!(error.starts_with("key_datas"), "{error}");
}

#[test]
fn files_of_accounts_have_the_names_that_telegram_desktop_gives_them() {
    assert_eq!(file_name(0), "D877F783D5D3EF8C");
    assert_eq!(file_name(2), "F8806DD0C461824F");
}

proptest! {
    #[test]
    fn any_key_file_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = KeyFile::read(&bytes, None);
    }

    #[test]
    fn a_changed_key_file_is_read_or_refused(at in 0..600usize, with: u8, cut in 0..600usize) {
        let mut bytes = fs::read(fixture("open").join("key_datas")).expect("read")[8..].to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        bytes.truncate(cut);
        let _ = KeyFile::read(&bytes, Some(""));
    }

    #[test]
    fn a_changed_account_is_read_or_refused(at in 0..300usize, with: u8, cut in 0..700usize) {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let keys = [words(&[7, 2, 1, 2]), vec![9; 256], words(&[0])].concat();
        let mut bytes = [words(&[0x4b, u32::try_from(keys.len()).expect("short")]), keys].concat();
        prop_assert!(session(&bytes, &Config::default()).is_ok());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        bytes.truncate(cut);
        let _ = session(&bytes, &Config::default());
    }

    #[test]
    fn changed_addresses_are_read_or_refused(at in 0..60usize, with: u8, cut in 0..90usize) {
        let word = |word: u32| word.to_be_bytes().to_vec();
        let text = |text: &[u8]| [word(u32::try_from(text.len()).expect("short")), text.to_vec()].concat();
        let minus_one = word(u32::MAX);
        let option = [word(2), word(0), word(443), text(b"1.2.3.4"), text(b"")].concat();
        let options = text(&[minus_one, word(1), option].concat());
        let mut bytes = [word(1), word(0), options].concat();
        prop_assert!(Config::parse(&bytes).is_ok());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        bytes.truncate(cut);
        let _ = Config::parse(&bytes);
    }
}
