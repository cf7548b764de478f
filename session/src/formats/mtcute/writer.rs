use rusqlite::{Connection, params};

use super::{
    CHANNEL, COMPLETE, COUNTERS, CURRENT_USER, DcOption, MAIN, PREMIUM, REFERENCES, TEMPORARY, UPDATED,
    USER_FLAGS, USER_USERNAMES, VALUES, VERSIONS, is_mapped, user::CurrentUser,
};
use crate::{
    Contents, Peer, UpdateState, User,
    formats::{ExportError, Format, Wanting, account::Account, place},
};

/// The statements by which mtcute makes the tables. SQLite keeps their text in the file, so it is mtcute's to the letter; the
/// order is that in which its parts come.
const DDL: [&str; 6] = [
    "create table if not exists mtcute_migrations (
    repo text not null primary key,
    version integer not null
);",
    "
                create table if not exists auth_keys (
                    dc integer primary key,
                    key blob not null
                );
                create table if not exists temp_auth_keys (
                    dc integer not null,
                    idx integer not null,
                    key blob not null,
                    expires integer not null,
                    primary key (dc, idx)
                );
            ",
    "
          create table key_value (
              key text primary key,
              value blob not null
          );
      ",
    "
                create table if not exists message_refs (
                    peer_id integer not null,
                    chat_id integer not null,
                    msg_id integer not null
                );
                create index if not exists idx_message_refs_peer on message_refs (peer_id);
                create index if not exists idx_message_refs on message_refs (chat_id, msg_id);
            ",
    "
                create table peers (
                    id integer primary key,
                    hash text not null,
                    usernames json not null,
                    updated integer not null,
                    phone text,
                    complete blob
                );
                create index idx_peers_usernames on peers (usernames);
                create index idx_peers_phone on peers (phone);
            ",
    "alter table peers add column isMin integer not null default false;",
];

pub(super) fn write(
    connection: &Connection,
    contents: &Contents,
    wanting: &Wanting,
) -> Result<(), ExportError> {
    for statement in DDL {
        connection.execute_batch(statement)?;
    }
    for (part, version) in VERSIONS {
        connection
            .execute("insert into mtcute_migrations (repo, version) values (?, ?)", params![part, version])?;
    }
    for dc in &contents.session.dcs {
        if let Some(key) = dc.auth.key() {
            let key = key.expose().as_slice();
            connection.execute("insert into auth_keys (dc, key) values (?, ?)", params![dc.id, key])?;
        }
    }
    write_home(connection, contents, wanting)?;
    if let Some(state) = &contents.session.state {
        write_state(connection, state)?;
    }
    write_attributes(connection, contents)?;
    let user = contents.session.user.as_ref();
    let mut insert = connection.prepare(
        "insert into peers (id, hash, isMin, usernames, updated, phone, complete) values (?, ?, ?, ?, ?, ?, ?)",
    )?;
    for peer in contents.peers.iter().filter(place::has_hash) {
        let min = peer.min == Some(true);
        let phone = peer.phone.as_deref().filter(|phone| !phone.is_empty());
        let complete = peer.extra.get(COMPLETE);
        let (hash, updated) = (access_hash(&peer), updated(&peer));
        insert.execute(params![peer.id, hash, min, usernames(&peer, user), updated, phone, complete])?;
    }
    Ok(())
}

/// The home data center, and the user if there is one, of whom it has to be known whether it is a bot.
fn write_home(connection: &Connection, contents: &Contents, wanting: &Wanting) -> Result<(), ExportError> {
    let session = &contents.session;
    let account = Account::of(contents, wanting, Format::Mtcute);
    if session.home_dc.is_some() || session.user.is_some() || !session.dcs.is_empty() {
        let id = account.fit(account.dc.into(), "the id of data center")?;
        let main = DcOption::new(id, account.need_address()?, account.test);
        set(connection, MAIN, &main.to_bytes())?;
    }
    let Some(id) = account.user_id() else { return Ok(()) };
    let bot = account.need_bot()?;
    let username = session.user.as_ref().and_then(|user| user.username.clone());
    let lines = contents.attribute(USER_USERNAMES).and_then(|lines| std::str::from_utf8(lines).ok());
    let all: Vec<String> = lines.into_iter().flat_map(str::lines).map(Into::into).collect();
    let usernames = if all.first() == username.as_ref() { all } else { username.into_iter().collect() };
    let premium = contents.number(USER_FLAGS).is_some_and(|flags| flags & PREMIUM != 0);
    let user = CurrentUser { id, bot, premium, usernames };
    set(connection, CURRENT_USER, &user.to_bytes())
}

/// Counters that are all zero are left out: mtcute would take them for an account's that saw nothing, ever.
fn write_state(connection: &Connection, state: &UpdateState) -> Result<(), ExportError> {
    let UpdateState { pts, qts, date, seq, channels } = state;
    let date = i32::try_from(*date)
        .map_err(|_| ExportError::TooLarge { format: Format::Mtcute, what: format!("the date {date}") })?;
    let counters = [*pts, *qts, date, *seq];
    if counters != [0; 4] {
        for (key, counter) in COUNTERS.iter().zip(counters) {
            set(connection, key, &counter.to_le_bytes())?;
        }
    }
    for channel in channels {
        set(connection, &format!("{CHANNEL}{}", channel.id), &channel.pts.to_le_bytes())?;
    }
    Ok(())
}

fn write_attributes(connection: &Connection, contents: &Contents) -> Result<(), ExportError> {
    for attribute in &contents.attributes {
        let key = attribute.key.as_str();
        if let Some(key) = key.strip_prefix(VALUES).filter(|key| !is_mapped(key)) {
            set(connection, key, &attribute.value)?;
        } else if let Some(which) = key.strip_prefix(TEMPORARY) {
            let numbers = numbers::<2>(which, '.');
            let Some(([dc, index], (expires, key))) = numbers.zip(attribute.value.split_first_chunk()) else {
                continue;
            };
            connection.execute(
                "insert into temp_auth_keys (dc, idx, key, expires) values (?, ?, ?, ?)",
                params![dc, index, key, i64::from_le_bytes(*expires)],
            )?;
        } else if let Some(which) = key.strip_prefix(REFERENCES) {
            let Some([peer, chat, message]) = numbers::<3>(which, '/') else { continue };
            connection.execute(
                "insert into message_refs (peer_id, chat_id, msg_id) values (?, ?, ?)",
                params![peer, chat, message],
            )?;
        }
    }
    Ok(())
}

fn set(connection: &Connection, key: &str, value: &[u8]) -> Result<(), ExportError> {
    let mut insert =
        connection.prepare_cached("insert or replace into key_value (key, value) values (?, ?)")?;
    insert.execute(params![key, value])?;
    Ok(())
}

fn numbers<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let numbers: Option<Vec<i64>> = text.split(between).map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a number are what is wanted")]
fn access_hash(peer: &Peer) -> String {
    match peer.access_hash {
        Some(hash) if !place::is_group(peer) => format!("{}|{}", hash as i32, (hash >> 32) as i32),
        _ => String::new(),
    }
}

/// mtcute looks for them in lower case.
fn usernames(peer: &Peer, user: Option<&User>) -> String {
    let names = place::usernames(peer, user).into_iter();
    serde_json::Value::from_iter(names.map(str::to_lowercase)).to_string()
}

/// In milliseconds, those that mtcute had if they are still right.
fn updated(peer: &Peer) -> i64 {
    let seen = peer.seen.unwrap_or(0);
    let kept =
        peer.extra.get(UPDATED).and_then(|bytes| bytes.as_slice().try_into().ok()).map(i64::from_le_bytes);
    let kept = kept.filter(|kept| kept / 1_000 == seen);
    kept.unwrap_or_else(|| seen.saturating_mul(1_000))
}
