use std::sync::Arc;

use sessiond_proto::SessionName;
use sessiond_session::Session;

use super::Mirrors;

/// A session's file that was found to be ours and is locked, or that is not there. Nobody else gets it before this is
/// dropped, and not then if the session is held.
#[derive(Debug)]
pub(crate) struct Claim {
    mirrors: Arc<Mirrors>,
    name: SessionName,
    stock: Option<Session>,
}

impl Claim {
    pub(super) fn new(mirrors: &Arc<Mirrors>, name: &SessionName) -> Self {
        mirrors.begin_claim(name);
        Self { mirrors: Arc::clone(mirrors), name: name.clone(), stock: None }
    }

    pub(super) fn set_stock(&mut self, session: Session) {
        self.stock = Some(session);
    }

    /// What is in the file, if it is a stock file that nobody has taken in yet. It is neither ours nor locked then.
    pub(crate) fn take_stock(&mut self) -> Option<Session> {
        self.stock.take()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.mirrors.end_claim(&self.name);
    }
}
