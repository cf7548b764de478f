//! The adapter for grammers with grammers and a daemon, as a program has them: its own session code, over a real socket. Telegram
//! is a socket of the test, which sees who connects with which key and answers nothing.

mod daemon;
mod hold;
mod pain;
mod program;
mod session;
mod telegram;

use std::{future::IntoFuture, time::Duration};

use tokio::time::timeout;

/// Longest that a test waits for what has to happen.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for what has to happen.
async fn within<F: IntoFuture>(future: F) -> F::Output {
    timeout(DEADLINE, future.into_future()).await.expect("it happens in time")
}
