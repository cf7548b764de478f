//! The file of a keyring: it appears whole and durable, or not at all, and is its owner's alone.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{Keyring, MasterKeyId};
use crate::exit::Exit;

/// Why there is no master key. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// Sealed values are there, and the key is not.
    #[error(
        "the sessions are sealed, and their master key {id} is not there: {} is missing; put it back, or say where it is \
         with --seal file:PATH or --seal credential",
        path.display()
    )]
    Missing { path: PathBuf, id: MasterKeyId },
    /// There is another key.
    #[error(
        "the sessions are sealed with the master key {id}, and {} has another one: put the right one there, or say where it \
         is with --seal file:PATH",
        path.display()
    )]
    Wrong { path: PathBuf, id: MasterKeyId },
    /// The setting says that there is none.
    #[error(
        "the sessions are sealed with the master key {id}, and --seal none opens none: start with the key, and have \
         `sessiond seal off --all` open them"
    )]
    Needed { id: MasterKeyId },
    /// There is no place for it.
    #[error(
        "there is no home directory to keep the master key in: say where with --seal file:PATH, or leave the sessions open \
         with --seal none"
    )]
    NoHome,
    /// It would be in the same backup.
    #[error("{} is in the directory of the sessions: a key beside what it opens protects nothing", path.display())]
    Inside { path: PathBuf },
    /// A credential that is not there, or cannot be changed.
    #[error("{} has no master key: set the credential (`openssl rand -hex 32` makes one), or use another --seal", path.display())]
    NoCredential { path: PathBuf },
    /// It cannot be replaced by this process.
    #[error(
        "the master key is a credential of the service manager: put a new key before the old one in it, with \"retired \" \
         before the old one, and restart the daemon"
    )]
    ReadOnly,
    /// What is there is no key.
    #[error("{} is no master key: {problem}", path.display())]
    Invalid { path: PathBuf, problem: String },
    /// The system refused.
    #[error("the master key {} cannot be {action}; another place for it is --seal file:PATH", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl KeyError {
    /// The code to exit with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } | Self::NoCredential { .. } => Exit::NoInput,
            Self::Invalid { .. } => Exit::Data,
            Self::Io { source, .. } => Exit::of_io(source),
            Self::Wrong { .. }
            | Self::Needed { .. }
            | Self::NoHome
            | Self::Inside { .. }
            | Self::ReadOnly => Exit::Config,
        }
    }
}

/// Reads a file. `None`: there is none.
pub(super) fn read(path: &Path) -> Result<Option<Keyring>, KeyError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeyError::Io { action: "read", path: path.to_owned(), source }),
    };
    let invalid = |problem| KeyError::Invalid { path: path.to_owned(), problem };
    Keyring::parse(&text).map(Some).map_err(invalid)
}

/// Makes a file with a new key, and answers what is there then: somebody else may have been faster.
pub(super) fn create(path: &Path) -> Result<Keyring, KeyError> {
    let failed = |source| KeyError::Io { action: "made", path: path.to_owned(), source };
    let new = written(path, &Keyring::random()).map_err(failed)?;
    match new.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error.error)),
    }
    sync(parent(path)).map_err(failed)?;
    read(path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// Replaces a file.
pub(super) fn replace(path: &Path, ring: &Keyring) -> Result<(), KeyError> {
    let failed = |source| KeyError::Io { action: "replaced", path: path.to_owned(), source };
    // Where a link leads.
    let path = fs::canonicalize(path).map_err(failed)?;
    let new = written(&path, ring).map_err(failed)?;
    new.persist(&path).map_err(|error| failed(error.error))?;
    sync(parent(&path)).map_err(failed)
}

/// A durable temporary file beside a path. Its mode is 0600.
fn written(path: &Path, ring: &Keyring) -> io::Result<tempfile::NamedTempFile> {
    let directory = parent(path);
    make(directory)?;
    let mut file = tempfile::Builder::new().prefix(".master-key-").tempfile_in(directory)?;
    file.write_all(ring.to_text().as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes a directory and those above it, for its owner alone, durably.
fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = parent(directory);
    make(above)?;
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync(above),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("/"))
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
