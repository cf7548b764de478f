//! A new store from the session files, for when the old one is damaged.

use std::{fs, io, path::Path};

use prost::Message as _;
use rusqlite::params;
use sessiond_proto::{SessionName, v1};
use sessiond_session::{Session, formats::Source};
use tracing::{info, warn};

use super::{
    OpenError,
    mirror_file::{Found, MirrorFile, Owner},
    recovery::{self, REVISION_JUMP},
    rows, schema,
    session_files::SessionFiles,
    store::{FILE, Opened},
    times,
};
use crate::{
    engine::{Revision, state::keys_of},
    seal::KeySource,
};

/// A session file that the daemon wrote.
struct Mirror {
    name: SessionName,
    store_id: String,
    revision: Revision,
    session: Session,
}

/// Keeps the old store under another name, which is told, and makes a new one from the mirrors. What only the store had
/// is lost: request ids, holds, the log, whatever was not yet mirrored, and keys that were sealed.
pub(super) fn rebuild(directory: &Path, keys: &KeySource) -> Result<Option<String>, OpenError> {
    let failed = |source: io::Error| OpenError::Io { path: directory.to_owned(), source };
    let mirrors = mirrors(directory).map_err(failed)?;
    let kept = keep_aside(directory).map_err(failed)?;
    let (opened, _) = recovery::open(directory, keys)?;
    fill(&opened, &mirrors).map_err(|error| failed(io::Error::other(error)))?;
    let without_keys = mirrors.iter().filter(|mirror| keys_of(&mirror.session).is_empty()).count();
    if without_keys > 0 {
        warn!(
            without_keys,
            "the files of these sessions have no keys, since sealed ones are in the store alone: a copy of the directory has \
             them, or their accounts log in again"
        );
    }
    info!(sessions = mirrors.len(), "a new store was made from the session files");
    Ok(kept)
}

fn mirrors(directory: &Path) -> io::Result<Vec<Mirror>> {
    let files = SessionFiles::of(directory);
    let mut mirrors = Vec::new();
    for name in files.names()? {
        match read(&files.path(&name), &name) {
            Ok(Some(mirror)) => mirrors.push(mirror),
            Ok(None) => {
                info!(session = %name, "not as the daemon left it: it is left for its first use, or an import");
            }
            Err(error) => {
                warn!(session = %name, error = %error, "the session's file cannot be read, and is left as it is");
            }
        }
    }
    Ok(mirrors)
}

/// What the daemon wrote, of whichever store. `None`: another program wrote it, or changed it since.
fn read(path: &Path, name: &SessionName) -> Result<Option<Mirror>, Box<dyn std::error::Error + Send + Sync>> {
    let store_id = {
        let source = Source::open_alone(path)?;
        let sql = "select store_id from sessiond_mirror where name = ?";
        source.connection().query_row(sql, [name.as_str()], |row| row.get(0)).unwrap_or_default()
    };
    let store_ids = [store_id];
    let Found::Ours(file, revision) = MirrorFile::find(path, &Owner { store_ids: &store_ids, name })? else {
        return Ok(None);
    };
    let session = file.session()?;
    let [store_id] = store_ids;
    Ok(Some(Mirror { name: name.clone(), store_id, revision, session }))
}

fn keep_aside(directory: &Path) -> io::Result<Option<String>> {
    const PARTS: [&str; 3] = ["-wal", "-shm", ""];
    let is_there = |ending: &&str| directory.join(format!("{FILE}{ending}")).exists();
    if !PARTS.iter().any(is_there) {
        return Ok(None);
    }
    let free = |number: &usize| !directory.join(format!("{FILE}.kept-{number}")).exists();
    let number = (1..).find(free).expect("there is a free number");
    let kept = format!("{FILE}.kept-{number}");
    for ending in PARTS.into_iter().filter(is_there) {
        let to = directory.join(format!("{kept}{ending}"));
        fs::rename(directory.join(format!("{FILE}{ending}")), to)?;
    }
    Ok(Some(kept))
}

fn fill(opened: &Opened, mirrors: &[Mirror]) -> rusqlite::Result<()> {
    let Opened { connection, sealing, .. } = opened;
    // Above every revision that a mirror has, so that none looks newer than the store.
    let newest = mirrors.iter().map(|mirror| mirror.revision).max().unwrap_or(0);
    let mut revision = newest + REVISION_JUMP;
    let transaction = connection.unchecked_transaction()?;
    for Mirror { name, session, .. } in mirrors {
        revision += 1;
        rows::put_keys(&transaction, sealing, name, revision, &keys_of(session))?;
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
