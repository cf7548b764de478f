//! sessiond's schema, and the vocabulary that every part shares with it: session names and error reasons.

mod error;
mod name;
mod redacted;

pub use error::{DOMAIN, Reason, reason};
pub use name::{InvalidName, SessionName};

/// Size of a hold's token, in bytes.
pub const TOKEN_LEN: usize = 32;

/// The messages and services of `sessiond.v1`, generated. Imported as `v1`, so that a message is never taken for the
/// type that it carries.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("sessiond.v1");

    /// The schema's descriptors, for server reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
}
