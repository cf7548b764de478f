//! The session string of mtcute, version 3 (`highlevel/utils/string-session.ts`): in base64 a version, flags, the home data
//! center, the one that serves its files if that is another, the user, and the key.

use zeroize::Zeroizing;

use super::{
    ExportError, Format, FormatError, Imported, Wanting,
    account::Account,
    bytes::{Bytes, put_tl_bytes},
    mtcute::{DcOption, MEDIA_KEY},
    place,
    place::{Addresses, Dcs, Place, Username},
    strings::{Base64, trimmed},
};
use crate::{Attribute, Auth, Contents, Session, User};

/// The only version that mtcute reads.
const VERSION: u8 = 3;

const HAS_SELF: i32 = 1;
/// Before a data center told it itself.
const ALL_TEST: i32 = 2;
const HAS_MEDIA: i32 = 4;

/// TL's `boolTrue` and `boolFalse`: <https://core.telegram.org/constructor/boolTrue>.
const TRUE: u32 = 0x9972_75b5;
const FALSE: u32 = 0xbc79_9737;

/// Characters of the shortest and the longest string.
const LENGTHS: std::ops::RangeInclusive<usize> = 350..=600;

const PLACE: Place = Place {
    dcs: Dcs::Home,
    addresses: Addresses::One,
    test_mode: true,
    user: true,
    bot: true,
    username: Username::Nowhere,
    counters: false,
    channels: false,
    peers: place::NO_PEERS,
    attribute: is_media,
};

/// Whether a text has the shape.
pub(super) fn looks_like(text: &str) -> bool {
    let text = trimmed(text);
    // `Aw` and what follows it is the version, and all flags but the first byte's are zero.
    LENGTHS.contains(&text.len())
        && Base64::UrlSafeBare.decode(text, 0).is_ok_and(|raw| {
            matches!(raw[..], [VERSION, flags, 0, 0, 0, ..] if i32::from(flags) & !(HAS_SELF | ALL_TEST | HAS_MEDIA) == 0)
        })
}

/// What is in a string.
pub(super) fn read(text: &str) -> Result<Imported, FormatError> {
    let raw = Base64::UrlSafeBare.decode(trimmed(text), 0)?;
    let mut bytes = Bytes::new(&raw);
    let before = bytes;
    match bytes.u8()? {
        VERSION => {}
        other => {
            return Err(
                before.wrong(format!("says version {other}, and mtcute reads version {VERSION} alone"))
            );
        }
    }
    let flags = bytes.i32_le()?;
    let mut main = option(&mut bytes)?;
    let media = if flags & HAS_MEDIA == 0 { None } else { Some(option(&mut bytes)?) };
    main.test |= flags & ALL_TEST != 0;
    let id = i32::from(main.id);
    let user = if flags & HAS_SELF == 0 { None } else { Some(user(&mut bytes, id)?) };
    let (mut dc, lost) = main.data_center();
    dc.auth = Auth::Key(bytes.tl_key()?);
    let session = Session { dcs: vec![dc], user, home_dc: Some(id), test_mode: Some(main.test), state: None };
    let attributes = media.map(|media| Attribute {
        key: MEDIA_KEY.into(),
        value: Zeroizing::new(DcOption { test: main.test, ..media }.to_bytes()),
        secret: false,
    });
    let contents = Contents { session, attributes: attributes.into_iter().collect(), ..Contents::default() };
    Ok(Imported { left_behind: lost.into_iter().collect(), ..Imported::new(Format::MtcuteString, contents) })
}

/// A string of a session whose home has a key. Of a user, if there is one, it has to be known whether it is a bot.
pub(super) fn write(contents: &Contents, wanting: &Wanting) -> Result<Zeroizing<String>, ExportError> {
    let account = Account::of(contents, wanting, Format::MtcuteString);
    let dc = account.fit(account.dc.into(), "the id of data center")?;
    let main = DcOption::new(dc, account.need_address()?, account.test);
    let media = contents.attribute(MEDIA_KEY);
    let user = account.user_id().map(|id| account.need_bot().map(|bot| (id, bot))).transpose()?;
    let flags = if user.is_some() { HAS_SELF } else { 0 } | if media.is_some() { HAS_MEDIA } else { 0 };
    let mut raw = Zeroizing::new(Vec::with_capacity(512));
    raw.push(VERSION);
    raw.extend(flags.to_le_bytes());
    put_tl_bytes(&mut raw, &main.to_bytes());
    if let Some(media) = media {
        put_tl_bytes(&mut raw, media);
    }
    if let Some((id, bot)) = user {
        raw.extend(id.to_le_bytes());
        raw.extend(if bot { TRUE } else { FALSE }.to_le_bytes());
    }
    put_tl_bytes(&mut raw, account.need_key()?.expose());
    Ok(Base64::UrlSafeBare.encode(&raw))
}

/// What has no place in such a string.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    place::losses(contents, &PLACE)
}

fn option(bytes: &mut Bytes<'_>) -> Result<DcOption, FormatError> {
    let before = *bytes;
    let option = DcOption::read(bytes.tl_bytes()?).ok().flatten();
    option.ok_or_else(|| before.wrong("begins what is no data center of a version known here"))
}

fn user(bytes: &mut Bytes<'_>, dc: i32) -> Result<User, FormatError> {
    let before = *bytes;
    let id = bytes.i64_le()?;
    if id <= 0 {
        return Err(before.wrong("begins a user's id that is not positive"));
    }
    let before = *bytes;
    let bot = match bytes.u32_le()? {
        TRUE => true,
        FALSE => false,
        _ => return Err(before.wrong("begins what is neither true nor false")),
    };
    Ok(User { id, dc, bot: Some(bot), username: None })
}

fn is_media(attribute: &Attribute) -> bool {
    attribute.key == MEDIA_KEY
}

#[cfg(test)]
mod tests;
