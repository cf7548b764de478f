use rusqlite::Connection;

use super::FLAVOR;
use crate::formats::{
    Imported, Wanting,
    pyrogram_family::{read, tests::imported, write},
    random,
};

#[test]
fn states_and_usernames_are_kept() {
    let Imported { contents, left_behind, version, .. } = imported(&FLAVOR, "");
    assert_eq!((version, left_behind), (Some(6), Vec::new()));
    assert_eq!(contents.session.state, random::rich().session.state);
    assert_eq!(contents.peers[2].usernames.as_deref(), Some(&["alice".to_owned()][..]));
}

#[test]
fn a_file_of_version_4_has_no_states() {
    let imported = imported(&FLAVOR, "DROP TABLE update_state; UPDATE version SET number = 4");
    assert_eq!((imported.version, imported.contents.session.state), (Some(4), None));
}

#[test]
fn several_usernames_are_kept_in_their_order() {
    let mut contents = random::rich();
    contents.peers[2].usernames = Some(vec!["alice".into(), "bob".into(), "carol".into()]);
    let file = Connection::open_in_memory().expect("open");
    write(&file, &contents, &Wanting::default(), &FLAVOR).expect("written");
    assert_eq!(read(&file, &FLAVOR).expect("read").contents.peers[2].usernames, contents.peers[2].usernames);
}
