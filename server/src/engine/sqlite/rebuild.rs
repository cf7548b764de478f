//! A new store from the session files, for when the old one is damaged.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use prost::Message as _;
use rusqlite::{Connection, OpenFlags, params};
use sessiond_proto::{SessionName, v1};
use sessiond_session::{Session, formats};
use tracing::{info, warn};

use super::{
    OpenError,
    recovery::{self, REVISION_JUMP},
    schema,
    store::FILE,
    times,
};
use crate::engine::{Revision, state::keys_of};

/// A session file that the daemon wrote.
struct Mirror {
    name: SessionName,
    store_id: String,
    revision: Revision,
    session: Session,
}

/// Keeps the old store under another name, which is told, and makes a new one from the mirrors. What only the store had
/// is lost: request ids, holds, the log, and whatever was not yet mirrored.
pub(super) fn rebuild(directory: &Path) -> Result<Option<String>, OpenError> {
    let failed = |source: io::Error| OpenError::Io { path: directory.to_owned(), source };
    let mirrors = mirrors(directory).map_err(failed)?;
    let kept = keep_aside(directory).map_err(failed)?;
    let (opened, _) = recovery::open(directory)?;
    fill(&opened.connection, &mirrors).map_err(|error| failed(io::Error::other(error)))?;
    info!(sessions = mirrors.len(), "a new store was made from the session files");
    Ok(kept)
}

fn mirrors(directory: &Path) -> io::Result<Vec<Mirror>> {
    let mut mirrors = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let stem =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".session"));
        let Some(name) = stem.and_then(|stem| stem.parse().ok()) else { continue };
        match read(&path, &name) {
            Ok(Some(mirror)) => mirrors.push(mirror),
            Ok(None) => info!(session = %name, "not written by the daemon: it is taken in at its first use"),
            Err(error) => {
                warn!(session = %name, error, "the session's file cannot be read, and is left as it is");
            }
        }
    }
    Ok(mirrors)
}

fn read(path: &Path, name: &SessionName) -> Result<Option<Mirror>, String> {
    let session = formats::open_file(path).map_err(|error| error.to_string())?.session;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| error.to_string())?;
    let sql = "select store_id, revision from sessiond_mirror where name = ?";
    let owner = connection.query_row(sql, [name.as_str()], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(owner.ok().map(|(store_id, revision)| Mirror { name: name.clone(), store_id, revision, session }))
}

fn keep_aside(directory: &Path) -> io::Result<Option<String>> {
    if !directory.join(FILE).exists() {
        return Ok(None);
    }
    let free = |number: &usize| !directory.join(format!("{FILE}.kept-{number}")).exists();
    let number = (1..).find(free).expect("there is a free number");
    let kept = format!("{FILE}.kept-{number}");
    let rename = |ending: &str| -> io::Result<()> {
        let from: PathBuf = directory.join(format!("{FILE}{ending}"));
        if from.exists() { fs::rename(from, directory.join(format!("{kept}{ending}"))) } else { Ok(()) }
    };
    rename("-wal")?;
    rename("-shm")?;
    rename("")?;
    Ok(Some(kept))
}

fn fill(connection: &Connection, mirrors: &[Mirror]) -> rusqlite::Result<()> {
    // Above every revision that a mirror has, so that none looks newer than the store.
    let newest = mirrors.iter().map(|mirror| mirror.revision).max().unwrap_or(0);
    let mut revision = newest + REVISION_JUMP;
    let transaction = connection.unchecked_transaction()?;
    for Mirror { name, session, .. } in mirrors {
        revision += 1;
        let sql = "insert into auth values (?, ?, ?, 0, ?)";
        for (dc, key) in keys_of(session) {
            transaction.prepare_cached(sql)?.execute(params![name.as_str(), dc, key.expose(), revision])?;
        }
        let image = v1::Session::from(session.clone().without_keys()).encode_to_vec();
        let changed = times::to_nanos(std::time::SystemTime::now());
        let sql = "insert into session (name, revision, changed, image) values (?, ?, ?, ?)";
        transaction.prepare_cached(sql)?.execute(params![name.as_str(), revision, changed, image])?;
    }
    let mut earlier: Vec<_> = mirrors.iter().map(|mirror| mirror.store_id.as_str()).collect();
    earlier.sort_unstable();
    earlier.dedup();
    schema::set_meta(&transaction, "earlier_ids", earlier.join(" "))?;
    schema::set_meta(&transaction, "revision", revision)?;
    schema::set_meta(&transaction, "stored", revision)?;
    schema::set_meta(&transaction, "log_floor", revision)?;
    transaction.commit()
}
