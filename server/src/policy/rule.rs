//! Rules, and the file that has them.

use serde::Deserialize;
use toml::Spanned;

use super::{
    Permission,
    keys::{CertificateKey, ExecutableKey, GroupKey, LabelKey, OneOrMore, SessionKey, UserKey},
};
use crate::{
    caller::{Caller, Local, Origin, Remote},
    pattern::Pattern,
    principal,
    toml_file::{self, Fault},
};

/// What callers may do with sessions: those of whom everything is true that it says of them.
#[derive(Debug)]
pub(super) struct Rule {
    who: Who,
    /// None: whatever the hold is called.
    labels: Option<Vec<LabelKey>>,
    sessions: Vec<SessionKey>,
    permissions: Vec<Permission>,
}

#[derive(Debug)]
enum Who {
    /// At least one is there.
    Local {
        users: Option<Vec<UserKey>>,
        groups: Option<Vec<GroupKey>>,
        executables: Option<Vec<ExecutableKey>>,
    },
    Remote {
        certificates: Vec<CertificateKey>,
    },
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<Keys>>,
}

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    user: Option<OneOrMore<UserKey>>,
    group: Option<OneOrMore<GroupKey>>,
    executable: Option<Spanned<OneOrMore<ExecutableKey>>>,
    certificate: Option<Spanned<OneOrMore<CertificateKey>>>,
    label: Option<Spanned<OneOrMore<LabelKey>>>,
    sessions: OneOrMore<SessionKey>,
    allow: OneOrMore<Permission>,
}

/// The rules of a file whose text this is.
pub(super) fn parse(text: &str) -> Result<Vec<Rule>, Fault> {
    let File { rule } = toml_file::parse(text)?;
    let rules = rule.into_iter().map(|keys| {
        let start = keys.span().start;
        Rule::of(keys.into_inner(), start)
    });
    rules.collect::<Result<_, _>>().map_err(|(at, message)| Fault::at(text, at, message))
}

impl Rule {
    /// Refuses with the place in the text.
    fn of(keys: Keys, start: usize) -> Result<Self, (usize, &'static str)> {
        let Keys { user, group, executable, certificate, label, sessions, allow } = keys;
        let OneOrMore(permissions) = allow;
        if let Some(label) = &label
            && permissions.iter().any(|permission| !permission.is_holders())
        {
            let message = "only holds have a label: a rule with one gives hold and peers, and nothing else";
            return Err((label.span().start, message));
        }
        let who = match (user, group, certificate) {
            (None, None, None) => {
                let message = "the rule does not say who may: it needs user, group or certificate; \
                               user = \"self\" is the user that runs the daemon";
                return Err((start, message));
            }
            (None, None, Some(certificate)) => {
                if let Some(executable) = executable {
                    let message =
                        "nobody with a certificate has an executable: it is not seen over the network";
                    return Err((executable.span().start, message));
                }
                Who::Remote { certificates: certificate.into_inner().0 }
            }
            (_, _, Some(certificate)) => {
                let message =
                    "nobody with a certificate is a user or in a group of this host: make two rules";
                return Err((certificate.span().start, message));
            }
            (user, group, None) => Who::Local {
                users: user.map(|user| user.0),
                groups: group.map(|group| group.0),
                executables: executable.map(|executable| executable.into_inner().0),
            },
        };
        let labels = label.map(|label| label.into_inner().0);
        Ok(Self { who, labels, sessions: sessions.0, permissions })
    }

    /// Whether it is about a caller.
    pub(super) fn is_about(&self, caller: &Caller) -> bool {
        match (&self.who, &caller.origin) {
            (Who::Local { users, groups, executables }, Origin::Local(local)) => {
                is_any(users.as_deref(), |user| user.is(local.uid))
                    && is_any(groups.as_deref(), |group| {
                        local.gid == group.0 || local.groups.contains(&group.0)
                    })
                    && is_any(executables.as_deref(), |executable| executable.is_of(local))
            }
            (Who::Remote { certificates }, Origin::Remote(remote)) => {
                certificates.iter().any(|certificate| certificate.is_of(remote))
            }
            _ => false,
        }
    }

    /// Whether it gives a permission, for some sessions.
    pub(super) fn gives(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Whether it is about a session.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.sessions.iter().any(|pattern| pattern.0.matches(name))
    }

    /// Whether it is about holds of this label alone.
    pub(super) fn is_labelled(&self) -> bool {
        self.labels.is_some()
    }

    /// Whether it is about holds that are called so.
    pub(super) fn covers_label(&self, label: &str) -> bool {
        is_any(self.labels.as_deref(), |pattern| pattern.0.matches(label))
    }

    /// The sessions that it is about.
    pub(super) fn sessions(&self) -> impl Iterator<Item = Pattern> {
        self.sessions.iter().map(|pattern| pattern.0.clone())
    }

    /// Whether it may be about users of this host who could not connect otherwise: neither root nor the user that runs the
    /// daemon.
    pub(super) fn is_for_others(&self) -> bool {
        match &self.who {
            Who::Local { users: Some(users), .. } => {
                users.iter().any(|user| ![UserKey::Uid(0), UserKey::Uid(principal::own_uid())].contains(user))
            }
            Who::Local { users: None, .. } => true,
            Who::Remote { .. } => false,
        }
    }
}

impl UserKey {
    fn is(self, uid: u32) -> bool {
        self == Self::Anybody || self == Self::Uid(uid)
    }
}

impl ExecutableKey {
    fn is_of(&self, local: &Local) -> bool {
        local.is_at_its_path && self.0.matches(&local.executable)
    }
}

impl CertificateKey {
    /// No star stands for a certificate that was not shown.
    fn is_of(&self, remote: &Remote) -> bool {
        match &remote.certificate {
            Some(name) => !self.0.as_str().is_empty() && self.0.matches(name),
            None => self.0.as_str().is_empty(),
        }
    }
}

/// Whether one is so, where a rule has any.
fn is_any<T>(keys: Option<&[T]>, is: impl FnMut(&T) -> bool) -> bool {
    keys.is_none_or(|keys| keys.iter().any(is))
}
