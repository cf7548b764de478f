//! Changes to what was valid.

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::{Index, select},
};

use super::samples::Sample;

/// What hostile files like to write where a length stands.
const LENGTHS: [u32; 6] = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x00ff_ffff];

/// Where most of what matters stands: the heads of files, and of the first page of a database.
const HEAD: usize = 128;

/// Some changes of one file, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Mutation {
    file: Index,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    /// Another byte.
    Byte(Index, u8),
    /// A length, in either order of bytes.
    Length(Index, [u8; 4]),
    /// Nothing after it.
    Cut(Index),
    /// A piece once more, many times.
    Repeat(Index, u8, u16),
}

impl Mutation {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        (any::<Index>(), vec(change(), 1..6)).prop_map(|(file, changes)| Self { file, changes })
    }

    /// The sample with these changes.
    pub(crate) fn of(&self, sample: &Sample) -> Sample {
        let mut sample = sample.clone();
        let at = self.file.index(sample.files.len());
        for change in &self.changes {
            change.make(&mut sample.files[at].1);
        }
        sample
    }
}

fn change() -> impl Strategy<Value = Change> {
    let length = select(LENGTHS.to_vec());
    let length = prop_oneof![
        length.clone().prop_map(u32::to_le_bytes),
        length.prop_map(u32::to_be_bytes),
        any::<[u8; 4]>(),
        Just(*b"[[[["),
    ];
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        4 => (any::<Index>(), length).prop_map(|(at, length)| Change::Length(at, length)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => (any::<Index>(), any::<u8>(), 1..2_000_u16)
            .prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
    ]
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Byte(at, byte) => put(bytes, *at, &[*byte]),
            Self::Length(at, length) => put(bytes, *at, length),
            Self::Cut(at) if !bytes.is_empty() => bytes.truncate(at.index(bytes.len())),
            Self::Repeat(at, length, times) if !bytes.is_empty() => {
                let begin = at.index(bytes.len());
                let end = (begin + usize::from(*length)).min(bytes.len());
                let piece = bytes[begin..end].repeat((*times).into());
                bytes.splice(begin..begin, piece);
            }
            Self::Cut(_) | Self::Repeat(..) => {}
        }
    }
}

/// Half of them at the head, for most of a database is empty.
fn put(bytes: &mut [u8], at: Index, new: &[u8]) {
    let length = bytes.len();
    if length == 0 {
        return;
    }
    let place = at.index(2 * length);
    let place = if place < length { place } else { place % HEAD.min(length) };
    for (byte, new) in bytes[place..].iter_mut().zip(new) {
        *byte = *new;
    }
}
