//! The directory of a `StoreSession` of GramJS and teleproto (`sessions/StoreSession.js`): a file for each value, in JSON, as
//! store2 and node-localstorage write them. The session's name begins each key, and a key is a file's name, percent-encoded:
//! `alice%3AauthKey`. Beside the home data center and its key there is a file for each peer.

mod name;
mod peer;
mod writer;

use std::io;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    ExportError, Files, Format, FormatError, Imported, Wanting, dc_table,
    folder::Folder,
    gramjs_string, place,
    place::{Addresses, Dcs, PeerPlace, Place, Username},
};
use crate::{Auth, AuthKey, Contents, DataCenter, Peer, Peers, Session};

/// The value's name of the key, and those of where the home data center is.
const AUTH_KEY: &str = "authKey";
const DC: &str = "dcId";
const PORT: &str = "port";
const ADDRESS: &str = "serverAddress";

/// The most bytes of a value. A key has some 900, a peer some 100.
const MAX_VALUE: u64 = 64 << 10;

/// The most peers: many times those of 5 MiB, after which node-localstorage stores no more.
const MAX_PEERS: usize = 200_000;

const PLACE: Place = Place {
    dcs: Dcs::Home,
    addresses: Addresses::One,
    test_mode: false,
    user: false,
    bot: false,
    username: Username::Nowhere,
    counters: false,
    channels: false,
    peers: Some(PeerPlace {
        fits: place::has_hash,
        min: false,
        kind: |_| false,
        bot: false,
        usernames: 1,
        phone: true,
        name: true,
        seen: true,
        extra: |_| false,
    }),
    attribute: place::no_attribute,
};

/// A `Buffer` as Node.js writes it in JSON.
#[derive(Deserialize)]
struct Buffer {
    data: Vec<u8>,
}

/// Whether a directory is one.
pub(super) fn is_this(folder: &Folder<'_>) -> bool {
    prefix(folder).is_some()
}

/// What is in a directory.
pub(super) fn read(folder: &Folder<'_>) -> Result<Imported, FormatError> {
    let prefix = prefix(folder).ok_or_else(|| FormatError::Unknown("it has no file of a key".into()))?;
    let mut dc = DataCenter::default();
    let mut left_behind = Vec::new();
    let number = |name: &str| -> Result<i64, FormatError> {
        let text = value(folder, &prefix, name)?.unwrap_or_default();
        Ok(serde_json::from_slice(&text).unwrap_or(0))
    };
    dc.id =
        i32::try_from(number(DC)?).ok().filter(|id| *id > 0).ok_or_else(|| wrong(DC, "is no data center"))?;
    let port = u16::try_from(number(PORT)?).map_err(|_| wrong(PORT, "is no port"))?;
    let address = value(folder, &prefix, ADDRESS)?.unwrap_or_default();
    // What is not JSON counts as it stands, as for store2.
    let address =
        serde_json::from_slice(&address).unwrap_or_else(|_| String::from_utf8_lossy(&address).into_owned());
    if !matches!(address.as_str(), "" | "undefined" | "null") {
        left_behind.extend(gramjs_string::set_address(&mut dc, &address, port));
    }
    dc.auth = auth(folder, &prefix)?;
    let peers = peers(folder, &prefix, &mut left_behind)?;
    let test_mode = dc_table::is_test(&dc).then_some(true);
    let session = Session { home_dc: Some(dc.id), dcs: vec![dc], test_mode, ..Session::default() };
    let contents = Contents { session, peers, ..Contents::default() };
    Ok(Imported { left_behind, ..Imported::new(Format::GramJsStore, contents) })
}

/// The files of a directory of this name, by which the library looks for its session.
pub(super) fn write(contents: &Contents, wanting: &Wanting, name: &str) -> Result<Files, ExportError> {
    writer::write(contents, wanting, name)
}

/// What has no place in such a directory.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    let mut losses = place::losses(contents, &PLACE);
    let too_many = writer::beyond(contents);
    if too_many > 0 {
        losses.push(format!(
            "{too_many} peers seen longest ago: the library's store takes 5 MiB and then nothing more"
        ));
    }
    losses
}

/// What begins the keys: that of which there is a key and a data center, the first if there are several.
fn prefix(folder: &Folder<'_>) -> Option<String> {
    let keys = folder.names().ok()?.into_iter().filter_map(|name| name::decoded(&name));
    let mut found: Vec<String> =
        keys.filter_map(|key| key.strip_suffix(AUTH_KEY).map(str::to_owned)).collect();
    found.sort();
    found.into_iter().find(|prefix| folder.has_file(&name::encoded(&format!("{prefix}{DC}"))))
}

fn value(folder: &Folder<'_>, prefix: &str, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, FormatError> {
    match folder.read(&name::encoded(&format!("{prefix}{name}")), MAX_VALUE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(name, format!("cannot be read: {error}"))),
    }
}

/// None where the library forgot it, as it does before it asks another data center for one: it writes `undefined` then.
fn auth(folder: &Folder<'_>, prefix: &str) -> Result<Auth, FormatError> {
    let json = value(folder, prefix, AUTH_KEY)?.unwrap_or_default();
    if matches!(json.trim_ascii(), b"" | b"undefined" | b"null") {
        return Ok(Auth::Absent);
    }
    let Ok(Buffer { data }) = serde_json::from_slice(&json) else {
        return Err(wrong(AUTH_KEY, "is no buffer in JSON"));
    };
    let key = AuthKey::try_from(Zeroizing::new(data).as_slice());
    key.map(Auth::Key).map_err(|error| wrong(AUTH_KEY, format!("is wrong: {error}")))
}

fn peers(folder: &Folder<'_>, prefix: &str, left_behind: &mut Vec<String>) -> Result<Peers, FormatError> {
    let (mut peers, mut others) = (Vec::<Peer>::new(), 0);
    let cannot_read = |error| FormatError::Unknown(format!("its files cannot be listed: {error}"));
    for file in folder.names().map_err(cannot_read)? {
        let key = name::decoded(&file);
        let Some(name) = key.as_deref().and_then(|key| key.strip_prefix(prefix)) else { continue };
        if matches!(name, AUTH_KEY | DC | PORT | ADDRESS) {
            continue;
        }
        if peers.len() == MAX_PEERS {
            return Err(FormatError::Unknown(format!("it has more than {MAX_PEERS} peers")));
        }
        match folder.read(&file, MAX_VALUE).ok().and_then(|row| peer::parsed(&row)) {
            Some(peer) => peers.push(peer),
            None => others += 1,
        }
    }
    if others > 0 {
        left_behind.push(format!("{others} files that are no peers"));
    }
    Ok(peers.into_iter().collect())
}

fn wrong(name: &str, problem: impl Into<String>) -> FormatError {
    FormatError::Value { column: name.into(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
