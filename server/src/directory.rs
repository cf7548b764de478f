use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
};

use rustix::{
    fs::{Mode, OFlags, fchmod},
    process::geteuid,
};

use crate::{exit::Exit, filesystem};

/// The file whose lock says that a daemon uses the directory. It has the daemon's pid in it.
const LOCK_FILE: &str = "sessiond.lock";

/// The directory where sessions are kept, this daemon's alone as long as the value lives.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    lock: File,
    /// Locked too, because people remove lock files.
    _directory: File,
}

/// A directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// Another daemon uses it.
    #[error("{} is in use by {}: stop it, or choose another directory with --dir", dir.display(), daemon(*pid))]
    InUse {
        /// Which.
        dir: PathBuf,
        /// Who has it, if known.
        pid: Option<i32>,
    },
    /// It is another user's.
    #[error("{} belongs to user {owner}: run as that user, or choose another directory with --dir", dir.display())]
    NotOurs {
        /// Which.
        dir: PathBuf,
        /// Whose.
        owner: u32,
    },
    /// Others may have put anything there.
    #[error("other users may write to {0}: look at what is there, then `chmod 700 {0}`", dir.display())]
    WritableByOthers {
        /// Which.
        dir: PathBuf,
    },
    /// It is on another machine's disk, where neither locks nor shared memory can be relied on.
    #[error("{} is on a network file system ({kind}): choose a directory on a local disk with --dir", dir.display())]
    Network {
        /// Which.
        dir: PathBuf,
        /// What kind.
        kind: String,
    },
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl DataDirectory {
    /// Makes the directory if it is missing, makes sure that it is this user's, this machine's and nobody else's to enter, and
    /// takes its lock before anything in it is read.
    ///
    /// # Errors
    /// Where any of that does not hold. What is there stays as it was.
    pub(crate) fn open(path: &Path) -> Result<Self, DirectoryError> {
        let io = |action| move |source| DirectoryError::Io { action, path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("create"))?;
        let directory = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map(File::from)
            .map_err(|error| io("open")(error.into()))?;
        let metadata = directory.metadata().map_err(io("examine"))?;
        let dir = path.to_owned();
        if metadata.uid() != geteuid().as_raw() {
            return Err(DirectoryError::NotOurs { dir, owner: metadata.uid() });
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(DirectoryError::WritableByOthers { dir });
        }
        if let Some(kind) = filesystem::network_kind(&directory).map_err(io("examine"))? {
            return Err(DirectoryError::Network { dir, kind });
        }
        let lock = lock(path, &directory)?;
        if metadata.mode() & 0o7777 != 0o700 {
            fchmod(&directory, Mode::RWXU).map_err(|error| io("chmod")(error.into()))?;
        }
        Ok(Self { path: dir, lock, _directory: directory })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        // Nobody shall be told this pid once the lock is free. The file stays: removing it would let two daemons lock one each.
        let _ = self.lock.set_len(0);
    }
}

impl DirectoryError {
    /// The code to exit with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::InUse { .. } => Exit::TempFailure,
            Self::NotOurs { .. } | Self::WritableByOthers { .. } => Exit::Permission,
            Self::Network { .. } => Exit::Config,
            Self::Io { source, .. } => match Exit::of_io(source) {
                Exit::NoInput => Exit::CannotCreate,
                exit => exit,
            },
        }
    }
}

fn lock(dir: &Path, directory: &File) -> Result<File, DirectoryError> {
    let path = dir.join(LOCK_FILE);
    let io = |action| move |source, path| DirectoryError::Io { action, path, source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)
        .map_err(|error| io("open")(error, path.clone()))?;
    match file.try_lock().and_then(|()| directory.try_lock()) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.read_to_string(&mut text);
            let pid = read.ok().and_then(|_| text.trim().parse().ok());
            return Err(DirectoryError::InUse { dir: dir.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(io("lock")(error, path)),
    }
    // For people only. A full disk is no reason not to start.
    if let Err(error) = file.set_len(0).and_then(|()| writeln!(file, "{}", process::id())) {
        tracing::warn!(%error, path = %path.display(), "the pid could not be written");
    }
    Ok(file)
}

fn daemon(pid: Option<i32>) -> String {
    pid.map_or_else(|| "another daemon".to_owned(), |pid| format!("the daemon with pid {pid}"))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::Path,
        process,
    };

    use super::{DataDirectory, DirectoryError};
    use crate::exit::Exit;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o7777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    }

    #[test]
    fn a_missing_directory_is_made_for_its_user_alone() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("state/sessiond");
        let directory = DataDirectory::open(&path).expect("made");
        assert_eq!(directory.path(), path);
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("sessiond.lock")), 0o600);
    }

    #[test]
    fn a_directory_that_others_may_read_is_closed_to_them() {
        let parent = tempfile::tempdir().expect("a directory");
        chmod(parent.path(), 0o755);
        let _directory = DataDirectory::open(parent.path()).expect("opened");
        assert_eq!(mode(parent.path()), 0o700);
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused_and_left_as_it_is() {
        let parent = tempfile::tempdir().expect("a directory");
        chmod(parent.path(), 0o770);
        let error = DataDirectory::open(parent.path()).expect_err("not safe");
        assert!(matches!(error, DirectoryError::WritableByOthers { .. }), "{error}");
        assert_eq!(error.exit(), Exit::Permission);
        assert_eq!(mode(parent.path()), 0o770);
        assert_eq!(fs::read_dir(parent.path()).expect("readable").count(), 0);
    }

    #[test]
    fn the_second_daemon_is_told_the_pid_of_the_first() {
        let parent = tempfile::tempdir().expect("a directory");
        let first = DataDirectory::open(parent.path()).expect("free");
        let error = DataDirectory::open(parent.path()).expect_err("taken");
        assert_eq!(error.exit(), Exit::TempFailure);
        let pid = process::id();
        assert!(error.to_string().contains(&format!("in use by the daemon with pid {pid}")), "{error}");

        drop(first);
        let lock_file = parent.path().join("sessiond.lock");
        assert_eq!(
            fs::read_to_string(lock_file).expect("there"),
            "",
            "nobody is told the pid of who is gone"
        );
        DataDirectory::open(parent.path()).expect("free again");
    }

    #[test]
    fn removing_the_lock_file_lets_nobody_in() {
        let parent = tempfile::tempdir().expect("a directory");
        let _first = DataDirectory::open(parent.path()).expect("free");
        fs::remove_file(parent.path().join("sessiond.lock")).expect("removed");
        let error = DataDirectory::open(parent.path()).expect_err("taken");
        assert!(error.to_string().contains("in use by another daemon"), "{error}");
    }

    #[test]
    fn a_lock_file_that_leads_elsewhere_is_not_followed() {
        let parent = tempfile::tempdir().expect("a directory");
        let elsewhere = parent.path().join("precious");
        fs::write(&elsewhere, "content").expect("written");
        symlink(&elsewhere, parent.path().join("sessiond.lock")).expect("linked");
        assert!(matches!(DataDirectory::open(parent.path()), Err(DirectoryError::Io { .. })));
        assert_eq!(fs::read_to_string(elsewhere).expect("there"), "content");
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let parent = tempfile::tempdir().expect("a directory");
        let file = parent.path().join("file");
        fs::write(&file, "").expect("written");
        let error = DataDirectory::open(&file).expect_err("a file");
        assert_eq!(error.exit(), Exit::CannotCreate);
    }
}
