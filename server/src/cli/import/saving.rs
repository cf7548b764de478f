use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use sessiond_client::{Attribute, Client, Error, HeldSession, Session};
use sessiond_session::{Contents, Peer};

use super::{
    super::{failure::Failure, render::session_text},
    Ready, There,
};
use crate::exit::Exit;

/// Peers, and attributes, that are sent in one message: the most that the daemon takes.
const AT_ONCE: usize = 1_000;
/// Bytes of attributes that are sent in one message: the daemon takes 1 MiB, of which the name, the token and each attribute's
/// frame need some.
const BYTES_AT_ONCE: usize = (1 << 20) - (64 << 10);

/// Makes the session, its peers and its attributes what was read, under one hold, and gives the revision.
pub(super) async fn save(client: &Client, ready: &Ready, there: There) -> anyhow::Result<i64> {
    let Ready { name, imported, .. } = ready;
    let hold = client.hold(name).label("sessiond import").await.with_context(|| name.to_string())?;
    let saved = match hold.session() {
        Some(session) if there == There::Keep => Err(refusal(name.as_str(), session)),
        Some(_) => replace(&hold, &imported.contents).await.with_context(|| name.to_string()),
        None => make(&hold, &imported.contents).await.with_context(|| name.to_string()),
    };
    // Where that fails, the end of this process does it.
    let _ = hold.release().await;
    saved
}

fn refusal(name: &str, there: &Session) -> anyhow::Error {
    let what = session_text(there);
    let message = format!(
        "there is a session {name} ({what}): replace it with --force, or choose another name with --name"
    );
    Failure::new(Exit::CannotCreate, message).into()
}

/// The session comes last: when this breaks off, there is none.
async fn make(held: &HeldSession, contents: &Contents) -> anyhow::Result<i64> {
    forget_beside(held).await?;
    keep_beside(held, contents).await?;
    Ok(held.save(&contents.session).if_revision(0).await?)
}

/// Whenever it breaks off, what is kept beside a session is that session's own, if not all of it.
async fn replace(held: &HeldSession, contents: &Contents) -> anyhow::Result<i64> {
    forget_beside(held).await?;
    let revision = held.save(&contents.session).await?;
    let kept = keep_beside(held, contents).await;
    kept.context("the session is imported without all its peers and attributes: repeat with --force")?;
    Ok(revision)
}

async fn forget_beside(held: &HeldSession) -> Result<(), Error> {
    held.delete_all_peers().await?;
    let earlier: Vec<Attribute> = held.list_attributes("").try_collect().await?;
    let keys: Vec<&str> = earlier.iter().map(|attribute| attribute.key.as_str()).collect();
    held.delete_attributes(&keys).await?;
    Ok(())
}

async fn keep_beside(held: &HeldSession, contents: &Contents) -> Result<(), Error> {
    let mut peers = contents.peers.iter();
    loop {
        let some: Vec<Peer> = peers.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            break;
        }
        held.put_peers(&some).await?;
    }
    for attributes in messages(&contents.attributes) {
        held.put_attributes(attributes, &[] as &[&str]).await?;
    }
    Ok(())
}

/// Attributes in as few messages as the daemon takes them in.
fn messages(attributes: &[Attribute]) -> Vec<&[Attribute]> {
    let mut messages = Vec::new();
    let mut rest = attributes;
    while !rest.is_empty() {
        let mut room = BYTES_AT_ONCE;
        let fits = rest.iter().take(AT_ONCE).take_while(|attribute| {
            let left = room.checked_sub(attribute.bytes());
            room = left.unwrap_or(0);
            left.is_some()
        });
        let (message, later) = rest.split_at(fits.count().max(1));
        messages.push(message);
        rest = later;
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, Attribute, BYTES_AT_ONCE, messages};

    #[test]
    fn attributes_are_sent_in_messages_that_the_daemon_takes() {
        let sizes =
            |attributes: &[Attribute]| messages(attributes).iter().map(|m| m.len()).collect::<Vec<_>>();
        let of = |bytes| Attribute { key: "k".into(), value: vec![1; bytes].into(), secret: false };
        assert_eq!(sizes(&vec![of(8); 2 * AT_ONCE + 1]), [AT_ONCE, AT_ONCE, 1]);
        let fit = BYTES_AT_ONCE / 60_001;
        assert_eq!(sizes(&vec![of(60_000); 20]), [fit, 20 - fit]);
        assert!(messages(&[]).is_empty());
    }
}
