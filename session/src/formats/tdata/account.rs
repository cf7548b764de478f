use std::{collections::BTreeMap, path::Path};

use super::{config::Config, file, lock::LockKey, lock::unlock};
use crate::{
    Auth, Contents, DataCenter, MAX_DCS, Session, User,
    formats::{Format, FormatError, Imported, bytes::Bytes, dc_table},
};

/// The block that has the user and the keys: `dbiMtpAuthorization`.
const AUTHORIZATION: u32 = 0x4b;

/// Who is logged in, where.
struct Authorization {
    user_id: u64,
    dc: i32,
}

/// Reads an account's file, and what Telegram said of data centers if that is there.
pub(super) fn read(root: &Path, name: &str, key: &LockKey) -> Result<Imported, FormatError> {
    let at_fault = |problem: String| FormatError::Value { column: format!("{name}s"), problem };
    let plain = file::read(root, name)?;
    let locked = Bytes::new(&plain).qt_bytes()?;
    let plain = unlock(locked, key)
        .ok_or_else(|| at_fault("is not of this tdata: its key does not open it".into()))?;
    let config = Config::read(&root.join(name), key).unwrap_or_default();
    session(&plain, &config).map_err(|error| at_fault(format!("is wrong: {error}")))
}

/// What an account's file has when it is unlocked.
pub(super) fn session(plain: &[u8], config: &Config) -> Result<Imported, FormatError> {
    let mut bytes = Bytes::new(plain);
    let before = bytes;
    match bytes.u32_be()? {
        AUTHORIZATION => {}
        other => {
            return Err(before.wrong(format!("begins block {other}, where the user and the keys belong")));
        }
    }
    let mut bytes = Bytes::new(bytes.qt_bytes()?);
    let Authorization { user_id, dc: home } = authorization(&mut bytes)?;
    let mut dcs = keys(&mut bytes)?;
    let user_id = i64::try_from(user_id).ok().filter(|id| *id > 0);
    let Some(id) = user_id.filter(|_| home > 0) else {
        return Err(FormatError::Unknown("nobody is logged in".into()));
    };
    dcs.entry(home).or_insert_with(|| DataCenter { id: home, ..DataCenter::default() });
    for dc in dcs.values_mut() {
        config.set_addresses(dc);
        dc_table::fill(dc, config.test == Some(true));
    }
    let mut left_behind = Vec::new();
    let destroyed = bytes.u32_be().unwrap_or(0);
    if destroyed > 0 {
        left_behind.push(format!("{destroyed} keys that Telegram Desktop was about to give back"));
    }
    let user = User { id, dc: home, bot: None, username: None };
    let session = Session {
        dcs: dcs.into_values().collect(),
        user: Some(user),
        home_dc: Some(home),
        test_mode: config.test,
        state: None,
    };
    let contents = Contents { session, ..Contents::default() };
    Ok(Imported { left_behind, ..Imported::new(Format::Tdata, contents) })
}

/// Ids of 32 bits, or a mark that wider ones follow.
fn authorization(bytes: &mut Bytes<'_>) -> Result<Authorization, FormatError> {
    let narrow = [bytes.u32_be()?, bytes.u32_be()?];
    if narrow == [u32::MAX; 2] {
        return Ok(Authorization { user_id: bytes.u64_be()?, dc: bytes.i32_be()? });
    }
    let [user_id, dc] = narrow;
    Ok(Authorization { user_id: user_id.into(), dc: i32::try_from(dc).unwrap_or(0) })
}

/// Of several keys of one data center Telegram Desktop takes the last.
fn keys(bytes: &mut Bytes<'_>) -> Result<BTreeMap<i32, DataCenter>, FormatError> {
    let mut dcs = BTreeMap::new();
    for _ in 0..bytes.u32_be()? {
        let before = *bytes;
        let id = bytes.i32_be()?;
        let auth = Auth::Key(bytes.key()?);
        if id <= 0 {
            return Err(before.wrong(format!("begins a key of data center {id}, which is none")));
        }
        dcs.insert(id, DataCenter { id, auth, ..DataCenter::default() });
        if dcs.len() > MAX_DCS {
            return Err(before.wrong(format!("begins one key more than the {MAX_DCS} that are kept")));
        }
    }
    Ok(dcs)
}
