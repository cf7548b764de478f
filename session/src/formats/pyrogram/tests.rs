use rusqlite::Connection;

use super::FLAVOR;
use crate::{
    Peer, PeerKind,
    formats::{
        Imported, Wanting,
        pyrogram_family::{
            dropped, read,
            tests::{file, imported, one},
            write,
        },
        random,
    },
};

#[test]
fn an_ordinary_file_is_read_whole() {
    let Imported { contents, left_behind, version, .. } = imported(&FLAVOR, "");
    assert_eq!((version, left_behind), (Some(3), Vec::new()));
    let session = &contents.session;
    let user = session.user.as_ref().expect("a user");
    assert_eq!((user.id, user.dc, user.bot, user.username.as_deref()), (7, 2, Some(true), Some("alice")));
    assert_eq!(session.dcs.len(), 1);
    assert_eq!(session.dcs[0].ipv4_addr, "149.154.167.51:443".parse().ok(), "from the table");
    assert_eq!((contents.number("api_id"), contents.number("created")), (Some(12_345), Some(1_600_000_000)));
    let peers: Vec<Peer> = contents.peers.iter().collect();
    let [channel, group, own] = peers.as_slice() else { panic!("three") };
    assert_eq!((channel.id, channel.kind), (Peer::channel(1234), Some(PeerKind::Supergroup)));
    assert_eq!((group.id, group.access_hash), (-55, Some(0)));
    assert_eq!(own.phone.as_deref(), Some("34600123456"));
}

#[test]
fn a_file_of_version_2_has_no_api_id() {
    let imported =
        imported(&FLAVOR, "ALTER TABLE sessions DROP COLUMN api_id; UPDATE version SET number = 2");
    assert_eq!((imported.version, imported.contents.number("api_id")), (Some(2), None));
    assert!(imported.contents.session.user.is_some());
}

#[test]
fn a_file_of_version_1_is_told_the_way() {
    let error = read(&file(&FLAVOR, "UPDATE version SET number = 1"), &FLAVOR).expect_err("old");
    assert!(error.to_string().contains("Pyrogram 2.0.106"), "{error}");
}

#[test]
fn a_file_that_nobody_logged_in_with_has_no_data_center_and_no_user() {
    let session = imported(
        &FLAVOR,
        "UPDATE sessions SET api_id = NULL, test_mode = NULL, auth_key = NULL, date = 0, user_id = NULL,
         is_bot = NULL; DELETE FROM peers",
    )
    .contents
    .session;
    assert_eq!(
        (session.dcs, session.user, session.home_dc, session.test_mode),
        (vec![], None, Some(2), None)
    );
}

#[test]
fn a_type_that_is_not_known_is_left_behind() {
    let imported = imported(&FLAVOR, "UPDATE peers SET type = 'planet' WHERE id = 7");
    assert_eq!(imported.contents.peers.len(), 2);
    assert!(imported.left_behind[0].contains("1 peers"), "{:?}", imported.left_behind);
}

#[test]
fn a_key_is_not_written_without_whose_it_is() {
    let mut contents = random::rich();
    contents.session.user = None;
    let file = Connection::open_in_memory().expect("open");
    let error = write(&file, &contents, &Wanting::default(), &FLAVOR).expect_err("no user");
    assert!(error.to_string().contains("id of the user"), "{error}");
}

#[test]
fn kinds_that_it_does_not_have_are_written_as_the_nearest_and_said_to_be_lost() {
    let id = Peer::channel(1234);
    let contents = random::with_changed(random::rich(), id, |channel| channel.kind = Some(PeerKind::Forum));
    assert!(dropped(&contents, &FLAVOR).iter().any(|said| said.contains("1 peer: are of a kind")));
    let file = Connection::open_in_memory().expect("open");
    write(&file, &contents, &Wanting::default(), &FLAVOR).expect("written");
    assert_eq!(one::<String>(&file, "SELECT type FROM peers WHERE id < -1000"), "supergroup");
    assert_eq!(one::<String>(&file, "SELECT type FROM peers WHERE id = 7"), "bot", "as the user is");
}
