use std::sync::Arc;

use sessiond_proto::SessionName;
use sessiond_session::{Clear, Session, StateChange};

use super::{Error, Holder, Keep, LostReason, Revision, TokenHash, weight};
use crate::principal::Principal;

/// A write, parsed and valid, waiting to be committed.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) name: SessionName,
    /// Who writes. `None`: the daemon itself.
    pub(crate) bearer: Option<Bearer>,
    pub(crate) op: Op,
    pub(crate) request: Option<Request>,
    pub(crate) expected: Option<Revision>,
}

/// Who shows a token.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) token: TokenHash,
    pub(crate) principal: Principal,
}

/// What to write.
#[derive(Debug)]
pub(crate) enum Op {
    Save {
        session: Box<Session>,
        mode: SaveMode,
        clear: Clear,
    },
    /// What is in a file that another program wrote becomes the session. Refused while it is held.
    TakeIn(Box<Session>),
    /// One change after the other, up to the first that is refused.
    Advance(Vec<StateChange>),
    Delete,
    /// Change what is kept beside the session.
    Keep(Keep),
    /// Give the session to a new holder. Refused while it is held.
    Grant {
        holder: Arc<Holder>,
        token: TokenHash,
    },
    /// The current hold goes on in another process.
    Resume {
        holder: Arc<Holder>,
    },
    Release,
    /// End a hold from outside: the one of this fence, or whichever there is. If there is none, nothing happens.
    End {
        fence: Option<Revision>,
        reason: LostReason,
    },
}

/// How to save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SaveMode {
    Replace,
    Merge,
}

/// Identity of a request, so that a retry takes effect once: digests of its method and id, and of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) key: u64,
    pub(crate) content: u64,
}

/// What a write came to.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The session's revision after it; of a grant, the fence; of an [`Op::Keep`], that of its commit, or of the store if there
    /// was nothing to change.
    pub(crate) revision: Revision,
    /// How many changes of an [`Op::Advance`] were taken; of an [`Op::Keep`], how many peers or attributes changed.
    pub(crate) applied: usize,
    /// Why the next one was not.
    pub(crate) refused: Option<Error>,
}

impl Write {
    /// A write of the daemon's own.
    pub(crate) fn own(name: SessionName, op: Op) -> Self {
        Self { name, bearer: None, op, request: None, expected: None }
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let op = match &self.op {
            Op::Save { session, .. } | Op::TakeIn(session) => weight::of_session(session),
            Op::Advance(changes) => changes.iter().map(weight::of_change).sum(),
            Op::Grant { .. } | Op::Resume { .. } => size_of::<Holder>(),
            Op::Keep(keep) => keep.weight(),
            Op::Delete | Op::Release | Op::End { .. } => 0,
        };
        size_of::<Self>() + op
    }

    /// The same write again, if it only lets go of something: such a write is taken even when the disk is full.
    pub(crate) fn letting_go(&self) -> Option<Self> {
        let op = match &self.op {
            Op::Release => Op::Release,
            Op::End { fence, reason } => Op::End { fence: *fence, reason: *reason },
            Op::Save { .. }
            | Op::TakeIn(_)
            | Op::Advance(_)
            | Op::Delete
            | Op::Keep(_)
            | Op::Grant { .. }
            | Op::Resume { .. } => return None,
        };
        let Self { name, bearer, op: _, request, expected } = self;
        Some(Self { name: name.clone(), bearer: bearer.clone(), op, request: *request, expected: *expected })
    }
}
