//! What of a call goes into the audit record.

use sessiond_proto::{Reason, SessionName};
use sessiond_session::Session;

use super::{Daemon, Refusal};
use crate::{
    audit::{Audit, Event, Pending, Record},
    caller::Caller,
    engine::{Error, Op, Revision, Write},
    policy::Denied,
};

/// Records that a caller was denied something.
pub(super) fn note_denial(audit: &Audit, caller: &Caller, denied: &Denied) {
    let record = Record::by(caller, Event::Refused).because(Reason::NotPermitted);
    audit.note_refusal(&match denied {
        Denied::OtherUser | Denied::Stranger | Denied::SeesOthers => record,
        Denied::Session { permission, session } => record.session(session).note(permission.name()),
        Denied::Any(permission) => record.note(permission.name()),
    });
}

impl Daemon {
    /// Begins a write that is recorded: it can be.
    pub(super) fn begin_write(
        &self,
        event: Event,
        call: &'static str,
        caller: &Caller,
        write: &Write,
    ) -> Result<Pending, Refusal> {
        let record = self.record_of(event, call, caller, &write.name);
        let record = match &write.op {
            Op::Save { session, .. } => record.keys_of(session),
            _ => record,
        };
        Ok(self.audit.begin(record)?)
    }

    /// Records that keys are handed out, if there are any, before they are.
    pub(super) fn record_keys(
        &self,
        caller: &Caller,
        name: &SessionName,
        session: &Session,
        revision: Revision,
    ) -> Result<(), Refusal> {
        let record = self.record_of(Event::KeysHandedOut, "Load", caller, name).keys_of(session).at(revision);
        if record.has_keys() { Ok(self.audit.record(&record)?) } else { Ok(()) }
    }

    /// A record of a holder's call. Whoever does not hold the session is refused, and no label is told of a refusal.
    pub(super) fn record_of(
        &self,
        event: Event,
        call: &'static str,
        caller: &Caller,
        name: &SessionName,
    ) -> Record {
        let record = Record::of_call(event, call, caller).session(name);
        match self.engine.hold(name) {
            Some(hold) => record.label(&hold.holder.label),
            None => record,
        }
    }

    /// What came of a call whose success is not recorded. A refusal is, if it was for want of rights.
    pub(super) fn noting<T>(
        &self,
        call: &'static str,
        caller: &Caller,
        name: &SessionName,
        result: Result<T, Error>,
    ) -> Result<T, Refusal> {
        Ok(result.inspect_err(|error| self.audit.refused(call, caller, name, error))?)
    }

    /// The same, of what a policy says.
    pub(super) fn noting_denial<T>(
        &self,
        caller: &Caller,
        permitted: Result<T, Denied>,
    ) -> Result<T, Refusal> {
        Ok(permitted.inspect_err(|denied| note_denial(&self.audit, caller, denied))?)
    }
}
