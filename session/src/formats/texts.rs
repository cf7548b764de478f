//! Which module reads and writes which kind of string, and of file that is no database.

use zeroize::Zeroizing;

use super::{
    ExportError, Format, FormatError, Imported, Wanting, gotd, gramjs_string, grammers_tl, mtcute_string,
    mtkruto_string, pyrogram_string, telethon_string,
};
use crate::Contents;

/// These formats, in the order in which what could be of several is taken.
pub(super) const FORMATS: [Format; 7] = [
    Format::Gotd,
    Format::GrammersTl,
    Format::TelethonString,
    Format::GramJsString,
    Format::PyrogramString,
    Format::MtcuteString,
    Format::MtkrutoString,
];

/// Whether bytes have the shape of a format.
pub(super) fn looks_like(format: Format, bytes: &[u8]) -> bool {
    let of_text = |is_this: fn(&str) -> bool| str::from_utf8(bytes).is_ok_and(is_this);
    match format {
        Format::Gotd => gotd::looks_like(bytes),
        Format::GrammersTl => grammers_tl::looks_like(bytes),
        Format::TelethonString => of_text(telethon_string::looks_like),
        Format::GramJsString => of_text(gramjs_string::looks_like),
        Format::PyrogramString => of_text(pyrogram_string::looks_like),
        Format::MtcuteString => of_text(mtcute_string::looks_like),
        Format::MtkrutoString => of_text(mtkruto_string::looks_like),
        _ => false,
    }
}

/// What is in a string or a file's bytes.
pub(super) fn read(format: Format, bytes: &[u8]) -> Result<Imported, FormatError> {
    let of_text = |read: fn(&str) -> Result<Imported, FormatError>| {
        let no_text = |error: std::str::Utf8Error| FormatError::Byte {
            offset: error.valid_up_to(),
            problem: "is not UTF-8, and so no string's".into(),
        };
        read(str::from_utf8(bytes).map_err(no_text)?)
    };
    match format {
        Format::Gotd => gotd::read(bytes),
        Format::GrammersTl | Format::GrammersTl08 => grammers_tl::read(bytes, format),
        Format::TelethonString => of_text(telethon_string::read),
        Format::GramJsString => of_text(gramjs_string::read),
        Format::PyrogramString => of_text(pyrogram_string::read),
        Format::MtcuteString => of_text(mtcute_string::read),
        Format::MtkrutoString => of_text(mtkruto_string::read),
        other => Err(FormatError::Unknown(format!("a {other} is no string and no such file"))),
    }
}

/// A string or a file's bytes.
pub(super) fn write(
    format: Format,
    contents: &Contents,
    wanting: &Wanting,
) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    let text = match format {
        Format::TelethonString => telethon_string::write(contents, wanting)?,
        Format::Gotd => return gotd::write(contents, wanting),
        Format::GramJsString => gramjs_string::write(contents, wanting)?,
        Format::PyrogramString => pyrogram_string::write(contents, wanting)?,
        Format::MtcuteString => mtcute_string::write(contents, wanting)?,
        Format::MtkrutoString => mtkruto_string::write(contents, wanting)?,
        other => return Err(ExportError::ReadOnly(other)),
    };
    // Its own copy: the text is wiped as a text.
    Ok(Zeroizing::new(text.as_bytes().to_vec()))
}
