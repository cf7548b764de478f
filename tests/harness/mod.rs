//! What every test needs: a daemon of its own, clients of it in this process and in others, and sessions with made-up keys.

mod actor;
mod client;
mod daemon;
mod history;
mod kept;
mod poll;
mod refusal;
mod sample;
mod sealed;
pub(crate) mod stock;
mod transfer;
mod watch;

/// Runs each rule of a module, an async function of the engine's name, on both engines.
macro_rules! on_both_engines {
    ($($rule:ident)*) => {
        mod sqlite {
            $(#[tokio::test] async fn $rule() { super::$rule("sqlite").await; })*
        }
        mod memory {
            $(#[tokio::test] async fn $rule() { super::$rule("memory").await; })*
        }
    };
}

use std::{future::Future, panic::Location, time::Duration};

use tokio::time::timeout;

pub(crate) use actor::Actor;
pub(crate) use client::{Client, Held, HoldStream};
pub(crate) use daemon::{Builder, Daemon};
pub(crate) use history::Random;
pub(crate) use kept::{attribute, peer};
pub(crate) use poll::eventually;
pub(crate) use refusal::{expect_reason, metadata_of};
pub(crate) use sample::{channel, key, pts, random_session, session_of};
pub(crate) use sealed::{contents, files_with};
pub(crate) use transfer::{files_at, given};
pub(crate) use watch::{View, Watch};

/// Longest that a test waits for what has to happen. Far longer than anything takes, even on a machine that does much else.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for what has to happen.
///
/// # Panics
/// Where it does not within the [`DEADLINE`].
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let asked_at = Location::caller();
    async move {
        match timeout(DEADLINE, future).await {
            Ok(output) => output,
            Err(_) => panic!("what {asked_at} waits for has not happened in {DEADLINE:?}"),
        }
    }
}
