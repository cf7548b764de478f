//! `Debug` of the messages with a secret in them: keys and tokens are not shown, only whether they are there.

use std::fmt::{Debug, Formatter, Result};

use crate::v1;

/// Writes `Debug` for a message: every field named, those after `secret` by their presence alone.
macro_rules! redacted {
    ($message:ident { $($field:ident),* $(,)? } secret $secret:ident) => {
        impl Debug for v1::$message {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                let Self { $($field,)* $secret } = self;
                f.debug_struct(stringify!($message))
                    $(.field(stringify!($field), $field))*
                    .field(stringify!($secret), &Presence(!$secret.is_empty()))
                    .finish()
            }
        }
    };
}

redacted!(HoldRequest { name, label, wait } secret token);
redacted!(Granted { fence, revision, session, resume_within } secret token);
redacted!(ReleaseRequest { name } secret token);
redacted!(LoadRequest { name } secret token);
redacted!(SaveRequest { name, session, mode, expected_revision, request_id, clear } secret token);
redacted!(AdvanceRequest { name, change, expected_revision, request_id } secret token);
redacted!(AdvanceStreamRequest { name, change, sequence } secret token);
redacted!(DeleteRequest { name, expected_revision, request_id } secret token);
redacted!(PutPeersRequest { name, peers } secret token);
redacted!(GetPeersRequest { name, keys } secret token);
redacted!(ListPeersRequest { name, kinds, after_id, seen_after } secret token);
redacted!(DeletePeersRequest { name, ids, all } secret token);
redacted!(PutAttributesRequest { name, attributes, delete_keys } secret token);
redacted!(GetAttributesRequest { name, keys } secret token);
redacted!(ListAttributesRequest { name, prefix, keys_only, page_size, page_token } secret token);
redacted!(DeleteAttributesRequest { name, keys, prefix } secret token);
redacted!(ExportRequest { name, format, lossy, api_id, user_id, bot } secret token);
redacted!(ExportResponse { revision, left_behind, file } secret data);
redacted!(Attribute { key, secret, has_value } secret value);

/// What it carries is a secret in three places.
impl Debug for v1::ImportRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { name, token, format, force, passcode, account, file, data, last } = self;
        f.debug_struct("ImportRequest")
            .field("name", name)
            .field("token", &Presence(!token.is_empty()))
            .field("format", format)
            .field("force", force)
            .field("passcode", &Presence(!passcode.is_empty()))
            .field("account", account)
            .field("file", file)
            .field("data", &Presence(!data.is_empty()))
            .field("last", last)
            .finish()
    }
}

impl Debug for v1::DataCenter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { id, ipv4_addr, ipv6_addr, auth, has_auth } = self;
        f.debug_struct("DataCenter")
            .field("id", id)
            .field("ipv4_addr", ipv4_addr)
            .field("ipv6_addr", ipv6_addr)
            .field("auth", &Presence(auth.as_ref().is_some_and(|auth| !auth.is_empty())))
            .field("has_auth", has_auth)
            .finish()
    }
}

/// Of a peer nothing but what it is: its names and phone number are nobody else's business.
impl Debug for v1::Peer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Peer").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Debug for v1::Usernames {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "Usernames({})", self.names.len())
    }
}

impl Debug for v1::PeerKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("PeerKey").field("key", &self.key).finish()
    }
}

impl Debug for v1::peer_key::Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Id(id) => write!(f, "Id({id})"),
            Self::Username(_) => f.write_str("Username(..)"),
            Self::Phone(_) => f.write_str("Phone(..)"),
            Self::PeerName(_) => f.write_str("PeerName(..)"),
        }
    }
}

/// Stands for a secret.
struct Presence(bool);

impl Debug for Presence {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.0 { "<secret>" } else { "<none>" })
    }
}

#[cfg(test)]
mod tests {
    use crate::v1;

    #[test]
    fn a_secret_is_not_in_the_debug_output() {
        let dc = v1::DataCenter { id: 2, auth: Some(vec![171; 256]), ..Default::default() };
        let granted = v1::Granted {
            token: vec![171; 32],
            session: Some(v1::Session { dcs: vec![dc], ..Default::default() }),
            ..Default::default()
        };
        let (token, data, passcode) = (vec![171; 32], vec![171; 9], "171".to_owned());
        let import = v1::ImportRequest { token, data: data.clone(), passcode, ..Default::default() };
        let export = v1::ExportResponse { data, ..Default::default() };
        for text in [format!("{granted:?}"), format!("{import:?}"), format!("{export:?}")] {
            assert!(text.contains("<secret>"), "{text}");
            assert!(!text.contains("171"), "{text}");
        }
    }

    #[test]
    fn nobody_is_named_in_the_debug_output() {
        let peer = v1::Peer {
            id: 5,
            access_hash: Some(17_117),
            usernames: Some(v1::Usernames { names: vec!["anna171".into()] }),
            phone: Some("171".into()),
            name: Some("Anna 171".into()),
            extra: [("a.b".to_owned(), vec![171])].into(),
            ..Default::default()
        };
        let username = Some(v1::peer_key::Key::Username("anna171".into()));
        let attribute = v1::Attribute { key: "k".into(), value: vec![171], ..Default::default() };
        for text in [
            format!("{:?}", v1::ListPeersResponse { peers: vec![peer], ..Default::default() }),
            format!(
                "{:?}",
                v1::GetPeersRequest { keys: vec![v1::PeerKey { key: username }], ..Default::default() }
            ),
            format!("{:?}", v1::GetAttributesResponse { attributes: vec![attribute], ..Default::default() }),
        ] {
            assert!(!text.contains("171"), "{text}");
        }
    }
}
