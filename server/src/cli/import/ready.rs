use sessiond_client::{Session, SessionName};
use sessiond_session::formats::Imported;

use super::{super::failure::Failure, name::Base};

/// What was read, and what it will be called.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) name: SessionName,
    pub(super) imported: Imported,
    /// The home data center, where only its key told which that is.
    pub(super) home_by_key: Option<i32>,
}

impl Ready {
    pub(super) fn new(base: &Base, mut imported: Imported) -> Result<Self, Failure> {
        let name = base.name(imported.account.as_deref())?;
        let home_by_key = home_by_key(&imported.contents.session);
        let session = &mut imported.contents.session;
        session.home_dc = home_by_key.or(session.home_dc);
        Ok(Self { name, imported, home_by_key })
    }
}

/// The home data center, where the file does not tell it and its keys do. A Telethon v2 file has no place for it beside the
/// user's, and before anybody is logged in there is a key of the home alone.
fn home_by_key(session: &Session) -> Option<i32> {
    if session.user.is_some() || session.home_dc.is_some() {
        return None;
    }
    let mut with_key = session.dcs.iter().filter(|dc| dc.auth.is_present());
    let only = with_key.next()?;
    with_key.next().is_none().then_some(only.id)
}
