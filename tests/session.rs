//! Load, Save and Delete.

use crate::harness::{Daemon, random_session};

#[tokio::test]
async fn what_was_saved_is_loaded_in_every_field() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let session = random_session();
    let revision = held.save(session.clone()).await;
    assert_eq!(held.load().await, (Some(session), revision));
}
