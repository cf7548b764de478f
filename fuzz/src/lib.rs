//! What each target asserts: a source is read, or refused by the name of what it was taken for.

use std::{fs, path::Path};

use sessiond_session::formats::{Format, ImportError, Imported, Medium, Reading, read_bytes, read_path};

/// Ends a file of a directory, and begins the next one.
pub const NEXT: &[u8] = b"\0\0--\0\0";

/// Reads bytes as what they look like.
pub fn detected(bytes: &[u8]) {
    check(None, read_bytes(bytes, &Reading::default()));
}

/// Reads bytes as each format that is kept in such a medium.
pub fn each(medium: Medium, bytes: &[u8]) {
    for format in Format::ALL.into_iter().filter(|format| format.medium() == medium) {
        let from = Some(format);
        check(from, read_bytes(bytes, &Reading { from, passcode: None }));
    }
}

/// Reads a directory of files of these names, with what the bytes have for each.
pub fn directory(format: Format, names: &[&str], bytes: &[u8], made: impl Fn(&[u8]) -> Vec<u8>) {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, bytes) in names.iter().zip(split(bytes)) {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the directory")).expect("made");
        fs::write(path, made(bytes)).expect("written");
    }
    read_directory(format, directory.path());
}

fn read_directory(format: Format, path: &Path) {
    let from = Some(format);
    check(from, read_path(path, &Reading { from, passcode: None }));
}

/// The files that the bytes have.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(NEXT.len()).position(|window| window == NEXT) {
        files.push(&rest[..at]);
        rest = &rest[at + NEXT.len()..];
    }
    files.push(rest);
    files
}

fn check(from: Option<Format>, read: Result<Vec<Imported>, ImportError>) {
    match read {
        Ok(_) => {}
        Err(ImportError::Format { format, .. }) => assert!(from.is_none() || format == from, "{format:?}"),
        Err(other) => panic!("{other}"),
    }
}
