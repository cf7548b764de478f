use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{dropped, name, peer, write};
use crate::{
    Auth, Contents, Peer, Session,
    formats::{self, Format, FormatError, Imported, Wanting, samples},
};

/// Made with telegram 2.26.22: a `StoreSession`, `setDC`, `setAuthKey`, and `processEntities` of two users, a channel and a
/// group.
fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gramjs-store")
}

fn is_this(path: &Path) -> bool {
    super::is_this(&path.into())
}

fn read(path: &Path) -> Result<Imported, FormatError> {
    super::read(&path.into())
}

fn copied(change: impl Fn(&PathBuf)) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store-telegram");
    fs::create_dir(&path).expect("made");
    for entry in fs::read_dir(fixture()).expect("listed") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), path.join(entry.file_name())).expect("copied");
    }
    change(&path);
    (directory, path)
}

#[test]
fn what_the_library_wrote_is_read_whole() {
    assert!(is_this(&fixture()));
    let imported = read(&fixture()).expect("read");
    let session = &imported.contents.session;
    assert_eq!(session.home_dc, Some(4));
    assert_eq!(session.dcs[0].ipv4_addr, Some("149.154.167.91:443".parse().expect("an address")));
    assert_eq!(session.dcs[0].auth, Auth::Key(samples::key()));
    let ids: Vec<_> = imported.contents.peers.iter().map(|peer| peer.id).collect();
    assert_eq!(ids, [-1_001_234_567_890, -777, 42, 7_000_000_001]);
    let ann = imported.contents.peers.find(7_000_000_001).expect("there");
    assert_eq!(ann.access_hash, Some(-1_234_567_890_123_456_789));
    assert_eq!(ann.usernames, Some(vec!["annb".into()]));
    assert_eq!((ann.phone.as_deref(), ann.name.as_deref()), (Some("34600123456"), Some("Ann B")));
    assert_eq!(ann.seen, Some(1_795_513_225));
    assert_eq!(imported.left_behind, Vec::<String>::new());
}

#[test]
fn what_was_written_has_the_librarys_names_and_is_read_back() {
    let contents = read(&fixture()).expect("read").contents;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store-telegram");
    formats::write(&contents, Format::GramJsStore, &Wanting::default(), &path).expect("written");
    let names = |path: &PathBuf| {
        let mut names: Vec<_> =
            fs::read_dir(path).expect("listed").map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&path), names(&fixture()));
    let text = |path: &PathBuf, name: &str| fs::read_to_string(path.join(name)).expect("read");
    for name in ["authKey", "dcId", "port", "serverAddress"] {
        let name = format!("store-telegram%3A{name}");
        assert_eq!(text(&path, &name), text(&fixture(), &name));
    }
    let again = read(&path).expect("read").contents;
    assert!(again.peers.iter().all(|peer| peer.seen.is_some()));
    assert_eq!(again, contents);
    assert_eq!(dropped(&contents), Vec::<String>::new());
}

#[test]
fn a_directory_under_another_name_is_read_by_the_name_that_its_files_have() {
    assert!(fixture().ends_with("gramjs-store"));
    assert!(read(&fixture()).is_ok());
}

#[test]
fn a_key_that_the_library_forgot_is_none() {
    let (_directory, path) = copied(|path| {
        fs::write(path.join("store-telegram%3AauthKey"), "undefined").expect("written");
    });
    assert_eq!(read(&path).expect("read").contents.session.dcs[0].auth, Auth::Absent);
}

#[test]
fn what_store2_tries_a_store_with_is_no_value() {
    let (_directory, path) = copied(|path| {
        fs::write(path.join("__store2_test"), "ok").expect("written");
        fs::write(path.join("store-telegram%3A9"), "{}").expect("written");
    });
    let imported = read(&path).expect("read");
    assert_eq!(imported.contents.peers.len(), 4);
    assert!(imported.left_behind[0].starts_with("1 files"), "{:?}", imported.left_behind);
}

#[test]
fn a_channels_id_is_100_and_its_digits_however_many_they_are() {
    for (text, hash, id) in [
        ("-1001234567890", 5, -1_001_234_567_890),
        ("-10012345", 5, -1_000_000_012_345),
        ("-10012345678901", 5, -1_012_345_678_901),
        ("-10012345", 0, -10_012_345),
    ] {
        let row = format!("[\"{text}\",\"{hash}\",null,null,\"C\",\"1000\"]");
        let peer = peer::parsed(row.as_bytes()).expect("a peer");
        assert_eq!(peer.id, id, "{text}");
        assert_eq!(peer::row(&peer, None), Some((text.to_owned(), row)));
    }
}

#[test]
fn peers_that_the_store_has_no_room_for_are_left_out_the_oldest_first_and_said() {
    let name = Some("n".repeat(2_000));
    let peer =
        |id: i64| Peer { id, access_hash: Some(1), name: name.clone(), seen: Some(id), ..Peer::default() };
    let session = Session { dcs: vec![samples::dc(2)], ..Session::default() };
    let contents = Contents { session, peers: (1..=2_500).map(peer).collect(), ..Contents::default() };
    let losses = dropped(&contents);
    assert!(losses.iter().any(|loss| loss.contains("seen longest ago")), "{losses:?}");
    let (rows, beyond) = super::writer::rows(&contents);
    assert_eq!(rows.len() + beyond, 2_500);
    assert_eq!(rows[0].0, "2500");
}

#[test]
fn the_name_that_the_library_refuses_is_refused() {
    let session = Session { dcs: vec![samples::dc(2)], ..Session::default() };
    let contents = Contents { session, ..Contents::default() };
    assert!(write(&contents, &Wanting::default(), "session").is_err());
    assert!(write(&contents, &Wanting::default(), "Session").is_ok());
}

#[test]
fn names_of_files_are_decoded_as_they_were_encoded() {
    for key in ["alice:authKey", "ein Name:dcId", "а'(!)*:7"] {
        assert_eq!(name::decoded(&name::encoded(key)).as_deref(), Some(key));
    }
    assert_eq!(name::encoded("a:*"), "a%3A%2A");
    assert_eq!(name::decoded("%zz"), None);
}
