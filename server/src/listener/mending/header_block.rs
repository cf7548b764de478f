//! The headers of a request, as HPACK (RFC 7541) writes them: only so much that `:authority` is found where it is written out.

use std::ops::Range;

use http::uri::Authority;

use super::huffman;

const AUTHORITY: &[u8] = b":authority";

/// Where the table that everyone has begins with [`AUTHORITY`] (RFC 7541, appendix A).
const INDEX_OF_AUTHORITY: usize = 1;

/// What stands for a byte that may not be in an authority.
const SUBSTITUTE: u8 = b'-';

/// A string in a header block (RFC 7541, 5.2).
struct Literal {
    /// Where its octets are.
    place: Range<usize>,
    huffman_coded: bool,
}

/// Reads a header block from its beginning to its end.
struct Reader<'a> {
    block: &'a [u8],
    at: usize,
}

/// Makes the authority that is written out in a header block one that HTTP allows, if it can be, in place. Answers whether it
/// did so: false where there is nothing to do, or nothing to be done.
pub(super) fn mend(block: &mut [u8]) -> bool {
    let Some(Literal { place, huffman_coded }) = authority(block) else { return false };
    let octets = &mut block[place];
    if huffman_coded {
        let allowed = |text: &[u8]| Authority::try_from(text).is_ok();
        return huffman::decode(octets).is_some_and(|text| !allowed(&text)) && huffman::mend(octets);
    }
    if Authority::try_from(&*octets).is_ok() {
        return false;
    }
    let mut mended = false;
    for octet in octets.iter_mut().filter(|octet| !is_harmless(**octet)) {
        *octet = SUBSTITUTE;
        mended = true;
    }
    mended
}

/// Whether a byte may stand anywhere in an authority, and means nothing (RFC 3986, 3.2.2: unreserved, and sub-delims).
pub(super) fn is_harmless(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&octet)
}

/// The value of `:authority`. None: it is not there, or not written out, or what comes before it is not sound.
fn authority(block: &[u8]) -> Option<Literal> {
    let mut reader = Reader { block, at: 0 };
    loop {
        // What a field begins with says how it is written, and how many bits the number has (RFC 7541, 6).
        let (bits, is_written_out) = match reader.peek()? {
            // A field of the tables, and a new size for one of them.
            0x80.. => (7, false),
            0x20..=0x3f => (5, false),
            // One that is to be remembered, and one that is not.
            0x40..=0x7f => (6, true),
            0x00..=0x1f => (4, true),
        };
        let index = reader.integer(bits)?;
        if !is_written_out {
            continue;
        }
        let found = match index {
            0 => {
                let name = reader.literal()?;
                let octets = &block[name.place];
                if name.huffman_coded {
                    huffman::decode(octets).is_some_and(|name| name == AUTHORITY)
                } else {
                    octets == AUTHORITY
                }
            }
            index => index == INDEX_OF_AUTHORITY,
        };
        let value = reader.literal()?;
        if found {
            return Some(value);
        }
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.block.get(self.at).copied()
    }

    /// A number, of whose first octet only so many bits are its own (RFC 7541, 5.1).
    fn integer(&mut self, prefix: u32) -> Option<usize> {
        let mask = (1 << prefix) - 1;
        let first = self.peek()? & mask;
        self.at += 1;
        let mut value = usize::from(first);
        if first < mask {
            return Some(value);
        }
        // Nothing in a frame is longer than three octets can say.
        for shift in [0, 7, 14] {
            let octet = self.peek()?;
            self.at += 1;
            value += usize::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn literal(&mut self) -> Option<Literal> {
        let huffman_coded = self.peek()? & 0x80 != 0;
        let len = self.integer(7)?;
        let place = self.at..self.at + len;
        self.at = place.end;
        (place.end <= self.block.len()).then_some(Literal { place, huffman_coded })
    }
}

/// The authority that is written out in a header block, in plain text.
#[cfg(test)]
pub(super) fn value(block: &[u8]) -> Option<Vec<u8>> {
    let Literal { place, huffman_coded } = authority(block)?;
    let octets = &block[place];
    if huffman_coded { huffman::decode(octets) } else { Some(octets.to_vec()) }
}
