//! The auth string of MTKruto (`exportAuthString` in `client/0_storage_operations.ts`): in base64, with each run of zeros
//! shortened to a zero and its length, TL values: the home data center, `2` or `2-test`, its key, the API id, whether the user
//! is a bot, and the user's id. Older strings end after the key.

use zeroize::Zeroizing;

use super::{
    ExportError, Format, FormatError, Imported, Wanting,
    account::Account,
    bytes::{Bytes, put_tl_bytes},
    dc_table, place,
    place::{Addresses, Dcs, Place, Username},
    strings::{Base64, trimmed},
};
use crate::{Attribute, Auth, Contents, DataCenter, Session, User};

/// What is appended to the id of a test server.
const TEST: &str = "-test";

/// The most bytes behind the zeros' shortening: more than any string has.
const MOST: usize = 512;

/// Characters of the shortest and the longest string.
const LENGTHS: std::ops::RangeInclusive<usize> = 10..=800;

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
    attribute: is_api_id,
};

/// Whether a text has the shape.
pub(super) fn looks_like(text: &str) -> bool {
    let text = trimmed(text);
    LENGTHS.contains(&text.len()) && read(text).is_ok()
}

/// What is in a string.
pub(super) fn read(text: &str) -> Result<Imported, FormatError> {
    let raw = with_zeros(&Base64::UrlSafeBare.decode(trimmed(text), 0)?)?;
    let mut bytes = Bytes::new(&raw);
    let before = bytes;
    let name = bytes.tl_text()?;
    let (number, test) = name.strip_suffix(TEST).map_or((name, false), |number| (number, true));
    let id = number.parse().ok().filter(|id| (1..=i32::from(u8::MAX)).contains(id));
    let Some(id) = id else { return Err(before.wrong("begins what is no data center")) };
    let mut dc = DataCenter { id, auth: Auth::Key(bytes.tl_key()?), ..DataCenter::default() };
    dc_table::fill(&mut dc, test);
    let session = Session { dcs: vec![dc], home_dc: Some(id), test_mode: Some(test), ..Session::default() };
    let mut contents = Contents { session, ..Contents::default() };
    let mut left_behind = Vec::new();
    if bytes.left() == 0 {
        left_behind.push("who is logged in: the string is of an older kind that does not tell".into());
    } else {
        read_user(&mut bytes, &mut contents, id)?;
    }
    Ok(Imported { left_behind, ..Imported::new(Format::MtkrutoString, contents) })
}

/// A string of a session whose home has a key, and of which the user and the API id are known.
pub(super) fn write(contents: &Contents, wanting: &Wanting) -> Result<Zeroizing<String>, ExportError> {
    let account = Account::of(contents, wanting, Format::MtkrutoString);
    let mut raw = Zeroizing::new(Vec::with_capacity(MOST));
    let dc: u8 = account.fit(account.dc.into(), "the id of data center")?;
    let test = if account.test { TEST } else { "" };
    put_tl_bytes(&mut raw, format!("{dc}{test}").as_bytes());
    put_tl_bytes(&mut raw, account.need_key()?.expose());
    raw.extend(account.fit::<i32>(account.need_api_id()?, "the API id")?.to_le_bytes());
    raw.push(account.need_bot()?.into());
    raw.extend(account.need_user_id()?.to_le_bytes());
    Ok(Base64::UrlSafeBare.encode(&without_zeros(&raw)))
}

/// What has no place in such a string.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    place::losses(contents, &PLACE)
}

fn read_user(bytes: &mut Bytes<'_>, contents: &mut Contents, dc: i32) -> Result<(), FormatError> {
    let api_id = bytes.i32_le()?;
    let before = *bytes;
    let bot = match bytes.u8()? {
        0 => false,
        1 => true,
        other => return Err(before.wrong(format!("is {other}, which tells no bot from a user"))),
    };
    let before = *bytes;
    let id = bytes.i64_le()?;
    if id <= 0 {
        return Err(before.wrong("begins a user's id that is not positive"));
    }
    bytes.end()?;
    contents.session.user = Some(User { id, dc, bot: Some(bot), username: None });
    if api_id > 0 {
        contents.attributes.push(Attribute::number("api_id", api_id.into()));
    }
    Ok(())
}

fn is_api_id(attribute: &Attribute) -> bool {
    attribute.key == "api_id"
}

/// Puts the zeros back of which only the number is there.
fn with_zeros(short: &[u8]) -> Result<Zeroizing<Vec<u8>>, FormatError> {
    let mut long = Zeroizing::new(Vec::with_capacity(MOST));
    let mut bytes = Bytes::new(short);
    while bytes.left() > 0 {
        let before = bytes;
        let (byte, count) = match bytes.u8()? {
            0 => (0, usize::from(bytes.u8()?)),
            byte => (byte, 1),
        };
        let length = long.len() + count;
        if length > MOST {
            return Err(before.wrong("is past the end of any such string"));
        }
        long.resize(length, byte);
    }
    Ok(long)
}

fn without_zeros(long: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut short = Zeroizing::new(Vec::with_capacity(2 * long.len()));
    for run in long.chunk_by(|one, next| *one == 0 && *next == 0) {
        if run[0] != 0 {
            short.extend_from_slice(run);
            continue;
        }
        for run in run.chunks(usize::from(u8::MAX)) {
            short.extend([0, u8::try_from(run.len()).expect("a chunk's length")]);
        }
    }
    short
}

#[cfg(test)]
mod tests;
