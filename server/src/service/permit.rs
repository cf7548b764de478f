//! Whether a caller may do what it asks for. Every call asks here, once, when its arguments are valid and before anything else;
//! what goes on for long asks again when there is another policy.

use std::sync::Arc;

use sessiond_proto::SessionName;

use super::{Daemon, Refusal, recorded::note_denial};
use crate::{
    audit::Audit,
    caller::Caller,
    engine::{Bearer, Hold, HoldStatus, Selection, TokenHash, Write},
    holds::{Claim, Token},
    pattern::Visible,
    policy::{Denied, Permission, Policy},
};

/// What a stream was begun with. It is asked for again before each message: that costs next to nothing as long as the policy
/// is the same.
pub(super) struct Permit {
    policy: Policy,
    audit: Audit,
    caller: Caller,
    /// The policy's when it was asked last.
    version: u64,
    ask: Ask,
}

/// Asks a policy for what a stream needs.
type Ask = Box<dyn Fn(&Policy) -> Result<(), Denied> + Send>;

impl Daemon {
    /// Whether a caller may do something with a session that it does not hold.
    pub(super) fn permit(
        &self,
        caller: &Caller,
        permission: Permission,
        name: &SessionName,
    ) -> Result<(), Refusal> {
        self.noting_denial(caller, self.policy.permit(caller, permission, name))
    }

    /// With which sessions a caller may do something, without holding them; refused if there can be none.
    pub(super) fn permit_some(&self, caller: &Caller, permission: Permission) -> Result<Visible, Refusal> {
        self.noting_denial(caller, self.policy.permitted(caller, permission))
    }

    /// Whether a caller may do something with a session that it says it holds.
    pub(super) fn permit_holder(
        &self,
        caller: &Caller,
        permission: Permission,
        name: &SessionName,
        bearer: &Bearer,
    ) -> Result<(), Refusal> {
        let label = || self.label(name, &bearer.token);
        self.noting_denial(caller, self.policy.permit_labelled(caller, permission, name, label))
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

    /// The label of the hold that has a token. `None`: it is not the current one's, and the engine, which forgets what former
    /// holds were called, knows what the token is still good for.
    fn label(&self, name: &SessionName, token: &TokenHash) -> Option<String> {
        let current = |hold: &Arc<Hold>| hold.token == *token && hold.status == HoldStatus::Held;
        let hold = self.engine.hold(name).filter(current)?;
        Some(hold.holder.label.clone())
    }
}

impl Permit {
    /// Whether a caller may watch what it selects. What it did not select name by name is narrowed to what it may see.
    pub(super) fn to_watch(
        daemon: &Daemon,
        caller: &Caller,
        selection: &mut Selection,
    ) -> Result<Self, Refusal> {
        if selection.prefix.is_some() {
            selection.visible = daemon.permit_some(caller, Permission::Watch)?;
        }
        let (caller, selection) = (caller.clone(), selection.clone());
        Self::new(daemon, &caller.clone(), move |policy| {
            let mut names = selection.names.iter();
            names.try_for_each(|name| policy.permit(&caller, Permission::Watch, name))?;
            if selection.prefix.is_some() {
                let visible = policy.permitted(&caller, Permission::Watch)?;
                if visible != Visible::All && visible != selection.visible {
                    return Err(Denied::SeesOthers);
                }
            }
            Ok(())
        })
    }

    /// Whether a caller may hold a session, under the label that it gives or that the hold has already.
    pub(super) fn to_hold(daemon: &Daemon, claim: &Claim, shown: Option<&Token>) -> Result<Self, Refusal> {
        let Claim { name, label, caller, patience: _ } = claim.clone();
        let kept = shown.filter(|_| label.is_empty());
        let kept = kept.map(|token| daemon.label(&name, &TokenHash::of(token.expose())));
        let label = kept.unwrap_or(Some(label));
        Self::new(daemon, &caller.clone(), move |policy| {
            policy.permit_labelled(&caller, Permission::Hold, &name, || label.clone())
        })
    }

    fn new(
        daemon: &Daemon,
        caller: &Caller,
        ask: impl Fn(&Policy) -> Result<(), Denied> + Send + 'static,
    ) -> Result<Self, Refusal> {
        let Daemon { policy, audit, .. } = daemon.clone();
        let (version, ask) = (policy.version(), Box::new(ask));
        let permit = Self { policy, audit, caller: caller.clone(), version, ask };
        permit.ask_now().map(|()| permit)
    }

    /// Whether it is still permitted.
    pub(super) fn ask_again(&mut self) -> Result<(), Refusal> {
        let version = self.policy.version();
        if version != self.version {
            self.ask_now()?;
            self.version = version;
        }
        Ok(())
    }

    fn ask_now(&self) -> Result<(), Refusal> {
        let permitted = (self.ask)(&self.policy);
        Ok(permitted.inspect_err(|denied| note_denial(&self.audit, &self.caller, denied))?)
    }
}
