use std::cell::Cell;

use rusqlite::Connection;

use super::FormatError;

/// What reading a database may take in memory, SQLite's part included: so much, or so many times the file's size.
const MOST: usize = 64 << 20;
const PER_BYTE: usize = 2;

/// SQLite's part: its cache has 2 MiB, and a value that it reads at most 4 MiB. And that of the row which is being read.
const SQLITES: usize = 8 << 20;
const ROWS: usize = 2 << 20;

/// What is left of it for what is read. All tables of a file share it.
pub(super) struct Room {
    left: Cell<usize>,
}

impl Room {
    pub(super) fn of(connection: &Connection) -> Result<Self, FormatError> {
        let size = size(connection)?;
        let all = MOST.max(size.saturating_mul(PER_BYTE));
        let in_memory = connection.path().is_none_or(str::is_empty);
        let others = SQLITES + ROWS + if in_memory { size } else { 0 };
        Ok(Self { left: Cell::new(all.saturating_sub(others)) })
    }

    /// Takes some of it. False: there is no more.
    #[must_use]
    pub(super) fn take(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        left.map(|left| self.left.set(left)).is_some()
    }
}

/// Bytes of a database.
pub(super) fn size(connection: &Connection) -> Result<usize, FormatError> {
    let pragma = |name: &str| {
        let size = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        size.map(|size| usize::try_from(size).unwrap_or(0))
            .map_err(|source| FormatError::Sqlite { place: "page 1".into(), source })
    };
    Ok(pragma("page_count")?.saturating_mul(pragma("page_size")?))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{MOST, ROWS, Room, SQLITES};

    #[test]
    fn there_is_room_for_64_mib_less_what_sqlite_has() {
        let connection = Connection::open_in_memory().expect("open");
        let room = Room::of(&connection).expect("an empty one");
        assert!(!room.take(MOST) && room.take(MOST - SQLITES - ROWS) && !room.take(1) && room.take(0));
    }
}
