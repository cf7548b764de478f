//! Telegram sessions as Telethon's session module documents them: their types, what it means to change one, and the
//! storages that keep them.
//!
//! A program takes any [`Storage`] and is indifferent to which it got: [`SqliteSession`] (a file, used directly),
//! [`MemorySession`], or the `DaemonSession` of `sessiond-client` (the daemon, shared by many processes).
//!
//! ```
//! use sessiond_session::{Session, SqliteSession, Storage, StorageError};
//!
//! async fn log_in(storage: &dyn Storage) -> Result<Session, StorageError> {
//!     if let Some(session) = storage.load().await? {
//!         return Ok(session);
//!     }
//!     let session = Session::default(); // what Telegram answered to a login
//!     storage.save(&session).await?;
//!     Ok(session)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let file = SqliteSession::open(directory.path().join("alice")).await?;
//! log_in(&file).await?;
//! assert!(file.path().ends_with("alice.session"));
//! # Ok(())
//! # }
//! ```

pub mod formats;

mod address;
mod key;
mod locked_file;
mod memory;
mod merge;
mod opener;
mod session;
mod sorted;
mod sqlite;
mod storage;
mod wire;

pub use address::InvalidAddress;
pub use key::{AuthKey, InvalidAuthKey};
pub use locked_file::{FileError, LockedFile};
pub use memory::MemorySession;
pub use merge::Clear;
pub use opener::{Opener, Openers, openers};
pub use session::{Auth, ChannelState, DataCenter, Session, StateChange, UpdateState, User};
pub use sqlite::SqliteSession;
pub use storage::{Storage, StorageError};
pub use wire::InvalidSession;

pub use address::{ipv4, ipv6};

/// Most data centers that a session has.
pub const MAX_DCS: usize = 64;

/// Most channels whose state a session has.
pub const MAX_CHANNELS: usize = 100_000;

/// Most bytes of a username. Telegram's own have at most 32 characters; what a page of a thousand sessions is sent in has room
/// for a thousand of these.
pub const MAX_USERNAME: usize = 1_024;
