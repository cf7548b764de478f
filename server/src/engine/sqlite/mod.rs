//! Sessions in SQLite: all of them in one store, `sessiond.db`, and each in a file of its own for people, its mirror.

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
mod session_files;
mod store;
mod times;
mod uses;

use std::{path::Path, sync::Arc};

use super::local::LocalEngine;

pub(crate) use claim::Claim;
pub(crate) use database::OpenError;
pub(crate) use mirrors::{Mirrors, Noted};
pub(crate) use store::Store;

/// An engine over a directory.
pub(crate) type SqliteEngine = LocalEngine<Store>;

impl SqliteEngine {
    /// Opens the store of a directory, which the caller has locked, and makes it if there is none. At most `file_budget`
    /// session files are open at a time.
    pub(crate) fn open(directory: &Path, file_budget: usize) -> Result<Self, OpenError> {
        let (opened, recovered) = recovery::open(directory)?;
        let mirrors = Mirrors::new(directory, opened.store_ids.clone(), file_budget);
        mirrors.expect(&recovered.state.sessions, &opened.unmirrored, &opened.removals);
        let store = Store::new(directory, opened, recovered.state.revision);
        Self::start(store, recovered, Some(Arc::new(mirrors)))
            .map_err(|source| OpenError::Io { path: directory.to_owned(), source })
    }

    /// Makes a new store from the session files of a directory. The old store is kept beside it under another name, which
    /// is told.
    pub(crate) fn rebuild(directory: &Path) -> Result<Option<String>, OpenError> {
        rebuild::rebuild(directory)
    }
}
