use rusqlite::{Connection, params};

use super::{CREATED, Flavor, Usernames, place_of};
use crate::{
    ChannelState, Contents, Peer, PeerKind, UpdateState,
    formats::{ExportError, Wanting, account::Account, place},
};

/// Makes the tables in an empty database, and fills them.
pub(in crate::formats) fn write(
    connection: &Connection,
    contents: &Contents,
    wanting: &Wanting,
    flavor: &Flavor,
) -> Result<(), ExportError> {
    connection.execute_batch(flavor.ddl)?;
    connection.execute("INSERT INTO version VALUES (?1)", [flavor.version])?;
    write_session(connection, contents, wanting, flavor)?;
    write_peers(connection, contents, flavor)?;
    match &contents.session.state {
        Some(state) if flavor.has_states => Ok(write_state(connection, state)?),
        _ => Ok(()),
    }
}

/// A client that finds a key, but not whose it is, takes the file for empty and puts a new key in its place. So with a key
/// everything has to be there.
fn write_session(
    connection: &Connection,
    contents: &Contents,
    wanting: &Wanting,
    flavor: &Flavor,
) -> Result<(), ExportError> {
    let account = Account::of(contents, wanting, flavor.format);
    let date = contents.number(CREATED).unwrap_or(0);
    let (api_id, user_id, is_bot) = if account.key().is_some() {
        (Some(account.need_api_id()?), Some(account.need_user_id()?), Some(account.need_bot()?))
    } else {
        (account.api_id(), account.user_id(), account.bot())
    };
    let is_bot = is_bot.filter(|_| user_id.is_some());
    let says_test = account.key().is_some() || account.test || contents.session.test_mode.is_some();
    let test_mode = says_test.then_some(account.test);
    let key = account.key().map(|key| key.expose().as_slice());
    if flavor.has_address {
        let (ip, port) = account.need_address()?;
        connection.execute(
            "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![account.dc, ip.to_string(), port, api_id, test_mode, key, date, user_id, is_bot],
        )?;
    } else {
        connection.execute(
            "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![account.dc, api_id, test_mode, key, date, user_id, is_bot],
        )?;
    }
    Ok(())
}

fn write_peers(connection: &Connection, contents: &Contents, flavor: &Flavor) -> rusqlite::Result<()> {
    let places = place_of(flavor).peers.expect("it has a place for peers");
    let with_name = flavor.usernames != Usernames::Table;
    let username = if with_name { "username, " } else { "" };
    let value = if with_name { "?6, " } else { "" };
    let mut peer_row = connection.prepare(&format!(
        "INSERT INTO peers (id, access_hash, type, {username}phone_number, last_update_on)
         VALUES (?1, ?2, ?3, {value}?4, ?5)"
    ))?;
    let mut name_row = match flavor.usernames {
        Usernames::Column => None,
        Usernames::Table => Some(connection.prepare("INSERT INTO usernames (id, username) VALUES (?1, ?2)")?),
        Usernames::Both => Some(
            connection.prepare("REPLACE INTO usernames (peer_id, id, last_update_on) VALUES (?1, ?2, ?3)")?,
        ),
    };
    let user = contents.session.user.as_ref();
    let own_bot = |id: i64| user.filter(|user| user.id == id).and_then(|user| user.bot);
    for peer in contents.peers.iter().filter(|peer| place::fits(peer, &places)) {
        let Peer { id, access_hash, kind, bot, phone, seen, .. } = &peer;
        let kind = match kind.unwrap_or(Peer::kind_of(*id)) {
            PeerKind::User if bot.or(own_bot(*id)) == Some(true) => "bot",
            kind => (flavor.kind)(kind),
        };
        let hash = if place::is_group(&peer) { Some(access_hash.unwrap_or(0)) } else { *access_hash };
        let phone = phone.as_ref().filter(|phone| !phone.is_empty());
        let seen = seen.unwrap_or(0);
        let names: Vec<_> = place::usernames(&peer, user);
        let names: Vec<_> = names.into_iter().map(str::to_lowercase).collect();
        if with_name {
            peer_row.execute(params![id, hash, kind, phone, seen, names.first()])?;
        } else {
            peer_row.execute(params![id, hash, kind, phone, seen])?;
        }
        for name in &names {
            match (&mut name_row, flavor.usernames) {
                (Some(row), Usernames::Table) => row.execute(params![id, name])?,
                (Some(row), Usernames::Both) if names.len() > 1 => row.execute(params![id, name, seen])?,
                _ => 0,
            };
        }
    }
    Ok(())
}

fn write_state(connection: &Connection, state: &UpdateState) -> rusqlite::Result<()> {
    let UpdateState { pts, qts, date, seq, channels } = state;
    let mut insert = connection.prepare("INSERT INTO update_state VALUES (?1, ?2, ?3, ?4, ?5)")?;
    if (*pts, *qts, *date, *seq) != (0, 0, 0, 0) {
        insert.execute(params![0, pts, qts, date, seq])?;
    }
    for ChannelState { id, pts } in channels {
        insert.execute(params![Peer::channel(*id), pts, None::<i64>, date, None::<i64>])?;
    }
    Ok(())
}
