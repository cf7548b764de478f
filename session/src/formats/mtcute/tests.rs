use proptest::prelude::*;
use rusqlite::Connection;

use super::{COMPLETE, MEDIA_KEY, dropped, is_this, read, write};
use crate::{
    Auth, AuthKey, ChannelState, Contents, Peer, Session, UpdateState, User,
    formats::{FormatError, Imported, Wanting, column, room::Room, samples},
};

/// Made with the library; how stands in the file.
const FILE: &str = include_str!("../../../tests/fixtures/mtcute.sql");

fn database(changes: &[&str]) -> Connection {
    let database = Connection::open_in_memory().expect("open");
    database.execute_batch(FILE).expect("made");
    for change in changes {
        database.execute_batch(change).expect(change);
    }
    database
}

fn imported(change: &str) -> Imported {
    read(&database(&[change])).expect("read")
}

fn written(contents: &Contents) -> Connection {
    let database = Connection::open_in_memory().expect("open");
    write(&database, contents, &Wanting::default()).expect("written");
    database
}

/// Every table's and index's text, and every row, as text.
fn dump(database: &Connection) -> Vec<String> {
    let mut lines = Vec::new();
    let mut select = |query: &str| {
        let mut statement = database.prepare(query).expect(query);
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect(query);
        while let Some(row) = rows.next().expect(query) {
            let values = (0..columns).map(|at| format!("{:?}", row.get_ref(at).expect("a value")));
            lines.push(values.collect::<Vec<_>>().join(" "));
        }
    };
    select("SELECT type, name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name");
    for table in ["mtcute_migrations", "auth_keys", "temp_auth_keys", "key_value", "message_refs", "peers"] {
        select(&format!("SELECT * FROM {table} ORDER BY 1, 2"));
    }
    lines
}

#[test]
fn what_the_library_wrote_is_read_whole() {
    let database = database(&[]);
    assert!(is_this(&column::tables(&database).expect("tables")));
    let imported = read(&database).expect("read");
    let session = &imported.contents.session;
    assert_eq!(session.dcs.iter().map(|dc| dc.id).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(session.dcs[0].auth, Auth::Key(samples::key()));
    assert_eq!(session.dcs[0].ipv4_addr, Some("149.154.167.50:443".parse().expect("an address")));
    assert!(session.dcs[1].auth.is_present());
    assert_eq!((session.home_dc, session.test_mode), (Some(2), Some(false)));
    let user = User { id: 7_000_000_001, dc: 2, bot: Some(false), username: Some("ann".into()) };
    assert_eq!(session.user, Some(user));
    let channels = vec![ChannelState { id: 5, pts: 7 }, ChannelState { id: 1_234_567_890, pts: 99 }];
    let state = UpdateState { pts: 10, qts: 20, date: 1_700_000_000, seq: 40, channels };
    assert_eq!(session.state, Some(state));
    let keys: Vec<_> = imported.contents.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    let refs = ["mtcute.ref/m/-1001234567890/17/42", "mtcute.ref/p/42/-1001234567890/17"];
    assert_eq!(keys, [MEDIA_KEY, refs[0], refs[1], "mtcute.temp/2.0", "user_flags", "user_usernames"]);
    assert_eq!(imported.left_behind, Vec::<String>::new());
}

#[test]
fn peers_of_the_library_have_their_access_hashes_in_one_piece() {
    let peers: Vec<Peer> = imported("").contents.peers.iter().collect();
    let hashes: Vec<_> = peers.iter().map(|peer| (peer.id, peer.access_hash)).collect();
    assert_eq!(
        hashes,
        [
            (-1_001_234_567_890, Some(9_007_199_254_740_993)),
            (-777, Some(0)),
            (7_000_000_001, Some(-1_234_567_890_123_456_789)),
        ]
    );
    assert_eq!(peers[2].usernames, Some(vec!["annb".into()]));
    assert_eq!((peers[2].is_self, peers[2].min), (Some(true), Some(false)));
    assert!(peers[2].extra.contains_key(COMPLETE));
    assert_eq!(peers[2].seen, Some(1_795_513_571));
}

#[test]
fn what_was_read_is_written_as_the_library_wrote_it() {
    let contents = imported("").contents;
    let own = "UPDATE peers SET usernames = '[\"ann\",\"annb\"]' WHERE id = 7000000001";
    // The user's own name is one of the user's own peer, too.
    assert_eq!(dump(&written(&contents)), dump(&database(&[own])));
    assert_eq!(dropped(&contents), Vec::<String>::new());
}

#[test]
fn a_temporary_key_is_secret_and_its_expiry_in_whatever_unit_it_was() {
    let contents = imported("").contents;
    let attribute =
        contents.attributes.iter().find(|attribute| attribute.key == "mtcute.temp/2.0").expect("kept");
    assert!(attribute.secret);
    assert_eq!(attribute.value.len(), 264);
    assert_eq!(attribute.value[..8], 1_700_000_000_123_i64.to_le_bytes());
}

#[test]
fn counters_count_only_where_all_four_are_there() {
    let imported = imported("DELETE FROM key_value WHERE key = 'updates_seq'");
    let state = imported.contents.session.state.expect("channels");
    assert_eq!((state.pts, state.channels.len()), (0, 2));
    assert!(imported.left_behind[0].contains("not whole"), "{:?}", imported.left_behind);
}

#[test]
fn counters_that_are_all_zero_are_not_written() {
    let state =
        Some(UpdateState { channels: vec![ChannelState { id: 5, pts: 7 }], ..UpdateState::default() });
    let contents = Contents { session: Session { state, ..Session::default() }, ..Contents::default() };
    let written = written(&contents);
    let keys: Vec<String> = column::each(&written, "key_value", &Room::of(&written).expect("room"), |row| {
        Ok(row.text("key")?.unwrap_or_default().into())
    })
    .expect("read");
    assert_eq!(keys, ["updates_channel:5"]);
}

#[test]
fn a_user_of_no_bytes_is_nobody() {
    assert_eq!(
        imported("UPDATE key_value SET value = x'' WHERE key = 'current_user'").contents.session.user,
        None
    );
}

#[test]
fn what_is_not_mapped_is_kept_as_an_attribute() {
    let contents = imported("INSERT INTO key_value VALUES ('salts:2', x'0102')").contents;
    assert_eq!(contents.attribute("mtcute.kv/salts:2"), Some([1, 2].as_slice()));
    let again = read(&written(&contents)).expect("read").contents;
    assert_eq!(again.attribute("mtcute.kv/salts:2"), Some([1, 2].as_slice()));
}

#[test]
fn a_file_from_before_min_peers_is_read() {
    let contents =
        imported("ALTER TABLE peers DROP COLUMN isMin; UPDATE mtcute_migrations SET version = 1").contents;
    assert!(contents.peers.iter().all(|peer| peer.min.is_none()));
}

#[test]
fn tables_newer_than_known_are_read_and_said_so() {
    let imported = imported("UPDATE mtcute_migrations SET version = 9 WHERE repo = 'peers'");
    assert!(imported.left_behind[0].contains("version 9"), "{:?}", imported.left_behind);
}

#[test]
fn a_peer_without_what_mtcute_knows_of_it_is_written_and_one_that_is_min_too() {
    let peer = Peer { id: 9, access_hash: Some(1 << 40), min: Some(true), ..Peer::default() };
    let contents = Contents { peers: [peer].into_iter().collect(), ..Contents::default() };
    assert_eq!(dropped(&contents), Vec::<String>::new());
    let peer = read(&written(&contents)).expect("read").contents.peers.find(9).expect("there");
    assert_eq!((peer.access_hash, peer.min), (Some(1 << 40), Some(true)));
}

#[test]
fn a_value_that_cannot_be_is_refused_by_its_column() {
    for (change, column) in [
        ("UPDATE auth_keys SET key = zeroblob(255)", "auth_keys.key"),
        ("UPDATE auth_keys SET dc = -1 WHERE dc = 2", "auth_keys.dc"),
        ("UPDATE key_value SET value = x'01' WHERE key = 'updates_pts'", "key_value.value"),
        ("UPDATE key_value SET value = x'ffffffff' WHERE key = 'updates_channel:5'", "key_value.value"),
        ("UPDATE key_value SET key = 'updates_channel:x' WHERE key = 'updates_channel:5'", "key_value.key"),
        ("UPDATE key_value SET value = x'02' WHERE key = 'dc_main'", "key_value.value"),
        ("UPDATE key_value SET value = x'0100000002000000' WHERE key = 'current_user'", "key_value.value"),
        ("UPDATE peers SET hash = '5'", "peers.hash"),
        ("UPDATE peers SET usernames = '{}'", "peers.usernames"),
    ] {
        match read(&database(&[change])) {
            Err(FormatError::Value { column: wrong, .. }) => assert_eq!(wrong, column, "{change}"),
            other => panic!("{change}: {:?}", other.map(|_| "read")),
        }
    }
}

/// Any session that the format has a place for.
fn all_contents() -> impl Strategy<Value = Contents> {
    let dcs = proptest::collection::btree_map(1..=255i32, any::<u8>(), 1..5);
    let counter = || 1..=i32::MAX;
    let channels = proptest::collection::btree_map(1..=i64::MAX, counter(), 0..5);
    let state = (counter(), counter(), counter(), counter(), channels);
    let user = (1..=1_i64 << 52, any::<bool>(), proptest::option::of("[a-z]{5,9}"));
    (dcs, state, user, any::<std::net::Ipv4Addr>(), any::<bool>()).prop_map(|(dcs, state, user, ip, test)| {
        let home = *dcs.keys().next().expect("one");
        let mut session = Session { home_dc: Some(home), test_mode: Some(test), ..Session::default() };
        for (id, key) in dcs {
            let mut dc = samples::dc(id);
            dc.auth = Auth::Key(AuthKey::try_from([key; 256].as_slice()).expect("256 bytes"));
            dc.ipv4_addr = (id == home).then_some(std::net::SocketAddrV4::new(ip, 443));
            session.dcs.push(dc);
        }
        let (pts, qts, date, seq, channels) = state;
        let channels = channels.into_iter().map(|(id, pts)| ChannelState { id, pts }).collect();
        session.state = Some(UpdateState { pts, qts, date: date.into(), seq, channels });
        let (id, bot, username) = user;
        session.user = Some(User { id, dc: home, bot: Some(bot), username });
        Contents { session, ..Contents::default() }
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(contents in all_contents()) {
        prop_assert_eq!(read(&written(&contents)).expect("read").contents, contents);
    }

    #[test]
    fn any_bytes_for_a_value_are_read_or_refused(
        key in "dc_main|dc_media|current_user|updates_(pts|channel:5)", value in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let database = database(&[]);
        database.execute("INSERT OR REPLACE INTO key_value VALUES (?1, ?2)", rusqlite::params![key, value]).expect("set");
        let _ = read(&database);
    }
}
