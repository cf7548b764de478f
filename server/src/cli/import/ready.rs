use sessiond_client::SessionName;
use sessiond_session::formats::Imported;

use super::{super::failure::Failure, name::Base};

/// What was read, and what it will be called.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) name: SessionName,
    pub(super) imported: Imported,
}

impl Ready {
    pub(super) fn new(base: &Base, mut imported: Imported) -> Result<Self, Failure> {
        let name = base.name(imported.account.as_deref())?;
        imported.settle();
        Ok(Self { name, imported })
    }
}
