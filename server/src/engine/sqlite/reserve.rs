use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::{FallocateFlags, fallocate};
use tracing::info;

const FILE: &str = "sessiond.reserve";

/// Room for what the write-ahead log may move into the database at once, and as much again for what follows: letting go of
/// a hold takes some 12 KiB of the log, which is then written from its beginning again.
const BYTES: u64 = 8 << 20;

/// How often to look whether there is room again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Space kept back on the disk: a file that is removed when the disk is full, so that holds can be let go. While it is
/// short, nothing else may use the space that it made.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    kept: bool,
    looked: Option<Instant>,
}

impl Reserve {
    /// The reserve of a directory, short until [`Reserve::restore`] is called.
    pub(super) fn of(directory: &Path) -> Self {
        Self { path: directory.join(FILE), kept: false, looked: None }
    }

    /// Makes room on the disk.
    pub(super) fn spend(&mut self) {
        if !std::mem::replace(&mut self.kept, false) {
            return;
        }
        self.looked = Some(Instant::now());
        if let Err(error) = fs::remove_file(&self.path) {
            info!(%error, "there is no reserve left to make room with");
        }
    }

    /// Whether the space is not there that was to be kept back. Looks whether there is room again, now and then.
    pub(super) fn is_short(&mut self) -> bool {
        if !self.kept && self.looked.is_none_or(|looked| looked.elapsed() > LOOK_EVERY) {
            self.restore();
        }
        !self.kept
    }

    /// Keeps space back again, if there is room for it.
    pub(super) fn restore(&mut self) {
        if self.kept {
            return;
        }
        self.looked = Some(Instant::now());
        self.kept = self.fill().is_ok();
        if !self.kept {
            // What was kept of it takes the space that is wanted.
            let _ = fs::remove_file(&self.path);
        }
    }

    fn fill(&self) -> io::Result<()> {
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, BYTES) {
            Ok(()) => Ok(()),
            // A file system that cannot keep blocks back without a write: NFS before 4.2, or one over FUSE.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                let bytes = usize::try_from(BYTES).expect("it is a few MiB");
                fs::write(&self.path, vec![0xff; bytes])
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES, Reserve};

    #[test]
    fn a_reserve_is_space_that_can_be_had_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let size =
            || directory.path().join("sessiond.reserve").metadata().map(|metadata| metadata.len()).ok();
        let mut reserve = Reserve::of(directory.path());
        assert!(!reserve.is_short(), "there is room");
        assert_eq!(size(), Some(BYTES));
        reserve.spend();
        assert_eq!(size(), None);
        assert!(reserve.is_short(), "it does not look all the time");
        reserve.restore();
        assert_eq!(size(), Some(BYTES));
    }
}
