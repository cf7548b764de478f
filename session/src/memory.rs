use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{Session, Storage, StorageError, storage::require_all_keys};

/// Keeps a session in memory, for as long as the value lives. The default where a storage is optional.
#[derive(Debug, Default)]
pub struct MemorySession(Mutex<Option<Session>>);

impl MemorySession {
    /// A storage with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Option<Session>> for MemorySession {
    fn from(session: Option<Session>) -> Self {
        Self(Mutex::new(session))
    }
}

impl From<Session> for MemorySession {
    fn from(session: Session) -> Self {
        Some(session).into()
    }
}

#[async_trait]
impl Storage for MemorySession {
    async fn load(&self) -> Result<Option<Session>, StorageError> {
        Ok(self.session().clone())
    }

    async fn save(&self, session: &Session) -> Result<(), StorageError> {
        require_all_keys(session)?;
        *self.session() = Some(session.clone());
        Ok(())
    }

    async fn delete(&self) -> Result<(), StorageError> {
        *self.session() = None;
        Ok(())
    }
}
