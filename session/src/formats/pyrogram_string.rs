//! The session string of Pyrogram, Hydrogram and the forks (`storage/storage.py` in each): base64 without `=` of big-endian
//! data center, API id, whether it is a test server, key, user and whether that is a bot. Two older forms have no API id, and
//! the oldest a user id of four bytes. None has an address.

use zeroize::Zeroizing;

use super::{
    ExportError, Format, FormatError, Imported, Wanting,
    account::Account,
    bytes::Bytes,
    dc_table, place,
    place::{Addresses, Dcs, Place, Username},
    strings::{Base64, trimmed},
};
use crate::{Attribute, Auth, Contents, DataCenter, Session, User};

/// Bytes of the three forms, the oldest first.
const LENGTHS: [usize; 3] = [263, 267, 271];

const PLACE: Place = Place {
    dcs: Dcs::Home,
    addresses: Addresses::None,
    test_mode: true,
    user: true,
    bot: true,
    username: Username::Nowhere,
    counters: false,
    channels: false,
    peers: place::NO_PEERS,
    attribute: |attribute| place::is_number(attribute, "api_id"),
};

/// Whether a text has the shape.
pub(super) fn looks_like(text: &str) -> bool {
    let Ok(raw) = Base64::UrlSafeBare.decode(trimmed(text), 0) else { return false };
    LENGTHS.contains(&raw.len()) && raw.last().is_some_and(|bot| *bot <= 1)
}

/// What is in a string.
pub(super) fn read(text: &str) -> Result<Imported, FormatError> {
    let raw = Base64::UrlSafeBare.decode(trimmed(text), 0)?;
    if !LENGTHS.contains(&raw.len()) {
        let problem = format!("has {} bytes, and such strings have {LENGTHS:?}", raw.len());
        return Err(FormatError::Value { column: "its base64".into(), problem });
    }
    let mut bytes = Bytes::new(&raw);
    let id = match bytes.u8()? {
        0 => return Err(FormatError::Byte { offset: 0, problem: "is 0, which is no data center".into() }),
        id => i32::from(id),
    };
    let api_id = if raw.len() == LENGTHS[2] { bytes.u32_be()? } else { 0 };
    let test = flag(&mut bytes)?;
    let key = bytes.key()?;
    let at = bytes.offset();
    let user = if raw.len() == LENGTHS[0] { bytes.u32_be()?.into() } else { bytes.u64_be()? };
    let user = i64::try_from(user).ok().filter(|id| *id > 0);
    let wrong = || FormatError::Byte { offset: at, problem: "begins no user id".into() };
    let bot = flag(&mut bytes)?;
    bytes.end()?;
    let user = User { id: user.ok_or_else(wrong)?, dc: id, bot: Some(bot), username: None };
    let mut dc = DataCenter { id, auth: Auth::Key(key), ..DataCenter::default() };
    dc_table::fill(&mut dc, test);
    let session =
        Session { dcs: vec![dc], user: Some(user), state: None, home_dc: Some(id), test_mode: Some(test) };
    let api_id = (api_id != 0).then(|| Attribute::number("api_id", api_id.into()));
    let contents = Contents { session, attributes: api_id.into_iter().collect(), ..Contents::default() };
    Ok(Imported::new(Format::PyrogramString, contents))
}

/// A string of the newest form.
pub(super) fn write(contents: &Contents, wanting: &Wanting) -> Result<Zeroizing<String>, ExportError> {
    let account = Account::of(contents, wanting, Format::PyrogramString);
    let key = account.need_key()?;
    let mut raw = Zeroizing::new(Vec::with_capacity(LENGTHS[2]));
    raw.push(account.fit(account.dc.into(), "the id of data center")?);
    raw.extend(account.fit::<u32>(account.need_api_id()?, "the API id")?.to_be_bytes());
    raw.push(account.test.into());
    raw.extend(key.expose());
    raw.extend(account.fit::<u64>(account.need_user_id()?, "the user id")?.to_be_bytes());
    raw.push(account.need_bot()?.into());
    Ok(Base64::UrlSafeBare.encode(&raw))
}

/// What has no place in such a string.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    place::losses(contents, &PLACE)
}

fn flag(bytes: &mut Bytes<'_>) -> Result<bool, FormatError> {
    let offset = bytes.offset();
    match bytes.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(FormatError::Byte { offset, problem: format!("is {other}, and neither 0 nor 1") }),
    }
}

#[cfg(test)]
mod tests;
