//! Who has the session, and what becomes of those who do not.

use std::sync::Arc;

use grammers_client::{
    Client, InvocationError, SenderPool,
    sender::UpdatesConfiguration,
    session::{
        Session,
        types::{UpdateState, UpdatesState},
    },
    tl,
};
use sessiond_client::{Error, GrammersSession, LostReason};

use crate::{
    daemon::{Daemon, loss, own},
    telegram::Telegram,
    within,
};

#[tokio::test]
async fn who_comes_second_is_refused_or_waits_and_goes_on_from_what_was_told_last() {
    let daemon = Daemon::start();
    let first = daemon.open().await;
    first.cache_peer(own()).await.expect("noted");
    let refused = daemon.client().await.hold("alice").await.expect_err("it is held");
    assert!(matches!(&refused, Error::HeldByAnother { pid: Some(_), .. }), "{refused:?}");

    let (second, closed) = within(async {
        tokio::join!(daemon.open(), async {
            first.set_update_state(UpdateState::Primary { pts: 7, date: 7, seq: 7 }).await.expect("noted");
            first.close().await
        })
    })
    .await;
    closed.expect("written");
    assert!(second.is_logged_in());
    assert_eq!(second.updates_state().await.expect("asked").pts, 7);
}

#[tokio::test]
async fn after_close_nothing_is_taken_and_no_request_is_made() {
    let daemon = Daemon::start();
    let session = Arc::new(daemon.open().await);
    let SenderPool { runner, handle, updates: _ } = SenderPool::new(Arc::clone(&session), 1);
    let running = tokio::spawn(runner.run());
    session.close().await.expect("nothing to write");
    session.close().await.expect("nothing happens");
    assert!(matches!(session.cache_peer(own()).await, Err(Error::Fenced)));
    assert!(matches!(session.delete().await, Err(Error::Fenced)));
    let refused = Client::new(handle.clone()).invoke(&tl::functions::updates::GetState {}).await;
    assert!(matches!(refused, Err(InvocationError::Session(_))), "{refused:?}");
    handle.quit();
    within(running).await.expect("it ends");
}

#[tokio::test]
async fn grammers_connects_with_what_is_held_and_stops_when_the_hold_is_lost() {
    let (daemon, telegram) = (Daemon::start(), Telegram::start().await);
    let session = Arc::new(daemon.open().await);
    session.set_dc_option(&telegram.dc(2, 42)).await.expect("noted");
    session.cache_peer(own()).await.expect("noted");
    session.close().await.expect("written");

    let session = Arc::new(daemon.open().await);
    let SenderPool { runner, handle, updates: _ } = SenderPool::new(Arc::clone(&session), 1);
    let running = tokio::spawn(runner.run());
    let (loss, connections) = (loss(&session), running.abort_handle());
    session.on_lost(move |_| connections.abort());
    let client = Client::new(handle.clone());
    let asking = tokio::spawn(async move { client.invoke(&tl::functions::updates::GetState {}).await });
    let mut connection = telegram.accept().await;
    let stored = session.dc_option(2).expect("asked").expect("known").auth_key.expect("a key");
    let key = sessiond_client::AuthKey::try_from(stored.as_slice()).expect("a key");
    assert_eq!((stored, connection.key_id), ([42; 256], key.id()));

    daemon.client().await.end_hold("alice").await.expect("ended");
    assert_eq!(within(loss).await.expect("told"), LostReason::EndedByAdmin);
    assert!(matches!(session.home_dc_id(), Err(Error::Lost { reason: LostReason::EndedByAdmin })));
    assert!(matches!(session.dc_option(2), Err(Error::Lost { .. })));
    assert!(matches!(session.set_home_dc_id(4).await, Err(Error::Lost { .. })));
    connection.is_closed().await;
    let unanswered = within(asking).await.expect("it does not panic");
    assert!(matches!(unanswered, Err(InvocationError::Dropped(_))), "{unanswered:?}");
    assert!(matches!(session.close().await, Err(Error::Lost { .. })));
    let next = daemon.open().await;
    assert_eq!(next.dc_option(2).expect("asked").expect("known").auth_key, Some([42; 256]));
}

#[tokio::test]
async fn a_request_of_a_session_that_was_lost_fails_and_the_runner_lives() {
    let daemon = Daemon::start();
    let session = Arc::new(daemon.open().await);
    let SenderPool { runner, handle, updates: _ } = SenderPool::new(Arc::clone(&session), 1);
    let running = tokio::spawn(runner.run());
    let loss = loss(&session);
    daemon.client().await.end_hold("alice").await.expect("ended");
    within(loss).await.expect("told");
    // One who asks later is told too.
    within(crate::daemon::loss(&session)).await.expect("told");
    for dc in [2, 4] {
        let refused = handle.thin.invoke_in_dc(dc, &tl::functions::help::GetConfig {}).await;
        let Err(InvocationError::Session(error)) = refused else { panic!("{refused:?}") };
        assert!(matches!(error.downcast_ref(), Some(Error::Lost { .. })), "{error}");
    }
    handle.quit();
    within(running).await.expect("it ends");
}

#[tokio::test]
async fn a_stream_of_updates_goes_on_from_the_state_that_is_stored() {
    let daemon = Daemon::start();
    let session = daemon.open().await;
    session.cache_peer(own()).await.expect("noted");
    let all = UpdatesState { pts: 100, qts: 3, date: 1_700_000_000, seq: 1, channels: Vec::new() };
    session.set_update_state(UpdateState::All(all.clone())).await.expect("noted");
    session.close().await.expect("written");
    let revision = daemon.alice().await.revision;

    for catch_up in [true, false] {
        let session = Arc::new(daemon.open().await);
        let SenderPool { runner, handle, updates } = SenderPool::new(Arc::clone(&session), 1);
        let stream = Client::new(handle).stream_updates(updates, UpdatesConfiguration { catch_up }).await;
        stream.expect("begun").sync_update_state().await.expect("noted");
        drop(runner);
        session.close().await.expect("nothing to write");
        let stored = daemon.alice().await;
        assert_eq!(stored.revision, revision, "catch_up: {catch_up}");
    }
}

#[tokio::test]
async fn who_waited_for_a_session_that_was_deleted_has_one_that_nobody_is_logged_in_to() {
    let daemon = Daemon::start();
    let first = daemon.open().await;
    first.cache_peer(own()).await.expect("noted");
    first.set_dc_option(&Telegram::start().await.dc(2, 42)).await.expect("noted");
    let client = daemon.client().await;
    let (waits, waiting) = tokio::sync::oneshot::channel();
    let mut waits = Some(waits);
    let request = client.hold("alice").wait().on_waiting(move |_| {
        waits.take().map(|waits| waits.send(()));
    });
    let second = tokio::spawn(async move { request.await });
    within(waiting).await.expect("it waits");
    first.delete().await.expect("deleted");
    let hold = within(second).await.expect("it does not panic").expect("granted");
    assert_eq!(daemon.alice().await.session, None);
    assert!(!GrammersSession::new(hold).is_logged_in());
}

#[tokio::test]
async fn the_last_one_that_is_dropped_lets_the_session_go() {
    let daemon = Daemon::start();
    let session = Arc::new(daemon.open().await);
    let SenderPool { runner, handle, updates } = SenderPool::new(Arc::clone(&session), 1);
    session.set_update_state(UpdateState::Primary { pts: 7, date: 7, seq: 7 }).await.expect("noted");
    drop((runner, handle, updates));
    let held = daemon.client().await.hold("alice").await;
    assert!(matches!(held, Err(Error::HeldByAnother { .. })), "there is one left");
    drop(session);
    let next = daemon.open().await;
    assert_eq!(next.updates_state().await.expect("asked").pts, 7);
}
