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
            Self::Change => {
                let mut program = eventually(|| begun(file)).await;
                while program.execute("update state set pts = pts + 1", ()).expect("it is locked") == 0 {
                    // Not yet written.
                    drop(program);
                    program = eventually(|| begun(file)).await;
                }
                program.execute_batch("commit").expect("it is locked");
            }
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
