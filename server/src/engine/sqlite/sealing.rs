//! How the store's secrets are kept: sealed, unless the daemon is told not to, or a session was opened by choice. The table
//! `seal` has each session's data key, wrapped, and what stamps its secrets as a whole.

mod upkeep;

pub(super) use self::upkeep::{RotateError, Settled};

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};
use sessiond_proto::SessionName;
use zeroize::Zeroizing;

use super::schema;
use crate::{
    engine::{Owner, Revision, SealStatus},
    seal::{DataKey, KeyError, KeySource, Keyring, Label, MasterKeyId, NotOpened, Place, What, Wrapped},
};

/// Values of `key_version`: how a secret is written.
const OPEN: i64 = 0;
const SEALED: i64 = 1;

/// What is authenticated with a value that no commit sets.
const NO_REVISION: Revision = 0;

/// Whether there is a session with secrets that are sealed.
const IS_SEALED: &str = "select exists (select 1 from seal where open_stamp is null
    and (name in (select name from auth) or name in (select name from belongings)))";

/// A secret that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    #[error("a table cannot be read")]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    NotOpened(#[from] NotOpened),
    #[error("it is no secret of its kind")]
    Invalid,
}

/// The keys of a store, or that it has none.
#[derive(Debug, Clone)]
pub(super) struct Sealing {
    source: KeySource,
    store: String,
    ring: Option<Arc<Keyring>>,
    /// Everything is sealed but what was opened by choice: a secret that is not was put there by somebody else.
    is_complete: bool,
}

/// How one session's secrets are kept.
#[derive(Debug)]
pub(super) struct SessionSeal<'a> {
    name: &'a SessionName,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// As they are.
    Open,
    /// It has none yet.
    Nothing,
    Sealed(Box<Sealed>),
}

#[derive(Debug)]
struct Sealed {
    key: DataKey,
    auth_stamp: Vec<u8>,
    attribute_stamp: Vec<u8>,
}

/// A session's row.
struct Row {
    wrapped: Wrapped,
    auth_stamp: Vec<u8>,
    attribute_stamp: Vec<u8>,
    open_stamp: Option<Vec<u8>>,
}

impl Sealing {
    /// Finds the keys of a store. Nothing of it is changed.
    pub(super) fn unlock(
        connection: &Connection,
        directory: &std::path::Path,
        source: &KeySource,
    ) -> Result<Self, UnlockError> {
        let has_table = connection.table_exists(None, "seal")?;
        let store = schema::meta(connection, "seal_id")?.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let used = used(connection)?;
        let is_sealed = has_table && connection.query_row(IS_SEALED, (), |row| row.get(0))?;
        let place = Place { directory, id: &store, used: &used, is_sealed };
        let ring = source.unlock(&place)?.map(Arc::new);
        let is_complete = ring.is_some() && schema::meta::<i64>(connection, "sealed")? == Some(1);
        Ok(Self { source: source.clone(), store, ring, is_complete })
    }

    pub(super) fn status(&self, connection: &Connection) -> rusqlite::Result<SealStatus> {
        let Some(ring) = &self.ring else { return Ok(SealStatus::default()) };
        let (sealed, open) = upkeep::counts(connection)?;
        Ok(SealStatus {
            key_id: Some(ring.current().to_string()),
            key_path: self.source.path(&self.store).unwrap_or_default(),
            retired: ring.retired().map(ToString::to_string).collect(),
            sealed,
            open,
        })
    }

    pub(super) fn has_keys(&self) -> bool {
        self.ring.is_some()
    }

    /// Where the keys come from.
    pub(super) fn source(&self) -> &KeySource {
        &self.source
    }

    /// How a session's secrets are kept.
    pub(super) fn of<'a>(
        &self,
        connection: &Connection,
        name: &'a SessionName,
    ) -> Result<SessionSeal<'a>, SecretError> {
        let Some(ring) = &self.ring else { return Ok(SessionSeal { name, kind: Kind::Open }) };
        let Some(Row { wrapped, auth_stamp, attribute_stamp, open_stamp }) = row(connection, name)? else {
            let kind = if self.is_complete { Kind::Nothing } else { Kind::Open };
            return Ok(SessionSeal { name, kind });
        };
        let key = ring.unwrap(name, &wrapped)?;
        let kind = match open_stamp {
            Some(stamp) => {
                key.check(&label(name, What::LeftOpen), &stamp)?;
                Kind::Open
            }
            None => Kind::Sealed(Box::new(Sealed { key, auth_stamp, attribute_stamp })),
        };
        Ok(SessionSeal { name, kind })
    }

    /// How a session's secrets are to be written. What can never be opened again is given a new key.
    pub(super) fn to_write<'a>(
        &self,
        connection: &Connection,
        name: &'a SessionName,
    ) -> rusqlite::Result<SessionSeal<'a>> {
        match self.of(connection, name) {
            Ok(SessionSeal { kind: Kind::Nothing, .. })
            | Err(SecretError::NotOpened(_) | SecretError::Invalid) => self.begin(connection, name),
            Ok(seal) => Ok(seal),
            Err(SecretError::Sqlite(error)) => Err(error),
        }
    }

    /// Whether a session is sealed, or would be.
    pub(super) fn seals(&self, connection: &Connection, name: &SessionName) -> bool {
        self.ring.is_some() && !matches!(self.of(connection, name), Ok(SessionSeal { kind: Kind::Open, .. }))
    }

    /// Gives a session a data key, and no secret yet.
    fn begin<'a>(&self, connection: &Connection, name: &'a SessionName) -> rusqlite::Result<SessionSeal<'a>> {
        let Some(ring) = &self.ring else { return Ok(SessionSeal { name, kind: Kind::Open }) };
        let key = DataKey::random();
        let auth_stamp = key.stamp(&label(name, What::AllAuthKeys(&[])));
        let attribute_stamp = key.stamp(&label(name, What::AllAttributes(&[])));
        let Wrapped { master, bytes } = ring.wrap(name, &key);
        let sql = "insert or replace into seal values (?, ?, ?, ?, ?, null)";
        connection.prepare_cached(sql)?.execute(params![
            name.as_str(),
            master.as_str(),
            bytes,
            auth_stamp,
            attribute_stamp
        ])?;
        let sealed = Sealed { key, auth_stamp, attribute_stamp };
        Ok(SessionSeal { name, kind: Kind::Sealed(Box::new(sealed)) })
    }

    /// Forgets the data key of a session that was deleted, and with it whatever is left of its secrets anywhere.
    pub(super) fn forget(&self, connection: &Connection, name: &SessionName) -> rusqlite::Result<()> {
        if self.ring.is_none() {
            return Ok(());
        }
        let sql = "delete from seal where name = ?1 and open_stamp is null
                   and not exists (select 1 from auth where name = ?1)
                   and not exists (select 1 from belongings where name = ?1)";
        connection.prepare_cached(sql)?.execute([name.as_str()]).map(drop)
    }
}

impl<'a> SessionSeal<'a> {
    pub(super) fn name(&self) -> &'a SessionName {
        self.name
    }

    /// How a secret is written, for `key_version`.
    pub(super) fn version(&self) -> i64 {
        match self.kind {
            Kind::Open | Kind::Nothing => OPEN,
            Kind::Sealed(_) => SEALED,
        }
    }

    pub(super) fn is_sealed(&self) -> bool {
        matches!(self.kind, Kind::Sealed(_))
    }

    /// A secret as it is written.
    pub(super) fn close(&self, what: What<'_>, revision: Revision, secret: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match &self.kind {
            Kind::Open | Kind::Nothing => secret.to_vec(),
            Kind::Sealed(sealed) => sealed.key.seal(&Label { session: self.name, what, revision }, secret),
        })
    }

    /// A secret that was written. `version` and `revision` are those beside it.
    pub(super) fn open(
        &self,
        what: What<'_>,
        (version, revision): (i64, Revision),
        written: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        match version {
            OPEN => self.open_unsealed(written),
            SEALED => self.open_sealed(what, revision, written),
            _ => Err(NotOpened.into()),
        }
    }

    /// A secret that was written as it is.
    pub(super) fn open_unsealed(&self, written: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        match self.kind {
            Kind::Open => Ok(Zeroizing::new(written.to_vec())),
            Kind::Nothing | Kind::Sealed(_) => Err(NotOpened.into()),
        }
    }

    /// A secret that was sealed.
    pub(super) fn open_sealed(
        &self,
        what: What<'_>,
        revision: Revision,
        written: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        match &self.kind {
            Kind::Sealed(sealed) => {
                Ok(sealed.key.open(&Label { session: self.name, what, revision }, written)?)
            }
            Kind::Open | Kind::Nothing => Err(NotOpened.into()),
        }
    }

    /// Checks that these are all auth keys that were written, and none is older.
    pub(super) fn check_auth(&self, keys: &[(i32, Revision)]) -> Result<(), SecretError> {
        match &self.kind {
            Kind::Open => Ok(()),
            Kind::Nothing if keys.is_empty() => Ok(()),
            Kind::Nothing => Err(NotOpened.into()),
            Kind::Sealed(sealed) => {
                Ok(sealed.key.check(&label(self.name, What::AllAuthKeys(keys)), &sealed.auth_stamp)?)
            }
        }
    }

    /// Checks that the secret attributes of an owner are all that were written, and none is older.
    pub(super) fn check_attributes(
        &self,
        connection: &Connection,
        owner: Option<Owner>,
    ) -> Result<(), SecretError> {
        let Kind::Sealed(sealed) = &self.kind else { return Ok(()) };
        let attributes = secret_attributes(connection, owner)?;
        Ok(sealed.key.check(&label(self.name, What::AllAttributes(&attributes)), &sealed.attribute_stamp)?)
    }

    /// Stamps the auth keys that are written now.
    pub(super) fn stamp_auth(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Kind::Sealed(sealed) = &self.kind else { return Ok(()) };
        let mut select =
            connection.prepare_cached("select dc, key_revision from auth where name = ? order by dc")?;
        let keys = select.query_map([self.name.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let keys = keys.collect::<rusqlite::Result<Vec<(i32, Revision)>>>()?;
        let stamp = sealed.key.stamp(&label(self.name, What::AllAuthKeys(&keys)));
        let sql = "update seal set auth_stamp = ? where name = ?";
        connection.prepare_cached(sql)?.execute(params![stamp, self.name.as_str()]).map(drop)
    }

    /// Stamps the secret attributes that an owner has now.
    pub(super) fn stamp_attributes(
        &self,
        connection: &Connection,
        owner: Option<Owner>,
    ) -> rusqlite::Result<()> {
        let Kind::Sealed(sealed) = &self.kind else { return Ok(()) };
        let attributes = secret_attributes(connection, owner)?;
        let stamp = sealed.key.stamp(&label(self.name, What::AllAttributes(&attributes)));
        let sql = "update seal set attribute_stamp = ? where name = ?";
        connection.prepare_cached(sql)?.execute(params![stamp, self.name.as_str()]).map(drop)
    }
}

/// Why a store stays closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnlockError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("what the store says of its keys cannot be read")]
    Sqlite(#[from] rusqlite::Error),
}

fn label<'a>(session: &'a SessionName, what: What<'a>) -> Label<'a> {
    Label { session, what, revision: NO_REVISION }
}

/// The master keys that wrap data keys, as far as the store says.
fn used(connection: &Connection) -> rusqlite::Result<Vec<MasterKeyId>> {
    let used: String = schema::meta(connection, "master_keys")?.unwrap_or_default();
    Ok(used.split_whitespace().map(|id| id.to_owned().into()).collect())
}

fn row(connection: &Connection, name: &SessionName) -> rusqlite::Result<Option<Row>> {
    let sql = "select master, data_key, auth_stamp, attribute_stamp, open_stamp from seal where name = ?";
    let mut select = connection.prepare_cached(sql)?;
    let row = select.query_row([name.as_str()], |row| {
        let wrapped = Wrapped { master: row.get::<_, String>(0)?.into(), bytes: row.get(1)? };
        Ok(Row { wrapped, auth_stamp: row.get(2)?, attribute_stamp: row.get(3)?, open_stamp: row.get(4)? })
    });
    row.optional()
}

fn secret_attributes(
    connection: &Connection,
    owner: Option<Owner>,
) -> rusqlite::Result<Vec<(String, Revision)>> {
    let sql =
        "select key, key_revision from attribute where owner = ? and secret_value is not null order by key";
    let mut select = connection.prepare_cached(sql)?;
    select.query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
