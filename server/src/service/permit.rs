//! Whether a caller may do what it asks for. Every call asks here, once, when its arguments are valid and before anything else.

use sessiond_proto::SessionName;

use super::{Daemon, Refusal};
use crate::{
    caller::Caller,
    engine::{Bearer, Write},
    holds::{Claim, Token},
    policy::Permission,
};

impl Daemon {
    /// Whether a caller may do something with a session that it does not hold.
    pub(super) fn permit(
        &self,
        caller: &Caller,
        permission: Permission,
        name: &SessionName,
    ) -> Result<(), Refusal> {
        Ok(self.policy.permit(caller, permission, name)?)
    }

    /// Whether a caller may do something with any session.
    pub(super) fn permit_any(&self, caller: &Caller, permission: Permission) -> Result<(), Refusal> {
        Ok(self.policy.permit_any(caller, permission)?)
    }

    /// Whether a caller may hold a session under the label that it chose, or has already.
    pub(super) fn permit_claim(&self, claim: &Claim, shown: Option<&Token>) -> Result<(), Refusal> {
        let _ = shown;
        Ok(self.policy.permit_labelled(&claim.caller, Permission::Hold, &claim.name, &claim.label)?)
    }

    /// Whether a caller may do something with a session that it says it holds.
    pub(super) fn permit_holder(
        &self,
        caller: &Caller,
        permission: Permission,
        name: &SessionName,
        bearer: &Bearer,
    ) -> Result<(), Refusal> {
        let _ = bearer;
        Ok(self.policy.permit(caller, permission, name)?)
    }

    /// The same, of a write.
    pub(super) fn permit_write(
        &self,
        caller: &Caller,
        permission: Permission,
        write: &Write,
    ) -> Result<(), Refusal> {
        match &write.bearer {
            Some(bearer) => self.permit_holder(caller, permission, &write.name, bearer),
            None => self.permit(caller, permission, &write.name),
        }
    }
}
