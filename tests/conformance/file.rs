//! What other programs do to a session's own file.

use std::{fs, path::Path};

use rusqlite::Connection;
use serde::Deserialize;

use crate::harness::{eventually, stock};

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FileStep {
    /// A program has it open and locked.
    Lock,
    /// It lets go.
    Unlock,
    /// It writes into it.
    Change,
    /// It writes something else over it.
    Damage,
}

impl FileStep {
    /// Does it to the file, as soon as the daemon has written it and let go of it. `locked` is the program that has it locked.
    pub(super) async fn perform(self, file: &Path, locked: &mut Option<Connection>) {
        match self {
            Self::Lock => *locked = Some(eventually(|| begun(file)).await),
            Self::Unlock => *locked = None,
            Self::Change => eventually(|| changed(file)).await,
            Self::Damage => fs::write(file, "no database ".repeat(1_000)).expect("written"),
        }
    }
}

/// A program that has the file open and locked. `None`: somebody else has, or there is none yet.
fn begun(file: &Path) -> Option<Connection> {
    let program = stock::open(file).ok()?;
    program.execute_batch("begin immediate").ok()?;
    Some(program)
}

/// A program that has written into the file. `None`: it could not, or the daemon has not written it yet.
fn changed(file: &Path) -> Option<()> {
    let program = begun(file)?;
    let rows = program.execute("update state set pts = pts + 1", ()).ok()?;
    program.execute_batch("commit").ok()?;
    (rows == 1).then_some(())
}
