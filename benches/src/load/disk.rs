//! What a disk costs without any daemon: the floors of every durable write.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{Span, clock, telling::Telling};
use crate::figure::{Sample, histogram, nanos, note};

/// What is appended before each sync: a page.
const BLOCK: usize = 4_096;

/// Size of a row, in bytes: about what the daemon's log has of one change.
const ROW: usize = 64;

/// Rows that are written before anything counts. The write-ahead log is then as long as it gets, and is overwritten and not
/// grown from there on, which is a good deal faster.
const GROWN_AFTER: usize = 1_200;

/// Writes to a disk, by one thread.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Disk {
    pub(crate) folder: PathBuf,
    pub(crate) work: Work,
    pub(crate) span: Span,
    /// Idleness before each.
    pub(crate) pause: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Appends 4 KiB, and waits until they are on the disk (fdatasync).
    Sync,
    /// Commits so many rows in one transaction of SQLite: WAL, `synchronous=FULL`.
    Commit { rows: usize },
}

pub(super) async fn run(mut telling: Telling, disk: Disk) -> anyhow::Result<()> {
    let Disk { folder, work, span, pause } = disk;
    if pause.is_some() {
        clock::sleep_exactly()?;
    }
    let mut write: Box<dyn FnMut() -> anyhow::Result<()>> = match work {
        Work::Sync => Box::new(sync(&folder)?),
        Work::Commit { rows } => Box::new(commit(&folder, rows)?),
    };
    telling.ready().await?;
    let running = span.begin();
    let (mut operations, mut latencies) = (0, histogram());
    while !running.is_over() {
        if let Some(pause) = pause {
            clock::idle(pause);
        }
        let begun = Instant::now();
        write()?;
        let done = Instant::now();
        if running.counts(done) {
            operations += 1;
            note(&mut latencies, nanos(done - begun));
        }
    }
    telling.say(&Sample {
        operations,
        seconds: running.seconds(),
        latencies: latencies.into(),
        refused: 0,
    })?;
    telling.end().await
}

fn sync(folder: &Path) -> anyhow::Result<impl FnMut() -> anyhow::Result<()> + use<>> {
    let mut file = File::create(folder.join("appended"))?;
    Ok(move || {
        file.write_all(&[1; BLOCK])?;
        Ok(file.sync_data()?)
    })
}

fn commit(folder: &Path, rows: usize) -> anyhow::Result<impl FnMut() -> anyhow::Result<()> + use<>> {
    let mut connection = Connection::open(folder.join("raw.db"))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.execute_batch("create table log (revision integer primary key, entry blob not null)")?;
    let mut write = move || {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("insert into log (entry) values (?)")?;
            for _ in 0..rows {
                insert.execute(params![[1_u8; ROW]])?;
            }
        }
        Ok(transaction.commit()?)
    };
    for _ in 0..GROWN_AFTER.div_ceil(rows) {
        write()?;
    }
    Ok(write)
}
