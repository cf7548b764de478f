//! What the keys of a rule may say.

use std::{fmt, marker::PhantomData};

use nix::unistd::{Group, User};
use serde::{Deserialize, Deserializer, de};

use super::Permission;
use crate::{pattern::Pattern, principal};

/// Longest name of a session, in characters.
const MAX_NAME: usize = 128;

/// One value of a key, or a list of them.
#[derive(Debug)]
pub(super) struct OneOrMore<T>(pub(super) Vec<T>);

/// A value of a key.
pub(super) trait Value: Sized {
    /// From a text. Refuses with what is wrong.
    fn of_text(text: &str) -> Result<Self, String>;

    /// From a number. Refuses with what is wrong.
    fn of_number(number: i64) -> Result<Self, String> {
        Err(format!("{number} is a number, and this is a text in quotes"))
    }
}

/// A user of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UserKey {
    Anybody,
    Uid(u32),
}

/// A group of this host, by id.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupKey(pub(super) u32);

/// Paths of programs.
#[derive(Debug)]
pub(super) struct ExecutableKey(pub(super) Pattern);

/// Names of certificates. Empty: of a client that showed none.
#[derive(Debug)]
pub(super) struct CertificateKey(pub(super) Pattern);

/// Labels of holds.
#[derive(Debug)]
pub(super) struct LabelKey(pub(super) Pattern);

/// Names of sessions.
#[derive(Debug)]
pub(super) struct SessionKey(pub(super) Pattern);

impl Value for UserKey {
    fn of_text(name: &str) -> Result<Self, String> {
        match name {
            "*" => return Ok(Self::Anybody),
            "self" => return Ok(Self::Uid(principal::own_uid())),
            _ => {}
        }
        match User::from_name(name) {
            Ok(Some(user)) => Ok(Self::Uid(user.uid.as_raw())),
            Ok(None) => Err(format!(
                "there is no user {name:?}; a uid is a number without quotes, \"self\" is the user that runs the daemon, and \
                 \"*\" is everybody on this host"
            )),
            Err(error) => Err(format!("the system does not tell who {name:?} is: {error}")),
        }
    }

    fn of_number(number: i64) -> Result<Self, String> {
        id(number).map(Self::Uid)
    }
}

impl Value for GroupKey {
    fn of_text(name: &str) -> Result<Self, String> {
        match Group::from_name(name) {
            Ok(Some(group)) => Ok(Self(group.gid.as_raw())),
            Ok(None) => Err(format!("there is no group {name:?}; a gid is a number without quotes")),
            Err(error) => Err(format!("the system does not tell which group {name:?} is: {error}")),
        }
    }

    fn of_number(number: i64) -> Result<Self, String> {
        id(number).map(Self)
    }
}

impl Value for ExecutableKey {
    fn of_text(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            Ok(Self(Pattern::of_path(text)))
        } else {
            Err(format!("{text:?} is not the whole path of a program: that begins with /"))
        }
    }
}

impl Value for CertificateKey {
    fn of_text(text: &str) -> Result<Self, String> {
        Ok(Self(Pattern::of_text(text)))
    }
}

impl Value for LabelKey {
    fn of_text(text: &str) -> Result<Self, String> {
        match text.chars().find(|c| c.is_control()) {
            Some(character) => Err(format!("no label has a {character:?}")),
            None => Ok(Self(Pattern::of_text(text))),
        }
    }
}

impl Value for SessionKey {
    fn of_text(text: &str) -> Result<Self, String> {
        let is_known = |c: char| c.is_ascii_alphanumeric() || "._-*?".contains(c);
        if let Some(character) = text.chars().find(|c| !is_known(*c)) {
            return Err(format!("no session's name has a {character:?}"));
        }
        if !(1..=MAX_NAME).contains(&text.len()) {
            return Err(format!("a session's name has 1 to {MAX_NAME} characters, this has {}", text.len()));
        }
        Ok(Self(Pattern::of_text(text)))
    }
}

impl Value for Permission {
    fn of_text(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|permission| permission.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is no permission; there are {names}")
        })
    }
}

impl<'de, T: Value> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMoreVisitor(PhantomData))
    }
}

/// A value in a list.
struct One<T>(T);

impl<'de, T: Value> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneVisitor(PhantomData))
    }
}

struct OneVisitor<T>(PhantomData<T>);

impl<T: Value> de::Visitor<'_> for OneVisitor<T> {
    type Value = One<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes or an id")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::of_text(text).map(One).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        T::of_number(number).map(One).map_err(E::custom)
    }
}

struct OneOrMoreVisitor<T>(PhantomData<T>);

impl<'de, T: Value> de::Visitor<'de> for OneOrMoreVisitor<T> {
    type Value = OneOrMore<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes or an id, or a list of them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::of_text(text).map(|one| OneOrMore(vec![one])).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        T::of_number(number).map(|one| OneOrMore(vec![one])).map_err(E::custom)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(One(value)) = list.next_element()? {
            values.push(value);
        }
        if values.is_empty() {
            return Err(de::Error::custom("an empty list is for nobody and nothing"));
        }
        Ok(OneOrMore(values))
    }
}

/// The id of a user or a group.
fn id(number: i64) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| format!("{number} is no id of this host"))
}
