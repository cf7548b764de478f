//! Peers and attributes: what is kept beside a session.

use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sessiond_client::{Attribute, AttributeKey, Kept, Peer};

use super::{Answer, Arguments, Program, shown};

impl Program {
    pub(super) async fn put_peers(&self, arguments: &Arguments) -> Answer {
        let kept = self.held(arguments).session.put_peers(&arguments.peers("peers")).await?;
        Ok(counted("changed", kept))
    }

    pub(super) async fn get_peers(&self, arguments: &Arguments) -> Answer {
        let found = self.held(arguments).session.peers(&arguments.peer_keys("keys")).await?;
        let found: Vec<_> = found.iter().map(|peer| peer.as_ref().map(shown::peer)).collect();
        Ok(json!({ "peers": found }))
    }

    pub(super) async fn list_peers(&self, arguments: &Arguments) -> Answer {
        let listing = self.held(arguments).session.list_peers(arguments.peer_filter());
        let peers: Vec<Peer> = listing.try_collect().await?;
        Ok(json!({ "peers": peers.iter().map(shown::peer).collect::<Vec<_>>() }))
    }

    pub(super) async fn delete_peers(&self, arguments: &Arguments) -> Answer {
        let held = &self.held(arguments).session;
        let kept = if arguments.flag("all") {
            held.delete_all_peers().await?
        } else {
            held.delete_peers(&arguments.numbers("ids")).await?
        };
        Ok(counted("deleted", kept))
    }

    pub(super) async fn put_attributes(&self, arguments: &Arguments) -> Answer {
        let (attributes, delete) = (arguments.attributes("attributes"), arguments.texts("delete_keys"));
        let revision = self.held(arguments).session.put_attributes(&attributes, &delete).await?;
        Ok(json!({ "revision": shown::long(revision) }))
    }

    pub(super) async fn get_attributes(&self, arguments: &Arguments) -> Answer {
        let attributes = self.held(arguments).session.attributes(&arguments.texts("keys")).await?;
        Ok(json!({ "attributes": attributes.iter().map(shown::attribute).collect::<Vec<_>>() }))
    }

    pub(super) async fn list_attributes(&self, arguments: &Arguments) -> Answer {
        let held = &self.held(arguments).session;
        let prefix = arguments.text_or("prefix", "");
        let shown: Vec<Value> = if arguments.flag("keys_only") {
            let keys: Vec<AttributeKey> = held.list_attribute_keys(prefix).try_collect().await?;
            keys.iter().map(shown::attribute_key).collect()
        } else {
            let attributes: Vec<Attribute> = held.list_attributes(prefix).try_collect().await?;
            attributes.iter().map(shown::attribute).collect()
        };
        Ok(json!({ "attributes": shown }))
    }

    pub(super) async fn delete_attributes(&self, arguments: &Arguments) -> Answer {
        let held = &self.held(arguments).session;
        let kept = match arguments.given("prefix") {
            Some(_) => held.delete_attributes_below(arguments.text("prefix")).await?,
            None => held.delete_attributes(&arguments.texts("keys")).await?,
        };
        Ok(counted("deleted", kept))
    }
}

fn counted(what: &str, kept: Kept) -> Value {
    json!({ "revision": shown::long(kept.revision), what: kept.changed })
}
