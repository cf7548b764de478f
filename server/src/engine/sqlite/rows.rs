//! Rows of the store's tables, but for the log's: written here, read in `recovery`.

use prost::Message as _;
use rusqlite::{Connection, Result, params};
use sessiond_proto::{SessionName, v1};

use super::{recovery, sealing::Sealing, times};
use crate::{
    engine::{
        Hold, HoldStatus, Revision,
        state::{Entry, Keys},
    },
    seal::What,
};

/// A session's last hold.
pub(super) fn put_hold(connection: &Connection, name: &SessionName, hold: &Hold) -> Result<()> {
    let sql = "insert or replace into hold values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let holder = &hold.holder;
    let (uid, host) = holder.principal.to_parts();
    connection.prepare_cached(sql)?.execute(params![
        name.as_str(),
        hold.fence,
        hold.token.as_bytes(),
        status_code(hold.status),
        holder.label,
        holder.pid,
        uid,
        holder.executable,
        times::to_nanos(holder.since),
        host,
        holder.start_time.cast_signed(),
        holder.boot_id,
    ])?;
    Ok(())
}

/// All of a session's keys, as of a revision. Those that stay the same keep the revision that set them.
pub(super) fn put_keys(
    connection: &Connection,
    sealing: &Sealing,
    name: &SessionName,
    revision: Revision,
    keys: &Keys,
) -> Result<()> {
    let seal = sealing.to_write(connection, name)?;
    let old = recovery::stored_keys(connection, &seal)?;
    let mut delete = connection.prepare_cached("delete from auth where name = ? and dc = ?")?;
    for dc in old.keys().filter(|dc| !keys.contains_key(dc)) {
        delete.execute(params![name.as_str(), dc])?;
    }
    let mut insert = connection.prepare_cached("insert or replace into auth values (?, ?, ?, ?, ?)")?;
    let is_new = |(dc, key): &(&i32, &_)| old.get(*dc).and_then(|old| old.key.as_ref()) != Some(*key);
    for (dc, key) in keys.iter().filter(is_new) {
        let written = seal.close(What::AuthKey { dc: *dc }, revision, key.expose());
        insert.execute(params![name.as_str(), dc, written.as_slice(), seal.version(), revision])?;
    }
    seal.stamp_auth(connection)
}

/// A session as it is in memory, or that there is none. One that could not be read is left as it is.
pub(super) fn put_session(connection: &Connection, name: &SessionName, entry: Option<&Entry>) -> Result<()> {
    let Some((entry, session)) = entry.and_then(|entry| Some((entry, entry.session.as_deref()?))) else {
        if entry.is_none_or(|entry| entry.unreadable().is_none()) {
            connection.prepare_cached("delete from session where name = ?")?.execute([name.as_str()])?;
        }
        return Ok(());
    };
    let image = v1::Session::from(session.clone()).encode_to_vec();
    let sql = "insert into session (name, revision, changed, image) values (?, ?, ?, ?)
               on conflict (name) do update
               set revision = excluded.revision, changed = excluded.changed, image = excluded.image";
    let row = params![name.as_str(), entry.revision, times::to_nanos(entry.changed), image];
    connection.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Notes which revision a session's own file has, or that it is gone since the session was deleted at that revision.
pub(super) fn put_mirrored(connection: &Connection, name: &SessionName, revision: Revision) -> Result<()> {
    let sql = "update session set mirrored = ? where name = ?";
    connection.prepare_cached(sql)?.execute(params![revision, name.as_str()])?;
    let sql = "delete from removal where name = ? and revision <= ?";
    connection.prepare_cached(sql)?.execute(params![name.as_str(), revision])?;
    Ok(())
}

/// Notes that the file of a session that is deleted is still to be removed.
pub(super) fn put_removal(connection: &Connection, name: &SessionName, revision: Revision) -> Result<()> {
    let sql = "insert or replace into removal values (?, ?)";
    connection.prepare_cached(sql)?.execute(params![name.as_str(), revision])?;
    Ok(())
}

/// Forgets sessions' last holds.
pub(super) fn delete_holds(connection: &Connection, names: &[SessionName]) -> Result<()> {
    let mut delete = connection.prepare_cached("delete from hold where name = ?")?;
    names.iter().try_for_each(|name| delete.execute([name.as_str()]).map(drop))
}

fn status_code(status: HoldStatus) -> i64 {
    match status {
        HoldStatus::Held => 0,
        HoldStatus::Released => 1,
        HoldStatus::Ended => 2,
        HoldStatus::Over => 3,
    }
}
