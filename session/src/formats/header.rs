//! The first bytes of a SQLite file: <https://www.sqlite.org/fileformat.html#the_database_header>. SQLite tells of one that it
//! does not take no more than that.

use super::FormatError;

/// How it begins.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// How many bytes it has.
pub(super) const LENGTH: usize = 100;

/// Where it has whether a database has a write-ahead log (2) or not (1).
pub(super) const READ_VERSION: usize = 19;

const PAGE_SIZE: usize = 16;
const RESERVED: usize = 20;
const FRACTIONS: usize = 21;
const PAGES: usize = 28;
/// The lowest byte of four: SQLite looks at no other.
const SCHEMA_FORMAT: usize = 47;

/// The least that is left of a page when what is reserved of it is taken away.
const SMALLEST_USABLE: usize = 480;

/// The first byte at which the header of a file of so many bytes is none that SQLite takes, if there is one.
pub(super) fn fault(header: &[u8], length: u64) -> Option<FormatError> {
    if !header.starts_with(MAGIC) {
        return Some(FormatError::Unknown("byte 0 begins no SQLite database".into()));
    }
    let at = |offset: usize, problem: String| Some(FormatError::Byte { offset, problem });
    if header.len() < LENGTH {
        return at(
            header.len(),
            format!("is where it ends, within the {LENGTH} of a SQLite database's header"),
        );
    }
    let page = match u16::from_be_bytes([header[PAGE_SIZE], header[PAGE_SIZE + 1]]) {
        1 => 1 << 16,
        size => usize::from(size),
    };
    if page < 512 || !page.is_power_of_two() {
        return at(PAGE_SIZE, format!("tells pages of {page} bytes, which no SQLite database has"));
    }
    if header[READ_VERSION] > 2 {
        return at(
            READ_VERSION,
            format!("is {}, a version of SQLite's files that is not known", header[READ_VERSION]),
        );
    }
    if page - usize::from(header[RESERVED]) < SMALLEST_USABLE {
        return at(
            RESERVED,
            format!("reserves {} bytes of each page, and too few are left", header[RESERVED]),
        );
    }
    if header[FRACTIONS..FRACTIONS + 3] != [64, 32, 32] {
        return at(FRACTIONS, "does not begin the 64, 32, 32 of every SQLite database".into());
    }
    let number =
        |offset: usize| u32::from_be_bytes(header[offset..offset + 4].try_into().expect("four bytes"));
    if header[SCHEMA_FORMAT] > 4 {
        return at(SCHEMA_FORMAT, format!("is schema format {}, which is not known", header[SCHEMA_FORMAT]));
    }
    let (pages, there) = (number(PAGES), length / page as u64);
    (u64::from(pages) > there).then(|| FormatError::Byte {
        offset: PAGES,
        problem: format!("tells {pages} pages, and there are {there}"),
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{FRACTIONS, LENGTH, PAGE_SIZE, PAGES, READ_VERSION, RESERVED, SCHEMA_FORMAT, fault};
    use crate::formats::{FormatError, ImportError, Reading, read_bytes};

    /// A database of one table.
    fn database() -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        Connection::open(&file).and_then(|file| file.execute_batch("CREATE TABLE t (a)")).expect("a table");
        std::fs::read(&file).expect("there")
    }

    #[test]
    fn what_sqlite_does_not_take_is_told_by_its_byte() {
        let whole = database();
        assert!(fault(&whole[..LENGTH], whole.len() as u64).is_none());
        for (at, byte) in [
            (PAGE_SIZE, 3),
            (READ_VERSION, 7),
            (RESERVED, 255),
            (FRACTIONS, 65),
            (PAGES, 1),
            (SCHEMA_FORMAT, 5),
        ] {
            let mut changed = whole.clone();
            changed[at] = byte;
            // A page has room for much to be reserved, unless it is small.
            if at == RESERVED {
                changed[PAGE_SIZE..PAGE_SIZE + 2].copy_from_slice(&512_u16.to_be_bytes());
            }
            match read_bytes(&changed, &Reading::default()) {
                Err(ImportError::Format { source: FormatError::Byte { offset, .. }, .. }) => {
                    assert_eq!(offset, at);
                }
                other => panic!("{at}: {other:?}"),
            }
        }
        let cut = fault(&whole[..50], 50);
        assert!(matches!(cut, Some(FormatError::Byte { offset: 50, .. })), "{cut:?}");
    }
}
