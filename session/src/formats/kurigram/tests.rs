use rusqlite::Connection;

use super::FLAVOR;
use crate::{
    Peer, PeerKind,
    formats::{
        Imported, Wanting,
        pyrogram_family::{
            read,
            tests::{file, imported, one},
            write,
        },
        random,
    },
};

#[test]
fn states_and_usernames_and_the_address_are_kept() {
    let Imported { contents, left_behind, version, .. } = imported(&FLAVOR, "");
    assert_eq!((version, left_behind), (Some(7), Vec::new()));
    assert_eq!(contents.session.state, random::rich().session.state);
    assert_eq!(contents.session.dcs[0].ipv4_addr, "149.154.167.51:443".parse().ok());
    assert_eq!(contents.session.user.and_then(|user| user.username).as_deref(), Some("alice"));
}

#[test]
fn a_file_that_was_brought_up_from_version_3_is_read_by_its_columns_names() {
    let migrated = imported(
        &FLAVOR,
        "CREATE TABLE moved (dc_id INTEGER PRIMARY KEY, api_id INTEGER, test_mode INTEGER, auth_key BLOB,
            date INTEGER NOT NULL, user_id INTEGER, is_bot INTEGER);
         INSERT INTO moved SELECT dc_id, api_id, test_mode, auth_key, date, user_id, is_bot FROM sessions;
         DROP TABLE sessions; ALTER TABLE moved RENAME TO sessions;
         ALTER TABLE sessions ADD server_address TEXT; ALTER TABLE sessions ADD port INTEGER;
         UPDATE sessions SET server_address = '149.154.167.51', port = 443;
         DROP TRIGGER trg_peers_last_update_on;
         ALTER TABLE peers ADD COLUMN username TEXT; UPDATE peers SET username = 'stale' WHERE id = 7",
    );
    assert_eq!(migrated.contents, imported(&FLAVOR, "").contents);
}

#[test]
fn a_username_that_is_only_in_the_old_column_is_taken() {
    let migrated = imported(
        &FLAVOR,
        "DELETE FROM usernames; ALTER TABLE peers ADD COLUMN username TEXT;
         UPDATE peers SET username = 'old' WHERE id = 7",
    );
    assert_eq!(migrated.contents.session.user.and_then(|user| user.username).as_deref(), Some("old"));
}

#[test]
fn channels_are_written_by_their_marked_ids() {
    let file = file(&FLAVOR, "");
    assert_eq!(one::<i64>(&file, "SELECT pts FROM update_state WHERE id = -1000000001234"), 99);
    assert_eq!(one::<Option<i64>>(&file, "SELECT qts FROM update_state WHERE id = -1000000001234"), None);
}

#[test]
fn what_was_not_told_of_a_state_is_null_and_zero_here() {
    let state = imported(&FLAVOR, "UPDATE update_state SET qts = NULL, seq = NULL")
        .contents
        .session
        .state
        .expect("one");
    assert_eq!((state.pts, state.qts, state.seq), (10, 0, 0));
}

#[test]
fn a_null_address_is_that_of_the_table() {
    let imported = imported(&FLAVOR, "UPDATE sessions SET server_address = NULL, port = NULL");
    assert_eq!(imported.contents.session.dcs[0].ipv4_addr, "149.154.167.51:443".parse().ok());
}

#[test]
fn forums_and_direct_messages_and_communities_are_told_apart() {
    for kind in [PeerKind::Forum, PeerKind::Direct, PeerKind::Community, PeerKind::Channel] {
        let id = Peer::channel(1234);
        let contents = random::with_changed(random::rich(), id, |channel| channel.kind = Some(kind));
        let file = Connection::open_in_memory().expect("open");
        write(&file, &contents, &Wanting::default(), &FLAVOR).expect("written");
        let back = read(&file, &FLAVOR).expect("read").contents.peers.find(id).expect("there");
        assert_eq!(back.kind, Some(kind));
    }
}
