use std::{
    fs,
    path::{Path, PathBuf},
};

use tracing::info;

const FILE: &str = "sessiond.reserve";
const BYTES: usize = 1 << 20;

/// Space kept back on the disk: a file that is removed when the disk is full, so that holds can be let go.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    kept: bool,
}

impl Reserve {
    /// The reserve of a directory, kept if there is room for it.
    pub(super) fn of(directory: &Path) -> Self {
        let mut reserve = Self { path: directory.join(FILE), kept: false };
        reserve.restore();
        reserve
    }

    /// Makes room on the disk.
    pub(super) fn spend(&mut self) {
        self.kept = false;
        if let Err(error) = fs::remove_file(&self.path) {
            info!(%error, "there is no reserve left to make room with");
        }
    }

    /// Keeps space back again, if there is room for it.
    pub(super) fn restore(&mut self) {
        if self.kept {
            return;
        }
        let whole = |metadata: fs::Metadata| metadata.len() == BYTES as u64;
        self.kept =
            fs::metadata(&self.path).is_ok_and(whole) || fs::write(&self.path, vec![0; BYTES]).is_ok();
        if !self.kept {
            // What was written of it takes the space that is wanted.
            let _ = fs::remove_file(&self.path);
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
        assert_eq!(size(), Some(BYTES as u64));
        reserve.spend();
        assert_eq!(size(), None);
        reserve.restore();
        assert_eq!(size(), Some(BYTES as u64));
    }
}
