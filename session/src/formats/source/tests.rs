use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::{
    Session, User,
    formats::{FormatError, ImportError, Imported, Reading, read_path, schema_of, telethon_v2},
};

fn opened(path: &Path) -> Result<Imported, ImportError> {
    read_path(path, &Reading::default()).map(|mut imported| imported.pop().expect("one"))
}

fn session(id: i64) -> Session {
    let user = User { id, dc: 2, bot: Some(false), username: None };
    Session { user: Some(user), ..Session::default() }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// Every file of a directory, with its bytes.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.clone(), fs::read(path).expect("read"))).collect()
}

/// Files as a program leaves them that dies in the middle of what `write` does: copied while they are open.
fn left_by_a_dead_program(write: impl FnOnce(&Connection)) -> (TempDir, PathBuf) {
    let (alive, dead) = (directory(), directory());
    let file = Connection::open(alive.path().join("a.session")).expect("open");
    write(&file);
    for (path, bytes) in contents(alive.path()) {
        if path.extension().is_none_or(|extension| extension != "session-shm") {
            fs::write(dead.path().join(path.file_name().expect("a name")), bytes).expect("written");
        }
    }
    let path = dead.path().join("a.session");
    (dead, path)
}

#[test]
fn a_file_whose_writer_died_is_read_as_of_its_last_commit_and_not_touched() {
    let (directory, path) = left_by_a_dead_program(|file| {
        telethon_v2::create(file).expect("tables");
        telethon_v2::write(file, &session(7)).expect("written");
        // More than the cache holds, so that the file itself is half written.
        file.execute_batch("PRAGMA cache_size = 1; BEGIN; CREATE TABLE big (a)").expect("begun");
        telethon_v2::write(file, &session(8)).expect("written");
        file.execute_batch("INSERT INTO big VALUES (zeroblob(1000000))").expect("spilled");
    });
    let before = contents(directory.path());
    assert_eq!(before.len(), 2, "there is a journal");
    assert_eq!(opened(&path).expect("imported").contents.session, session(7));
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn a_write_ahead_log_that_was_left_is_read_and_not_touched() {
    let (directory, path) = left_by_a_dead_program(|file| {
        file.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("WAL");
        telethon_v2::create(file).expect("tables");
        telethon_v2::write(file, &session(7)).expect("written");
    });
    let before = contents(directory.path());
    assert_eq!(before.len(), 2, "there is a log");
    assert_eq!(opened(&path).expect("imported").contents.session, session(7));
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn a_closed_file_in_write_ahead_mode_is_read_and_gets_no_file_beside_it() {
    let directory = directory();
    let path = directory.path().join("a.session");
    let file = Connection::open(&path).expect("open");
    file.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("WAL");
    telethon_v2::create(&file).expect("tables");
    drop(file);
    let before = contents(directory.path());
    assert_eq!(before.len(), 1);
    assert_eq!(opened(&path).expect("imported").contents.session, Session::default());
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn a_log_that_is_being_written_is_refused_with_who_writes_it() {
    let directory = directory();
    let path = directory.path().join("a.session");
    let file = Connection::open(&path).expect("open");
    file.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("WAL");
    telethon_v2::create(&file).expect("tables");
    match opened(&path) {
        Err(ImportError::InUse { openers, .. }) => assert_eq!(openers[0].pid, std::process::id()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_database_is_said_to_be_none() {
    let directory = directory();
    let path = directory.path().join("a.session");
    for bytes in [b"short".to_vec(), b"long enough to be taken for a header ".repeat(99)] {
        fs::write(&path, bytes).expect("written");
        match opened(&path) {
            Err(ImportError::Format { source: FormatError::Unknown(_), .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(opened(directory.path()), Err(ImportError::Format { .. })), "a directory");
    let missing = opened(&directory.path().join("b"));
    assert!(matches!(missing, Err(ImportError::Io { .. })), "{missing:?}");
}

#[test]
fn a_damaged_file_is_an_error_and_not_an_empty_session() {
    let directory = directory();
    let path = directory.path().join("a.session");
    let file = Connection::open(&path).expect("open");
    telethon_v2::create(&file).expect("tables");
    drop(file);
    let mut bytes = fs::read(&path).expect("read");
    bytes[100..4096].fill(0xa5);
    fs::write(&path, bytes).expect("written");
    assert!(matches!(opened(&path), Err(ImportError::Format { source: FormatError::Sqlite { .. }, .. })));
}

#[test]
fn an_empty_file_is_of_no_format() {
    let directory = directory();
    let path = directory.path().join("a.session");
    fs::write(&path, []).expect("written");
    assert_eq!(schema_of(&path).expect("readable"), None);
    assert!(opened(&path).is_err());
}
