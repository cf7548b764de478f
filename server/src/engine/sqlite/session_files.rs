use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use sessiond_proto::SessionName;
use sessiond_session::LockedFile;
use tracing::warn;

/// Ending of a session's own file.
pub(super) const ENDING: &str = ".session";

/// What SQLite may have put beside a database.
const SIDECARS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// The directory's session files by name, whosever they are. None is opened here.
#[derive(Debug)]
pub(super) struct SessionFiles(PathBuf);

impl SessionFiles {
    pub(super) fn of(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    pub(super) fn path(&self, name: &SessionName) -> PathBuf {
        self.0.join(format!("{name}{ENDING}"))
    }

    /// The sessions that have a file.
    pub(super) fn names(&self) -> io::Result<HashSet<SessionName>> {
        let entries = fs::read_dir(&self.0)?;
        let name = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(ENDING)?.parse().ok();
        Ok(entries.flatten().filter_map(name).collect())
    }

    /// Removes what a crash left of files that were being made; none of them ever was a session's.
    pub(super) fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            let file_name = entry.file_name();
            let text = file_name.to_string_lossy();
            if text.starts_with('.')
                && text.ends_with(LockedFile::UNFINISHED)
                && let Err(error) = fs::remove_file(entry.path())
            {
                warn!(%error, file = %text, "what a crash left of a file cannot be removed");
            }
        }
    }

    /// Gives a session's file, and what belongs to it, another name beside it. Tells which.
    pub(super) fn keep_aside(&self, name: &SessionName) -> io::Result<String> {
        let free = |number: &usize| !self.0.join(kept(name, *number)).exists();
        let kept = kept(name, (1..).find(free).expect("there is a free number"));
        // What belongs to it first: a database without its journal is damaged, a journal without its database is nothing.
        for sidecar in SIDECARS {
            let from = self.0.join(format!("{name}{ENDING}{sidecar}"));
            if from.exists() {
                fs::rename(from, self.0.join(format!("{kept}{sidecar}")))?;
            }
        }
        fs::rename(self.path(name), self.0.join(&kept))?;
        Ok(kept)
    }
}

fn kept(name: &SessionName, number: usize) -> String {
    format!("{name}{ENDING}.kept-{number}")
}
