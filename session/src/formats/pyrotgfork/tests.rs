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
    assert_eq!(contents.peers.find(7).and_then(|own| own.usernames), Some(vec!["alice".to_owned()]));
}

#[test]
fn a_file_of_version_4_has_no_states() {
    let imported = imported(&FLAVOR, "DROP TABLE update_state; UPDATE version SET number = 4");
    assert_eq!((imported.version, imported.contents.session.state), (Some(4), None));
}

#[test]
fn several_usernames_are_kept_in_their_order() {
    let names: Vec<String> = vec!["alice".into(), "bob".into(), "carol".into()];
    let contents = random::with_changed(random::rich(), 7, |own| own.usernames = Some(names.clone()));
    let file = Connection::open_in_memory().expect("open");
    write(&file, &contents, &Wanting::default(), &FLAVOR).expect("written");
    let own = read(&file, &FLAVOR).expect("read").contents.peers.find(7).expect("there");
    assert_eq!(own.usernames, Some(names));
}
