use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rusqlite::Connection;
use sessiond_proto::SessionName;
use sessiond_session::{
    Auth, AuthKey, ChannelState, DataCenter, LockedFile, Session, UpdateState, User,
    formats::{Reading, read_path, telethon_v2},
};
use tempfile::TempDir;

use super::{Found, MirrorError, MirrorFile, Owner};

/// A directory with a mirror's path in it, and whose it is.
struct Place {
    directory: TempDir,
    store_ids: Vec<String>,
    name: SessionName,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store_ids = vec!["now".into(), "earlier".into()];
        Self { directory, store_ids, name: "alice".parse().expect("a name") }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("alice.session")
    }

    fn owner(&self) -> Owner<'_> {
        Owner { store_ids: &self.store_ids, name: &self.name }
    }

    fn create(&self, session: &Session, revision: i64) -> MirrorFile {
        MirrorFile::create(&self.path(), &self.owner(), session, revision).expect("made")
    }

    fn find(&self) -> Found {
        MirrorFile::find(&self.path(), &self.owner()).expect("found")
    }

    fn ours(&self) -> (MirrorFile, i64) {
        match self.find() {
            Found::Ours(file, revision) => (file, revision),
            found => panic!("{found:?}"),
        }
    }

    fn foreign(&self) -> String {
        match self.find() {
            Found::Foreign(why) => why,
            found => panic!("{found:?}"),
        }
    }

    fn damaged(&self) -> String {
        match self.find() {
            Found::Damaged(why) => why,
            found => panic!("{found:?}"),
        }
    }

    /// Opens the file as any program does.
    fn stock(&self) -> Connection {
        Connection::open(self.path()).expect("open")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).expect("a directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

fn contents(path: &Path) -> Session {
    let imported = read_path(path, &Reading::default()).expect("read").pop();
    imported.expect("one session").contents.session
}

fn session(pts: i32) -> Session {
    let auth = Auth::Key(AuthKey::try_from([7; AuthKey::LEN].as_slice()).expect("256 bytes"));
    let channels = vec![ChannelState { id: 5, pts }];
    Session {
        dcs: vec![DataCenter { id: 2, ipv4_addr: "149.154.167.51:443".parse().ok(), ipv6_addr: None, auth }],
        user: Some(User { id: 7, dc: 2, bot: Some(false), username: Some("alice".into()) }),
        state: Some(UpdateState { pts, qts: 1, date: 2, seq: 3, channels }),
        ..Session::default()
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).expect("read")
}

#[test]
fn where_nothing_is_nothing_is_found_and_nothing_is_made() {
    let place = Place::new();
    assert!(matches!(place.find(), Found::Missing));
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn a_mirror_is_found_again_with_its_revision() {
    let place = Place::new();
    place.create(&session(1), 10).close();
    let (mut file, revision) = place.ours();
    assert_eq!(revision, 10);
    file.write(&place.owner(), &session(2), 11).expect("written");
    drop(file);
    assert_eq!(place.ours().1, 11);
}

#[test]
fn only_its_owner_may_read_a_mirror() {
    let place = Place::new();
    place.create(&session(1), 10).close();
    let mode = fs::metadata(place.path()).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn after_close_any_reader_finds_the_newest_values_and_no_other_file() {
    let place = Place::new();
    let mut file = place.create(&session(1), 10);
    for pts in 2..5 {
        file.write(&place.owner(), &session(pts), i64::from(pts)).expect("written");
    }
    file.close();
    assert_eq!(place.names(), ["alice.session"]);
    assert_eq!(contents(&place.path()), session(4));
    let stock = place.stock();
    let mode: String = stock.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("mode");
    assert_eq!(mode, "delete");
    let (columns, pts) = {
        let mut statement = stock.prepare("select * from state").expect("a table");
        (statement.column_count(), statement.query_row([], |row| row.get::<_, i32>(0)).expect("a row"))
    };
    assert_eq!((columns, pts), (4, 4));
}

#[test]
fn an_open_mirror_is_locked_for_others() {
    let place = Place::new();
    let file = place.create(&session(1), 10);
    let stock = place.stock();
    stock.busy_timeout(std::time::Duration::ZERO).expect("no patience");
    let refused = stock.query_row("select * from version", [], |_| Ok(())).expect_err("locked");
    assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
    drop(stock);
    file.close();
    place.stock().query_row("select * from version", [], |_| Ok(())).expect("free");
}

#[test]
fn a_mirror_that_another_program_has_locked_is_in_use_by_its_pid() {
    let place = Place::new();
    place.create(&session(1), 10).close();
    let _other = LockedFile::open(&place.path()).expect("locked");
    match place.find() {
        Found::InUse(openers) => assert_eq!(openers[0].pid, std::process::id()),
        found => panic!("{found:?}"),
    }
}

#[test]
fn a_mirror_that_another_program_saved_to_is_foreign_and_not_touched() {
    let place = Place::new();
    place.create(&session(1), 10).close();
    telethon_v2::write(&place.stock(), &session(2)).expect("written");
    let before = bytes(&place.path());
    assert!(place.foreign().contains("changed by another program"));
    assert_eq!(bytes(&place.path()), before);
    assert_eq!(place.names(), ["alice.session"]);
}

#[test]
fn a_mirror_saved_by_another_program_with_the_same_values_is_ours() {
    let place = Place::new();
    place.create(&session(1), 10).close();
    telethon_v2::write(&place.stock(), &session(1)).expect("written");
    assert_eq!(place.ours().1, 10);
}

#[test]
fn any_change_of_a_mirrors_schema_or_values_is_noticed() {
    for change in [
        "update state set pts = 2",
        "update channelstate set pts = 2",
        "update datacenter set auth = null",
        "update user set username = null",
        "update version set version = 11",
        "delete from channelstate",
        "create table extra (a)",
        "create index extra on user (dc)",
        "alter table user add column name text",
        "create trigger extra after insert on user begin delete from state; end",
        "analyze",
        "delete from sessiond_mirror",
        "update sessiond_mirror set digest = zeroblob(32)",
        "alter table sessiond_mirror drop column digest",
    ] {
        let place = Place::new();
        place.create(&session(1), 10).close();
        place.stock().execute_batch(change).expect(change);
        assert!(place.foreign().contains("changed by another program"), "{change}");
    }
}

#[test]
fn a_mirror_of_another_store_or_another_name_is_foreign() {
    let mut place = Place::new();
    place.create(&session(1), 10).close();
    place.name = "bob".parse().expect("a name");
    assert!(place.foreign().contains("alice"));
    place.name = "alice".parse().expect("a name");
    place.store_ids = vec!["other".into()];
    assert!(place.foreign().contains("another sessiond's store"));
}

#[test]
fn a_mirror_of_an_earlier_id_of_the_store_is_ours_and_becomes_the_newest_ones() {
    let mut place = Place::new();
    place.store_ids = vec!["earlier".into()];
    place.create(&session(1), 10).close();
    place.store_ids = vec!["now".into(), "earlier".into()];
    let (mut file, _) = place.ours();
    file.write(&place.owner(), &session(2), 11).expect("written");
    file.close();
    place.store_ids = vec!["now".into()];
    assert_eq!(place.ours().1, 11);
}

#[test]
fn a_file_that_was_moved_into_a_mirrors_place_is_not_written() {
    let place = Place::new();
    let mut file = place.create(&session(1), 10);
    let other = place.directory.path().join("other");
    fs::write(&other, b"other").expect("written");
    fs::rename(&other, place.path()).expect("moved");
    assert!(!file.path_is_ours());
    let refused = file.write(&place.owner(), &session(2), 11);
    assert!(matches!(refused, Err(MirrorError::Swapped)), "{refused:?}");
    assert!(matches!(file.remove(), Err(MirrorError::Swapped)));
    assert_eq!(bytes(&place.path()), b"other");
}

#[test]
fn a_mirror_whose_file_is_gone_is_not_written() {
    let place = Place::new();
    let mut file = place.create(&session(1), 10);
    fs::remove_file(place.path()).expect("removed");
    let refused = file.write(&place.owner(), &session(2), 11);
    assert!(matches!(refused, Err(MirrorError::Swapped)), "{refused:?}");
    drop(file);
    assert!(matches!(place.find(), Found::Missing));
}

#[test]
fn a_file_that_is_there_is_never_replaced_by_a_new_mirror() {
    let place = Place::new();
    fs::write(place.path(), b"other").expect("written");
    let refused = MirrorFile::create(&place.path(), &place.owner(), &session(1), 10);
    assert!(matches!(refused, Err(MirrorError::NotOurs(_))), "{refused:?}");
    assert_eq!(bytes(&place.path()), b"other");
    assert_eq!(place.names(), ["alice.session"]);
}

#[test]
fn garbage_is_damaged_and_not_touched() {
    let place = Place::new();
    let garbage = b"no database, but as long as the header of one ".repeat(99);
    fs::write(place.path(), &garbage).expect("written");
    place.damaged();
    assert_eq!(bytes(&place.path()), garbage);
    assert_eq!(place.names(), ["alice.session"]);
}

#[test]
fn a_mirror_with_a_page_overwritten_is_damaged_and_not_touched() {
    let place = Place::new();
    place.create(&session(1), 10).close();
    let mut spoiled = bytes(&place.path());
    spoiled[100..4096].fill(0xa5);
    fs::write(place.path(), &spoiled).expect("written");
    place.damaged();
    assert_eq!(bytes(&place.path()), spoiled);
}

#[test]
fn a_stock_file_is_unclaimed_and_not_touched() {
    let place = Place::new();
    let stock = place.stock();
    telethon_v2::create(&stock).expect("tables");
    telethon_v2::write(&stock, &session(1)).expect("written");
    drop(stock);
    let before = bytes(&place.path());
    match place.find() {
        Found::Unclaimed(found) => assert_eq!(found, session(1)),
        found => panic!("{found:?}"),
    }
    assert_eq!(bytes(&place.path()), before);
    assert_eq!(place.names(), ["alice.session"]);
}

#[test]
fn a_stock_file_with_a_wrong_value_is_damaged() {
    let place = Place::new();
    let stock = place.stock();
    telethon_v2::create(&stock).expect("tables");
    stock.execute_batch("insert into user values (-7, 2, 0, null)").expect("written");
    drop(stock);
    assert!(place.damaged().contains("user.id"));
}

#[test]
fn a_file_of_another_format_or_of_none_is_foreign_and_said_what_it_is() {
    let v7 = "create table version (version integer primary key); insert into version values (7);
        create table sessions (dc_id integer primary key, server_address text, port integer, auth_key blob,
            takeout_id integer);
        create table entities (id integer primary key, hash integer not null)";
    let newer = format!("{}; insert into version values (11)", telethon_v2::DDL);
    for (sql, what) in [
        (v7, "Telethon v1 file, version 7"),
        (&newer, "Telethon v2 file, version 11"),
        ("create table friends (name)", "friends"),
        ("", "empty"),
    ] {
        let place = Place::new();
        fs::write(place.path(), []).expect("made");
        place.stock().execute_batch(sql).expect("made");
        let why = place.foreign();
        assert!(why.contains(what), "{why}");
    }
    let place = Place::new();
    fs::create_dir(place.path()).expect("made");
    assert!(place.foreign().contains("not a file"));
}

#[test]
fn a_mirror_whose_writer_was_killed_is_recovered() {
    let (place, dead) = (Place::new(), Place::new());
    place.create(&session(1), 10).close();
    let writer = place.stock();
    writer.execute_batch("PRAGMA cache_size = 1; BEGIN").expect("begun");
    telethon_v2::write(&writer, &session(2)).expect("written");
    writer
        .execute_batch("create table big (a); insert into big values (zeroblob(1000000))")
        .expect("spilled");
    for name in place.names() {
        fs::copy(place.directory.path().join(&name), dead.directory.path().join(&name)).expect("copied");
    }
    assert_eq!(dead.names(), ["alice.session", "alice.session-journal"]);
    let (file, revision) = dead.ours();
    assert_eq!(revision, 10);
    file.close();
    assert_eq!(dead.names(), ["alice.session"]);
    assert_eq!(contents(&dead.path()), session(1));
}

#[test]
fn a_foreign_file_whose_writer_was_killed_is_not_even_recovered() {
    let (place, dead) = (Place::new(), Place::new());
    let writer = place.stock();
    telethon_v2::create(&writer).expect("tables");
    writer.execute_batch("BEGIN").expect("begun");
    telethon_v2::write(&writer, &session(2)).expect("written");
    for name in place.names() {
        fs::copy(place.directory.path().join(&name), dead.directory.path().join(&name)).expect("copied");
    }
    let journal = dead.directory.path().join("alice.session-journal");
    let before = (bytes(&dead.path()), bytes(&journal));
    assert!(matches!(dead.find(), Found::Unclaimed(_)));
    assert_eq!((bytes(&dead.path()), bytes(&journal)), before);
}

#[test]
fn a_removed_mirror_leaves_nothing() {
    let place = Place::new();
    let mut file = place.create(&session(1), 10);
    file.write(&place.owner(), &session(2), 11).expect("written");
    file.remove().expect("removed");
    assert_eq!(place.names(), Vec::<String>::new());
}
