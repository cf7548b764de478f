use zeroize::Zeroizing;

use super::{ADDRESS, AUTH_KEY, DC, PLACE, PORT, name, peer};
use crate::{
    AuthKey, Contents, Peer,
    formats::{ExportError, Files, Format, Wanting, account::Account, place},
};

/// What `StoreSession` writes between the session's name and a value's.
const DIVIDER: char = ':';

/// The name that the library refuses.
const REFUSED: &str = "session";

/// Room for peers in a store of 5 MiB, so that some is left for those to come.
const ROOM: usize = 4 << 20;

pub(super) fn write(contents: &Contents, wanting: &Wanting, session: &str) -> Result<Files, ExportError> {
    if session == REFUSED || session.is_empty() {
        let problem = "GramJS takes no directory of this name; any text will do but \"session\"";
        return Err(ExportError::Name { format: Format::GramJsStore, problem });
    }
    let account = Account::of(contents, wanting, Format::GramJsStore);
    let (ip, port) = account.need_address()?;
    let key = json(account.need_key()?);
    let mut values = vec![
        (DC.to_owned(), account.dc.to_string()),
        (PORT.to_owned(), port.to_string()),
        (ADDRESS.to_owned(), format!("\"{ip}\"")),
    ];
    values.extend(rows(contents).0);
    let path = |name: &str| name::encoded(&format!("{session}{DIVIDER}{name}"));
    let mut files: Files =
        values.into_iter().map(|(name, value)| (path(&name), value.into_bytes().into())).collect();
    files.insert(path(AUTH_KEY), key.as_bytes().to_vec().into());
    Ok(files)
}

/// How many peers there is no room for.
pub(super) fn beyond(contents: &Contents) -> usize {
    rows(contents).1
}

/// Peers' ids and rows, as many as there is room for, those seen last first, and how many there is none for.
pub(super) fn rows(contents: &Contents) -> (Vec<(String, String)>, usize) {
    let user = contents.session.user.as_ref();
    let fits = |peer: &Peer| PLACE.peers.is_some_and(|peers| place::fits(peer, &peers));
    let mut peers: Vec<Peer> = contents.peers.iter().filter(fits).collect();
    peers.sort_by_key(|peer| std::cmp::Reverse(peer.seen));
    let (mut room, mut beyond) = (ROOM, 0);
    let mut rows = Vec::new();
    for row in peers.into_iter().filter_map(|peer| peer::row(&peer, user)) {
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
