use std::time::SystemTime;

use sessiond_proto::v1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Revision;
use crate::{principal::Principal, process::Process};

/// Digest of a hold's token. The token itself is kept by nobody but its holder.
#[derive(Clone, Copy)]
pub(crate) struct TokenHash([u8; 32]);

/// The last hold of a session: who has it, or had it.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    /// Revision at which it was granted.
    pub(crate) fence: Revision,
    pub(crate) token: TokenHash,
    pub(crate) holder: std::sync::Arc<Holder>,
    pub(crate) status: HoldStatus,
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HoldStatus {
    /// It goes on.
    Held,
    /// Its holder let it go. Its token still serves to delete the session.
    Released,
    /// It was ended from outside, and its client may not know yet: the next grant has to wait for it.
    Ended,
    /// It is over, and nobody has to wait for it.
    Over,
}

/// Who holds a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) label: String,
    pub(crate) pid: i32,
    pub(crate) principal: Principal,
    pub(crate) executable: String,
    pub(crate) since: SystemTime,
    /// When the process started, in the kernel's ticks since boot. 0: not known.
    pub(crate) start_time: u64,
    /// The boot that pid and `start_time` are of.
    pub(crate) boot_id: String,
}

/// Why a hold ended without release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LostReason {
    /// The process died or did not come back in time.
    Gone,
    /// An operator ended it.
    EndedByAdmin,
    /// Another stream goes on with it.
    ResumedElsewhere,
}

impl TokenHash {
    /// Digest of a token.
    pub(crate) fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// A digest as it was stored.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

impl Holder {
    /// Of whom nothing else is known.
    pub(crate) fn of(principal: Principal) -> Self {
        let (label, executable, boot_id) = Default::default();
        Self { label, pid: 0, principal, executable, since: SystemTime::UNIX_EPOCH, start_time: 0, boot_id }
    }

    /// The process that holds. None: it is dead.
    pub(crate) fn process(&self) -> Option<Process> {
        match self.principal {
            Principal::Uid(_) => Process::find(self.pid, self.start_time, &self.boot_id),
            Principal::Remote(_) => Some(Process::elsewhere()),
        }
    }

    /// For people: label, pid and program.
    pub(crate) fn describe(&self) -> String {
        let label = if self.label.is_empty() { "a client" } else { &self.label };
        let program =
            if self.executable.is_empty() { String::new() } else { format!(", {}", self.executable) };
        format!("{label} (pid {}{program})", self.pid)
    }
}

impl From<&Holder> for v1::Holder {
    fn from(holder: &Holder) -> Self {
        let Holder { label, pid, principal, executable, since, start_time: _, boot_id: _ } = holder;
        let (uid, host) = principal.to_parts();
        Self {
            label: label.clone(),
            pid: *pid,
            uid: uid.cast_signed(),
            executable: executable.clone(),
            since: Some((*since).into()),
            host: host.to_owned(),
        }
    }
}

impl From<v1::Holder> for Holder {
    fn from(holder: v1::Holder) -> Self {
        let v1::Holder { label, pid, uid, executable, since, host } = holder;
        let since = since.and_then(|since| since.try_into().ok()).unwrap_or(SystemTime::UNIX_EPOCH);
        let principal = Principal::from_parts(uid.cast_unsigned(), &host);
        Self { label, pid, principal, executable, since, start_time: 0, boot_id: String::new() }
    }
}

impl From<LostReason> for v1::LostReason {
    fn from(reason: LostReason) -> Self {
        match reason {
            LostReason::Gone => Self::Unspecified,
            LostReason::EndedByAdmin => Self::EndedByAdmin,
            LostReason::ResumedElsewhere => Self::ResumedElsewhere,
        }
    }
}

impl From<v1::LostReason> for LostReason {
    fn from(reason: v1::LostReason) -> Self {
        match reason {
            v1::LostReason::Unspecified => Self::Gone,
            v1::LostReason::EndedByAdmin => Self::EndedByAdmin,
            v1::LostReason::ResumedElsewhere => Self::ResumedElsewhere,
        }
    }
}
