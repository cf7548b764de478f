//! The files of a record: `audit.jsonl`, and those that were full before it, `audit.000001.jsonl` and so on.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// The file that is written to.
pub(super) const CURRENT: &str = "audit.jsonl";

/// Full files that are kept. With the one that is written to, the record takes half a gigabyte at the most.
pub(super) const KEPT: usize = 7;

/// The full files that there are, with their numbers, the oldest first.
///
/// # Errors
/// Where the directory cannot be read.
pub(super) fn full(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if let Some(number) = number(&name) {
            files.push((number, directory.join(name)));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// All files that there are, open to be read, the oldest first.
///
/// # Errors
/// Where one cannot be read.
pub(super) fn open_all(directory: &Path) -> io::Result<Vec<(PathBuf, File)>> {
    loop {
        let full_before = full(directory)?;
        let current = directory.join(CURRENT);
        let paths = full_before.iter().map(|(_, path)| path.clone()).chain([current]);
        let opened: io::Result<Vec<_>> = paths.map(|path| Ok((path.clone(), to_read(&path)?))).collect();
        // A daemon that runs may have begun a new file meanwhile: then once more.
        if full(directory)? != full_before {
            continue;
        }
        return match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => without_current(full_before),
            opened => opened,
        };
    }
}

/// Where a full file goes.
pub(super) fn path_of(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("audit.{number:06}.jsonl"))
}

/// A file that a link leads to is not followed.
pub(super) fn to_read(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
}

/// After a kill between the two steps of a change of files, or where there is no record.
fn without_current(full: Vec<(u64, PathBuf)>) -> io::Result<Vec<(PathBuf, File)>> {
    full.into_iter().map(|(_, path)| Ok((path.clone(), to_read(&path)?))).collect()
}

fn number(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_prefix("audit.")?.strip_suffix(".jsonl")?;
    let all_digits = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{full, open_all, path_of};

    #[test]
    fn files_are_in_the_order_of_their_numbers_and_the_current_one_is_last() {
        let directory = tempfile::tempdir().expect("a directory");
        let names = ["audit.1000000.jsonl", "audit.000002.jsonl", "audit.000010.jsonl", "audit.jsonl"];
        let others = ["audit.1.jsonl", "audit.00000x.jsonl", "audit.000003.json", "alice.session"];
        names
            .iter()
            .chain(&others)
            .for_each(|name| fs::write(directory.path().join(name), "").expect("written"));
        let numbers: Vec<u64> =
            full(directory.path()).expect("readable").into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [2, 10, 1_000_000]);
        let opened = open_all(directory.path()).expect("readable");
        let opened: Vec<_> = opened.into_iter().map(|(path, _)| path).collect();
        let dir = directory.path();
        assert_eq!(
            opened,
            [path_of(dir, 2), path_of(dir, 10), path_of(dir, 1_000_000), dir.join("audit.jsonl")]
        );
    }

    #[test]
    fn without_a_record_there_are_no_files() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(open_all(directory.path()).expect("readable").is_empty());
    }
}
