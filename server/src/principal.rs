use std::{fmt, sync::Arc};

use rustix::process::geteuid;

/// Whose a client is: what a hold's token is bound to, and what limits are counted by. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Principal {
    /// A user of this host, by id.
    Uid(u32),
    /// A client that came over the network, by the name of its certificate; by its address, if it showed none.
    Remote(Arc<str>),
}

/// Who can do anything on this host.
pub(crate) const ROOT: Principal = Principal::Uid(0);

impl Principal {
    /// The user that runs the daemon.
    pub(crate) fn own() -> Self {
        Self::Uid(own_uid())
    }

    /// Of whom a uid and a host were written down together, as messages and the store have them: the host is empty for a user
    /// of this one.
    pub(crate) fn from_parts(uid: u32, host: &str) -> Self {
        if host.is_empty() { Self::Uid(uid) } else { Self::Remote(host.into()) }
    }

    /// What is written down: the uid, `u32::MAX` for no user of this host, and the host.
    pub(crate) fn to_parts(&self) -> (u32, &str) {
        match self {
            Self::Uid(uid) => (*uid, ""),
            Self::Remote(host) => (u32::MAX, host),
        }
    }
}

/// The user that runs the daemon, by id.
pub(crate) fn own_uid() -> u32 {
    geteuid().as_raw()
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "uid {uid}"),
            Self::Remote(host) => f.write_str(host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Principal;

    #[test]
    fn who_is_written_down_is_the_same_when_read() {
        for principal in [Principal::own(), Principal::Uid(0), Principal::Remote("worker.example".into())] {
            let (uid, host) = principal.to_parts();
            assert_eq!(Principal::from_parts(uid, host), principal);
        }
    }
}
