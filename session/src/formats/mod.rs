//! The formats in which libraries keep and hand out their sessions, each in a module of its own. [`read_path`],
//! [`read_bytes`] and [`read_files`] tell which it is; [`write()`] and [`to_files`] write another.

pub mod telethon_v2;

mod account;
mod bytes;
mod column;
mod databases;
mod dc_table;
mod directories;
mod error;
mod folder;
mod format;
mod gotd;
mod gramjs_store;
mod gramjs_string;
mod grammers;
mod grammers_tl;
mod header;
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
mod room;
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
pub(crate) mod random;
#[cfg(test)]
mod trials;

use std::mem;

use crate::{Contents, Peer};

pub use directories::directory_format;
pub use error::{ExportError, FormatError, ImportError, Lacking};
pub use folder::Files;
pub use format::{Format, Medium, Schema, UnknownFormat};
pub use reading::{Reading, read_bytes, read_files, read_path, schema_of};
pub use source::Source;
pub use writing::{Wanting, dropped, to_files, write};

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
    /// What was taken for granted, such as what else it could be by its shape; one sentence each, for people.
    pub doubts: Vec<String>,
}

impl Imported {
    /// What was read whole from a source of one account, without versions.
    fn new(format: Format, contents: Contents) -> Self {
        Self { format, version: None, account: None, contents, left_behind: Vec::new(), doubts: Vec::new() }
    }

    /// Makes of it what a daemon keeps: what the source does not tell must not be taken for something else.
    ///
    /// Peers were seen at no time that is known (0), which is not the time of the import. And the home data center is taken from
    /// the keys, where they tell it, and that is said among the doubts: a Telethon v2 file has no place for it beside the user's,
    /// and before anybody is logged in there is a key of the home alone.
    pub fn settle(&mut self) {
        let seen = |peer: Peer| Peer { seen: peer.seen.or(Some(0)), ..peer };
        self.contents.peers = mem::take(&mut self.contents.peers).into_iter().map(seen).collect();
        let session = &mut self.contents.session;
        if session.user.is_some() || session.home_dc.is_some() {
            return;
        }
        let mut with_key = session.dcs.iter().filter(|dc| dc.auth.is_present()).map(|dc| dc.id);
        if let (Some(only), None) = (with_key.next(), with_key.next()) {
            session.home_dc = Some(only);
            self.doubts.push(format!("home DC {only} is taken from its key, the only one that there is"));
        }
    }

    /// What the source is, version included.
    pub fn schema(&self) -> Schema {
        Schema { format: self.format, version: self.version }
    }
}
