//! The Rust client of sessiond, the daemon that keeps a host's Telegram sessions: whoever holds a session gets its keys and
//! may write it; everyone else may watch it.
//!
//! # Hold, and write
//!
//! ```no_run
//! # async fn example() -> Result<(), sessiond_client::Error> {
//! use sessiond_client::{Client, StateChange};
//!
//! let client = Client::connect().await?;
//! let hold = client.hold("alice").wait().label("worker 1").await?;
//! if let Some(session) = hold.session() {
//!     println!("user {:?}, home data center {}", session.user, session.home_dc_id());
//! }
//! let revision = hold.advance(StateChange { pts: Some(1042), ..StateChange::default() }).await?;
//! println!("durable, as revision {revision}");
//! hold.release().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A hold can be lost, when an operator ends it, say. Telegram must not be used with its keys after that:
//!
//! ```no_run
//! # async fn use_telegram(_: &sessiond_client::HeldSession) {}
//! # async fn example(hold: sessiond_client::Hold) {
//! tokio::select! {
//!     () = use_telegram(&hold) => println!("done"),
//!     reason = hold.lost() => println!("stopped: {reason}"),
//! }
//! # }
//! ```
//!
//! # Watch
//!
//! ```no_run
//! # async fn example(client: sessiond_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use sessiond_client::{Change, WatchEvent, WatchOptions};
//!
//! let mut watch = client.watch(WatchOptions::names(["alice"])?);
//! while let Some(event) = watch.next().await {
//!     if let WatchEvent::Commit(commit) = event? {
//!         match commit.change {
//!             Change::Advanced(change) => println!("{}: pts {:?}", commit.name, change.pts),
//!             change => println!("{}: {change:?}", commit.name),
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # In place of a file
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sessiond_client::{DaemonSession, Storage};
//!
//! let storage = DaemonSession::open("alice").await?.on_lost(|reason| eprintln!("stop: {reason}"));
//! let session = storage.load().await?.unwrap_or_default();
//! storage.save(&session).await?;
//! storage.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # On another host
//!
//! With the feature `tls`, `Client::builder().socket("https://HOST:PORT").tls(DIRECTORY)` is a client of a daemon that serves
//! over TCP: docs/tcp.md has the whole way.
//!
//! # In grammers
//!
//! With the feature `grammers`, `GrammersSession` is the session of a program that uses that library: docs/libraries.md has
//! the recipe.

mod advance_stream;
mod attributes;
mod client;
mod endpoint;
mod error;
mod event;
#[cfg(feature = "grammers")]
mod grammers;
mod held;
mod hold;
mod model;
mod peers;
mod retry;
mod seal;
mod socket;
mod storage;
mod token;
mod transfer;
mod watch;

pub use advance_stream::{Acknowledged, AdvanceStream};
pub use attributes::AttributeKey;
pub use client::{Client, ClientBuilder};
pub use error::Error;
pub use event::{Change, Commit, RestartReason, Snapshot, WatchEvent};
#[cfg(feature = "grammers")]
pub use grammers::GrammersSession;
pub use held::{HeldSession, Write};
pub use hold::{Hold, HoldRequest};
pub use model::{
    Figures, Holder, Loaded, LostReason, MirrorAction, ServerInfo, SessionSummary, SettledMirror, Waiting,
};
pub use peers::{Kept, PeerFilter, PeerKey};
pub use seal::Seal;
pub use sessiond_proto::{InvalidName, Reason, SessionName};
pub use sessiond_session::formats::{Files, Format};
pub use sessiond_session::{
    Attribute, Auth, AuthKey, ChannelState, Clear, DataCenter, Peer, PeerKind, Session, StateChange, Storage,
    StorageError, UpdateState, User,
};
pub use socket::{SOCKET_VARIABLE, Socket, TLS_VARIABLE, default_socket};
pub use storage::DaemonSession;
pub use token::{InvalidToken, Token};
pub use transfer::{Export, Exported, Import, Imported};
pub use watch::{Watch, WatchMode, WatchOptions, WatchPosition};
