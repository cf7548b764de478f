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
mod attribute;
mod contents;
mod key;
mod locked_file;
mod memory;
mod merge;
mod opener;
mod peer;
mod peers;
mod session;
mod sorted;
mod sqlite;
mod storage;
mod wire;

pub use address::InvalidAddress;
pub use attribute::Attribute;
pub use contents::Contents;
pub use key::{AuthKey, InvalidAuthKey};
pub use locked_file::{FileError, LockedFile};
pub use memory::MemorySession;
pub use merge::Clear;
pub use opener::{Opener, Openers, openers};
pub use peer::{Peer, PeerKind};
pub use peers::Peers;
pub use session::{Auth, ChannelState, DataCenter, Session, StateChange, UpdateState, User};
pub use sqlite::SqliteSession;
pub use storage::{Storage, StorageError};
pub use wire::{InvalidSession, checked_key, peer_kind};

pub use address::{ipv4, ipv6};

/// Most data centers that a session has.
pub const MAX_DCS: usize = 64;

/// Most channels whose state a session has.
pub const MAX_CHANNELS: usize = 100_000;

/// Most bytes of a username. Telegram's own have at most 32 characters; what a page of a thousand sessions is sent in has room
/// for a thousand of these.
pub const MAX_USERNAME: usize = 1_024;

/// Most bytes of a key under which something is kept: an attribute's, or one of a peer's extra.
pub const MAX_KEY: usize = 256;

/// Most usernames of a peer.
pub const MAX_USERNAMES: usize = 100;

/// Most digits of a phone number. The longest that there are have 15 (ITU-T E.164).
pub const MAX_PHONE: usize = 32;

/// Most bytes of the name that people see of a peer. Telegram's own have at most 64 characters, twice.
pub const MAX_PEER_NAME: usize = 1_024;

/// Most bytes of what single libraries keep of a peer, keys and values together.
pub const MAX_EXTRA: usize = 64 << 10;

/// Most bytes of an attribute's value.
pub const MAX_ATTRIBUTE_VALUE: usize = 64 << 10;

/// Most attributes of a session, and most bytes of them, keys and values together.
pub const MAX_ATTRIBUTES: usize = 20_000;
/// See [`MAX_ATTRIBUTES`].
pub const MAX_ATTRIBUTE_BYTES: usize = 16 << 20;
