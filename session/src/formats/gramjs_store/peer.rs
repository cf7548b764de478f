use serde_json::{Value, json};

use crate::{Peer, PeerKind, User, formats::place};

/// What GramJS puts before a channel's id, as text: with ids of ten digits that is the marked id of everybody else.
const CHANNEL: &str = "-100";

/// A peer of its row: id, access hash, username, phone number, name, and milliseconds, all texts or null.
pub(super) fn parsed(row: &[u8]) -> Option<Peer> {
    let row: Vec<Option<String>> = serde_json::from_slice(row).ok()?;
    let field = |at: usize| row.get(at).cloned().flatten();
    let access_hash: i64 = field(1)?.parse().ok()?;
    let id = marked_id(&field(0)?, access_hash)?;
    let seen: Option<i64> = field(5).and_then(|milliseconds| milliseconds.parse().ok());
    Some(Peer {
        id,
        access_hash: Some(access_hash),
        usernames: field(2).map(|name| vec![name]),
        phone: field(3),
        name: field(4),
        seen: seen.map(|milliseconds| milliseconds / 1_000).filter(|seen| *seen > 0),
        ..Peer::default()
    })
}

/// The id as GramJS has it, and the row. `None`: the library would not keep such a peer.
pub(super) fn row(peer: &Peer, user: Option<&User>) -> Option<(String, String)> {
    let access_hash = if place::is_group(peer) { 0 } else { peer.access_hash? };
    let id = match Peer::kind_of(peer.id) {
        PeerKind::User | PeerKind::Group => peer.id.to_string(),
        _ => format!("{CHANNEL}{}", peer.bare_id()),
    };
    let username = place::usernames(peer, user).first().map(|name| name.to_lowercase());
    let phone = peer.phone.as_deref().filter(|phone| !phone.is_empty());
    let milliseconds = peer.seen.unwrap_or(0).saturating_mul(1_000).to_string();
    let name = peer.name.as_deref().unwrap_or_default();
    let row: Value = json!([id, access_hash.to_string(), username, phone, name, milliseconds]);
    Some((id, row.to_string()))
}

/// A basic group has no access hash; so what begins with `-100` and has one is a channel.
fn marked_id(text: &str, access_hash: i64) -> Option<i64> {
    let id: i64 = text.parse().ok().filter(|id| *id != 0)?;
    match text.strip_prefix(CHANNEL) {
        Some(bare) if access_hash != 0 => {
            let bare: i64 = bare.parse().ok()?;
            (1..1 << 50).contains(&bare).then(|| Peer::channel(bare))
        }
        _ => Some(id),
    }
}
