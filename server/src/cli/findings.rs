//! What was found in a source, for people and for programs. No key, and nobody's name but the user's own.

use serde_json::{Map, Value, json};
use sessiond_client::Session;
use sessiond_session::formats::Imported;

use super::{
    render::{printable, session_object, session_text},
    source::Origin,
};

/// What was found, with the schema's field names where it has them.
pub(super) fn object(found: &Imported) -> Map<String, Value> {
    let Imported { format, version, account, contents, left_behind, doubt } = found;
    let ids: Vec<Value> = key_ids(&contents.session)
        .into_iter()
        .map(|(dc, id)| json!({ "dc": dc, "auth_key_id": id }))
        .collect();
    let fields = [
        ("format", json!(found.schema().to_string())),
        ("from", json!(format.name())),
        ("version", json!(version)),
        ("account", json!(account)),
        ("session", session_object(&contents.session)),
        ("keys", json!(ids)),
        ("peers", json!(contents.peers.len())),
        ("attributes", json!(contents.attributes.len())),
        ("left_behind", json!(left_behind)),
        ("doubt", json!(doubt)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A source that was refused, and why.
pub(super) fn refused_object(origin: &Origin, sentence: &str) -> Value {
    json!({ "source": origin.to_string(), "error": sentence })
}

/// What was found, in one line.
pub(super) fn line(found: &Imported) -> String {
    let mut text = session_text(&found.contents.session);
    for (noun, count) in
        [("peers", found.contents.peers.len()), ("attributes", found.contents.attributes.len())]
    {
        if count > 0 {
            text += &format!(", {noun}: {count}");
        }
    }
    text
}

/// What was not taken and what is not certain, a line each.
pub(super) fn remarks(found: &Imported) -> Vec<String> {
    let left_behind = found.left_behind.iter().map(|what| format!("left behind: {}", printable(what)));
    left_behind.chain(found.doubt.iter().map(|doubt| format!("in doubt: {}", printable(doubt)))).collect()
}

/// Of each data center with a key, what tells that key from others: the `auth_key_id` of MTProto, in hexadecimal.
pub(super) fn key_ids(session: &Session) -> Vec<(i32, String)> {
    let hexadecimal = |id: [u8; 8]| id.iter().map(|byte| format!("{byte:02x}")).collect();
    session.dcs.iter().filter_map(|dc| Some((dc.id, hexadecimal(dc.auth.key()?.id())))).collect()
}
