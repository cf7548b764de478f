//! The log's rows: one for each transaction.

use std::sync::Arc;

use rusqlite::{Connection, params};
use sessiond_proto::SessionName;

use super::{
    entry::{self, EntryError},
    times,
};
use crate::engine::{Batch, Commit, Request, Revision, requests::Answered};

/// Most bytes of entries read at a time, so that a writer waits little for a watcher that reads the log.
const READ_BYTES: usize = 256 << 10;

/// Most rows and bytes trimmed at a time, so that a write waits little for it.
const TRIM_ROWS: usize = 128;
const TRIM_BYTES: i64 = 2 << 20;

/// A transaction's row, as it was read.
#[derive(Debug)]
pub(crate) struct LogRow {
    first: Revision,
    time: i64,
    entries: Vec<u8>,
}

/// A row of the log that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogRowError {
    #[error("the log's table cannot be read")]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Commits(#[from] EntryError),
    #[error("a log entry is damaged: {0}")]
    Entry(String),
}

/// A transaction's request ids as bytes: key, content and revision, 8 bytes each, little endian, then the session's name
/// with its length in one byte before it. `None`: there are none.
pub(super) fn encode_requests<'a>(
    requests: impl IntoIterator<Item = &'a (SessionName, Answered)>,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (name, Answered { request, revision }) in requests {
        bytes.extend_from_slice(&request.key.to_le_bytes());
        bytes.extend_from_slice(&request.content.to_le_bytes());
        bytes.extend_from_slice(&revision.to_le_bytes());
        bytes.push(u8::try_from(name.as_str().len()).expect("a name has at most 128 bytes"));
        bytes.extend_from_slice(name.as_str().as_bytes());
    }
    if bytes.is_empty() { None } else { Some(bytes) }
}

/// The reverse of [`encode_requests`]. `None`: they are damaged.
pub(super) fn decode_requests(mut bytes: &[u8]) -> Option<Vec<(SessionName, Answered)>> {
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        let (numbers, rest) = bytes.split_first_chunk::<24>()?;
        let number = |at: usize| numbers[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        let (length, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let name = std::str::from_utf8(name).ok()?.parse().ok()?;
        let request = Request { key: number(0)?, content: number(8)? };
        requests.push((name, Answered { request, revision: number(16)?.cast_signed() }));
        bytes = rest;
    }
    Some(requests)
}

/// Bytes that a row counts for.
pub(super) fn size(entries: Option<&[u8]>, requests: Option<&[u8]>) -> i64 {
    let bytes = entries.map_or(0, <[u8]>::len) + requests.map_or(0, <[u8]>::len);
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Adds a transaction's row. `offset` is the size of all rows before it.
pub(super) fn append(
    connection: &Connection,
    batch: &Batch,
    offset: i64,
    requests: Option<&[u8]>,
    entries: &[u8],
) -> rusqlite::Result<()> {
    let time = times::to_nanos(batch.commits()[0].time);
    let sql = "insert into log (last, first, time, offset, requests, entries) values (?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        batch.last(),
        batch.first(),
        time,
        offset,
        requests,
        entries
    ])?;
    Ok(())
}

/// Rows that were deleted from the log's beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trimmed {
    /// Revision of the last one.
    pub(super) through: Revision,
    /// Offset of what is left.
    pub(super) offset: i64,
}

/// Deletes some of the oldest rows, up to a revision, as long as they are older than a time (in nanoseconds) or begin
/// before an offset.
pub(super) fn trim(
    connection: &Connection,
    through: Revision,
    before: i64,
    before_offset: i64,
) -> rusqlite::Result<Option<Trimmed>> {
    let mut select = connection.prepare_cached(
        "select last, time, offset, length(entries) + ifnull(length(requests), 0)
         from log where last <= ? order by last limit ?",
    )?;
    let mut rows = select.query(params![through, TRIM_ROWS.cast_signed()])?;
    let (mut trimmed, mut from) = (None, None);
    while let Some(row) = rows.next()? {
        let (last, time, offset): (Revision, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let past = time < before || offset < before_offset;
        if !past || offset - *from.get_or_insert(offset) > TRIM_BYTES {
            break;
        }
        trimmed = Some(Trimmed { through: last, offset: offset + row.get::<_, i64>(3)? });
    }
    drop(rows);
    let Some(Trimmed { through, .. }) = trimmed else { return Ok(None) };
    // The log has no secret in it: its pages need not be overwritten with zeros.
    connection.pragma_update(None, "secure_delete", "fast")?;
    let deleted = connection.prepare_cached("delete from log where last <= ?")?.execute([through]);
    connection.pragma_update(None, "secure_delete", "on")?;
    deleted.map(|_| trimmed)
}

/// The entries of some of the rows after a revision, up to `head`. Quick: they are only copied.
pub(super) fn read(
    connection: &Connection,
    after: Revision,
    head: Revision,
) -> rusqlite::Result<Vec<LogRow>> {
    let sql = "select first, time, entries from log where last > ? and last <= ? order by last limit 1024";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![after, head])?;
    let (mut read, mut bytes) = (Vec::new(), 0);
    while bytes < READ_BYTES
        && let Some(row) = rows.next()?
    {
        let row = LogRow { first: row.get(0)?, time: row.get(1)?, entries: row.get(2)? };
        bytes += row.entries.len();
        read.push(row);
    }
    Ok(read)
}

/// The batches of rows that were read.
pub(super) fn batches(rows: &[LogRow]) -> Result<Vec<Arc<Batch>>, EntryError> {
    let batch = |row: &LogRow| entry::decode(row.first, times::from_nanos(row.time), &row.entries);
    rows.iter().filter_map(|row| batch(row).map(|batch| batch.map(Arc::new)).transpose()).collect()
}

/// Every transaction after a revision, one after the other.
pub(super) fn replay(
    connection: &Connection,
    after: Revision,
    mut each: impl FnMut(&Commit),
) -> Result<(), LogRowError> {
    let mut select =
        connection.prepare("select first, time, entries from log where last > ? order by last")?;
    let mut rows = select.query([after])?;
    while let Some(row) = rows.next()? {
        let entries = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        if let Some(batch) = entry::decode(row.get(0)?, times::from_nanos(row.get(1)?), entries)? {
            batch.commits().iter().for_each(&mut each);
        }
    }
    Ok(())
}

/// Every request that the log knows, oldest first, with the revision of its row.
pub(super) fn replay_requests(
    connection: &Connection,
    mut each: impl FnMut(&SessionName, Answered, Revision),
) -> Result<(), LogRowError> {
    let mut select =
        connection.prepare("select requests, last from log where requests is not null order by last")?;
    let mut rows = select.query(())?;
    while let Some(row) = rows.next()? {
        let requests = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let requests = decode_requests(requests).ok_or_else(|| LogRowError::Entry("request ids".into()))?;
        let last = row.get(1)?;
        requests.iter().for_each(|(name, answered)| each(name, *answered, last));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{decode_requests, encode_requests};
    use crate::engine::{Request, requests::Answered};

    #[test]
    fn request_ids_survive_the_log() {
        let answered = Answered { request: Request { key: u64::MAX, content: 2 }, revision: i64::MAX };
        let requests =
            vec![("a".parse().expect("valid"), answered), ("b.c".parse().expect("valid"), answered)];
        let bytes = encode_requests(&requests).expect("there are some");
        let decoded = decode_requests(&bytes).expect("they were just encoded");
        let names: Vec<_> = decoded.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b.c"]);
        assert!(
            decoded.iter().all(|(_, a)| a.request == answered.request && a.revision == answered.revision)
        );
        assert!(decode_requests(&bytes[1..]).is_none());
    }
}
