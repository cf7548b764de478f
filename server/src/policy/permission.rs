use std::fmt;

use sessiond_proto::SessionName;

/// What a caller may do with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Permission {
    /// Read it without its keys, and follow it.
    Watch,
    /// See it among others, and how the daemon fares.
    List,
    /// Hold it: get its keys and write it.
    Hold,
    /// Keep peers and attributes beside it, as its holder.
    Peers,
    /// End others' holds, and take it in, give it out and settle its file.
    Admin,
}

/// A caller who may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// No rule is about it.
    #[error(
        "this daemon serves only the users and programs that its policy names; without one, the user that runs it"
    )]
    Stranger,
    /// No rule gives it this.
    #[error("this caller has no permission to {permission} session {session}")]
    Session { permission: Permission, session: SessionName },
    /// No rule gives it this for any session.
    #[error("this caller has no permission to {0} any session")]
    Any(Permission),
}

impl Permission {
    /// As in the policy file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::List => "list",
            Self::Hold => "hold",
            Self::Peers => "peers",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name())
    }
}
