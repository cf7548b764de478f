use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::{self, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::task;

use crate::{
    FileError, LockedFile, Session, Storage, StorageError,
    formats::{self, Format, FormatError, ImportError, Schema, telethon_v2},
    storage::require_all_keys,
};

/// Keeps a session in a file of its own: Telethon 2's, version 10, which stock Telethon 2 opens when nobody has it open.
///
/// From `open` to `close`, or drop, the file is locked against every other program, Telethon included, which gets
/// `database is locked`. A file that does not exist is neither made nor locked before the first save.
///
/// The format has no place for [`home_dc`](Session::home_dc) and [`test_mode`](Session::test_mode): they are read back as
/// `None`, and the home data center only as the user's. A user of whom it is not known whether it is a bot is read back as
/// one who is not.
pub struct SqliteSession {
    path: PathBuf,
    file: Arc<Mutex<SessionFile>>,
}

impl SqliteSession {
    /// Opens a session's file, or the place where it will be. `.session` is appended to a path without extension:
    /// `alice` is `alice.session`, and `my.bot` is `my.bot`.
    ///
    /// # Errors
    /// The file is in use, or is something else than a Telethon 2 session. It was not touched.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        let path = session_path(path.as_ref());
        let path = path::absolute(&path).map_err(|source| StorageError::Io { path, source })?;
        let mut file = SessionFile { path: path.clone(), open: None };
        let file = blocking(move || file.find().map(|()| file)).await?;
        Ok(Self { path, file: Arc::new(Mutex::new(file)) })
    }

    /// The file's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the file and lets other programs have it. Dropping does the same, without telling of an error.
    ///
    /// # Errors
    /// It could not be closed in order.
    pub async fn close(self) -> Result<(), StorageError> {
        self.with(|file| match file.open.take() {
            Some(open) => open.close().map_err(|error| file.error(error)),
            None => Ok(()),
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SessionFile) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let file = Arc::clone(&self.file);
        blocking(move || work(&mut file.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

#[async_trait]
impl Storage for SqliteSession {
    async fn load(&self) -> Result<Option<Session>, StorageError> {
        self.with(SessionFile::load).await
    }

    async fn save(&self, session: &Session) -> Result<(), StorageError> {
        require_all_keys(session)?;
        let session = session.clone();
        self.with(move |file| file.save(&session)).await
    }

    async fn delete(&self) -> Result<(), StorageError> {
        self.with(SessionFile::delete).await
    }
}

impl fmt::Debug for SqliteSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteSession").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The file as it was found. `open` is None while there was none.
struct SessionFile {
    path: PathBuf,
    open: Option<LockedFile>,
}

impl SessionFile {
    /// Opens the file if there is one.
    fn find(&mut self) -> Result<(), StorageError> {
        match formats::schema_of(&self.path) {
            Err(ImportError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(());
            }
            schema => check(&self.path, schema)?,
        }
        let open = LockedFile::open(&self.path).map_err(|error| self.error(error))?;
        // It was not locked when it was looked at first.
        check(&self.path, Schema::of(open.connection()).map_err(|error| self.wrong(error)))?;
        self.open = Some(open);
        Ok(())
    }

    fn load(&mut self) -> Result<Option<Session>, StorageError> {
        if self.open.is_none() {
            self.find()?;
        }
        let Some(open) = &self.open else {
            return Ok(None);
        };
        if !open.path_is_ours() {
            return Err(self.error(FileError::Replaced));
        }
        match Schema::of(open.connection()) {
            Ok(Some(_)) => telethon_v2::read(open.connection()).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        }
        .map_err(|error| refusal(self.wrong(error)))
    }

    fn save(&mut self, session: &Session) -> Result<(), StorageError> {
        let saved = match &mut self.open {
            Some(open) => open.write(|connection| {
                if !connection.table_exists(None, "datacenter")? {
                    telethon_v2::create(connection)?;
                }
                telethon_v2::write(connection, session)
            }),
            None => LockedFile::create(&self.path, |connection| {
                telethon_v2::create(connection)?;
                telethon_v2::write(connection, session)
            })
            .map(|created| self.open = Some(created)),
        };
        saved.map_err(|error| self.error(error))
    }

    fn delete(&mut self) -> Result<(), StorageError> {
        if self.open.is_none() {
            self.find()?;
        }
        match self.open.take_if(|open| open.path_is_ours()) {
            Some(open) => open.remove().map_err(|error| self.error(error)),
            None if self.open.is_some() => Err(self.error(FileError::Replaced)),
            None => Ok(()),
        }
    }

    fn error(&self, error: FileError) -> StorageError {
        let path = self.path.clone();
        match error {
            FileError::InUse(openers) => StorageError::InUse { path, openers },
            FileError::NotADatabase => {
                StorageError::NotASession { path, reason: FileError::NotADatabase.to_string() }
            }
            FileError::Exists | FileError::Missing | FileError::Replaced => StorageError::Replaced { path },
            FileError::Full => StorageError::Full { path },
            FileError::Io(source) => StorageError::Io { path, source },
            FileError::Damaged(source) | FileError::Sqlite(source) => StorageError::Sqlite { path, source },
        }
    }

    fn wrong(&self, source: FormatError) -> ImportError {
        ImportError::Format { path: self.path.clone(), format: Some(Format::TelethonV2), source }
    }
}

/// Refuses what is not a Telethon 2 session of a known version, or an empty database, in which Telethon makes one, too.
fn check(path: &Path, schema: Result<Option<Schema>, ImportError>) -> Result<(), StorageError> {
    let path = path.to_owned();
    match schema.map_err(refusal)? {
        None => Ok(()),
        Some(Schema { format: Format::TelethonV2, version: Some(version) })
            if version > telethon_v2::VERSION =>
        {
            Err(StorageError::Newer { path, version })
        }
        Some(Schema { format: Format::TelethonV2, .. }) => Ok(()),
        Some(other) => Err(StorageError::NotASession {
            path,
            reason: format!("it is a {other}; `sessiond import FILE` takes in what is in it"),
        }),
    }
}

fn refusal(error: ImportError) -> StorageError {
    match error {
        ImportError::InUse { path, openers } => StorageError::InUse { path, openers },
        ImportError::Io { path, source } => StorageError::Io { path, source },
        ImportError::Format { path, source: FormatError::Sqlite { source, .. }, .. } => {
            StorageError::Sqlite { path, source }
        }
        ImportError::Format { path, source, .. } => {
            StorageError::NotASession { path, reason: source.to_string() }
        }
    }
}

/// The reference's rule: only a last part without extension gets one.
fn session_path(path: &Path) -> PathBuf {
    let has_extension = path.extension().is_some_and(|extension| !extension.is_empty());
    match path.file_name() {
        Some(name) if !has_extension => {
            let extended: OsString = [name, OsStr::new(".session")].into_iter().collect();
            path.with_file_name(extended)
        }
        _ => path.to_owned(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    task::spawn_blocking(work).await.map_err(StorageError::other)?
}
