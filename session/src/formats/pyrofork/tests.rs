use rusqlite::Connection;

use super::FLAVOR;
use crate::formats::{
    Imported, Wanting,
    pyrogram_family::{
        read,
        tests::{file, imported, one},
        write,
    },
    random,
};

#[test]
fn states_and_usernames_are_kept() {
    let Imported { contents, left_behind, version, .. } = imported(&FLAVOR, "");
    assert_eq!((version, left_behind), (Some(4), Vec::new()));
    assert_eq!(contents.session.state, random::rich().session.state);
    assert_eq!(contents.session.user.and_then(|user| user.username).as_deref(), Some("alice"));
}

#[test]
fn a_file_that_was_brought_up_from_version_3_may_have_no_table_of_usernames() {
    let imported = imported(&FLAVOR, "DROP TABLE usernames");
    assert_eq!(imported.contents.peers.find(7).and_then(|own| own.usernames), Some(vec!["alice".to_owned()]));
}

#[test]
fn one_username_is_with_its_peer_and_of_several_all_are_in_the_table_too() {
    assert_eq!(one::<i64>(&file(&FLAVOR, ""), "SELECT count(*) FROM usernames"), 0);
    let names: Vec<String> = vec!["alice".into(), "bob".into()];
    let contents = random::with_changed(random::rich(), 7, |own| own.usernames = Some(names.clone()));
    let file = Connection::open_in_memory().expect("open");
    write(&file, &contents, &Wanting::default(), &FLAVOR).expect("written");
    assert_eq!(one::<i64>(&file, "SELECT peer_id FROM usernames WHERE id = 'bob'"), 7);
    assert_eq!(one::<String>(&file, "SELECT username FROM peers WHERE id = 7"), "alice");
    let own = read(&file, &FLAVOR).expect("read").contents.peers.find(7).expect("there");
    assert_eq!(own.usernames, Some(names));
}
