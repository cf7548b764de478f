//! What the SQLite files of Pyrogram, Hydrogram, Kurigram, PyroTGFork and Pyrofork have in common: one account with the key of
//! its home data center, and the peers met; the forks' update states, too. Each has a module that says how it differs.

use rusqlite::Connection;

use super::{
    FormatError, column,
    place::{self, Addresses, Dcs, PeerPlace, Place, Username},
};
use crate::{Attribute, Contents, PeerKind};

mod names;
mod reading;
mod writing;

pub(super) use reading::read;
pub(super) use writing::write;

/// In what one of the family differs from the others.
pub(super) struct Flavor {
    pub(super) format: super::Format,
    /// The version that is written, and the newest known.
    pub(super) version: i64,
    pub(super) ddl: &'static str,
    pub(super) usernames: Usernames,
    /// Whether the data center's address is kept.
    pub(super) has_address: bool,
    /// Whether update states are kept.
    pub(super) has_states: bool,
    /// What the library calls a kind, which may be what it calls another, too.
    pub(super) kind: fn(PeerKind) -> &'static str,
}

/// Where usernames are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Usernames {
    /// One, with the peer.
    Column,
    /// In a table of `id` and `username`.
    Table,
    /// The primary one with the peer; if there are several, all in a table of `id`, the username, and `peer_id`.
    Both,
}

/// The oldest version that is read.
const OLDEST: i64 = 2;

/// The attribute of the API id.
const API_ID: &str = "api_id";

/// The attribute of the time that the library calls `date`.
const CREATED: &str = "created";

/// Whether these are tables of the family.
pub(super) fn is_this(connection: &Connection, tables: &[String]) -> Result<bool, FormatError> {
    Ok(has_table(tables, "sessions")
        && has_table(tables, "peers")
        && column::has(connection, "sessions", "is_bot")?)
}

/// Whether there is a table of this name.
pub(super) fn has_table(tables: &[String], name: &str) -> bool {
    tables.iter().any(|table| table == name)
}

/// The version as the file says; one that does not is of the first that is read.
pub(super) fn version(connection: &Connection, tables: &[String]) -> Result<i64, FormatError> {
    Ok(column::version(connection, tables, "number")?.unwrap_or(OLDEST))
}

/// The kinds of all but Kurigram.
pub(super) fn narrow_kinds(kind: PeerKind) -> &'static str {
    match kind {
        PeerKind::User => "user",
        PeerKind::Group => "group",
        PeerKind::Supergroup | PeerKind::Gigagroup | PeerKind::Forum => "supergroup",
        PeerKind::Channel | PeerKind::Direct | PeerKind::Community | PeerKind::ChannelUnknown => "channel",
    }
}

/// The kinds of Kurigram.
pub(super) fn wide_kinds(kind: PeerKind) -> &'static str {
    match kind {
        PeerKind::Forum => "forum",
        PeerKind::Direct => "direct",
        PeerKind::Community => "community",
        other => narrow_kinds(other),
    }
}

/// What has no place in a file of the family.
pub(super) fn dropped(contents: &Contents, flavor: &Flavor) -> Vec<String> {
    place::losses(contents, &place_of(flavor))
}

fn place_of(flavor: &Flavor) -> Place {
    Place {
        dcs: Dcs::Home,
        addresses: if flavor.has_address { Addresses::One } else { Addresses::None },
        test_mode: true,
        user: true,
        bot: true,
        username: Username::WithPeer,
        counters: flavor.has_states,
        channels: flavor.has_states,
        peers: Some(PeerPlace {
            fits: place::has_hash,
            min: false,
            kind: if flavor.has_address { is_told_widely } else { is_told_narrowly },
            bot: true,
            usernames: if flavor.usernames == Usernames::Column { 1 } else { usize::MAX },
            phone: true,
            name: false,
            seen: true,
            extra: |_| false,
        }),
        attribute: has_place,
    }
}

fn is_told_narrowly(kind: PeerKind) -> bool {
    matches!(kind, PeerKind::User | PeerKind::Group | PeerKind::Supergroup | PeerKind::Channel)
}

fn is_told_widely(kind: PeerKind) -> bool {
    is_told_narrowly(kind) || matches!(kind, PeerKind::Forum | PeerKind::Direct | PeerKind::Community)
}

fn has_place(attribute: &Attribute) -> bool {
    place::is_number(attribute, API_ID) || place::is_number(attribute, CREATED)
}

#[cfg(test)]
pub(super) mod tests;
