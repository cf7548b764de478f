//! Who may do what.

mod permission;

use sessiond_proto::SessionName;

pub(crate) use self::permission::{Denied, Permission};
use crate::{caller::Caller, principal::Principal};

/// What callers may do. Clones share it, also when it is replaced.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {}

impl Policy {
    /// Whether a caller may use the daemon at all: some rule gives it something.
    pub(crate) fn admits(&self, caller: &Caller) -> Result<(), Denied> {
        let principal = caller.principal();
        if principal == Principal::Uid(0) || principal == Principal::own() {
            Ok(())
        } else {
            Err(Denied::Stranger)
        }
    }

    /// Whether a caller may do something with a session.
    pub(crate) fn permit(
        &self,
        caller: &Caller,
        permission: Permission,
        name: &SessionName,
    ) -> Result<(), Denied> {
        self.admits(caller).map_err(|_| Denied::Session { permission, session: name.clone() })
    }

    /// Whether a caller may do something with a session that it holds, or wants to hold, under a label.
    pub(crate) fn permit_labelled(
        &self,
        caller: &Caller,
        permission: Permission,
        name: &SessionName,
        label: &str,
    ) -> Result<(), Denied> {
        let _ = label;
        self.permit(caller, permission, name)
    }

    /// Whether a caller may do something with any session.
    pub(crate) fn permit_any(&self, caller: &Caller, permission: Permission) -> Result<(), Denied> {
        self.admits(caller).map_err(|_| Denied::Any(permission))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::{Denied, Policy};
    use crate::caller::{Caller, Local, Origin};

    #[tokio::test]
    async fn without_a_file_only_the_daemons_user_and_root_are_permitted() {
        let (_client, server) = UnixStream::pair().expect("two sockets");
        let caller = Caller::of(&server).expect("known");
        let policy = Policy::default();
        assert_eq!(policy.admits(&caller), Ok(()));
        let Origin::Local(local) = &caller.origin else { panic!("it is on this host") };
        let other = |uid| Caller { origin: Origin::Local(Local { uid, ..local.clone() }), ..caller.clone() };
        assert_eq!(policy.admits(&other(0)), Ok(()));
        assert_eq!(policy.admits(&other(local.uid + 1)), Err(Denied::Stranger));
        let remote = Caller::remote(Some("root".into()), "192.0.2.1:1".parse().expect("an address"));
        assert_eq!(policy.admits(&remote), Err(Denied::Stranger));
    }
}
