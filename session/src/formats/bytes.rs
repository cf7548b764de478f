//! Binary formats, read from the front: nothing is taken that is not there, nothing is allocated by a length that the bytes
//! only claim, and every error has the offset at which it was found.

use super::FormatError;
use crate::AuthKey;

/// What Qt writes for the length of a `QByteArray` that is null: <https://doc.qt.io/qt-6/datastreamformat.html>.
const NULL: u32 = u32::MAX;

/// From how many bytes on TL writes a length in four bytes, of which this is the first:
/// <https://core.telegram.org/mtproto/serialize#base-types>.
const LONG: u8 = 254;

/// The bytes that are not read yet.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// Where the next byte is; the first is 0.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        self.all.len() - self.at
    }

    /// Says what is wrong with what is read next.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> FormatError {
        FormatError::Byte { offset: self.at, problem: problem.into() }
    }

    /// So many bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], FormatError> {
        let (at, left) = (self.at, self.left());
        if count > left {
            return Err(self.wrong(format!("has {left} bytes after it where {count} belong")));
        }
        self.at += count;
        Ok(&self.all[at..self.at])
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), FormatError> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.wrong(format!("is where it ends, and {left} bytes follow"))),
        }
    }

    /// As many bytes as the array has.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        Ok(self.take(N)?.try_into().expect("as many were taken"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, FormatError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16_be(&mut self) -> Result<u16, FormatError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32_be(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i32_be(&mut self) -> Result<i32, FormatError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u64_be(&mut self) -> Result<u64, FormatError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn u32_le(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32_le(&mut self) -> Result<i32, FormatError> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn i64_le(&mut self) -> Result<i64, FormatError> {
        self.array().map(i64::from_le_bytes)
    }

    /// An authorization key, without a length before it.
    pub(super) fn key(&mut self) -> Result<AuthKey, FormatError> {
        Ok(AuthKey::try_from(self.take(AuthKey::LEN)?).expect("as many were taken"))
    }

    /// TL `bytes`: a length, as many bytes, and zeros up to a multiple of four.
    pub(super) fn tl_bytes(&mut self) -> Result<&'a [u8], FormatError> {
        let mut next = *self;
        let (length, head) = match next.u8()? {
            255 => return Err(self.wrong("is 255, with which no length begins")),
            LONG => {
                let [low, middle, high] = next.array()?;
                (u32::from_le_bytes([low, middle, high, 0]) as usize, 4)
            }
            short => (usize::from(short), 1),
        };
        let bytes = next.take(length)?;
        next.take((4 - (head + length) % 4) % 4)?;
        *self = next;
        Ok(bytes)
    }

    /// TL `string`.
    pub(super) fn tl_text(&mut self) -> Result<&'a str, FormatError> {
        let before = *self;
        std::str::from_utf8(self.tl_bytes()?).map_err(|_| before.wrong("begins a text that is not UTF-8"))
    }

    /// TL `bytes` that are an authorization key.
    pub(super) fn tl_key(&mut self) -> Result<AuthKey, FormatError> {
        let before = *self;
        AuthKey::try_from(self.tl_bytes()?).map_err(|error| before.wrong(format!("begins no key: {error}")))
    }

    /// Qt's `QByteArray`: a big-endian length and as many bytes. A null one is empty.
    pub(super) fn qt_bytes(&mut self) -> Result<&'a [u8], FormatError> {
        let mut next = *self;
        let bytes = match next.u32_be()? {
            NULL => &[],
            length => next.take(length as usize)?,
        };
        *self = next;
        Ok(bytes)
    }
}

/// Appends TL `bytes`. They are shorter than 16 MiB.
pub(super) fn put_tl_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length < 1 << 24);
    let [low, middle, high, _] = length.expect("shorter than 16 MiB").to_le_bytes();
    let head = match u8::try_from(bytes.len()) {
        Ok(short) if short < LONG => [short].to_vec(),
        _ => [LONG, low, middle, high].to_vec(),
    };
    into.extend_from_slice(&head);
    into.extend_from_slice(bytes);
    let padding = (4 - (head.len() + bytes.len()) % 4) % 4;
    into.extend_from_slice(&[0; 3][..padding]);
}

#[cfg(test)]
mod tests;
