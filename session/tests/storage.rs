//! What every storage does, and what a session's own file does beyond that.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use rusqlite::Connection;
use sessiond_session::{
    Auth, AuthKey, ChannelState, DataCenter, MemorySession, Session, SqliteSession, Storage, StorageError,
    UpdateState, User, formats::telethon_v2,
};
use tempfile::TempDir;

fn session() -> Session {
    let key = |byte| Auth::Key(AuthKey::try_from([byte; AuthKey::LEN].as_slice()).expect("256 bytes"));
    Session {
        dcs: vec![
            DataCenter {
                id: 2,
                ipv4_addr: "149.154.167.51:443".parse().ok(),
                ipv6_addr: "[2001:67c:4e8:f002::a]:443".parse().ok(),
                auth: key(2),
            },
            DataCenter { id: 4, auth: key(4), ..DataCenter::default() },
            DataCenter { id: i32::MAX, ..DataCenter::default() },
        ],
        user: Some(User { id: i64::MAX, dc: 2, bot: Some(true), username: Some("alice".into()) }),
        state: Some(UpdateState {
            pts: i32::MAX,
            qts: 0,
            date: i64::MAX,
            seq: 7,
            channels: vec![ChannelState { id: 1, pts: 10 }, ChannelState { id: i64::MAX, pts: i32::MAX }],
        }),
        ..Session::default()
    }
}

async fn a_storage_keeps_what_was_saved_last_and_goes_on_after_delete(storage: impl Storage) {
    let bare = Session { dcs: Vec::new(), ..session() };
    assert_eq!(storage.load().await.expect("load"), None);
    storage.delete().await.expect("nothing to delete");
    for saved in [session(), bare, Session::default(), session()] {
        storage.save(&saved).await.expect("save");
        assert_eq!(storage.load().await.expect("load"), Some(saved));
    }
    storage.delete().await.expect("delete");
    assert_eq!(storage.load().await.expect("load after delete"), None);
    storage.save(&session()).await.expect("save after delete");
    assert_eq!(storage.load().await.expect("load"), Some(session()));
}

async fn a_storage_that_replaces_refuses_a_session_without_its_keys(storage: impl Storage) {
    storage.save(&session()).await.expect("save");
    let refused = storage.save(&session().without_keys()).await;
    assert!(matches!(refused, Err(StorageError::Withheld { dc: 2 })), "{refused:?}");
    assert_eq!(storage.load().await.expect("load"), Some(session()));
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

async fn open(path: &Path) -> SqliteSession {
    SqliteSession::open(path).await.expect("open")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn memory_is_a_storage() {
    a_storage_keeps_what_was_saved_last_and_goes_on_after_delete(MemorySession::new()).await;
    a_storage_that_replaces_refuses_a_session_without_its_keys(MemorySession::new()).await;
    let given = MemorySession::from(session());
    assert_eq!(given.load().await.expect("load"), Some(session()));
}

#[tokio::test]
async fn a_file_is_a_storage() {
    let directory = directory();
    let path = |name| directory.path().join(name);
    a_storage_keeps_what_was_saved_last_and_goes_on_after_delete(open(&path("a")).await).await;
    a_storage_that_replaces_refuses_a_session_without_its_keys(open(&path("b")).await).await;
}

#[tokio::test]
async fn a_box_and_an_arc_of_a_storage_are_storages() {
    let boxed: Box<dyn Storage> = Box::new(MemorySession::new());
    a_storage_keeps_what_was_saved_last_and_goes_on_after_delete(boxed).await;
    let shared: Arc<dyn Storage> = Arc::new(MemorySession::new());
    a_storage_keeps_what_was_saved_last_and_goes_on_after_delete(shared).await;
}

#[tokio::test]
async fn a_path_without_extension_gets_one() {
    let directory = directory();
    for (given, file) in [
        ("a", "a.session"),
        (".hidden", ".hidden.session"),
        ("a.", "a..session"),
        ("my.bot", "my.bot"),
        ("b.session", "b.session"),
    ] {
        let storage = open(&directory.path().join(given)).await;
        assert_eq!(storage.path(), directory.path().join(file), "{given}");
    }
}

#[tokio::test]
async fn nothing_is_made_before_the_first_save_and_only_the_owner_reads_it() {
    let directory = directory();
    let storage = open(&directory.path().join("a")).await;
    storage.load().await.expect("load");
    assert_eq!(names(directory.path()), Vec::<String>::new());
    storage.save(&session()).await.expect("save");
    let mode = fs::metadata(storage.path()).expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_closed_file_is_one_file_and_telethons_to_the_letter() {
    let directory = directory();
    let storage = open(&directory.path().join("a")).await;
    storage.save(&session()).await.expect("save");
    storage.save(&session()).await.expect("save");
    storage.close().await.expect("close");
    assert_eq!(names(directory.path()), ["a.session"]);

    let file = Connection::open(directory.path().join("a.session")).expect("open");
    let text = |sql: &str| file.query_row(sql, [], |row| row.get::<_, String>(0)).expect("text");
    let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("number");
    assert_eq!(text("PRAGMA journal_mode"), "delete");
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert_eq!(number("PRAGMA user_version"), 0);
    assert_eq!(number("PRAGMA application_id"), 0);
    assert_eq!(number("SELECT version FROM version"), 10);
    assert_eq!(number("SELECT count(*) FROM sqlite_schema"), 5);
    assert_eq!(
        text("SELECT sql FROM sqlite_schema WHERE name = 'channelstate'"),
        "CREATE TABLE channelstate(\n                id integer primary key,\n                pts integer not null\n            )"
    );
    assert_eq!(text("SELECT ipv6_addr FROM datacenter WHERE id = 2"), "2001:67c:4e8:f002::a:443");
}

#[tokio::test]
async fn what_the_format_has_no_place_for_is_read_back_as_not_known() {
    let directory = directory();
    let storage = open(&directory.path().join("a")).await;
    let user = User { id: 1, dc: 4, bot: None, username: None };
    let saved = Session { user: Some(user), home_dc: Some(4), test_mode: Some(true), ..Session::default() };
    storage.save(&saved).await.expect("save");
    let loaded = storage.load().await.expect("load").expect("a session");
    assert_eq!((loaded.home_dc, loaded.test_mode), (None, None));
    assert_eq!(loaded.home_dc_id(), 4);
    assert_eq!(loaded.user.and_then(|user| user.bot), Some(false));
}

#[tokio::test]
async fn an_open_file_is_locked_and_the_next_is_told_by_whom() {
    let directory = directory();
    let first = open(&directory.path().join("a")).await;
    first.save(&session()).await.expect("save");

    let second = SqliteSession::open(first.path()).await.expect_err("locked");
    let StorageError::InUse { openers, .. } = &second else { panic!("{second:?}") };
    assert_eq!(openers.iter().map(|opener| opener.pid).collect::<Vec<_>>(), [std::process::id()]);
    let telethon = Connection::open(first.path()).expect("open");
    telethon.busy_timeout(std::time::Duration::ZERO).expect("no patience");
    let refused = telethon.query_row("SELECT version FROM version", [], |_| Ok(()));
    assert_eq!(refused.expect_err("locked").sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));

    let path = first.path().to_owned();
    first.close().await.expect("close");
    assert_eq!(open(&path).await.load().await.expect("load"), Some(session()));
}

#[tokio::test]
async fn a_file_that_another_program_made_or_replaced_meanwhile_is_not_written() {
    let directory = directory();
    let path = directory.path().join("a.session");
    let late = open(&path).await;
    let first = open(&path).await;
    first.save(&session()).await.expect("save");
    let refused = late.save(&Session::default()).await;
    assert!(matches!(refused, Err(StorageError::Replaced { .. })), "{refused:?}");

    fs::write(directory.path().join("other"), b"other").expect("write");
    fs::rename(directory.path().join("other"), &path).expect("rename");
    for refused in [first.save(&Session::default()).await, first.load().await.map(drop), first.delete().await]
    {
        assert!(matches!(refused, Err(StorageError::Replaced { .. })), "{refused:?}");
    }
    assert_eq!(fs::read(&path).expect("read"), b"other");
}

#[tokio::test]
async fn closing_a_file_that_was_replaced_leaves_the_new_ones_journal_alone() {
    let directory = directory();
    let storage = open(&directory.path().join("a")).await;
    storage.save(&session()).await.expect("save");
    storage.save(&session()).await.expect("save");
    let other = directory.path().join("other");
    telethon_v2::create(&Connection::open(&other).expect("open")).expect("tables");
    fs::rename(&other, storage.path()).expect("rename");
    let writer = Connection::open(storage.path()).expect("open");
    // More than the cache holds, so that the journal is in use.
    let write =
        "PRAGMA cache_size = 1; BEGIN; CREATE TABLE big (a); INSERT INTO big VALUES (zeroblob(1000000))";
    writer.execute_batch(write).expect("spilled");
    let journal = directory.path().join("a.session-journal");
    let before = fs::read(&journal).expect("there");
    assert_ne!(before[0], 0, "it counts");
    storage.close().await.expect("close");
    assert_eq!(fs::read(&journal).expect("still there"), before);
}

#[tokio::test]
async fn what_is_no_telethon_2_session_is_refused_and_not_touched() {
    let directory = directory();
    let make = |name: &str, sql: &str| {
        let path = directory.path().join(name);
        Connection::open(&path).expect("open").execute_batch(sql).expect("made");
        path
    };
    let v1 = make(
        "v1.session",
        "CREATE TABLE version (version integer primary key); INSERT INTO version VALUES (8);
         CREATE TABLE sessions (dc_id integer primary key, server_address text, port integer, auth_key blob,
             takeout_id integer, tmp_auth_key blob);
         CREATE TABLE entities (id integer primary key, hash integer not null)",
    );
    let newer = make("newer.session", &format!("{}; INSERT INTO version VALUES (11)", telethon_v2::DDL));
    let other = make("other.session", "CREATE TABLE friends (name)");
    let text = directory.path().join("text.session");
    fs::write(&text, "not a database, but long enough to be taken for the header of one: ".repeat(9))
        .expect("write");
    for (path, hint) in [
        (&v1, "sessiond import"),
        (&newer, "version 11"),
        (&other, "friends"),
        (&text, "byte 0 begins no SQLite database"),
    ] {
        let before = fs::read(path).expect("read");
        let refused = SqliteSession::open(path).await.expect_err("refused");
        assert!(refused.to_string().contains(hint), "{refused}");
        assert_eq!(fs::read(path).expect("read"), before);
    }
    assert_eq!(names(directory.path()).len(), 4);
}

#[tokio::test]
async fn an_empty_file_is_a_session_to_be() {
    let directory = directory();
    let path = directory.path().join("a.session");
    fs::write(&path, []).expect("write");
    a_storage_keeps_what_was_saved_last_and_goes_on_after_delete(open(&path).await).await;
}

#[tokio::test]
async fn a_file_in_write_ahead_mode_is_read_and_becomes_one_file_again() {
    let directory = directory();
    let path = directory.path().join("a.session");
    let writer = Connection::open(&path).expect("open");
    writer.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("WAL");
    telethon_v2::create(&writer).expect("tables");
    telethon_v2::write(&writer, &session()).expect("written");
    drop(writer);
    let storage = open(&path).await;
    assert_eq!(storage.load().await.expect("load"), Some(session()));
    storage.close().await.expect("close");
    assert_eq!(names(directory.path()), ["a.session"]);
}
