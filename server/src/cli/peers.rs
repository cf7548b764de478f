use std::process::ExitCode;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sessiond_client::{HeldSession, Peer, PeerFilter, PeerKey, PeerKind, SessionName};

use super::{
    Context,
    failure::Failure,
    output::Column,
    possession::Inherited,
    render::{NOTHING, exact_time, printable},
};
use crate::exit::Exit;

/// What a row has, in its order.
const COLUMNS: [Column; 7] = [
    Column::Number("ID"),
    Column::Text("KIND"),
    Column::Text("NAME"),
    Column::Text("USERNAMES"),
    Column::Text("PHONE"),
    Column::Text("HASH"),
    Column::Text("SEEN"),
];

/// Show the peers that a session's account met
///
/// They are the holder's alone: the session is held as long as this reads.
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Examples:
  sessiond peers alice
  sessiond peers alice --find @anna
  sessiond peers alice --json | jq -r "select(.kind == \"channel\").id""#)]
pub(crate) struct Peers {
    /// The session's name
    name: SessionName,
    /// Only who has this id, username, phone number or name
    #[arg(long, value_name = "WHO", allow_hyphen_values = true)]
    find: Option<String>,
    /// Show access hashes, and what single libraries keep of a peer
    #[arg(long)]
    show_secret: bool,
    #[command(flatten)]
    inherited: Inherited,
}

impl Peers {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { name, find, show_secret, inherited } = self;
        let found = inherited.with(context, &name, async |held| {
            let found = match &find {
                Some(who) => self::find(held, who).await,
                None => held.list_peers(PeerFilter::default()).try_collect().await,
            };
            found.with_context(|| name.to_string())
        });
        let found = found.await?;
        if let (Some(_), true) = (&find, found.is_empty()) {
            let message = format!("{name} knows of nobody like that; `sessiond peers {name}` lists all");
            return Err(Failure::new(Exit::NoInput, message).into());
        }
        if context.output.is_json() {
            for peer in &found {
                context.output.line(&object(peer, show_secret).to_string())?;
            }
        } else if found.is_empty() {
            context.output.note("no peers");
        } else {
            let rows: Vec<Vec<String>> = found.iter().map(|peer| row(peer, show_secret)).collect();
            context.output.table(&COLUMNS, &rows)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whoever has what was typed, each once.
async fn find(held: &HeldSession, who: &str) -> Result<Vec<Peer>, sessiond_client::Error> {
    let mut keys = vec![
        PeerKey::Username(who.trim_start_matches('@').to_owned()),
        PeerKey::Phone(who.trim_start_matches('+').to_owned()),
        PeerKey::Name(who.to_owned()),
    ];
    keys.extend(who.parse().ok().map(PeerKey::Id));
    let mut found: Vec<Peer> = held.peers(&keys).await?.into_iter().flatten().collect();
    found.sort_unstable_by_key(|peer| peer.id);
    found.dedup_by_key(|peer| peer.id);
    Ok(found)
}

fn row(peer: &Peer, show_secret: bool) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let usernames = peer.usernames.iter().flatten().map(|username| format!("@{}", printable(username)));
    let usernames = usernames.collect::<Vec<_>>().join(" ");
    let hash = peer.access_hash.map(|hash| if show_secret { hash.to_string() } else { "yes".to_owned() });
    vec![
        peer.id.to_string(),
        or_nothing(kind(peer).map(str::to_owned)),
        or_nothing(peer.name.as_deref().map(printable)),
        or_nothing(Some(usernames).filter(|usernames| !usernames.is_empty())),
        or_nothing(peer.phone.as_deref().map(printable)),
        or_nothing(hash),
        or_nothing(peer.seen.filter(|seen| *seen != 0).and_then(time)),
    ]
}

/// With the schema's field names. What is secret is left out unless it is asked for.
fn object(peer: &Peer, show_secret: bool) -> Value {
    let Peer { id, access_hash, kind: _, bot, is_self, min, usernames, phone, name, seen, extra } = peer;
    let extra: serde_json::Map<String, Value> = extra
        .iter()
        .map(|(key, value)| {
            let value = if show_secret { Value::from(STANDARD.encode(value)) } else { Value::Null };
            (key.clone(), value)
        })
        .collect();
    json!({
        "id": id,
        "access_hash": access_hash.filter(|_| show_secret),
        "has_access_hash": access_hash.is_some(),
        "kind": kind(peer),
        "bot": bot,
        "is_self": is_self,
        "min": min,
        "usernames": usernames,
        "phone": phone,
        "name": name,
        "seen": seen,
        "extra": extra,
    })
}

/// A kind as the schema calls it, without its prefix and in lower case.
fn kind(peer: &Peer) -> Option<&'static str> {
    Some(match peer.kind? {
        PeerKind::User => "user",
        PeerKind::Group => "group",
        PeerKind::Channel => "channel",
        PeerKind::Supergroup => "supergroup",
        PeerKind::Gigagroup => "gigagroup",
        PeerKind::Forum => "forum",
        PeerKind::Direct => "direct",
        PeerKind::Community => "community",
        PeerKind::ChannelUnknown => "channel_unknown",
    })
}

fn time(seconds: i64) -> Option<String> {
    let since = std::time::Duration::from_secs(u64::try_from(seconds).ok()?);
    exact_time(std::time::SystemTime::UNIX_EPOCH.checked_add(since)?)
}

#[cfg(test)]
mod tests {
    use super::{Peer, object, row};

    #[test]
    fn an_access_hash_is_shown_only_to_who_asks_for_it() {
        let peer = Peer { id: 5, access_hash: Some(987_654_321), ..Peer::default() };
        for (shown, text) in [
            (false, format!("{:?} {}", row(&peer, false), object(&peer, false))),
            (true, row(&peer, true).concat()),
            (true, object(&peer, true).to_string()),
        ] {
            assert_eq!(text.contains("987654321"), shown, "{text}");
        }
    }
}
