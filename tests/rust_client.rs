//! The Rust client with the daemon that it is made for.

use futures_util::TryStreamExt as _;
use sessiond_client::{
    Attribute, ChannelState, Client, DaemonSession, Error, Format, HeldSession, LostReason, Peer, PeerFilter,
    PeerKey, PeerKind, Session, StateChange, Storage as _, Token,
};
use sessiond_proto::{Reason, v1};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    cli::media::{fixture, string},
    harness::{Daemon, expect_reason, files_at, random_session, within},
};

#[tokio::test]
async fn a_session_stored_in_the_daemon_is_what_the_next_one_loads() {
    let daemon = Daemon::start().await;
    let session = model(random_session());
    let storage = open(&daemon, "alice").await;
    assert_eq!(storage.load().await.expect("loaded"), None);
    storage.save(&session).await.expect("saved");
    assert_eq!(storage.load().await.expect("loaded").as_ref(), Some(&session));

    // The next one waits until this one lets go.
    let next = open(&daemon, "alice").await;
    let (loaded, closed) = within(async { tokio::join!(next.load(), storage.close()) }).await;
    closed.expect("let go");
    assert_eq!(loaded.expect("loaded"), Some(session));
}

#[tokio::test]
async fn what_is_kept_beside_a_session_is_what_the_next_holder_reads() {
    let daemon = Daemon::start().await;
    let client = daemon.sessiond_client().await;
    let peers: Vec<Peer> = (1..=2_500)
        .map(|id| Peer {
            id,
            access_hash: Some(-id),
            kind: Some(if id % 2 == 0 { PeerKind::User } else { PeerKind::Forum }),
            usernames: Some(vec![format!("Peer{id}")]),
            seen: Some(id),
            ..Peer::default()
        })
        .collect();
    let attributes: Vec<Attribute> = (0..1_500)
        .map(|n| Attribute { key: format!("k/{n:04}"), value: vec![1; n % 3].into(), secret: n % 2 == 0 })
        .collect();
    let hold = client.hold("alice").await.expect("granted");
    let kept = hold.put_peers(&peers).await.expect("put");
    assert_eq!(kept.changed, 2_500);
    assert_eq!(hold.put_peers(&peers).await.expect("put").changed, 0);
    assert_eq!(hold.put_peers(&[]).await.expect("nothing to send").revision, 0);
    hold.put_attributes(&attributes[..999], &["none"]).await.expect("put");
    hold.put_attributes(&attributes[999..], &[] as &[&str]).await.expect("put");
    hold.release().await.expect("released");

    let hold = client.hold("alice").await.expect("granted");
    let listed: Vec<Peer> = hold.list_peers(PeerFilter::default()).try_collect().await.expect("told");
    assert!(listed == peers);
    let filter = PeerFilter { kinds: vec![PeerKind::User], after_id: Some(2_000), seen_after: Some(2_490) };
    let some: Vec<Peer> = hold.list_peers(filter).try_collect().await.expect("told");
    assert_eq!(some.iter().map(|peer| peer.id).collect::<Vec<_>>(), [2_492, 2_494, 2_496, 2_498, 2_500]);
    let keys: Vec<PeerKey> = (1..=2_600).map(|id| PeerKey::Username(format!("PEER{id}"))).collect();
    let found = hold.peers(&keys).await.expect("looked up");
    assert!(found[..2_500].iter().flatten().eq(&peers) && found[2_500..].iter().all(Option::is_none));
    let all: Vec<Attribute> = hold.list_attributes("").try_collect().await.expect("told");
    assert_eq!(all, attributes);
    assert_eq!(hold.attributes(&["k/0007", "k/none"]).await.expect("told"), [attributes[7].clone()]);
    assert_eq!(hold.delete_attributes(&["k/0000"]).await.expect("deleted").changed, 1);
    assert_eq!(hold.delete_attributes_below("k/").await.expect("deleted").changed, 1_499);
    assert_eq!(hold.delete_peers(&[1, 2, 9_999]).await.expect("deleted").changed, 2);
    assert_eq!(hold.delete_all_peers().await.expect("deleted").changed, 2_498);

    let held = HeldSession::clone(&hold);
    hold.release().await.expect("released");
    let refused = held.put_peers(&peers[..1]).await.expect_err("it is not held");
    assert!(matches!(refused, Error::Fenced | Error::Lost { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_session_is_made_of_what_a_library_keeps_and_given_as_what_another_reads() {
    let daemon = Daemon::start().await;
    let hold = daemon.sessiond_client().await.hold("alice").await.expect("granted");
    let imported = hold.import_files(files_at(&fixture("gramjs-store"))).await.expect("imported");
    assert_eq!((imported.format, imported.peers, imported.account), (Format::GramJsStore, 4, None));
    let loaded = hold.load().await.expect("loaded");
    assert_eq!(loaded.revision, imported.revision);
    assert_eq!(loaded.session.expect("there").without_keys(), imported.session);

    let refused = hold.import(string("mtcute-plain")).await.expect_err("it is there");
    assert!(
        matches!(refused, Error::RevisionMismatch { current } if current == imported.revision),
        "{refused:?}"
    );
    let forced =
        hold.import(string("mtcute-plain")).format(Format::MtcuteString).force().await.expect("replaced");
    assert_eq!((forced.format, forced.peers), (Format::MtcuteString, 0));

    let exported = hold.export(Format::MtcuteString).await.expect("it holds all of it");
    assert_eq!(exported.bytes(), string("mtcute-plain").as_bytes());
    assert_eq!((exported.revision, exported.left_behind.len()), (forced.revision, 0));
    hold.put_peers(&[Peer { id: 5, access_hash: Some(6), ..Peer::default() }]).await.expect("put");
    let refused = hold.export(Format::Gotd).await.expect_err("it has no place for peers");
    assert!(matches!(refused, Error::InvalidArgument { .. }), "{refused:?}");
    let accepted = hold.export(Format::Gotd).lossy().await.expect("exported");
    assert!(accepted.left_behind.iter().any(|loss| loss.contains("1 peer")), "{accepted:?}");
    let directory = hold.export(Format::GramJsStore).lossy().await.expect("exported");
    assert!(directory.bytes().is_empty());
    assert!(directory.files.contains_key("alice%3AauthKey"), "{:?}", directory.files.keys());
    let secret = format!("{directory:?} {:?}", hold.import("secret-5678").passcode("secret-5678"));
    assert!(!secret.contains("5678") && !secret.contains("53, 54, 55"), "{secret}");
    hold.release().await.expect("released");
}

#[tokio::test]
async fn a_storage_forgets_no_key_that_a_library_forgot() {
    let daemon = Daemon::start().await;
    let session = model(random_session());
    let storage = open(&daemon, "alice").await;
    storage.save(&session).await.expect("saved");
    let forgetful = Session { dcs: session.dcs[..1].to_vec(), ..Session::default() };
    storage.save(&forgetful).await.expect("saved");
    assert_eq!(storage.load().await.expect("loaded"), Some(session));
}

#[tokio::test]
async fn a_storage_works_on_after_delete_and_deletes_after_close() {
    let daemon = Daemon::start().await;
    let session = model(random_session());
    let storage = open(&daemon, "alice").await;
    storage.save(&session).await.expect("saved");
    storage.delete().await.expect("deleted");
    assert_eq!(storage.load().await.expect("loaded"), None);
    storage.save(&session).await.expect("saved");
    storage.close().await.expect("let go");
    storage.delete().await.expect("deleted, as libraries do it when they log out");
    assert_eq!(daemon.client().await.load("alice").await.session, None);
}

#[tokio::test]
async fn who_lost_its_hold_is_told_and_lets_go_by_dropping_it() {
    let daemon = Daemon::start().await;
    let client = daemon.sessiond_client().await;
    let hold = within(client.hold("alice").into_future()).await.expect("granted");
    hold.advance(advance_to(5)).await.expect("advanced");
    let mut waiter = daemon.client().await.wait_for("alice", "next").await;
    waiter.waiting().await;

    client.end_hold("alice").await.expect("ended");
    assert_eq!(within(hold.lost()).await, LostReason::EndedByAdmin);
    let refused = hold.advance(advance_to(6)).await.expect_err("lost");
    assert!(matches!(refused, Error::Lost { reason: LostReason::EndedByAdmin }), "{refused:?}");
    drop(hold);
    waiter.granted().await;
}

#[tokio::test]
async fn a_storage_is_told_that_its_hold_was_lost() {
    let daemon = Daemon::start().await;
    let (tell, told) = oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let storage = open(&daemon, "alice").await.on_lost(move |reason| {
        let tell = tell.lock().expect("whole").take();
        tell.expect("it is lost once").send(reason).expect("somebody listens");
    });
    storage.load().await.expect("loaded");
    daemon.client().await.end_hold("alice").await;
    assert_eq!(within(told).await, Ok(LostReason::EndedByAdmin));
    storage.load().await.expect_err("lost");
    // Closed, it takes the hold anew.
    storage.close().await.expect_err("it was not held any more");
    within(storage.load()).await.expect("loaded");
}

#[tokio::test]
async fn a_worker_with_the_token_writes_for_the_holder() {
    let daemon = Daemon::start().await;
    let hold = within(daemon.sessiond_client().await.hold("alice").into_future()).await.expect("granted");
    let token: Token = hold.token().expose_hex().parse().expect("a token");
    let worker = daemon.sessiond_client().await.with_token("alice", token).expect("a name");
    let revision = worker.advance(advance_to(5)).await.expect("advanced");
    assert_eq!(hold.load().await.expect("loaded").revision, revision);
    hold.release().await.expect("let go");
    let refused = worker.advance(advance_to(6)).await.expect_err("refused");
    assert!(matches!(refused, Error::Fenced), "{refused:?}");
}

#[tokio::test]
async fn a_client_holds_and_writes_on_through_restarts_and_kills_and_each_write_goes_through_once() {
    let mut daemon = Daemon::start().await;
    let client = daemon.sessiond_client().await;
    let hold = within(client.hold("alice").into_future()).await.expect("granted");
    let fence = hold.fence();
    let writer = write_until_told(&hold);
    for round in 0..6 {
        // Not before it has written in this daemon's life.
        let before = revision(&daemon).await;
        within(async { while revision(&daemon).await < before + 20 {} }).await;
        if round % 2 == 0 {
            daemon.restart().await;
        } else {
            daemon.kill().await;
            daemon.start_again().await;
        }
    }
    let Writer { tell, written } = writer;
    tell.send(()).expect("it writes on");
    let revisions = within(written).await.expect("no panic");

    assert!(revisions.len() > 100 && revisions.is_sorted_by(|earlier, later| earlier < later));
    // Every write is a revision, and there is no other commit: a hold that goes on is none.
    let (first, last) = (revisions[0], revisions[revisions.len() - 1]);
    assert_eq!(i64::try_from(revisions.len()).expect("few"), last - first + 1, "each went through once");
    let loaded = hold.load().await.expect("loaded");
    assert_eq!(loaded.revision, last);
    assert_eq!(loaded.session.and_then(|it| it.state).expect("there").channels.len(), revisions.len());
    assert_eq!(hold.fence(), fence);
    hold.release().await.expect("it holds it still");
}

#[tokio::test]
async fn a_stream_of_changes_goes_on_through_a_kill_and_loses_none() {
    const CHANGES: i32 = 20_000;
    let mut daemon = Daemon::start().await;
    let client = daemon.sessiond_client().await;
    let hold = within(client.hold("alice").into_future()).await.expect("granted");
    let mut changes = hold.advance_stream();
    for number in 1..=CHANGES {
        if number % 5_000 == 0 {
            within(changes.durable(i64::from(number) - 4_000)).await.expect("durable");
            daemon.kill().await;
            daemon.start_again().await;
        }
        let sequence = within(changes.push(channel_change(number))).await.expect("added");
        assert_eq!(sequence, i64::from(number));
    }
    within(changes.finish()).await.expect("all are durable");
    let state = hold.load().await.expect("loaded").session.and_then(|session| session.state).expect("there");
    assert_eq!(state.pts, CHANGES);
    assert!(state.channels.iter().map(|channel| channel.pts).eq(1..=CHANGES), "none is missing");
}

#[tokio::test]
async fn a_waiter_waits_on_through_a_restart() {
    let mut daemon = Daemon::start().await;
    let raw = daemon.client().await;
    let held = raw.hold("alice").await;
    let (tell, told) = oneshot::channel();
    let mut tell = Some(tell);
    let client = daemon.sessiond_client().await;
    let request = client.hold("alice").wait().on_waiting(move |_| {
        if let Some(tell) = tell.take() {
            tell.send(()).expect("somebody listens");
        }
    });
    let waiter = tokio::spawn(request.into_future());
    within(told).await.expect("it is in line");
    daemon.restart().await;
    let raw = daemon.client().await;
    raw.release("alice", &held.token).await.expect("a restart ends no hold");
    let hold = within(waiter).await.expect("no panic").expect("granted");
    assert!(hold.fence() > held.fence);
    let refused = raw.try_load("alice", &held.token).await.expect_err("refused");
    expect_reason(&refused, tonic::Code::FailedPrecondition, Reason::Fenced);
}

/// Writes one after the other.
struct Writer {
    tell: oneshot::Sender<()>,
    /// The revision of each, once it was told to stop.
    written: JoinHandle<Vec<i64>>,
}

fn write_until_told(held: &HeldSession) -> Writer {
    let held = held.clone();
    let (tell, mut told) = oneshot::channel();
    let written = tokio::spawn(async move {
        let mut revisions = Vec::new();
        while told.try_recv().is_err() {
            let number = i32::try_from(revisions.len()).expect("few") + 1;
            revisions.push(held.advance(channel_change(number)).await.expect("written"));
        }
        revisions
    });
    Writer { tell, written }
}

/// A change that leaves a trace: a channel of its own.
fn channel_change(number: i32) -> StateChange {
    let channels = vec![ChannelState { id: number.into(), pts: number }];
    StateChange { channels, ..advance_to(number) }
}

fn advance_to(pts: i32) -> StateChange {
    StateChange { pts: Some(pts), ..StateChange::default() }
}

async fn revision(daemon: &Daemon) -> i64 {
    daemon.client().await.load("alice").await.revision
}

async fn open(daemon: &Daemon, name: &str) -> DaemonSession {
    let client: Client = daemon.sessiond_client().await;
    DaemonSession::new(client, name).expect("a name")
}

fn model(session: v1::Session) -> Session {
    session.try_into().expect("valid")
}
