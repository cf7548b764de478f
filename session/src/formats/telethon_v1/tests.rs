use rusqlite::{Connection, types::FromSql};

use crate::{
    Auth, AuthKey, ChannelState, Contents, Peer, PeerKind, UpdateState, User,
    formats::{Format, FormatError, ImportError, Imported, Reading, Schema, Wanting, random, read_path},
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
    read_path(&path, &Reading::default()).map(|mut imported| imported.pop().expect("one"))
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

fn schema(version: i64) -> Schema {
    Schema { format: Format::TelethonV1, version: Some(version) }
}

fn ordinary_state() -> UpdateState {
    UpdateState { pts: 10, qts: 20, date: 1_700_000_000, seq: 40, channels: Vec::new() }
}

#[test]
fn an_ordinary_file_is_read_whole() {
    for (changes, version) in [(&[][..], 7), (&[TO_V8], 8)] {
        let imported = imported(changes);
        assert_eq!(imported.schema(), schema(version));
        let Imported { contents, left_behind, .. } = imported;
        let session = &contents.session;
        let [dc] = session.dcs.as_slice() else { panic!("one data center") };
        assert_eq!((dc.id, dc.ipv4_addr, dc.ipv6_addr), (4, "149.154.167.91:443".parse().ok(), None));
        assert_eq!(dc.auth, Auth::Key(AuthKey::try_from([0; 256].as_slice()).expect("256 bytes")));
        assert_eq!(session.home_dc, Some(4));
        let user = User { id: 5_000_000_001, dc: 4, bot: None, username: Some("alice".into()) };
        assert_eq!(session.user.as_ref(), Some(&user));
        assert_eq!(session.state.as_ref(), Some(&ordinary_state()));
        assert_eq!(left_behind, Vec::<String>::new());
        let own = Peer {
            id: 5_000_000_001,
            access_hash: Some(-8),
            kind: Some(PeerKind::User),
            usernames: Some(vec!["alice".into()]),
            phone: Some("34600123456".into()),
            name: Some("Alice".into()),
            seen: Some(1_700_000_000),
            ..Peer::default()
        };
        assert!(contents.peers.iter().eq([own]), "the row of id 0 is no peer");
        assert_eq!(contents.attributes, []);
    }
}

#[test]
fn a_date_with_a_fraction_is_taken() {
    let imported = imported(&["INSERT INTO update_state VALUES (1234, 99, 0, 1795449794.688312, 0);
         UPDATE update_state SET date = 1700000000.75 WHERE id = 0"]);
    let channels = vec![ChannelState { id: 1234, pts: 99 }];
    assert_eq!(imported.contents.session.state, Some(UpdateState { channels, ..ordinary_state() }));
}

#[test]
fn an_empty_blob_for_a_takeout_id_is_none() {
    let imported = imported(&[TO_V8, "UPDATE sessions SET takeout_id = x''"]);
    assert!(!leaves(&imported, "takeout"));
    assert_eq!(imported.contents.attributes, []);
}

#[test]
fn a_takeout_and_sent_files_are_attributes_and_a_temporary_key_is_left_behind() {
    let imported = imported(&[
        TO_V8,
        "UPDATE sessions SET takeout_id = 77, tmp_auth_key = zeroblob(256);
        INSERT INTO sent_files VALUES (zeroblob(16), 1, 0, 2, 3)",
    ]);
    assert!(leaves(&imported, "temporary key"), "{:?}", imported.left_behind);
    assert_eq!(imported.contents.number("takeout_id"), Some(77));
    let file = imported.contents.attribute("telethon.file/00000000000000000000000000000000.1.0");
    assert_eq!(file, Some(&[2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0][..]));
}

#[test]
fn a_key_in_the_place_of_a_takeout_id_is_left_behind() {
    let imported = imported(&[TO_V8, "UPDATE sessions SET takeout_id = zeroblob(256)"]);
    assert!(leaves(&imported, "takeout id"), "{:?}", imported.left_behind);
    assert_eq!(imported.contents.attributes, []);
}

#[test]
fn an_address_of_a_test_server_tells_test_mode() {
    let changed = imported(&["UPDATE sessions SET dc_id = 2, server_address = '149.154.167.40', port = 80"]);
    assert_eq!(changed.contents.session.test_mode, Some(true));
    assert_eq!(imported(&[]).contents.session.test_mode, None);
}

fn exported(contents: &Contents, format: Format) -> Connection {
    let file = Connection::open_in_memory().expect("open");
    super::write(&file, contents, &Wanting::default(), format).expect("written");
    file
}

fn one<T: FromSql>(file: &Connection, sql: &str) -> T {
    file.query_row(sql, [], |row| row.get(0)).expect(sql)
}

#[test]
fn version_7_is_written_unless_8_is_asked_for() {
    for (format, version, columns) in [(Format::TelethonV1, 7, 5), (Format::TelethonV1Version8, 8, 6)] {
        let file = exported(&random::rich(), format);
        assert_eq!(one::<i64>(&file, "SELECT version FROM version"), version);
        assert_eq!(one::<i64>(&file, "SELECT count(*) FROM pragma_table_info('sessions')"), columns);
    }
}

#[test]
fn the_accounts_row_is_written_even_without_a_state() {
    let file = exported(&Contents::default(), Format::TelethonV1);
    assert_eq!(one::<i64>(&file, "SELECT count(*) FROM update_state WHERE id = 0"), 1);
    assert_eq!(one::<i64>(&file, "SELECT dc_id FROM sessions"), 0, "as in a file that never connected");
}

#[test]
fn who_is_logged_in_is_written_as_the_hash_of_id_0() {
    let file = exported(&random::rich(), Format::TelethonV1);
    assert_eq!(one::<i64>(&file, "SELECT hash FROM entities WHERE id = 0"), 7);
}

#[test]
fn an_ipv4_address_is_written_where_one_is_known() {
    let mut contents = random::rich();
    contents.session.dcs[0].ipv4_addr = None;
    contents.session.dcs[0].ipv6_addr = "[2001:67c:4e8:f002::a]:443".parse().ok();
    let file = exported(&contents, Format::TelethonV1);
    assert_eq!(one::<String>(&file, "SELECT server_address FROM sessions"), "149.154.167.51");
}

#[test]
fn peers_that_telethon_would_not_keep_are_dropped_and_said_so() {
    let mut contents = random::rich();
    let hashless = Peer { id: 5, access_hash: Some(0), ..Peer::default() };
    contents.peers = contents.peers.iter().filter(|peer| peer.id != -55).chain([hashless]).collect();
    let contents = random::with_changed(contents, Peer::channel(1234), |channel| channel.min = Some(true));
    let said = super::dropped(&contents);
    assert!(said.iter().any(|sentence| sentence.starts_with("2 peers: without")), "{said:?}");
    let file = exported(&contents, Format::TelethonV1);
    assert_eq!(one::<i64>(&file, "SELECT count(*) FROM entities WHERE id <> 0"), 1);
}

#[test]
fn an_empty_key_and_a_null_key_are_none() {
    for none in ["x''", "NULL"] {
        let imported = imported(&[&format!("UPDATE sessions SET auth_key = {none}")]);
        assert_eq!(imported.contents.session.dcs[0].auth, Auth::Absent, "{none}");
    }
}

#[test]
fn a_null_address_is_none() {
    let imported = imported(&["UPDATE sessions SET server_address = NULL, port = NULL"]);
    assert_eq!(imported.contents.session.dcs[0].ipv4_addr, None);
    assert!(imported.contents.session.dcs[0].auth.is_present());
}

#[test]
fn an_ipv6_address_is_one() {
    let imported = imported(&["UPDATE sessions SET server_address = '2001:67c:4e8:f002::a'"]);
    let dc = &imported.contents.session.dcs[0];
    assert_eq!((dc.ipv4_addr, dc.ipv6_addr), (None, "[2001:67c:4e8:f002::a]:443".parse().ok()));
}

#[test]
fn a_host_name_is_left_behind() {
    let imported = imported(&["UPDATE sessions SET server_address = 'example.org'"]);
    assert!(imported.contents.session.dcs[0].auth.is_present());
    assert!(leaves(&imported, "example.org"), "{:?}", imported.left_behind);
}

#[test]
fn a_file_that_never_connected_has_no_data_center() {
    let imported = imported(&["DELETE FROM entities; DELETE FROM update_state;
         UPDATE sessions SET dc_id = 0, server_address = NULL, port = NULL, auth_key = x''"]);
    assert_eq!(imported.contents.session, crate::Session::default());
}

#[test]
fn a_file_that_does_not_tell_whose_it_is_has_no_user() {
    let imported = imported(&["DELETE FROM entities WHERE id = 0"]);
    assert_eq!(imported.contents.session.user, None);
    assert_eq!(imported.contents.session.home_dc, Some(4));
    assert!(leaves(&imported, "who is logged in"));
}

#[test]
fn channels_are_read_where_the_account_has_no_state() {
    let imported = imported(&["DELETE FROM update_state WHERE id = 0;
         INSERT INTO update_state VALUES (1234, 99, NULL, NULL, NULL)"]);
    let channels = vec![ChannelState { id: 1234, pts: 99 }];
    assert_eq!(imported.contents.session.state, Some(UpdateState { channels, ..UpdateState::default() }));
}

#[test]
fn a_state_whose_id_is_no_channels_is_left_behind() {
    let imported = imported(&["INSERT INTO update_state VALUES (-1001234, 99, 0, 0, 0)"]);
    assert_eq!(imported.contents.session.state, Some(ordinary_state()));
    assert!(leaves(&imported, "1 update states"), "{:?}", imported.left_behind);
}

#[test]
fn a_file_without_a_version_row_is_known_by_its_columns() {
    for (changes, version) in [(&[][..], 7), (&[TO_V8], 8)] {
        let imported = imported(&[changes, &["DELETE FROM version"]].concat());
        assert_eq!(imported.schema(), schema(version));
    }
}

#[test]
fn a_version_above_the_known_is_read_and_said_so() {
    let imported = imported(&[TO_V8, "UPDATE version SET version = 9"]);
    assert!(imported.contents.session.user.is_some());
    assert!(leaves(&imported, "version 9"), "{:?}", imported.left_behind);
}

#[test]
fn a_version_below_the_known_is_told_the_way() {
    let error = refused("UPDATE version SET version = 6");
    assert!(matches!(error, FormatError::Old { schema: Schema { version: Some(6), .. }, .. }), "{error}");
}

#[test]
fn extra_tables_do_no_harm() {
    let imported = imported(&["CREATE TABLE encrypts (id); CREATE TABLE peers2 (id); ANALYZE"]);
    assert!(imported.contents.session.user.is_some());
}

#[test]
fn columns_in_another_order_are_read_by_their_names() {
    let imported = imported(&["CREATE TABLE moved (auth_key blob, port integer, dc_id integer primary key,
            tmp_auth_key blob, server_address text, takeout_id integer);
         INSERT INTO moved SELECT auth_key, port, dc_id, NULL, server_address, takeout_id FROM sessions;
         DROP TABLE sessions; ALTER TABLE moved RENAME TO sessions"]);
    let dc = &imported.contents.session.dcs[0];
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
