//! The SQLite file of Telethon 1, version 7 (up to 1.42) and version 8 (from 1.43): `telethon/sessions/sqlite.py`.
//!
//! One data center with its key, the update states, and the peers seen. Whose session it is stands in a row of the peers'
//! table, `entities`, whose id is 0 and whose hash is the user's id.

use rusqlite::Connection;

use super::{
    FormatError, column,
    place::{self, Addresses, Dcs, PeerPlace, Place, Username},
};
use crate::Contents;

mod reading;
mod writing;

pub(super) use reading::read;
pub(super) use writing::write;

/// The oldest version that is read, and the one that every Telethon 1 opens.
const OLDEST: i64 = 7;

/// The newest version that is known.
const NEWEST: i64 = 8;

/// What keys of attributes that are sent files begin with. `MD5.SIZE.TYPE` follow, and the value is the file's id and its
/// access hash.
const FILE: &str = "telethon.file/";

/// The attribute of the export that is under way.
const TAKEOUT: &str = "takeout_id";

const PLACE: Place = Place {
    dcs: Dcs::Home,
    addresses: Addresses::One,
    test_mode: false,
    user: true,
    bot: false,
    username: Username::WithPeer,
    counters: true,
    channels: true,
    peers: Some(PeerPlace {
        fits: |peer| place::is_group(peer) || peer.access_hash.is_some_and(|hash| hash != 0),
        min: false,
        kind: |_| false,
        bot: false,
        usernames: 1,
        phone: true,
        name: true,
        seen: true,
        extra: |_| false,
    }),
    attribute: |attribute| place::is_number(attribute, TAKEOUT) || writing::file(attribute).is_some(),
};

/// Whether these are its tables. Others' files have a table `sessions`, too, but with no `entities`.
pub(super) fn is_this(connection: &Connection, tables: &[String]) -> Result<bool, FormatError> {
    let there = |name: &str| tables.iter().any(|table| table == name);
    Ok(there("sessions") && there("entities") && column::has(connection, "sessions", "server_address")?)
}

/// The version as the file says, or as its columns tell.
pub(super) fn version(connection: &Connection, tables: &[String]) -> Result<i64, FormatError> {
    if let Some(version) = column::version(connection, tables, "version")? {
        return Ok(version);
    }
    Ok(if column::has(connection, "sessions", "tmp_auth_key")? { NEWEST } else { OLDEST })
}

/// What has no place in such a file.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    let mut losses = place::losses(contents, &PLACE);
    let phones = contents.peers.iter().filter_map(|peer| peer.phone);
    let odd = phones.filter(|text| !text.is_empty() && phone(text).is_none()).count();
    if odd > 0 {
        losses.push(format!(
            "{odd} phone numbers of peers: the format has numbers for them, which these are not"
        ));
    }
    losses
}

/// A phone number as the number that the table makes of it.
fn phone(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| *number > 0 && number.to_string() == text)
}

#[cfg(test)]
mod tests;
