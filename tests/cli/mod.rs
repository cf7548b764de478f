//! The command line: what each command does, says to people and to programs, and exits with.

mod audit;
mod certs;
mod completions;
mod demo;
mod export;
pub(crate) mod export_formats;
mod export_offline;
mod hold;
mod import;
mod inspect;
mod kept;
mod man;
pub(crate) mod media;
mod mirror;
mod read;
mod refusal;
pub(crate) mod run;
mod set_user;
mod settings;
mod sidecar;
pub(crate) mod telethon;
mod top;
mod watch;
mod write;

use run::{Running, run};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_sessiond");
