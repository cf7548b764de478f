use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{self, Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use sessiond_session::{
    Contents,
    formats::{self, ExportError, Format, Lacking, Medium, Wanting},
};
use zeroize::Zeroizing;

use crate::{cli::failure::Failure, exit::Exit};

/// What the standard output is called.
const STDOUT: &str = "the standard output";

/// What is written, and as what.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) contents: Contents,
    pub(super) format: Format,
    pub(super) wanting: Wanting,
}

/// Where a session is written to.
#[derive(Debug)]
pub(super) enum Target {
    /// A file or a directory, by its absolute path.
    Path { path: PathBuf, existing: Existing },
    /// The standard output.
    Stdout,
}

/// What becomes of a file that is there. A directory always stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Kept,
    Replaced,
}

impl Target {
    /// A path at which the format can be written.
    ///
    /// # Errors
    /// Something is there, or there is no directory to put it in, or SQLite would not take the file for what it is.
    pub(super) fn path(out: &Path, format: Format, existing: Existing) -> anyhow::Result<Self> {
        let path = path::absolute(out)?;
        refuse(&path, format, existing)?;
        Ok(Self::Path { path, existing })
    }

    /// Writes a session: beside its place, for this user alone, and then there, whole and synced. What is for the standard
    /// output is given back.
    pub(super) fn write(&self, draft: &Draft) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        match self {
            Self::Path { path, existing } => {
                put(draft, path, *existing)?;
                Ok(Zeroizing::default())
            }
            Self::Stdout => {
                let Draft { contents, format, wanting } = draft;
                let written = formats::to_files(contents, *format, wanting, STDOUT);
                let files = written.map_err(|error| refusal(error, Path::new(STDOUT)))?;
                Ok(files.into_values().next().unwrap_or_default())
            }
        }
    }
}

impl Draft {
    fn write(&self, path: &Path) -> Result<(), ExportError> {
        formats::write(&self.contents, self.format, &self.wanting, path)
    }
}

fn refuse(path: &Path, format: Format, existing: Existing) -> Result<(), Failure> {
    let refusal = |message| Err(Failure::new(Exit::CannotCreate, message));
    let there = path.symlink_metadata().ok();
    let stays = |there: &fs::Metadata| there.is_dir() || format.medium() == Medium::Directory;
    if there.as_ref().is_some_and(stays) {
        return refusal(format!(
            "{} is there, and no directory is replaced: choose another --out",
            path.display()
        ));
    }
    if there.is_some() && existing == Existing::Kept {
        return refusal(format!("{} is there: replace it with --force", path.display()));
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        return refusal(format!("{} is no directory: make it, or choose another --out", folder.display()));
    }
    let suffixes: &[&str] = if format.medium() == Medium::Database { &["-journal", "-wal"] } else { &[] };
    for suffix in suffixes {
        let beside = with_suffix(path, suffix);
        if beside.symlink_metadata().is_ok() {
            let beside = beside.display();
            return refusal(format!(
                "{beside} is there, which SQLite would add to the new file: remove it, or choose another --out"
            ));
        }
    }
    Ok(())
}

fn put(draft: &Draft, path: &Path, existing: Existing) -> anyhow::Result<()> {
    let at = |error: io::Error| Failure::new(Exit::of_io(&error), format!("{}: {error}", path.display()));
    let folder = folder_of(path);
    let temporary = tempfile::Builder::new().prefix(".sessiond-").tempdir_in(folder).map_err(at)?;
    // By the same name: GramJS looks for a session by that of its directory.
    let name = path.file_name().ok_or_else(|| at(io::ErrorKind::IsADirectory.into()))?;
    let written = temporary.path().join(name);
    draft.write(&written).map_err(|error| refusal(error, path))?;
    let moved = File::open(&written).and_then(|file| file.sync_all()).and_then(|()| match existing {
        Existing::Replaced => fs::rename(&written, path),
        Existing::Kept => rename_to_nothing(&written, path),
    });
    moved.and_then(|()| File::open(folder)?.sync_all()).map_err(at)?;
    Ok(())
}

/// Moves a file or a directory to where none is.
fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot. No directory replaces what is in another one, and a link does not replace either.
        Err(rustix::io::Errno::INVAL) if from.is_dir() => fs::rename(from, to),
        Err(rustix::io::Errno::INVAL) => fs::hard_link(from, to),
        moved => moved.map_err(io::Error::from),
    }
}

/// Why there is no file at a path, and what to do about it.
fn refusal(error: ExportError, path: &Path) -> Failure {
    let (exit, next_step) = match &error {
        ExportError::Lacks { what: Lacking::ApiId, .. } => (Exit::Usage, ": give it with --api-id"),
        ExportError::Lacks { what: Lacking::UserId, .. } => (Exit::Usage, ": give it with --user-id"),
        ExportError::Lacks { what: Lacking::Bot, .. } => {
            (Exit::Usage, ": say so with --bot true or --bot false")
        }
        ExportError::Contradicts { field: "api_id", .. } => (Exit::Usage, ": leave out --api-id"),
        ExportError::Contradicts { field: "user_id", .. } => (Exit::Usage, ": leave out --user-id"),
        ExportError::Contradicts { .. } => (Exit::Usage, ": leave out --bot"),
        ExportError::Name { .. } => (Exit::Usage, ": choose another --out"),
        ExportError::Lacks { .. } | ExportError::TooLarge { .. } => (Exit::Data, ""),
        ExportError::Io { source, .. } => (Exit::of_io(source), ""),
        ExportError::Sqlite(_) => (Exit::Io, ""),
        _ => (Exit::Software, ""),
    };
    let error = match error {
        // The temporary one means nothing to the user and is gone.
        ExportError::Io { path: _, source } => ExportError::Io { path: path.to_owned(), source },
        error => error,
    };
    Failure::new(exit, format!("{:#}{next_step}", anyhow::Error::from(error)))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use sessiond_client::{Session, Storage as _, User};
    use sessiond_session::{
        Contents, SqliteSession,
        formats::{Format, Wanting},
    };

    use super::{Draft, Existing, Target};

    fn draft(id: i64) -> Draft {
        let user = User { id, dc: 2, bot: Some(false), username: None };
        let session = Session { user: Some(user), ..Session::default() };
        let contents = Contents { session, ..Contents::default() };
        Draft { contents, format: Format::TelethonV2, wanting: Wanting::default() }
    }

    fn target(path: &Path, existing: Existing) -> anyhow::Result<Target> {
        Target::path(path, Format::TelethonV2, existing)
    }

    #[tokio::test]
    async fn a_file_is_written_whole_for_its_user_alone_and_replaces_nothing_unasked() {
        let directory = tempfile::tempdir().expect("a directory");
        let out = directory.path().join("a.session");
        let to_nothing = target(&out, Existing::Kept).expect("there is no file");
        to_nothing.write(&draft(1)).expect("there is no file");
        assert_eq!(fs::metadata(&out).expect("a file").permissions().mode() & 0o777, 0o600);
        assert!(to_nothing.write(&draft(2)).is_err(), "it was made meanwhile");
        assert!(target(&out, Existing::Kept).is_err());
        let replacing = target(&out, Existing::Replaced).expect("it may be replaced");
        replacing.write(&draft(3)).expect("it may be replaced");
        let read = SqliteSession::open(&out).await.expect("a session's file").load().await.expect("whole");
        assert_eq!(read, Some(draft(3).contents.session));
        let names: Vec<_> = fs::read_dir(directory.path()).expect("a directory").flatten().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn a_file_needs_a_directory_that_is_there() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(target(&directory.path().join("none/a.session"), Existing::Kept).is_err());
        assert!(target(&directory.path().join("a.session"), Existing::Kept).is_ok());
    }

    #[test]
    fn a_directory_is_never_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(target(directory.path(), Existing::Replaced).is_err());
        let file = directory.path().join("alice");
        fs::write(&file, "precious").expect("written");
        assert!(Target::path(&file, Format::GramJsStore, Existing::Replaced).is_err());
    }

    #[test]
    fn a_journal_that_was_left_is_not_made_part_of_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("a.session-journal"), "").expect("written");
        let out = directory.path().join("a.session");
        assert!(target(&out, Existing::Replaced).is_err());
        assert!(
            Target::path(&out, Format::TelethonString, Existing::Kept).is_ok(),
            "it is none of a string's"
        );
    }
}
