use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use zeroize::Zeroizing;

/// Files by their paths below the directory that they are in, with `/` between its parts: `D877F783D5D3EF8C/configs`. A format
/// that is one file has it under the empty path.
pub type Files = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// A directory to read: one of the disk, or one that came some other way.
#[derive(Clone)]
pub(super) enum Folder<'a> {
    Disk(std::path::PathBuf),
    /// Those of the files whose paths begin so.
    Memory {
        files: &'a Files,
        below: String,
    },
}

impl<'a> Folder<'a> {
    pub(super) fn of(files: &'a Files) -> Self {
        Self::Memory { files, below: String::new() }
    }

    /// A directory in this one.
    pub(super) fn within(&self, name: &str) -> Self {
        match self {
            Self::Disk(path) => Self::Disk(path.join(name)),
            Self::Memory { files, below } => Self::Memory { files, below: format!("{below}{name}/") },
        }
    }

    /// What is directly in it. Names that are no text are left out: no library writes one.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        match self {
            Self::Disk(path) => {
                let mut names = Vec::new();
                for entry in fs::read_dir(path)? {
                    names.extend(entry?.file_name().into_string());
                }
                Ok(names)
            }
            Self::Memory { files, below } => {
                let paths = files.keys().filter_map(|path| path.strip_prefix(below.as_str()));
                Ok(paths.filter(|name| !name.contains('/')).map(str::to_owned).collect())
            }
        }
    }

    pub(super) fn has_file(&self, name: &str) -> bool {
        match self {
            Self::Disk(path) => path.join(name).is_file(),
            Self::Memory { files, below } => files.contains_key(&format!("{below}{name}")),
        }
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// `NotFound`; `InvalidData` where it has more than `most` bytes; and what reading may meet.
    pub(super) fn read(&self, name: &str, most: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::new());
        match self {
            Self::Disk(path) => File::open(path.join(name))?.take(most + 1).read_to_end(&mut bytes)?,
            Self::Memory { files, below } => {
                let file = files.get(&format!("{below}{name}")).ok_or(io::ErrorKind::NotFound)?;
                file.as_slice().take(most + 1).read_to_end(&mut bytes)?
            }
        };
        if bytes.len() as u64 > most {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {most} bytes")));
        }
        Ok(bytes)
    }
}

impl From<&Path> for Folder<'_> {
    fn from(path: &Path) -> Self {
        Self::Disk(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, Folder};

    #[test]
    fn files_in_memory_are_those_of_a_disk() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("in")).expect("made");
        let mut files = Files::new();
        for (path, bytes) in [("a", "12"), ("in/b", "345")] {
            std::fs::write(directory.path().join(path), bytes).expect("written");
            files.insert(path.to_owned(), bytes.as_bytes().to_vec().into());
        }
        for folder in [Folder::from(directory.path()), Folder::of(&files)] {
            assert!(folder.names().expect("listed").contains(&"a".to_owned()));
            assert!(folder.has_file("a") && !folder.has_file("in") && !folder.has_file("b"));
            assert_eq!(folder.within("in").names().expect("listed"), ["b"]);
            assert_eq!(**folder.within("in").read("b", 3).expect("read"), *b"345");
            assert!(folder.within("in").read("b", 2).is_err());
            let missing = folder.read("c", 9).expect_err("none");
            assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
        }
    }
}
