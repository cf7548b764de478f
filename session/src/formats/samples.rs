//! What the tests of several formats share: a key that anybody can tell, and strings that the libraries themselves wrote.

use crate::{Auth, AuthKey, DataCenter};

/// Each line a name and a string; how they were made stands in the file.
const STRINGS: &str = include_str!("../../tests/fixtures/strings.txt");

/// The bytes 0, 1, 2, ... 255.
pub(super) fn key() -> AuthKey {
    let bytes: Vec<u8> = (0..=255).collect();
    AuthKey::try_from(bytes.as_slice()).expect("256 bytes")
}

/// A data center with that key and no address.
pub(super) fn dc(id: i32) -> DataCenter {
    DataCenter { id, auth: Auth::Key(key()), ..DataCenter::default() }
}

/// A string of the file.
pub(super) fn string(name: &str) -> &'static str {
    let named = |line: &'static str| line.strip_prefix(name)?.strip_prefix(' ');
    STRINGS.lines().find_map(named).expect("a string of this name")
}

/// A text with something else at a character, cut off at another.
pub(super) fn changed(text: &str, at: usize, with: &str, cut: usize) -> String {
    let mut characters: Vec<String> = text.chars().map(String::from).collect();
    if let Some(character) = characters.get_mut(at) {
        with.clone_into(character);
    }
    characters.truncate(cut);
    characters.concat()
}
