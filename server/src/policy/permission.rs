use std::fmt;

use sessiond_proto::SessionName;

/// What a caller may do with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// There is no policy, and it is neither the daemon's own user nor root.
    #[error("this daemon has no policy, and serves only the user that runs it")]
    OtherUser,
    /// No rule is about it.
    #[error("no rule of the daemon's policy is about this caller")]
    Stranger,
    /// It watches all that it may see, and that has become something else.
    #[error("the daemon's policy has changed what this caller may see: watch anew")]
    SeesOthers,
    /// No rule gives it this for any session.
    #[error("no rule of the daemon's policy gives this caller {0} of any session")]
    Any(Permission),
    /// No rule gives it this.
    #[error("no rule of the daemon's policy gives this caller {permission} of session {session}")]
    Session { permission: Permission, session: SessionName },
}

impl Permission {
    pub(super) const ALL: [Self; 5] = [Self::Watch, Self::List, Self::Hold, Self::Peers, Self::Admin];

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

    /// Whether it is only for who holds the session, or wants to.
    pub(super) fn is_holders(self) -> bool {
        match self {
            Self::Hold | Self::Peers => true,
            Self::Watch | Self::List | Self::Admin => false,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
