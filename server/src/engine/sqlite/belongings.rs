//! The store's tables of what is kept beside sessions.

use std::collections::BTreeSet;

use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sessiond_proto::{SessionName, v1};
use sessiond_session::{Attribute, Peer, peer_kind};
use tracing::error;
use zeroize::Zeroizing;

use super::{
    Store,
    sealing::{Sealing, SecretError, SessionSeal},
};
use crate::{
    engine::{
        AttributeRange, Belongings, Error, Keeper, Kept, KeptPeer, Owner, PIECE_BYTES, PeerFilter, Piece,
        Revision, Word, WordKind,
    },
    seal::What,
};

/// Most peers that are looked at at a time: a writer waits for it.
const PEERS: i64 = 250;

/// Rows of what was dropped that are removed at a time, from each table.
const PURGE_ROWS: i64 = 500;

/// A row that cannot be read.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error("the table cannot be read")]
    Sqlite(#[from] rusqlite::Error),
    #[error("a secret cannot be read")]
    Secret(#[from] SecretError),
    #[error("a row is damaged")]
    Damaged,
}

/// Writes what a transaction makes of one session's belongings.
pub(super) fn put(connection: &Connection, sealing: &Sealing, kept: &Kept) -> rusqlite::Result<()> {
    let Kept { name, revision, belongings, peers, attributes, dropped } = kept;
    let Belongings { peers: peer_owner, peer_count, self_id, attributes: attribute_owner, .. } = belongings;
    let seal = sealing.to_write(connection, name)?;
    if let Some(owner) = peer_owner {
        put_peers(connection, *owner, peers, (&seal, *revision))?;
    }
    if let Some(owner) = attribute_owner {
        for (key, attribute) in attributes {
            put_attribute(connection, *owner, key, attribute.as_ref(), (&seal, *revision))?;
        }
    }
    if !attributes.is_empty() || !dropped.is_empty() {
        seal.stamp_attributes(connection, *attribute_owner)?;
    }
    for owner in dropped {
        connection.prepare_cached("insert into dropped values (?)")?.execute([owner])?;
        // Mostly that is all there is.
        purge_some(connection, *owner)?;
    }
    if *belongings == Belongings::default() {
        connection.prepare_cached("delete from belongings where name = ?")?.execute([name.as_str()])?;
        return sealing.forget(connection, name);
    }
    let sql = "insert or replace into belongings values (?, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        name.as_str(),
        peer_owner,
        count(*peer_count),
        self_id,
        attribute_owner,
        count(belongings.attribute_count),
        count(belongings.attribute_bytes),
    ])?;
    Ok(())
}

/// Removes some of what was dropped, if there is any.
pub(super) fn purge(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "select owner from dropped limit 1";
    let dropped = connection.prepare_cached(sql)?.query_row((), |row| row.get(0)).optional()?;
    dropped.map_or(Ok(()), |owner| purge_some(connection, owner))
}

fn purge_some(connection: &Connection, owner: Owner) -> rusqlite::Result<()> {
    let statements = [
        "delete from attribute where owner = ?1 and key in (select key from attribute where owner = ?1 limit ?2)",
        "delete from peer where owner = ?1 and id in (select id from peer where owner = ?1 limit ?2)",
        "delete from peer_word where owner = ?1 and (kind, word, seen, id) in
         (select kind, word, seen, id from peer_word where owner = ?1 limit ?2)",
    ];
    let mut left = false;
    for sql in statements {
        let removed = connection.prepare_cached(sql)?.execute(params![owner, PURGE_ROWS])?;
        left |= count(removed) == PURGE_ROWS;
    }
    if !left {
        connection.prepare_cached("delete from dropped where owner = ?")?.execute([owner])?;
    }
    Ok(())
}

/// In the order of the tables, so that each page is gone to once.
fn put_peers(
    connection: &Connection,
    owner: Owner,
    peers: &[KeptPeer],
    (seal, revision): (&SessionSeal<'_>, Revision),
) -> rusqlite::Result<()> {
    for KeptPeer { id, before: _, after } in peers {
        let Some(after) = after else {
            let sql = "delete from peer where owner = ? and id = ?";
            connection.prepare_cached(sql)?.execute(params![owner, id])?;
            continue;
        };
        let mut image = v1::Peer::from(after.clone());
        let (access_hash, kind, seen) = (image.access_hash.take(), image.kind, image.seen);
        image.has_access_hash = false;
        let (open, sealed) = written_hash(seal, *id, revision, access_hash);
        let sql = "insert or replace into peer values (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let version = seal.version();
        let row = params![owner, id, kind, seen, open, version, revision, image.encode_to_vec(), sealed];
        connection.prepare_cached(sql)?.execute(row)?;
    }
    let (old, new) = (words(peers, |peer| &peer.before), words(peers, |peer| &peer.after));
    let sql = "delete from peer_word where owner = ? and kind = ? and word = ? and seen = ? and id = ?";
    for (word, seen, id) in old.difference(&new) {
        connection.prepare_cached(sql)?.execute(params![owner, code(word.kind), word.text, seen, id])?;
    }
    let sql = "insert or replace into peer_word values (?, ?, ?, ?, ?)";
    for (word, seen, id) in new.difference(&old) {
        connection.prepare_cached(sql)?.execute(params![owner, code(word.kind), word.text, seen, id])?;
    }
    Ok(())
}

/// What peers are found by, before or after.
fn words(peers: &[KeptPeer], side: fn(&KeptPeer) -> &Option<Peer>) -> BTreeSet<(Word, i64, i64)> {
    let known = peers.iter().filter_map(|peer| Some((peer.id, side(peer).as_ref()?)));
    let words = known.flat_map(|(id, peer)| {
        Word::all_of(peer).into_iter().map(move |word| (word, peer.seen.unwrap_or(0), id))
    });
    words.collect()
}

fn put_attribute(
    connection: &Connection,
    owner: Owner,
    key: &str,
    attribute: Option<&Attribute>,
    (seal, revision): (&SessionSeal<'_>, Revision),
) -> rusqlite::Result<()> {
    let Some(Attribute { key, value, secret }) = attribute else {
        let sql = "delete from attribute where owner = ? and key = ?";
        return connection.prepare_cached(sql)?.execute(params![owner, key]).map(drop);
    };
    let value = value.as_slice();
    let hidden = secret.then(|| seal.close(What::Attribute { key }, revision, value));
    let open = if *secret { None } else { Some(value) };
    let hidden = hidden.as_ref().map(|value| value.as_slice());
    let sql = "insert or replace into attribute values (?, ?, ?, ?, ?, ?, ?)";
    let row = params![owner, key, count(value.len()), open, hidden, seal.version(), revision];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

impl Keeper for Store {
    fn belongings(&mut self, name: &SessionName) -> Result<Belongings, Error> {
        let sql = "select peers, peer_count, self_id, attributes, attribute_count, attribute_bytes
                   from belongings where name = ?";
        let read = |row: &Row<'_>| {
            Ok(Belongings {
                peers: row.get(0)?,
                peer_count: usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                self_id: row.get(2)?,
                attributes: row.get(3)?,
                attribute_count: usize::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                attribute_bytes: usize::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
            })
        };
        self.reading(|connection, _| {
            let found = connection.prepare_cached(sql)?.query_row([name.as_str()], read).optional()?;
            Ok(found.unwrap_or_default())
        })
    }

    fn peer(&mut self, name: &SessionName, owner: Owner, id: i64) -> Result<Option<Peer>, Error> {
        let sql = "select id, key_revision, access_hash, sealed_access_hash, image from peer
                   where owner = ? and id = ?";
        self.reading(|connection, sealing| {
            let seal = sealing.of(connection, name)?;
            let mut select = connection.prepare_cached(sql)?;
            let mut rows = select.query(params![owner, id])?;
            rows.next()?.map(|row| read_peer(row, &seal)).transpose()
        })
    }

    fn find_peer(&mut self, owner: Owner, word: &Word) -> Result<Option<i64>, Error> {
        let sql = "select id from peer_word where owner = ? and kind = ? and word = ?
                   order by seen desc, id desc limit 1";
        self.reading(|connection, _| {
            let mut select = connection.prepare_cached(sql)?;
            let id = select.query_row(params![owner, code(word.kind), word.text], |row| row.get(0));
            Ok(id.optional()?)
        })
    }

    fn peers(
        &mut self,
        name: &SessionName,
        owner: Owner,
        after: Option<i64>,
        filter: &PeerFilter,
    ) -> Result<Piece, Error> {
        let sql = "select id, key_revision, access_hash, sealed_access_hash, image, kind, seen from peer
                   where owner = ? and id >= ? order by id limit ?";
        let Some(from) = after.map_or(Some(i64::MIN), |after| after.checked_add(1)) else {
            return Ok(Piece::default());
        };
        self.reading(|connection, sealing| {
            let seal = sealing.of(connection, name)?;
            let mut piece = Piece::default();
            let mut select = connection.prepare_cached(sql)?;
            let mut rows = select.query(params![owner, from, PEERS])?;
            let (mut looked_at, mut bytes) = (0, 0);
            while let Some(row) = rows.next()? {
                looked_at += 1;
                piece.through = Some(row.get(0)?);
                let kind = peer_kind("kind", row.get(5)?).map_err(|_| RowError::Damaged)?;
                if filter.takes(kind, row.get(6)?) {
                    bytes += row.get_ref(4)?.as_blob()?.len();
                    piece.peers.push(read_peer(row, &seal)?);
                }
                if bytes > PIECE_BYTES {
                    return Ok(piece);
                }
            }
            if looked_at < PEERS {
                piece.through = None;
            }
            Ok(piece)
        })
    }

    fn attribute(&mut self, name: &SessionName, owner: Owner, key: &str) -> Result<Option<Attribute>, Error> {
        let sql = "select key, value, secret_value, key_version, key_revision from attribute
                   where owner = ? and key = ?";
        self.check_attributes(name, owner)?;
        self.reading(|connection, sealing| {
            let seal = sealing.of(connection, name)?;
            let mut select = connection.prepare_cached(sql)?;
            let mut rows = select.query(params![owner, key])?;
            rows.next()?.map(|row| read_attribute(row, &seal)).transpose()
        })
    }

    fn attributes(
        &mut self,
        name: &SessionName,
        owner: Owner,
        range: &AttributeRange,
    ) -> Result<Vec<Attribute>, Error> {
        let AttributeRange { prefix, after, count: most, bytes } = range;
        let sql = "select key, value, secret_value, key_version, key_revision from attribute
                   where owner = ? and key >= ? and key > ? order by key limit ?";
        self.check_attributes(name, owner)?;
        self.reading(|connection, sealing| {
            let seal = sealing.of(connection, name)?;
            let mut select = connection.prepare_cached(sql)?;
            // No key is empty.
            let after = after.as_deref().unwrap_or_default();
            let mut rows = select.query(params![owner, prefix, after, count(*most)])?;
            let (mut attributes, mut room) = (Vec::new(), *bytes);
            while room > 0
                && let Some(row) = rows.next()?
            {
                let attribute = read_attribute(row, &seal)?;
                if !attribute.key.starts_with(prefix.as_str()) {
                    break;
                }
                room = room.saturating_sub(attribute.bytes());
                attributes.push(attribute);
            }
            Ok(attributes)
        })
    }

    fn attribute_sizes(
        &mut self,
        name: &SessionName,
        owner: Owner,
        prefix: &str,
    ) -> Result<Vec<(String, usize)>, Error> {
        let sql = "select key, bytes from attribute where owner = ? and key >= ? order by key";
        self.check_attributes(name, owner)?;
        self.reading(|connection, _| {
            let mut select = connection.prepare_cached(sql)?;
            let mut rows = select.query(params![owner, prefix])?;
            let mut sizes = Vec::new();
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                if !key.starts_with(prefix) {
                    break;
                }
                let bytes = key.len() + usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
                sizes.push((key, bytes));
            }
            Ok(sizes)
        })
    }
}

impl Store {
    /// Checks once that none of a session's secret attributes was put back: nobody else writes while the store is open.
    fn check_attributes(&mut self, name: &SessionName, owner: Owner) -> Result<(), Error> {
        if self.is_checked(owner) {
            return Ok(());
        }
        self.reading(|connection, sealing| {
            Ok(sealing.of(connection, name)?.check_attributes(connection, Some(owner))?)
        })?;
        self.note_checked(owner);
        Ok(())
    }

    fn reading<T>(
        &mut self,
        read: impl FnOnce(&Connection, &Sealing) -> Result<T, RowError>,
    ) -> Result<T, Error> {
        read(self.connection(), self.sealing()).map_err(|error| {
            error!(%error, source = ?std::error::Error::source(&error), "what is kept beside a session cannot be read");
            Error::Damaged(
                "what is kept beside the session cannot be read; restore the daemon's directory from a copy".into(),
            )
        })
    }
}

/// A peer from its row: id, key_revision, access_hash, sealed_access_hash, image.
fn read_peer(row: &Row<'_>, seal: &SessionSeal<'_>) -> Result<Peer, RowError> {
    let written = (row.get(2)?, row.get_ref(3)?.as_blob_or_null()?);
    let access_hash = access_hash(seal, row.get(0)?, row.get(1)?, written)?;
    let image = v1::Peer::decode(row.get_ref(4)?.as_blob()?).map_err(|_| RowError::Damaged)?;
    Peer::try_from(v1::Peer { access_hash, ..image }).map_err(|_| RowError::Damaged)
}

/// How a peer's access hash is written: as it is, or sealed.
pub(super) fn written_hash(
    seal: &SessionSeal<'_>,
    id: i64,
    revision: Revision,
    hash: Option<i64>,
) -> (Option<i64>, Option<Vec<u8>>) {
    match hash {
        Some(hash) if seal.is_sealed() => {
            let sealed = seal.close(What::AccessHash { peer: id }, revision, &hash.to_le_bytes());
            (None, Some(sealed.to_vec()))
        }
        hash => (hash, None),
    }
}

/// The access hash of a peer's row of a revision, in which it is written as it is, or sealed.
pub(super) fn access_hash(
    seal: &SessionSeal<'_>,
    id: i64,
    revision: Revision,
    written: (Option<i64>, Option<&[u8]>),
) -> Result<Option<i64>, SecretError> {
    let what = What::AccessHash { peer: id };
    let opened = match written {
        (None, None) => return Ok(None),
        (Some(hash), None) => seal.open_unsealed(&hash.to_le_bytes())?,
        (None, Some(sealed)) => seal.open_sealed(what, revision, sealed)?,
        (Some(_), Some(_)) => return Err(SecretError::Invalid),
    };
    let bytes = opened.as_slice().try_into().map_err(|_| SecretError::Invalid)?;
    Ok(Some(i64::from_le_bytes(bytes)))
}

/// An attribute from its row: key, value, secret_value, key_version, key_revision.
fn read_attribute(row: &Row<'_>, seal: &SessionSeal<'_>) -> Result<Attribute, RowError> {
    let key: String = row.get(0)?;
    let (secret, value) = match row.get_ref(2)?.as_blob_or_null()? {
        Some(written) => {
            (true, seal.open(What::Attribute { key: &key }, (row.get(3)?, row.get(4)?), written)?)
        }
        None => (false, Zeroizing::new(row.get::<_, Option<Vec<u8>>>(1)?.ok_or(RowError::Damaged)?)),
    };
    Ok(Attribute { key, value, secret })
}

impl From<rusqlite::types::FromSqlError> for RowError {
    fn from(_: rusqlite::types::FromSqlError) -> Self {
        Self::Damaged
    }
}

fn code(kind: WordKind) -> i64 {
    match kind {
        WordKind::Username => 0,
        WordKind::Phone => 1,
        WordKind::Name => 2,
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
