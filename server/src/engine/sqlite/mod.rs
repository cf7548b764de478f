//! Sessions in SQLite: all of them in one store, `sessiond.db`, and each in a file of its own for people, its mirror.

mod belongings;
mod claim;
mod database;
mod due;
mod entry;
mod identity;
mod log;
mod mirror_file;
mod mirrors;
mod rebuild;
mod recovery;
mod reserve;
mod rows;
mod schema;
mod sealing;
mod session_files;
mod store;
mod times;
mod uses;

use std::{path::Path, sync::Arc};

use tracing::warn;

use super::local::LocalEngine;
use crate::seal::KeySource;

pub(crate) use claim::Claim;
pub(crate) use database::OpenError;
pub(crate) use mirrors::{Mirrors, Noted, Source};
pub(crate) use store::Store;

/// An engine over a directory.
pub(crate) type SqliteEngine = LocalEngine<Store>;

impl SqliteEngine {
    /// Whether a directory has a store.
    pub(crate) fn is_in(directory: &Path) -> bool {
        directory.join(store::FILE).exists()
    }

    /// Opens the store of a directory, which the caller has locked, and makes it if there is none. Secrets are sealed with the
    /// keys from `keys`, and without them nothing is changed. At most `file_budget` session files are open at a time.
    pub(crate) fn open(directory: &Path, keys: &KeySource, file_budget: usize) -> Result<Self, OpenError> {
        let (opened, recovered) = recovery::open(directory, keys)?;
        let mirrors = Mirrors::new(directory, opened.store_ids.clone(), file_budget);
        mirrors.expect(&recovered.state.sessions, &opened);
        let store = Store::new(directory, opened, recovered.state.revision);
        Self::start(store, recovered, Some(Arc::new(mirrors)))
            .map_err(|source| OpenError::Io { path: directory.to_owned(), source })
    }

    /// The same. A store that is damaged, or gone, is first made anew from the session files; the old one is kept beside it
    /// under another name. One that is whole has more than the files, and stays.
    pub(crate) fn open_or_rebuild(
        directory: &Path,
        keys: &KeySource,
        file_budget: usize,
    ) -> Result<Self, OpenError> {
        if Self::is_in(directory) {
            match Self::open(directory, keys, file_budget) {
                Err(OpenError::Damaged { .. }) => {}
                opened => {
                    if opened.is_ok() {
                        warn!("the store is whole: it is not made anew");
                    }
                    return opened;
                }
            }
        }
        let kept = rebuild::rebuild(directory, keys)?;
        warn!(kept, "the store was made anew from the session files; the old one is kept");
        Self::open(directory, keys, file_budget)
    }
}
