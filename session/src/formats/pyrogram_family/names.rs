use rusqlite::Connection;

use super::has_table;
use crate::{
    MAX_USERNAMES,
    formats::{FormatError, column, room::Room},
};

/// The usernames of a table of their own, without an allocation for each: there can be a million.
#[derive(Default)]
pub(super) struct Names {
    /// One after the other.
    text: String,
    /// Whose each is, and where, by the peers' ids, and those of a peer as the rows are: as Telegram listed them.
    places: Vec<Place>,
}

struct Place {
    peer: i64,
    begin: u32,
    length: u16,
}

impl Names {
    /// All of the table, if there is one.
    pub(super) fn read(connection: &Connection, tables: &[String], room: &Room) -> Result<Self, FormatError> {
        let mut names = Self::default();
        if !has_table(tables, "usernames") {
            return Ok(names);
        }
        let mut text = String::new();
        let places = column::each(connection, "usernames", room, |row| {
            let (id, name) = if row.has("peer_id") { ("peer_id", "id") } else { ("id", "username") };
            let (peer, username) = (row.integer(id)?, row.username(name)?);
            let (Some(peer), Some(username)) = (peer, username.filter(|name| !name.is_empty())) else {
                return Ok(None);
            };
            let (Ok(begin), Ok(length)) = (text.len().try_into(), username.len().try_into()) else {
                return Err(row.wrong(name, "is past 4 GiB of usernames"));
            };
            text.push_str(&username);
            Ok(Some(Place { peer, begin, length }))
        })?;
        names.text = text;
        names.places = places.into_iter().flatten().collect();
        names.places.sort_unstable_by_key(|place| (place.peer, place.begin));
        Ok(names)
    }

    /// Those of a peer, each once, and not more than are kept.
    pub(super) fn of(&self, peer: i64) -> Vec<String> {
        let first = self.places.partition_point(|place| place.peer < peer);
        let mut found: Vec<String> = Vec::new();
        for place in self.places[first..].iter().take_while(|place| place.peer == peer) {
            let begin = place.begin as usize;
            let name = &self.text[begin..begin + usize::from(place.length)];
            if found.len() < MAX_USERNAMES && !found.iter().any(|known| known == name) {
                found.push(name.to_owned());
            }
        }
        found
    }
}
