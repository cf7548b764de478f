use sessiond_proto::SessionName;

/// What is authenticated with a sealed value: it opens under the same label only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label<'a> {
    pub(crate) session: &'a SessionName,
    pub(crate) what: What<'a>,
    /// Of the commit that set the value; 0 where no commit does.
    pub(crate) revision: i64,
}

/// What a sealed value is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    /// The session's data key, wrapped by this master key.
    DataKey { master: &'a str },
    /// The auth key of a data center.
    AuthKey { dc: i32 },
    /// The access hash of a peer, by its marked id.
    AccessHash { peer: i64 },
    /// The value of an attribute.
    Attribute { key: &'a str },
    /// Stamp: these are all auth keys that the session has, with their revisions, by data center.
    AllAuthKeys(&'a [(i32, i64)]),
    /// Stamp: these are all secret attributes that the session has, with their revisions, by key.
    AllAttributes(&'a [(String, i64)]),
    /// Stamp: somebody chose that the session is not sealed.
    LeftOpen,
}

impl Label<'_> {
    /// As bytes: no two labels have the same.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { session, what, revision } = self;
        let mut bytes = b"sessiond seal 1".to_vec();
        add(&mut bytes, session.as_str().as_bytes());
        bytes.extend_from_slice(&revision.to_le_bytes());
        match what {
            What::DataKey { master } => {
                bytes.push(0);
                add(&mut bytes, master.as_bytes());
            }
            What::AuthKey { dc } => {
                bytes.push(1);
                bytes.extend_from_slice(&dc.to_le_bytes());
            }
            What::AccessHash { peer } => {
                bytes.push(2);
                bytes.extend_from_slice(&peer.to_le_bytes());
            }
            What::Attribute { key } => {
                bytes.push(3);
                add(&mut bytes, key.as_bytes());
            }
            What::AllAuthKeys(keys) => {
                bytes.push(4);
                for (dc, revision) in *keys {
                    bytes.extend_from_slice(&dc.to_le_bytes());
                    bytes.extend_from_slice(&revision.to_le_bytes());
                }
            }
            What::AllAttributes(attributes) => {
                bytes.push(5);
                for (key, revision) in *attributes {
                    add(&mut bytes, key.as_bytes());
                    bytes.extend_from_slice(&revision.to_le_bytes());
                }
            }
            What::LeftOpen => bytes.push(6),
        }
        bytes
    }
}

/// Adds bytes with their length before them.
fn add(bytes: &mut Vec<u8>, added: &[u8]) {
    bytes.extend_from_slice(&(added.len() as u64).to_le_bytes());
    bytes.extend_from_slice(added);
}
