//! What other programs do to a session's own file.

use std::{fs, path::Path};

use rusqlite::Connection;
use serde::Deserialize;

use crate::harness::stock;

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
    /// Does it to the file. What is given and answered is the program that has it locked.
    pub(super) fn perform(self, file: &Path, locked: &mut Option<Connection>) {
        match self {
            Self::Lock => {
                let program = stock::open(file).expect("it opens");
                program.execute_batch("begin immediate").expect("nobody holds the session");
                *locked = Some(program);
            }
            Self::Unlock => *locked = None,
            Self::Change => {
                let program = stock::open(file).expect("it opens");
                program.execute_batch("update state set pts = pts + 1").expect("nobody holds the session");
            }
            Self::Damage => fs::write(file, "no database ".repeat(1_000)).expect("written"),
        }
    }
}
