//! The formats in which libraries keep and hand out their sessions, each in a module of its own. [`read_path`] and
//! [`read_bytes`] tell which it is; [`write()`] writes another.

pub mod telethon_v2;

mod account;
mod bytes;
mod column;
mod databases;
mod dc_table;
mod directories;
mod error;
mod format;
mod gotd;
mod gramjs_store;
mod gramjs_string;
mod grammers;
mod grammers_tl;
mod kurigram;
mod mtcute;
mod mtcute_string;
mod mtkruto_string;
mod place;
mod pyrofork;
mod pyrogram;
mod pyrogram_family;
mod pyrogram_string;
mod pyrotgfork;
mod reading;
#[cfg(test)]
mod samples;
mod source;
mod strings;
mod tdata;
mod telethon_string;
mod telethon_v1;
mod texts;
mod writing;

#[cfg(test)]
mod random;
#[cfg(test)]
mod trials;

use crate::Contents;

pub use directories::directory_format;
pub use error::{ExportError, FormatError, ImportError, Lacking};
pub use format::{Format, Medium, Schema, UnknownFormat};
pub use reading::{Reading, read_bytes, read_path, schema_of};
pub use source::Source;
pub use writing::{Wanting, dropped, write};

/// What was read, and what of the source is not in it.
#[derive(Debug)]
pub struct Imported {
    /// What the source is.
    pub format: Format,
    /// The version of its tables, where it has one.
    pub version: Option<i64>,
    /// Which account it is, where a source has several.
    pub account: Option<String>,
    /// What was in it.
    pub contents: Contents,
    /// What was left behind, and why; one sentence each, for people. There is no secret in them.
    pub left_behind: Vec<String>,
    /// What else it could be by its shape, and how to say so.
    pub doubt: Option<String>,
}

impl Imported {
    /// What was read whole from a source of one account, without versions.
    fn new(format: Format, contents: Contents) -> Self {
        Self { format, version: None, account: None, contents, left_behind: Vec::new(), doubt: None }
    }

    /// What the source is, version included.
    pub fn schema(&self) -> Schema {
        Schema { format: self.format, version: self.version }
    }
}
