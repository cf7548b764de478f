//! The code in which HPACK writes strings short (RFC 7541, appendix B), as far as names and paths are written with it.

use super::header_block::is_harmless;

/// The symbols that are written in so many bits, up to the longest that are of use here.
///
/// The codes follow from it: they count upwards through this table, and are shifted where they become longer.
const SYMBOLS: [(usize, &[u8]); 9] = [
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\0$@[]~"),
    (14, b"^}"),
];

/// A symbol, where it is written.
#[derive(Debug, Clone, Copy)]
struct Symbol {
    octet: u8,
    /// The first of its bits.
    at: usize,
    len: usize,
}

/// What is written. None: that is not sound, or has a symbol that is not in the table.
pub(super) fn decode(octets: &[u8]) -> Option<Vec<u8>> {
    Some(symbols(octets)?.iter().map(|symbol| symbol.octet).collect())
}

/// Writes over each symbol that may not be in an authority one that may, and is as long. Answers whether it did; where it
/// cannot, nothing is changed.
pub(super) fn mend(octets: &mut [u8]) -> bool {
    let Some(mut refused) = symbols(octets) else { return false };
    refused.retain(|symbol| !is_harmless(symbol.octet));
    let Some(codes) = refused.iter().map(|symbol| harmless_code(symbol.len)).collect::<Option<Vec<_>>>()
    else {
        return false;
    };
    for (symbol, code) in refused.iter().zip(&codes) {
        for offset in 0..symbol.len {
            let bit = symbol.at + offset;
            let mask = 0x80 >> (bit % 8);
            let set = code >> (symbol.len - 1 - offset) & 1 != 0;
            octets[bit / 8] = if set { octets[bit / 8] | mask } else { octets[bit / 8] & !mask };
        }
    }
    !refused.is_empty()
}

fn symbols(octets: &[u8]) -> Option<Vec<Symbol>> {
    let mut symbols = Vec::new();
    let mut at = 0;
    while let Some(symbol) = symbol(octets, at) {
        symbols.push(symbol);
        at += symbol.len;
    }
    // What is left is filled up with ones, to a whole octet.
    let left = octets.len() * 8 - at;
    (left < 8 && bits(octets, at, left)? + 1 == 1 << left).then_some(symbols)
}

/// The symbol that begins at a bit.
fn symbol(octets: &[u8], at: usize) -> Option<Symbol> {
    codes().find_map(|(len, first, group)| {
        let place = bits(octets, at, len)?.checked_sub(first)?;
        let octet = *group.get(place as usize)?;
        Some(Symbol { octet, at, len })
    })
}

/// The code of a symbol that may be in an authority, of this length.
fn harmless_code(len: usize) -> Option<u32> {
    let (_, first, group) = codes().find(|(group_len, ..)| *group_len == len)?;
    let place = group.iter().position(|octet| is_harmless(*octet))?;
    Some(first + u32::try_from(place).expect("a group has at most 32 symbols"))
}

/// Each length with the first code that has it, and its symbols.
fn codes() -> impl Iterator<Item = (usize, u32, &'static [u8])> {
    let mut next = (0, 0);
    SYMBOLS.into_iter().map(move |(len, group)| {
        let (code, code_len): (u32, usize) = next;
        let first = code << (len - code_len);
        next = (first + u32::try_from(group.len()).expect("a group has at most 32 symbols"), len);
        (len, first, group)
    })
}

/// So many bits from one on, at most 32. None: there are fewer.
fn bits(octets: &[u8], at: usize, len: usize) -> Option<u32> {
    (at..at + len).try_fold(0, |bits, bit| {
        let octet = octets.get(bit / 8)?;
        Some(bits << 1 | u32::from(octet >> (7 - bit % 8) & 1))
    })
}

/// Text in this code.
#[cfg(test)]
pub(super) fn encode(text: &[u8]) -> Vec<u8> {
    let code = |octet: &u8| {
        codes().find_map(|(len, first, group)| {
            let place = group.iter().position(|symbol| symbol == octet)?;
            Some((len, first + u32::try_from(place).expect("it is small")))
        })
    };
    let mut bits: Vec<bool> = text
        .iter()
        .map(|octet| code(octet).expect("it is in the table"))
        .flat_map(|(len, code)| (0..len).rev().map(move |bit| code >> bit & 1 != 0))
        .collect();
    bits.resize(bits.len().next_multiple_of(8), true);
    bits.chunks(8).map(|octet| octet.iter().fold(0, |octet, bit| octet << 1 | u8::from(*bit))).collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    /// RFC 7541, appendix C.4 and C.6.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (text, octets) in [
            (
                "www.example.com",
                &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..],
            ),
            ("no-cache", &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]),
            ("custom-key", &[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f]),
            (
                "Mon, 21 Oct 2013 20:13:21 GMT",
                &[
                    0xd0, 0x7a, 0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81,
                    0x66, 0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff,
                ],
            ),
            (
                "https://www.example.com",
                &[
                    0x9d, 0x29, 0xad, 0x17, 0x18, 0x63, 0xc7, 0x8f, 0x0b, 0x97, 0xc8, 0xe9, 0xae, 0x82, 0xae,
                    0x43, 0xd3,
                ],
            ),
        ] {
            assert_eq!(decode(octets).as_deref(), Some(text.as_bytes()));
            assert_eq!(encode(text.as_bytes()), octets);
        }
    }

    #[test]
    fn what_is_not_filled_up_with_ones_is_not_read() {
        assert_eq!(decode(&[0x1f]).as_deref(), Some(&b"a"[..]));
        for octets in [&[0x18][..], &[0x1f, 0xff], &[0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(decode(octets), None);
        }
    }
}
