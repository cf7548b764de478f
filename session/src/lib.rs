//! Telegram sessions as Telethon's session module documents them: their types, what it means to change one, and the
//! storages that keep them.
//!
//! A program takes any [`Storage`] and is indifferent to which it got: [`SqliteSession`] (a file, used directly),
//! [`MemorySession`], or the `DaemonSession` of `sessiond-client` (the daemon, shared by many processes).

mod address;
mod key;
mod merge;
mod session;
mod wire;

pub use address::InvalidAddress;
pub use key::{AuthKey, InvalidAuthKey};
pub use merge::Clear;
pub use session::{Auth, ChannelState, DataCenter, Session, StateChange, UpdateState, User};
pub use wire::InvalidSession;

pub use address::{ipv4, ipv6};

/// Most data centers that a session has.
pub const MAX_DCS: usize = 64;

/// Most channels whose state a session has.
pub const MAX_CHANNELS: usize = 100_000;
