use std::collections::{BTreeMap, VecDeque};

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::{
    CHANNEL, COMPLETE, COUNTERS, CURRENT_USER, DcOption, MAIN, PREMIUM, REFERENCES, REFERENCES_BACK,
    TEMPORARY, UPDATED, USER_FLAGS, USER_USERNAMES, VALUES, VERSIONS, is_mapped, user::CurrentUser,
};
use crate::{
    Attribute, Auth, ChannelState, Contents, DataCenter, MAX_ATTRIBUTES, MAX_CHANNELS, MAX_DCS, MAX_USERNAME,
    MAX_USERNAMES, Peer, PeerKind, Peers, Session, UpdateState, User,
    formats::{Format, FormatError, Imported, column, column::Columns, error::shown, room::Room},
};

/// The most messages that are kept, the newest, two attributes each. A session has 20,000 attributes.
const MAX_REFERENCES: usize = 8_000;

/// The most bytes of an attribute's value, and of its key.
const MAX_VALUE: usize = 64 << 10;
const MAX_KEY: usize = 256;

/// What was read so far.
#[derive(Default)]
struct Reader {
    dcs: BTreeMap<i32, DataCenter>,
    main: Option<DcOption>,
    user: Option<CurrentUser>,
    counters: [Option<i32>; 4],
    channels: BTreeMap<i64, i32>,
    attributes: BTreeMap<String, Attribute>,
    left_behind: Vec<String>,
    /// Values that no attribute can have, or that are too many.
    unfit: usize,
}

pub(super) fn read(connection: &Connection) -> Result<Imported, FormatError> {
    let tables = column::tables(connection)?;
    let there = |name: &str| tables.iter().any(|table| table == name);
    let room = Room::of(connection)?;
    let mut reader = Reader::default();
    reader.versions(connection, &room)?;
    column::each(connection, "auth_keys", &room, |row| reader.key(row))?;
    column::each(connection, "key_value", &room, |row| reader.value(row))?;
    if there("temp_auth_keys") {
        column::each(connection, "temp_auth_keys", &room, |row| reader.temporary_key(row))?;
    }
    if there("message_refs") {
        reader.references(connection, &room)?;
    }
    let peers = if there("peers") { reader.peers(connection, &room)? } else { Peers::default() };
    reader.finish(peers)
}

impl Reader {
    /// Says if the file is newer than what is known here.
    fn versions(&mut self, connection: &Connection, room: &Room) -> Result<(), FormatError> {
        let parts = column::each(connection, "mtcute_migrations", room, |row| {
            Ok((row.text("repo")?.unwrap_or_default().to_owned(), row.number("version")?))
        })?;
        for (part, version) in parts {
            let known = VERSIONS.iter().find(|(known, _)| *known == part).map_or(0, |(_, version)| *version);
            if version > known {
                let part = shown(&part);
                self.left_behind.push(format!(
                    "whatever version {version} of mtcute's \"{part}\" has beyond version {known}, the newest known here"
                ));
            }
        }
        Ok(())
    }

    fn key(&mut self, row: &Columns<'_>) -> Result<(), FormatError> {
        let id = row.dc("dc")?;
        let auth = row.auth("key")?;
        self.dcs.insert(id, DataCenter { id, auth, ..DataCenter::default() });
        Ok(())
    }

    fn temporary_key(&mut self, row: &Columns<'_>) -> Result<(), FormatError> {
        let (dc, index) = (row.dc("dc")?, row.number("idx")?);
        let Auth::Key(key) = row.auth("key")? else { return Ok(()) };
        let mut value = Zeroizing::new(Vec::with_capacity(264));
        // In whatever unit it is: mtcute compares it with a time of its own.
        value.extend(row.number("expires")?.to_le_bytes());
        value.extend(key.expose());
        self.attribute(format!("{TEMPORARY}{dc}.{index}"), value, true);
        Ok(())
    }

    fn value(&mut self, row: &Columns<'_>) -> Result<(), FormatError> {
        let key = row.text("key")?.unwrap_or_default();
        let value = row.blob("value")?.unwrap_or_default();
        let wrong = |error: FormatError| row.wrong("value", format!("of {}: {error}", shown(key)));
        if let Some(at) = COUNTERS.iter().position(|counter| *counter == key) {
            self.counters[at] = Some(counter(value, row)?);
        } else if let Some(channel) = key.strip_prefix(CHANNEL) {
            let id = channel.parse().ok().filter(|id: &i64| *id > 0);
            let id = id.ok_or_else(|| row.wrong("key", "is of a channel without a number"))?;
            self.channels.insert(id, counter(value, row)?);
        } else if key == MAIN {
            self.main = DcOption::read(value).map_err(wrong)?;
        } else if key == CURRENT_USER {
            self.user = CurrentUser::read(value).map_err(wrong)?;
        } else if !is_mapped(key) {
            self.attribute(format!("{VALUES}{key}"), Zeroizing::new(value.to_vec()), false);
        }
        Ok(())
    }

    fn references(&mut self, connection: &Connection, room: &Room) -> Result<(), FormatError> {
        let (mut newest, mut older) = (VecDeque::new(), 0);
        column::each(connection, "message_refs", room, |row| {
            if newest.len() == MAX_REFERENCES {
                newest.pop_front();
                older += 1;
            }
            newest.push_back((row.number("peer_id")?, row.number("chat_id")?, row.number("msg_id")?));
            Ok(())
        })?;
        if older > 0 {
            self.left_behind.push(format!(
                "{older} older references to messages by which mtcute finds peers: {MAX_REFERENCES} are kept"
            ));
        }
        for (peer, chat, message) in newest {
            let forward = format!("{REFERENCES}{peer}/{chat}/{message}");
            let back = format!("{REFERENCES_BACK}{chat}/{message}/{peer}");
            self.attribute(forward, Zeroizing::default(), false);
            self.attribute(back, Zeroizing::default(), false);
        }
        Ok(())
    }

    fn peers(&self, connection: &Connection, room: &Room) -> Result<Peers, FormatError> {
        let has_min = column::has(connection, "peers", "isMin")?;
        let own = self.user.as_ref().map(|user| user.id);
        column::peers(connection, ("peers", "id"), room, |row| {
            let peer = peer(row, has_min)?;
            let is_self = (own == Some(peer.id)).then_some(true);
            Ok((peer.id != 0).then_some(Peer { is_self, ..peer }))
        })
    }

    fn attribute(&mut self, key: String, value: Zeroizing<Vec<u8>>, secret: bool) {
        if self.attributes.len() == MAX_ATTRIBUTES
            || key.len() > MAX_KEY
            || value.len() > MAX_VALUE
            || !key.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        {
            self.unfit += 1;
        } else {
            self.attributes.insert(key.clone(), Attribute { key, value, secret });
        }
    }

    fn finish(mut self, peers: Peers) -> Result<Imported, FormatError> {
        if self.unfit > 0 {
            self.left_behind
                .push(format!("{} values of mtcute's that are too large or too many to be kept", self.unfit));
        }
        let home_dc = self.main.as_ref().map(|main| i32::from(main.id));
        let test_mode = self.main.as_ref().map(|main| main.test);
        if let Some(main) = &self.main {
            let (known, lost) = main.data_center();
            self.left_behind.extend(lost);
            let dc = self.dcs.entry(known.id).or_insert_with(|| known.clone());
            (dc.ipv4_addr, dc.ipv6_addr) = (known.ipv4_addr, known.ipv6_addr);
        }
        for (count, most, what) in [
            (self.dcs.len(), MAX_DCS, ("auth_keys", "dc")),
            (self.channels.len(), MAX_CHANNELS, ("key_value", "key")),
        ] {
            if count > most {
                return Err(FormatError::value(
                    what.0,
                    what.1,
                    format!("has {count} values, at most {most} are kept"),
                ));
            }
        }
        let user = self.user(home_dc)?;
        let state = self.state();
        let dcs = self.dcs.into_values().collect();
        let session = Session { dcs, user, state, home_dc, test_mode };
        let contents = Contents { session, peers, attributes: self.attributes.into_values().collect() };
        Ok(Imported { left_behind: self.left_behind, ..Imported::new(Format::Mtcute, contents) })
    }

    fn user(&mut self, home_dc: Option<i32>) -> Result<Option<User>, FormatError> {
        let Some(CurrentUser { id, bot, premium, usernames }) = self.user.take() else { return Ok(None) };
        if premium {
            self.attributes.insert(USER_FLAGS.into(), Attribute::number(USER_FLAGS, PREMIUM));
        }
        if usernames.iter().any(|name| name.len() > MAX_USERNAME) {
            let problem = format!("of {CURRENT_USER} has a username of more than {MAX_USERNAME} bytes");
            return Err(FormatError::value("key_value", "value", problem));
        }
        if usernames.len() > 1 {
            let value = Zeroizing::new(usernames.join("\n").into_bytes());
            self.attribute(USER_USERNAMES.into(), value, false);
        }
        let username = usernames.into_iter().next().filter(|name| !name.is_empty());
        Ok(Some(User { id, dc: home_dc.unwrap_or(2), bot: Some(bot), username }))
    }

    /// The counters count only where all four are there, as for mtcute.
    fn state(&mut self) -> Option<UpdateState> {
        let mut state = match self.counters {
            [Some(pts), Some(qts), Some(date), Some(seq)] => {
                Some(UpdateState { pts, qts, date: date.into(), seq, channels: Vec::new() })
            }
            [None, None, None, None] => None,
            _ => {
                self.left_behind
                    .push("an update state that is not whole: mtcute itself would not use it".into());
                None
            }
        };
        if !self.channels.is_empty() {
            let channels = std::mem::take(&mut self.channels).into_iter();
            let channels = channels.map(|(id, pts)| ChannelState { id, pts }).collect();
            state.get_or_insert_default().channels = channels;
        }
        state
    }
}

/// mtcute reads the first four bytes, whatever follows.
fn counter(value: &[u8], row: &Columns<'_>) -> Result<i32, FormatError> {
    let counter = value.first_chunk().map(|bytes| i32::from_le_bytes(*bytes));
    match counter {
        Some(counter) if counter >= 0 => Ok(counter),
        Some(_) => Err(row.wrong("value", "is a counter past the protocol's range")),
        None => Err(row.wrong("value", format!("is a counter of {} bytes instead of 4", value.len()))),
    }
}

fn peer(row: &Columns<'_>, has_min: bool) -> Result<Peer, FormatError> {
    let id = row.number("id")?;
    let updated = row.integer("updated")?.unwrap_or(0);
    // Its documentation says seconds, and milliseconds is what it is.
    let seen = updated / 1_000;
    let mut extra = BTreeMap::new();
    match row.blob("complete")? {
        Some(complete) if !complete.is_empty() && complete.len() <= MAX_VALUE => {
            extra.insert(COMPLETE.to_owned(), complete.to_vec());
        }
        _ => {}
    }
    if seen.saturating_mul(1_000) != updated {
        extra.insert(UPDATED.to_owned(), updated.to_le_bytes().to_vec());
    }
    Ok(Peer {
        id,
        access_hash: access_hash(id, row)?,
        min: if has_min { row.integer("isMin")?.map(|min| min != 0) } else { None },
        usernames: Some(usernames(row)?),
        phone: row.text("phone")?.filter(|phone| !phone.is_empty()).map(Into::into),
        seen: (seen > 0).then_some(seen),
        extra,
        ..Peer::default()
    })
}

fn usernames(row: &Columns<'_>) -> Result<Vec<String>, FormatError> {
    /// More than as many usernames as a peer can have, as JSON.
    const LONGEST: usize = MAX_USERNAMES * (MAX_USERNAME + 8);
    let text = row.text("usernames")?.unwrap_or("[]");
    if text.len() > LONGEST {
        return Err(
            row.wrong("usernames", format!("has {} bytes, and at most {LONGEST} are read", text.len()))
        );
    }
    serde_json::from_str(text).map_err(|_| row.wrong("usernames", "is no JSON list of texts"))
}

/// mtcute has it as its lower and its upper half, both with a sign: `-2112454933|-287445237`.
fn access_hash(id: i64, row: &Columns<'_>) -> Result<Option<i64>, FormatError> {
    let text = row.text("hash")?.unwrap_or_default();
    if text.is_empty() {
        return Ok((Peer::kind_of(id) == PeerKind::Group).then_some(0));
    }
    let halves = text.split_once('|').and_then(|(low, high)| {
        let (low, high): (i32, i32) = (low.parse().ok()?, high.parse().ok()?);
        Some(i64::from(high) << 32 | i64::from(low.cast_unsigned()))
    });
    halves.map(Some).ok_or_else(|| row.wrong("hash", "is no access hash in two halves"))
}
