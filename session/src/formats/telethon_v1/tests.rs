use rusqlite::Connection;

use crate::{
    Auth, AuthKey, ChannelState, UpdateState, User,
    formats::{Format, FormatError, ImportError, Imported, open_file},
};

/// As Telethon 1.42 makes it.
const V7: &str = "
    CREATE TABLE version (version integer primary key);
    CREATE TABLE sessions (dc_id integer primary key, server_address text, port integer, auth_key blob,
        takeout_id integer);
    CREATE TABLE entities (id integer primary key, hash integer not null, username text, phone integer, name text,
        date integer);
    CREATE TABLE sent_files (md5_digest blob, file_size integer, type integer, id integer, hash integer,
        primary key(md5_digest, file_size, type));
    CREATE TABLE update_state (id integer primary key, pts integer, qts integer, date integer, seq integer);
    INSERT INTO version VALUES (7);
    INSERT INTO sessions VALUES (4, '149.154.167.91', 443, zeroblob(256), NULL);
    INSERT INTO entities VALUES (0, 5000000001, NULL, NULL, NULL, 1700000000);
    INSERT INTO entities VALUES (5000000001, -8, 'alice', 34600123456, 'Alice', 1700000000);
    INSERT INTO update_state VALUES (0, 10, 20, 1700000000, 40);";

/// What Telethon 1.45 does to such a file.
const TO_V8: &str = "
    ALTER TABLE sessions ADD COLUMN tmp_auth_key blob;
    UPDATE sessions SET tmp_auth_key = x'';
    UPDATE version SET version = 8;";

fn opened(changes: &[&str]) -> Result<Imported, ImportError> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.session");
    let file = Connection::open(&path).expect("open");
    file.execute_batch(V7).expect("version 7");
    for change in changes {
        file.execute_batch(change).expect(change);
    }
    drop(file);
    open_file(&path)
}

fn imported(changes: &[&str]) -> Imported {
    opened(changes).expect("imported")
}

fn refused(change: &str) -> FormatError {
    match opened(&[change]) {
        Err(ImportError::Format { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

fn leaves(imported: &Imported, what: &str) -> bool {
    imported.left_behind.iter().any(|sentence| sentence.contains(what))
}

fn ordinary_state() -> UpdateState {
    UpdateState { pts: 10, qts: 20, date: 1_700_000_000, seq: 40, channels: Vec::new() }
}

#[test]
fn an_ordinary_file_is_read_whole() {
    for (changes, version) in [(&[][..], 7), (&[TO_V8], 8)] {
        let Imported { format, session, left_behind } = imported(changes);
        assert_eq!(format, Format::TelethonV1 { version });
        let [dc] = session.dcs.as_slice() else { panic!("one data center") };
        assert_eq!((dc.id, dc.ipv4_addr, dc.ipv6_addr), (4, "149.154.167.91:443".parse().ok(), None));
        assert_eq!(dc.auth, Auth::Key(AuthKey::try_from([0; 256].as_slice()).expect("256 bytes")));
        assert_eq!(session.home_dc, Some(4));
        let user = User { id: 5_000_000_001, dc: 4, bot: None, username: Some("alice".into()) };
        assert_eq!(session.user, Some(user));
        assert_eq!(session.state, Some(ordinary_state()));
        let [entities] = left_behind.as_slice() else { panic!("{left_behind:?}") };
        assert!(entities.starts_with("1 entities"), "{entities}");
    }
}

#[test]
fn a_date_with_a_fraction_is_taken() {
    let imported = imported(&["INSERT INTO update_state VALUES (1234, 99, 0, 1795449794.688312, 0);
         UPDATE update_state SET date = 1700000000.75 WHERE id = 0"]);
    let channels = vec![ChannelState { id: 1234, pts: 99 }];
    assert_eq!(imported.session.state, Some(UpdateState { channels, ..ordinary_state() }));
}

#[test]
fn an_empty_blob_for_a_takeout_id_is_none() {
    let imported = imported(&[TO_V8, "UPDATE sessions SET takeout_id = x''"]);
    assert!(!leaves(&imported, "takeout"));
}

#[test]
fn a_takeout_and_a_temporary_key_and_sent_files_are_left_behind_and_said_so() {
    let imported = imported(&[
        TO_V8,
        "UPDATE sessions SET takeout_id = 77, tmp_auth_key = zeroblob(256);
        INSERT INTO sent_files VALUES (zeroblob(16), 1, 0, 2, 3)",
    ]);
    for what in ["takeout", "temporary key", "1 sent files"] {
        assert!(leaves(&imported, what), "{what}: {:?}", imported.left_behind);
    }
}

#[test]
fn an_empty_key_and_a_null_key_are_none() {
    for none in ["x''", "NULL"] {
        let imported = imported(&[&format!("UPDATE sessions SET auth_key = {none}")]);
        assert_eq!(imported.session.dcs[0].auth, Auth::Absent, "{none}");
    }
}

#[test]
fn a_null_address_is_none() {
    let imported = imported(&["UPDATE sessions SET server_address = NULL, port = NULL"]);
    assert_eq!(imported.session.dcs[0].ipv4_addr, None);
    assert!(imported.session.dcs[0].auth.is_present());
}

#[test]
fn an_ipv6_address_is_one() {
    let imported = imported(&["UPDATE sessions SET server_address = '2001:67c:4e8:f002::a'"]);
    let dc = &imported.session.dcs[0];
    assert_eq!((dc.ipv4_addr, dc.ipv6_addr), (None, "[2001:67c:4e8:f002::a]:443".parse().ok()));
}

#[test]
fn a_host_name_is_left_behind() {
    let imported = imported(&["UPDATE sessions SET server_address = 'example.org'"]);
    assert!(imported.session.dcs[0].auth.is_present());
    assert!(leaves(&imported, "example.org"), "{:?}", imported.left_behind);
}

#[test]
fn a_file_that_never_connected_has_no_data_center() {
    let imported = imported(&["DELETE FROM entities; DELETE FROM update_state;
         UPDATE sessions SET dc_id = 0, server_address = NULL, port = NULL, auth_key = x''"]);
    assert_eq!(imported.session, crate::Session::default());
}

#[test]
fn a_file_that_does_not_tell_whose_it_is_has_no_user() {
    let imported = imported(&["DELETE FROM entities WHERE id = 0"]);
    assert_eq!(imported.session.user, None);
    assert_eq!(imported.session.home_dc, Some(4));
    assert!(leaves(&imported, "who is logged in"));
}

#[test]
fn channels_are_read_where_the_account_has_no_state() {
    let imported = imported(&["DELETE FROM update_state WHERE id = 0;
         INSERT INTO update_state VALUES (1234, 99, NULL, NULL, NULL)"]);
    let channels = vec![ChannelState { id: 1234, pts: 99 }];
    assert_eq!(imported.session.state, Some(UpdateState { channels, ..UpdateState::default() }));
}

#[test]
fn a_state_whose_id_is_no_channels_is_left_behind() {
    let imported = imported(&["INSERT INTO update_state VALUES (-1001234, 99, 0, 0, 0)"]);
    assert_eq!(imported.session.state, Some(ordinary_state()));
    assert!(leaves(&imported, "1 update states"), "{:?}", imported.left_behind);
}

#[test]
fn a_file_without_a_version_row_is_known_by_its_columns() {
    for (changes, version) in [(&[][..], 7), (&[TO_V8], 8)] {
        let imported = imported(&[changes, &["DELETE FROM version"]].concat());
        assert_eq!(imported.format, Format::TelethonV1 { version });
    }
}

#[test]
fn a_version_above_the_known_is_read_and_said_so() {
    let imported = imported(&[TO_V8, "UPDATE version SET version = 9"]);
    assert!(imported.session.user.is_some());
    assert!(leaves(&imported, "version 9"), "{:?}", imported.left_behind);
}

#[test]
fn a_version_below_the_known_is_told_the_way() {
    let error = refused("UPDATE version SET version = 6");
    assert!(matches!(error, FormatError::Old(Format::TelethonV1 { version: 6 })), "{error}");
}

#[test]
fn extra_tables_do_no_harm() {
    let imported = imported(&["CREATE TABLE encrypts (id); CREATE TABLE peers2 (id); ANALYZE"]);
    assert!(imported.session.user.is_some());
}

#[test]
fn columns_in_another_order_are_read_by_their_names() {
    let imported = imported(&["CREATE TABLE moved (auth_key blob, port integer, dc_id integer primary key,
            tmp_auth_key blob, server_address text, takeout_id integer);
         INSERT INTO moved SELECT auth_key, port, dc_id, NULL, server_address, takeout_id FROM sessions;
         DROP TABLE sessions; ALTER TABLE moved RENAME TO sessions"]);
    let dc = &imported.session.dcs[0];
    assert_eq!((dc.id, dc.ipv4_addr), (4, "149.154.167.91:443".parse().ok()));
    assert!(dc.auth.is_present());
}

#[test]
fn a_value_that_cannot_be_is_refused_by_its_column() {
    for (change, column) in [
        ("UPDATE sessions SET auth_key = zeroblob(255)", "sessions.auth_key"),
        ("UPDATE sessions SET port = 65536", "sessions.port"),
        ("UPDATE sessions SET dc_id = 5000000000", "sessions.dc_id"),
        ("UPDATE update_state SET pts = -1 WHERE id = 0", "update_state.pts"),
        ("UPDATE update_state SET pts = 2147483648 WHERE id = 0", "update_state.pts"),
        ("UPDATE update_state SET seq = 'many' WHERE id = 0", "update_state.seq"),
        ("UPDATE entities SET hash = 0 WHERE id = 0", "entities.hash"),
        ("ALTER TABLE sessions DROP COLUMN port", "sessions.port"),
    ] {
        match refused(change) {
            FormatError::Value { column: wrong, .. } => assert_eq!(wrong, column, "{change}"),
            other => panic!("{change}: {other}"),
        }
    }
}
