use std::{fmt, fs, io, os::unix::fs::MetadataExt as _, path::Path};

/// Where a store is: if this changes, the store was copied or restored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    machine: String,
}

impl Identity {
    /// Identity of a file here and now. Looks at it by its path: a database is never opened but by SQLite.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        // A machine without an id, such as a container, is told by the file alone.
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), machine: machine.trim().to_owned() })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, inode, machine } = self;
        write!(f, "{device}:{inode}:{machine}")
    }
}
