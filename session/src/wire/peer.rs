//! Peers as messages, and back.

use sessiond_proto::v1;

use super::{InvalidSession, checked_key, not_negative};
use crate::{MAX_EXTRA, MAX_PEER_NAME, MAX_PHONE, MAX_USERNAME, MAX_USERNAMES, Peer, PeerKind};

impl From<Peer> for v1::Peer {
    fn from(peer: Peer) -> Self {
        let Peer { id, access_hash, kind, bot, is_self, min, usernames, phone, name, seen, extra } = peer;
        Self {
            id,
            access_hash,
            has_access_hash: access_hash.is_some(),
            kind: kind.map_or(v1::PeerKind::Unspecified, Into::into).into(),
            bot,
            is_self,
            min,
            usernames: usernames.map(|names| v1::Usernames { names }),
            phone,
            name,
            seen,
            extra: extra.into_iter().collect(),
        }
    }
}

impl TryFrom<v1::Peer> for Peer {
    type Error = InvalidSession;

    fn try_from(peer: v1::Peer) -> Result<Self, InvalidSession> {
        let v1::Peer {
            id,
            access_hash,
            has_access_hash: _,
            kind,
            bot,
            is_self,
            min,
            usernames,
            phone,
            name,
            seen,
            extra,
        } = peer;
        if id == 0 {
            return Err(InvalidSession::new("peers.id", "is 0, which is nobody's"));
        }
        let at = |field: &str| format!("peers[id={id}].{field}");
        let kind = peer_kind(&at("kind"), kind)?;
        let usernames =
            usernames.map(|usernames| checked_usernames(&at("usernames"), usernames)).transpose()?;
        if let Some(phone) = &phone {
            digits(&at("phone"), phone)?;
        }
        if let Some(name) = &name {
            at_most(&at("name"), name, MAX_PEER_NAME)?;
        }
        not_negative(&at("seen"), seen.unwrap_or(0))?;
        for key in extra.keys() {
            checked_key(&at("extra"), key)?;
        }
        let peer = Self {
            id,
            access_hash,
            kind,
            bot,
            is_self,
            min,
            usernames,
            phone,
            name,
            seen,
            extra: extra.into_iter().collect(),
        };
        match peer.extra_bytes() {
            bytes if bytes > MAX_EXTRA => {
                let problem = format!("has {bytes} bytes, and at most {MAX_EXTRA} are kept");
                Err(InvalidSession::new(at("extra"), problem))
            }
            _ => Ok(peer),
        }
    }
}

impl From<PeerKind> for v1::PeerKind {
    fn from(kind: PeerKind) -> Self {
        match kind {
            PeerKind::User => Self::User,
            PeerKind::Group => Self::Group,
            PeerKind::Channel => Self::Channel,
            PeerKind::Supergroup => Self::Supergroup,
            PeerKind::Gigagroup => Self::Gigagroup,
            PeerKind::Forum => Self::Forum,
            PeerKind::Direct => Self::Direct,
            PeerKind::Community => Self::Community,
            PeerKind::ChannelUnknown => Self::ChannelUnknown,
        }
    }
}

impl TryFrom<v1::PeerKind> for PeerKind {
    /// It is not specified.
    type Error = ();

    fn try_from(kind: v1::PeerKind) -> Result<Self, ()> {
        Ok(match kind {
            v1::PeerKind::Unspecified => return Err(()),
            v1::PeerKind::User => Self::User,
            v1::PeerKind::Group => Self::Group,
            v1::PeerKind::Channel => Self::Channel,
            v1::PeerKind::Supergroup => Self::Supergroup,
            v1::PeerKind::Gigagroup => Self::Gigagroup,
            v1::PeerKind::Forum => Self::Forum,
            v1::PeerKind::Direct => Self::Direct,
            v1::PeerKind::Community => Self::Community,
            v1::PeerKind::ChannelUnknown => Self::ChannelUnknown,
        })
    }
}

/// A kind as a message has it. `None`: it is not known.
///
/// # Errors
/// It is none that is known here.
pub fn peer_kind(field: &str, kind: i32) -> Result<Option<PeerKind>, InvalidSession> {
    match v1::PeerKind::try_from(kind) {
        Ok(kind) => Ok(kind.try_into().ok()),
        Err(_) => Err(InvalidSession::new(field, "is not one that is known here")),
    }
}

fn checked_usernames(field: &str, usernames: v1::Usernames) -> Result<Vec<String>, InvalidSession> {
    let v1::Usernames { names } = usernames;
    if names.len() > MAX_USERNAMES {
        let problem = format!("has {} entries, at most {MAX_USERNAMES} are kept", names.len());
        return Err(InvalidSession::new(field, problem));
    }
    for name in &names {
        if name.is_empty() || name.starts_with('@') {
            return Err(InvalidSession::new(field, "has one that is empty or begins with \"@\""));
        }
        at_most(field, name, MAX_USERNAME)?;
    }
    Ok(names)
}

fn digits(field: &str, phone: &str) -> Result<(), InvalidSession> {
    if phone.len() <= MAX_PHONE && phone.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(InvalidSession::new(field, format!("is not up to {MAX_PHONE} digits and nothing else")))
    }
}

fn at_most(field: &str, text: &str, most: usize) -> Result<(), InvalidSession> {
    match text.len() {
        bytes if bytes > most => {
            Err(InvalidSession::new(field, format!("has {bytes} bytes, and at most {most} are kept")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use sessiond_proto::v1;

    use crate::{MAX_EXTRA, Peer};

    fn full() -> v1::Peer {
        v1::Peer {
            id: i64::MIN,
            access_hash: Some(0),
            has_access_hash: true,
            kind: v1::PeerKind::Forum.into(),
            bot: Some(false),
            is_self: Some(false),
            min: Some(false),
            usernames: Some(v1::Usernames { names: vec!["Anna".into()] }),
            phone: Some("123".into()),
            name: Some("A".into()),
            seen: Some(i64::MAX),
            extra: [("a.b".to_owned(), vec![0])].into(),
        }
    }

    #[test]
    fn every_field_of_a_peer_survives_the_round_trip() {
        for message in [full(), v1::Peer { id: 1, ..v1::Peer::default() }] {
            let peer = Peer::try_from(message.clone()).expect("valid");
            assert!(v1::Peer::from(peer) == message);
        }
    }

    #[test]
    fn a_message_that_is_no_peer_is_refused_by_its_field() {
        type Spoil = fn(&mut v1::Peer);
        let spoiled: [(&str, Spoil); 10] = [
            ("kind", |p| p.kind = 10),
            ("usernames", |p| p.usernames = Some(v1::Usernames { names: vec![String::new()] })),
            ("usernames", |p| p.usernames = Some(v1::Usernames { names: vec!["@a".into()] })),
            ("usernames", |p| p.usernames = Some(v1::Usernames { names: vec!["a".into(); 101] })),
            ("usernames", |p| p.usernames = Some(v1::Usernames { names: vec!["a".repeat(1_025)] })),
            ("phone", |p| p.phone = Some("+1".into())),
            ("name", |p| p.name = Some("a".repeat(1_025))),
            ("seen", |p| p.seen = Some(-1)),
            ("extra", |p| drop(p.extra.insert(String::new(), vec![1]))),
            ("extra", |p| drop(p.extra.insert("k".into(), vec![1; MAX_EXTRA]))),
        ];
        for (field, spoil) in spoiled {
            let mut message = full();
            spoil(&mut message);
            let refused = Peer::try_from(message).expect_err(field);
            assert_eq!(refused.field, format!("peers[id={}].{field}", i64::MIN));
        }
        let nobody = Peer::try_from(v1::Peer::default()).expect_err("it has no id");
        assert_eq!(nobody.field, "peers.id");
    }
}
