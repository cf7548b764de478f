use rusqlite::Connection;

use std::net::{SocketAddrV4, SocketAddrV6};

use proptest::{
    collection, option,
    prelude::{Strategy, any, prop_assert_eq, proptest},
};

use super::{DDL, TABLES, create, read, write};
use crate::{
    Auth, AuthKey, ChannelState, DataCenter, Session, UpdateState, User,
    formats::{Format, FormatError, ImportError, Imported, Reading, Schema, read_path},
};

const SCHEMA: Schema = Schema { format: Format::TelethonV2, version: Some(10) };

const V10: &str = "
    INSERT INTO version VALUES (10);
    INSERT INTO datacenter VALUES (2, '149.154.167.51:443', '2001:67c:4e8:f002::a:443', zeroblob(256));
    INSERT INTO user VALUES (7, 2, 1, 'alice');
    INSERT INTO state VALUES (10, 20, 1700000000, 40);
    INSERT INTO channelstate VALUES (1234, 99);";

fn opened(changes: &[&str]) -> Result<Imported, ImportError> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.session");
    let file = Connection::open(&path).expect("open");
    for change in [DDL, V10].iter().chain(changes) {
        file.execute_batch(change).expect(change);
    }
    drop(file);
    read_path(&path, &Reading::default()).map(|mut imported| imported.pop().expect("one"))
}

fn imported(change: &str) -> Imported {
    opened(&[change]).expect("imported")
}

fn dc(imported: &Imported) -> (Option<String>, Option<String>, &Auth) {
    let [DataCenter { ipv4_addr, ipv6_addr, auth, .. }] = imported.contents.session.dcs.as_slice() else {
        panic!("one data center")
    };
    (ipv4_addr.map(|address| address.to_string()), ipv6_addr.map(|address| address.to_string()), auth)
}

#[test]
fn an_ordinary_file_is_read_whole() {
    let imported = imported("");
    assert_eq!(imported.schema(), SCHEMA);
    let (ipv4, ipv6, auth) = dc(&imported);
    assert_eq!(ipv4.as_deref(), Some("149.154.167.51:443"));
    assert_eq!(ipv6.as_deref(), Some("[2001:67c:4e8:f002::a]:443"));
    assert!(auth.is_present());
    let user = User { id: 7, dc: 2, bot: Some(true), username: Some("alice".into()) };
    assert_eq!(imported.contents.session.user, Some(user));
    let channels = vec![ChannelState { id: 1234, pts: 99 }];
    let state = UpdateState { pts: 10, qts: 20, date: 1_700_000_000, seq: 40, channels };
    assert_eq!(imported.contents.session.state, Some(state));
    assert_eq!(imported.left_behind, Vec::<String>::new());
}

#[test]
fn a_file_migrated_from_one_that_never_connected_has_no_data_center() {
    let imported = imported("UPDATE datacenter SET id = 0, ipv4_addr = 'None:None', auth = x''");
    assert_eq!(imported.contents.session.dcs, []);
    assert_eq!(imported.left_behind, Vec::<String>::new());
}

#[test]
fn none_none_is_no_address() {
    let imported = imported("UPDATE datacenter SET ipv4_addr = 'None:None', ipv6_addr = NULL");
    let (ipv4, ipv6, auth) = dc(&imported);
    assert_eq!((ipv4, ipv6), (None, None));
    assert!(auth.is_present());
}

#[test]
fn an_ipv6_address_in_the_first_column_is_one() {
    let imported = imported("UPDATE datacenter SET ipv4_addr = '2001:67c:4e8:f002::b:443', ipv6_addr = NULL");
    let (ipv4, ipv6, _) = dc(&imported);
    assert_eq!((ipv4.as_deref(), ipv6.as_deref()), (None, Some("[2001:67c:4e8:f002::b]:443")));
}

#[test]
fn an_empty_key_and_a_null_key_are_none() {
    for none in ["x''", "NULL"] {
        let imported = imported(&format!("UPDATE datacenter SET auth = {none}"));
        assert_eq!(dc(&imported).2, &Auth::Absent, "{none}");
    }
}

#[test]
fn a_host_name_is_left_behind_on_import_and_refused_otherwise() {
    let change = "UPDATE datacenter SET ipv4_addr = 'example.org:443'";
    let [sentence] = imported(change).left_behind.try_into().expect("one thing");
    assert!(sentence.contains("example.org"), "{sentence}");

    let file = Connection::open_in_memory().expect("open");
    file.execute_batch(&[DDL, V10, change].concat()).expect("made");
    assert!(matches!(read(&file), Err(FormatError::Beyond(_))));
}

#[test]
fn a_key_of_no_data_center_is_left_behind_and_said_so() {
    let [sentence] = imported("UPDATE datacenter SET id = 0").left_behind.try_into().expect("one thing");
    assert!(sentence.contains("key"), "{sentence}");
}

#[test]
fn a_file_without_a_version_row_is_known_by_its_tables() {
    assert_eq!(imported("DELETE FROM version").schema(), SCHEMA);
}

#[test]
fn a_version_above_the_known_is_read_and_said_so() {
    let imported = imported("UPDATE version SET version = 99");
    assert!(imported.contents.session.user.is_some());
    assert!(imported.left_behind[0].contains("version 99"));
}

#[test]
fn extra_tables_and_columns_do_no_harm() {
    let changed = imported(
        "CREATE TABLE sessiond_mirror (a); ALTER TABLE user ADD COLUMN name text; ALTER TABLE state ADD COLUMN x",
    );
    assert_eq!(changed.contents.session, imported("").contents.session);
}

#[test]
fn a_second_user_is_left_behind() {
    let imported = imported("INSERT INTO user VALUES (8, 2, 0, NULL)");
    assert_eq!(imported.contents.session.user.map(|user| user.id), Some(7));
    assert!(imported.left_behind[0].contains("1 more users"));
}

#[test]
fn a_file_that_telethon_only_connected_with_is_an_empty_session() {
    let tables = &TABLES[1..];
    let emptied: String = tables.iter().map(|table| format!("DELETE FROM {table};")).collect();
    assert_eq!(imported(&emptied).contents.session, Session::default());
}

#[test]
fn a_value_that_cannot_be_is_refused_by_its_column() {
    for (change, column) in [
        ("UPDATE datacenter SET auth = zeroblob(257)", "datacenter.auth"),
        ("UPDATE datacenter SET auth = 'text'", "datacenter.auth"),
        ("UPDATE user SET id = -7", "user.id"),
        ("UPDATE user SET dc = 5000000000", "user.dc"),
        ("UPDATE user SET dc = 0", "user.dc"),
        ("UPDATE user SET username = x'ff'", "user.username"),
        ("UPDATE user SET username = cast(x'ff' AS text)", "user.username"),
        ("UPDATE user SET username = hex(zeroblob(513))", "user.username"),
        ("UPDATE state SET pts = -1", "state.pts"),
        ("UPDATE state SET seq = 2147483648", "state.seq"),
        ("UPDATE channelstate SET id = -1234", "channelstate.id"),
        ("ALTER TABLE channelstate DROP COLUMN pts", "channelstate.pts"),
    ] {
        match opened(&[change]) {
            Err(ImportError::Format { source: FormatError::Value { column: wrong, .. }, .. }) => {
                assert_eq!(wrong, column, "{change}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }
}

/// Any session that the format has a place for.
fn sessions() -> impl Strategy<Value = Session> {
    let ipv6 =
        any::<SocketAddrV6>().prop_map(|address| SocketAddrV6::new(*address.ip(), address.port(), 0, 0));
    let key = |byte: u8| Auth::Key(AuthKey::try_from([byte; AuthKey::LEN].as_slice()).expect("256 bytes"));
    let auth = option::of(any::<u8>()).prop_map(move |byte| byte.map_or(Auth::Absent, key));
    let dc = (option::of(any::<SocketAddrV4>()), option::of(ipv6), auth);
    let dcs = collection::btree_map(1..=i32::MAX, dc, 0..5);
    let user = (1..=i64::MAX, 1..=i32::MAX, any::<bool>(), option::of(".*"));
    let counter = || 0..=i32::MAX;
    let channels = collection::btree_map(1..=i64::MAX, counter(), 0..5);
    let state = (counter(), counter(), 0..=i64::MAX, counter(), channels);
    (dcs, option::of(user), option::of(state)).prop_map(|(dcs, user, state)| Session {
        dcs: dcs
            .into_iter()
            .map(|(id, (ipv4_addr, ipv6_addr, auth))| DataCenter { id, ipv4_addr, ipv6_addr, auth })
            .collect(),
        user: user.map(|(id, dc, bot, username)| User { id, dc, bot: Some(bot), username }),
        state: state.map(|(pts, qts, date, seq, channels)| UpdateState {
            pts,
            qts,
            date,
            seq,
            channels: channels.into_iter().map(|(id, pts)| ChannelState { id, pts }).collect(),
        }),
        ..Session::default()
    })
}

proptest! {
    #[test]
    fn what_was_written_last_is_read_back(first in sessions(), last in sessions()) {
        let file = Connection::open_in_memory().expect("open");
        create(&file).expect("tables");
        write(&file, &first).expect("written");
        write(&file, &last).expect("written");
        prop_assert_eq!(read(&file).expect("read"), last);
    }
}
