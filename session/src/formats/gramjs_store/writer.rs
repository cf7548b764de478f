use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use zeroize::Zeroizing;

use super::{ADDRESS, AUTH_KEY, DC, PLACE, PORT, name, peer};
use crate::{
    AuthKey, Contents, Peer,
    formats::{ExportError, Format, Wanting, account::Account, place},
};

/// What `StoreSession` writes between the session's name and a value's.
const DIVIDER: char = ':';

/// The name that the library refuses.
const REFUSED: &str = "session";

/// Room for peers in a store of 5 MiB, so that some is left for those to come.
const ROOM: usize = 4 << 20;

pub(super) fn write(contents: &Contents, wanting: &Wanting, path: &Path) -> Result<(), ExportError> {
    let io_error = |source: io::Error| ExportError::Io { path: path.to_owned(), source };
    let session = path.file_name().and_then(|name| name.to_str()).filter(|name| *name != REFUSED);
    let session = session.ok_or_else(|| {
        let problem = format!("GramJS takes no directory of this name; any text will do but \"{REFUSED}\"");
        io_error(io::Error::new(io::ErrorKind::InvalidInput, problem))
    })?;
    let account = Account::of(contents, wanting, Format::GramJsStore);
    let (ip, port) = account.need_address()?;
    let key = json(account.need_key()?);
    let mut values = vec![
        (DC.to_owned(), account.dc.to_string()),
        (PORT.to_owned(), port.to_string()),
        (ADDRESS.to_owned(), format!("\"{ip}\"")),
    ];
    values.extend(rows(contents).0);
    DirBuilder::new().mode(0o700).create(path).map_err(io_error)?;
    let written = fill(path, session, &key, &values);
    written.map_err(|error| {
        let _ = fs::remove_dir_all(path);
        io_error(error)
    })
}

fn fill(path: &Path, session: &str, key: &str, values: &[(String, String)]) -> io::Result<()> {
    let others = values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in others.chain([(AUTH_KEY, key)]) {
        let path = path.join(name::encoded(&format!("{session}{DIVIDER}{name}")));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(value.as_bytes())?;
    }
    // One wait for all files, of which there can be tens of thousands.
    Ok(rustix::fs::syncfs(fs::File::open(path)?)?)
}

/// How many peers there is no room for.
pub(super) fn beyond(contents: &Contents) -> usize {
    rows(contents).1
}

/// Peers' ids and rows, as many as there is room for, those seen last first, and how many there is none for.
pub(super) fn rows(contents: &Contents) -> (Vec<(String, String)>, usize) {
    let user = contents.session.user.as_ref();
    let fits = |peer: &&Peer| PLACE.peers.is_some_and(|peers| place::fits(peer, &peers));
    let mut peers: Vec<&Peer> = contents.peers.iter().filter(fits).collect();
    peers.sort_by_key(|peer| std::cmp::Reverse(peer.seen));
    let (mut room, mut beyond) = (ROOM, 0);
    let mut rows = Vec::new();
    for row in peers.into_iter().filter_map(|peer| peer::row(peer, user)) {
        match room.checked_sub(row.1.len()) {
            Some(left) if beyond == 0 => {
                room = left;
                rows.push(row);
            }
            _ => beyond += 1,
        }
    }
    (rows, beyond)
}

fn json(key: &AuthKey) -> Zeroizing<String> {
    let mut json = Zeroizing::new(String::with_capacity(4 * AuthKey::LEN + 64));
    json.push_str(r#"{"type":"Buffer","data":["#);
    for (at, byte) in key.expose().iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        json.push_str(&byte.to_string());
    }
    json.push_str("]}");
    json
}
