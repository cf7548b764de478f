use std::path::{Path, PathBuf};

use super::{KeyError, Keyring, MasterKeyId, key_file};

/// Where the master key comes from. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// There is none: nothing is sealed.
    None,
    /// A file, made if there is none and nothing is sealed yet.
    File(PathBuf),
    /// A file that a service manager puts there; it is read only.
    Credential(PathBuf),
    /// A file of the user's configuration directory, one for each store, likewise.
    Configuration(PathBuf),
    /// It should be there, and there is no such directory.
    Nowhere,
}

/// What a store says of the key that it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The store's directory, in which no key may be.
    pub(crate) directory: &'a Path,
    /// The store's id, which a copy keeps.
    pub(crate) id: &'a str,
    /// The master keys that are in use. Empty: nothing is sealed yet.
    pub(crate) used: &'a [MasterKeyId],
    /// Whether a session is sealed now: all may have been opened.
    pub(crate) is_sealed: bool,
}

impl KeySource {
    /// The master keys of a store; `None` where it is not sealed, nor to be. Nothing of the store is changed.
    pub(crate) fn unlock(&self, place: &Place<'_>) -> Result<Option<Keyring>, KeyError> {
        let Some(path) = self.path(place.id)? else {
            return match place.used.first() {
                Some(id) if place.is_sealed => Err(KeyError::Needed { id: id.clone() }),
                _ => Ok(None),
            };
        };
        if path.starts_with(place.directory) {
            return Err(KeyError::Inside { path });
        }
        let ring = match key_file::read(&path)? {
            Some(ring) => ring,
            None if matches!(self, Self::Credential(_)) => return Err(KeyError::NoCredential { path }),
            None => match place.used.first() {
                Some(id) => return Err(KeyError::Missing { path, id: id.clone() }),
                None => return key_file::create(&path).map(Some),
            },
        };
        match place.used.iter().find(|id| !ring.has(id)) {
            Some(id) => Err(KeyError::Wrong { path, id: id.clone() }),
            None => Ok(Some(ring)),
        }
    }

    /// Makes a new master key, durably. Those that were there stay, retired.
    pub(crate) fn rotate(&self, ring: &Keyring, store: &str) -> Result<Keyring, KeyError> {
        match self {
            Self::File(_) | Self::Configuration(_) => {}
            Self::None | Self::Nowhere | Self::Credential(_) => return Err(KeyError::ReadOnly),
        }
        let path = self.path(store)?.expect("these have one");
        // What somebody else has put there since stays.
        let there = key_file::read(&path)?.filter(|there| there.has(ring.current()));
        let rotated = there
            .ok_or_else(|| KeyError::Wrong { path: path.clone(), id: ring.current().clone() })?
            .rotated();
        key_file::replace(&path, &rotated)?;
        Ok(rotated)
    }

    /// Where it is, for people. `None`: nowhere.
    pub(crate) fn path(&self, store: &str) -> Result<Option<PathBuf>, KeyError> {
        match self {
            Self::None => Ok(None),
            Self::Nowhere => Err(KeyError::NoHome),
            Self::File(path) | Self::Credential(path) => Ok(Some(path.clone())),
            Self::Configuration(directory) => Ok(Some(directory.join("keys").join(format!("{store}.key")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{KeySource, Place};
    use crate::seal::KeyError;

    fn place<'a>(directory: &'a std::path::Path, used: &'a [super::MasterKeyId]) -> Place<'a> {
        Place { directory, id: "store", used, is_sealed: !used.is_empty() }
    }

    #[test]
    fn the_first_start_makes_a_key_for_its_owner_alone_and_the_next_finds_it() {
        let home = tempfile::tempdir().expect("a directory");
        let (data, source) = (home.path().join("data"), KeySource::Configuration(home.path().join("a/b")));
        let first = source.unlock(&place(&data, &[])).expect("made").expect("a ring");
        let path = home.path().join("a/b/keys/store.key");
        let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().expect("one"))), (0o600, 0o700));
        let used = [first.current().clone()];
        let second = source.unlock(&place(&data, &used)).expect("found").expect("a ring");
        assert_eq!(first.current(), second.current());
        assert_eq!(fs::read_dir(home.path().join("a/b/keys")).expect("there").count(), 1);
    }

    #[test]
    fn a_key_that_is_missing_or_another_is_refused_and_none_is_made() {
        let home = tempfile::tempdir().expect("a directory");
        let (data, path) = (home.path().join("data"), home.path().join("key"));
        let source = KeySource::File(path.clone());
        let used = ["0123456789abcdef".to_owned().into()];
        assert!(matches!(source.unlock(&place(&data, &used)), Err(KeyError::Missing { .. })));
        assert!(!path.exists());
        fs::write(&path, "0a".repeat(32)).expect("written");
        assert!(matches!(source.unlock(&place(&data, &used)), Err(KeyError::Wrong { .. })));
        assert!(matches!(KeySource::None.unlock(&place(&data, &used)), Err(KeyError::Needed { .. })));
        assert!(matches!(KeySource::Nowhere.unlock(&place(&data, &[])), Err(KeyError::NoHome)));
        assert!(matches!(source.unlock(&place(home.path(), &[])), Err(KeyError::Inside { .. })));
        let credential = KeySource::Credential(home.path().join("none"));
        assert!(matches!(credential.unlock(&place(&data, &[])), Err(KeyError::NoCredential { .. })));
    }

    #[test]
    fn a_rotation_retires_what_was_there_and_forgets_nothing() {
        let home = tempfile::tempdir().expect("a directory");
        let (data, source) = (home.path().join("data"), KeySource::File(home.path().join("key")));
        let first = source.unlock(&place(&data, &[])).expect("made").expect("a ring");
        let second = source.rotate(&first, "store").expect("rotated");
        assert!(second.has(first.current()) && second.current() != first.current());
        let used = [first.current().clone(), second.current().clone()];
        let read = source.unlock(&place(&data, &used)).expect("found").expect("a ring");
        assert_eq!(read.current(), second.current());
    }
}
