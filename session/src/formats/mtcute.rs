//! The SQLite file of mtcute (`@mtcute/core`, `storage/sqlite`): keys of every data center, temporary keys, peers, messages by
//! which peers can be found, and a table of keys and values, among them the home data center, the user and the update state.
//!
//! What has no place in a session is kept as attributes: `mtcute.kv/KEY`, `mtcute.temp/DC.IDX`, `mtcute.ref/...`.

mod dc_option;
mod reader;
mod user;
mod writer;

use rusqlite::Connection;

use super::{
    ExportError, FormatError, Imported, Wanting, place,
    place::{Addresses, Dcs, PeerPlace, Place, Username},
};
use crate::{Attribute, Contents};

pub(super) use dc_option::DcOption;

/// Where the data center that serves files is kept, as mtcute has it.
pub(super) const MEDIA_KEY: &str = "mtcute.kv/dc_media";

/// What attributes' keys begin with: values, temporary keys, and messages by the peer and by the message.
const VALUES: &str = "mtcute.kv/";
const TEMPORARY: &str = "mtcute.temp/";
const REFERENCES: &str = "mtcute.ref/p/";
const REFERENCES_BACK: &str = "mtcute.ref/m/";

/// Attributes that other libraries could have, too: 1 is premium, and all of the user's names, a line each.
const USER_FLAGS: &str = "user_flags";
const USER_USERNAMES: &str = "user_usernames";
const PREMIUM: i64 = 1;

/// What is kept of a peer: all that Telegram said of it, and the milliseconds of when it was seen.
const COMPLETE: &str = "mtcute.complete";
const UPDATED: &str = "mtcute.updated";

/// Which keys of mtcute's table have a place in a session.
const MAIN: &str = "dc_main";
const CURRENT_USER: &str = "current_user";
const COUNTERS: [&str; 4] = ["updates_pts", "updates_qts", "updates_date", "updates_seq"];
const CHANNEL: &str = "updates_channel:";

/// The tables' parts and their versions, in the order in which mtcute makes them.
const VERSIONS: [(&str, i64); 4] = [("auth_keys", 1), ("kv", 1), ("ref_messages", 1), ("peers", 2)];

const PLACE: Place = Place {
    dcs: Dcs::EveryKey,
    addresses: Addresses::One,
    test_mode: true,
    user: true,
    bot: true,
    username: Username::WithUser,
    counters: true,
    channels: true,
    peers: Some(PeerPlace {
        fits: place::has_hash,
        min: true,
        kind: |_| false,
        bot: false,
        usernames: usize::MAX,
        phone: true,
        name: false,
        seen: true,
        extra: |key| matches!(key, COMPLETE | UPDATED),
    }),
    attribute: has_place,
};

/// Whether these are its tables.
pub(super) fn is_this(tables: &[String]) -> bool {
    ["mtcute_migrations", "auth_keys", "key_value"]
        .iter()
        .all(|name| tables.iter().any(|table| table == name))
}

/// What is in a file.
pub(super) fn read(connection: &Connection) -> Result<Imported, FormatError> {
    reader::read(connection)
}

/// Makes the tables in an empty database, and fills them.
pub(super) fn write(
    connection: &Connection,
    contents: &Contents,
    wanting: &Wanting,
) -> Result<(), ExportError> {
    writer::write(connection, contents, wanting)
}

/// What has no place in such a file.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    place::losses(contents, &PLACE)
}

/// Whether an attribute is one of mtcute's, or of those that it shares.
fn has_place(attribute: &Attribute) -> bool {
    let key = attribute.key.as_str();
    [VALUES, TEMPORARY, REFERENCES, REFERENCES_BACK].iter().any(|prefix| key.starts_with(prefix))
        || matches!(key, USER_FLAGS | USER_USERNAMES)
}

/// Whether a key of mtcute's table has a place in a session, so that its value is no attribute.
fn is_mapped(key: &str) -> bool {
    matches!(key, MAIN | CURRENT_USER) || COUNTERS.contains(&key) || key.starts_with(CHANNEL)
}

#[cfg(test)]
mod tests;
