//! The store's write-ahead log.

use rusqlite::Connection;
use tracing::warn;

use super::Store;
use crate::engine::sqlite::schema;

/// Size to which the WAL is grown at the start, in bytes: one that is overwritten takes a commit faster than one that
/// grows.
pub(in crate::engine::sqlite) const WAL_BYTES: i64 = 4 << 20;

/// Bytes of a frame of the WAL: a page, and what stands before it (<https://sqlite.org/fileformat2.html#walformat>).
const WAL_FRAME: i64 = 4_096 + 24;

impl Store {
    /// Moves what the WAL has into the database, so that the WAL is written from its beginning again. On the writer's own
    /// connection: another one would never find it idle.
    pub(super) fn checkpoint(&mut self) {
        self.wal_bytes = 0;
        let checkpoint = || -> rusqlite::Result<()> {
            let sql = "pragma wal_checkpoint(passive)";
            self.connection.prepare_cached(sql)?.query_row((), |_| Ok(()))
        };
        if let Err(error) = checkpoint() {
            warn!(%error, "the write-ahead log could not be checkpointed");
        }
    }

    /// How much the WAL has, in bytes. A row that is kept beside a session may be on a page with others, or on several.
    pub(super) fn wal_size(&self) -> rusqlite::Result<i64> {
        let sql = "pragma wal_checkpoint(noop)";
        let frames: i64 = self.connection.prepare_cached(sql)?.query_row((), |row| row.get(1))?;
        Ok(frames.max(0) * WAL_FRAME)
    }

    /// Grows the WAL once, so that it is overwritten from then on. Half by what is written, and half by its secure deletion.
    pub(super) fn grow_wal(&mut self) -> rusqlite::Result<()> {
        let room = vec![0_u8; usize::try_from(WAL_BYTES / 2).expect("it is not negative")];
        schema::set_meta(&self.connection, "room", room)?;
        self.connection.execute("delete from meta where key = 'room'", ())?;
        self.checkpoint();
        Ok(())
    }

    /// Closes the database. What is asked of the store after this finds nothing.
    pub(super) fn disconnect(&mut self) -> rusqlite::Result<()> {
        let nothing = Connection::open_in_memory()?;
        std::mem::replace(&mut self.connection, nothing).close().map_err(|(_, error)| error)
    }
}
