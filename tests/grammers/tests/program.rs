//! The recipe of docs/libraries.md, as processes.

use std::{process::Stdio, time::Duration};

use futures_util::TryStreamExt as _;
use grammers_client::session::{
    Session,
    types::{UpdateState, UpdatesState},
};
use sessiond_client::SessionSummary;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::interval,
};

use crate::{
    daemon::{Daemon, own},
    telegram::Telegram,
    within,
};

const RECIPE: &str = include_str!("../src/main.rs");
const DOCUMENT: &str = include_str!("../../../docs/libraries.md");

fn recipe(daemon: &Daemon) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recipe"));
    command.env("SESSIOND_SOCKET", daemon.socket()).kill_on_drop(true);
    command.stderr(Stdio::piped()).spawn().expect("it starts")
}

/// A session that is logged in, of which grammers catches up at once.
async fn logged_in(daemon: &Daemon, telegram: &Telegram) {
    let session = daemon.open().await;
    session.set_dc_option(&telegram.dc(2, 42)).await.expect("noted");
    session.cache_peer(own()).await.expect("noted");
    let all = UpdatesState { pts: 100, qts: 3, date: 1_700_000_000, seq: 1, channels: Vec::new() };
    session.set_update_state(UpdateState::All(all)).await.expect("noted");
    session.close().await.expect("written");
}

/// Waits until it tells this, and answers the line.
async fn tells(process: &mut Child, text: &str) -> String {
    let mut lines = BufReader::new(process.stderr.take().expect("it was piped")).lines();
    let told = async {
        while let Some(line) = lines.next_line().await.expect("readable") {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it did not tell `{text}`");
    };
    within(told).await
}

#[test]
fn the_recipe_is_the_program_that_is_tested() {
    let block = format!("```rust\n{RECIPE}```\n");
    assert!(DOCUMENT.contains(&block), "docs/libraries.md has not what is in tests/grammers/src/main.rs");
}

#[tokio::test]
async fn a_second_process_waits_and_takes_over_from_one_that_was_killed() {
    let (daemon, telegram) = (Daemon::start(), Telegram::start().await);
    logged_in(&daemon, &telegram).await;
    let before = daemon.alice().await.session;
    let mut first = recipe(&daemon);
    let mut connection = telegram.accept().await;
    let second = recipe(&daemon);
    first.kill().await.expect("killed");
    connection.is_closed().await;
    let next = telegram.accept().await;
    assert_eq!(next.key_id, connection.key_id, "with the same key");
    let after = daemon.alice().await;
    assert_eq!(after.holder.and_then(|holder| holder.pid), second.id().map(u32::cast_signed));
    assert_eq!(after.session, before, "from the same state");
}

#[tokio::test]
async fn a_process_whose_hold_is_lost_stops() {
    let (daemon, telegram) = (Daemon::start(), Telegram::start().await);
    logged_in(&daemon, &telegram).await;
    let mut process = recipe(&daemon);
    let connection = telegram.accept().await;
    daemon.client().await.end_hold("alice").await.expect("ended");
    tells(&mut process, "stopping: ").await;
    drop(connection);
    within(process.wait()).await.expect("it ends");
}

#[tokio::test]
async fn a_process_that_waited_for_a_session_that_logged_out_is_told_so() {
    let (daemon, telegram) = (Daemon::start(), Telegram::start().await);
    logged_in(&daemon, &telegram).await;
    let session = daemon.open().await;
    let mut process = recipe(&daemon);
    within(waits(&daemon)).await;
    session.delete().await.expect("deleted");
    let line = tells(&mut process, "alice").await;
    assert!(line.contains("LoggedOut"), "{line}");
    assert!(!within(process.wait()).await.expect("it ends").success());
}

/// Looks until somebody waits for the session, which nobody tells of.
async fn waits(daemon: &Daemon) {
    let client = daemon.client().await;
    let mut looks = interval(Duration::from_millis(5));
    loop {
        looks.tick().await;
        let all: Vec<SessionSummary> = client.list("alice").try_collect().await.expect("listed");
        if all.iter().any(|alice| alice.waiting > 0) {
            return;
        }
    }
}
