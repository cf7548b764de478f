//! PeerService: what a session knows of others.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use sessiond_proto::{
    Reason,
    v1::{self, peer_key::Key},
};
use tonic::{Code, Status};

use crate::harness::{Client, Daemon, Held, expect_reason, peer, pts, session_of};

on_both_engines! {
    a_peer_is_kept_in_every_field
    a_peer_is_found_by_username_in_any_case_by_phone_and_by_name
    what_was_met_as_min_changes_nothing_of_who_is_known_in_full
    seen_alone_is_a_commit_once_it_is_ten_minutes_newer
    peers_are_the_holders_alone
    peers_move_no_revision_of_the_session_and_no_watcher_is_told
    peers_go_with_their_session
    peers_are_deleted_by_id_or_all
    a_listing_is_as_of_its_revision
    what_is_no_peer_is_refused_by_its_field
    puts_that_are_under_way_together_share_commits
}

fn nobody() -> v1::Peer {
    v1::Peer { id: 5, ..Default::default() }
}

async fn a_peer_is_kept_in_every_field(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let full = v1::Peer {
        access_hash: Some(i64::MIN),
        kind: v1::PeerKind::Community.into(),
        bot: Some(false),
        is_self: Some(true),
        min: Some(false),
        usernames: Some(v1::Usernames { names: vec!["Primary".into(), "other".into()] }),
        phone: Some("4912345".into()),
        name: Some("Ännchen 🦀".into()),
        seen: Some(i64::MAX),
        extra: [("mtcute.complete".to_owned(), vec![0, 255])].into(),
        ..peer(-1_000_000_000_005)
    };
    let zero = v1::Peer { access_hash: Some(0), ..peer(7) };
    let bare = v1::Peer { seen: Some(0), ..nobody() };
    for id in [full.id, 7, 5] {
        assert_eq!(held.peer(Key::Id(id)).await, None);
    }
    let put = held.put_peers(vec![full.clone(), zero.clone(), bare.clone()]).await;
    assert_eq!(put.changed, 3);
    for expected in [&full, &zero, &bare] {
        assert_eq!(held.peer(Key::Id(expected.id)).await.as_ref(), Some(expected));
    }
    assert_eq!(held.all_peers().await, [full.clone(), bare, zero]);
    assert_eq!(held.put_peers(vec![full]).await, v1::PutPeersResponse { changed: 0, ..put });
}

async fn a_peer_is_found_by_username_in_any_case_by_phone_and_by_name(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let named = |id, seen| v1::Peer {
        usernames: Some(v1::Usernames { names: vec!["Anna".into()] }),
        phone: Some("123".into()),
        name: Some("Anna".into()),
        seen: Some(seen),
        ..peer(id)
    };
    held.put_peers(vec![named(1, 10), named(2, 30), named(3, 20)]).await;
    let min = v1::Peer { min: Some(true), ..named(4, 99) };
    held.put_peers(vec![min]).await;
    let id = async |key| held.peer(key).await.map(|peer| peer.id);
    assert_eq!(id(Key::Username("aNNA".into())).await, Some(2), "who was seen last");
    assert_eq!(id(Key::Phone("123".into())).await, Some(2));
    assert_eq!(id(Key::PeerName("Anna".into())).await, Some(4), "by name also who is known as min");
    assert_eq!(id(Key::PeerName("anna".into())).await, None);
    let none = v1::Usernames { names: Vec::new() };
    held.put_peers(vec![v1::Peer { id: 2, usernames: Some(none), ..Default::default() }]).await;
    assert_eq!(id(Key::Username("anna".into())).await, Some(3));
}

async fn what_was_met_as_min_changes_nothing_of_who_is_known_in_full(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let known = v1::Peer { extra: [("a.b".to_owned(), vec![1])].into(), ..peer(5) };
    held.put_peers(vec![known.clone()]).await;
    let min = v1::Peer {
        access_hash: Some(1),
        min: Some(true),
        name: Some("A.".into()),
        usernames: Some(v1::Usernames::default()),
        extra: [("a.b".to_owned(), Vec::new())].into(),
        ..nobody()
    };
    held.put_peers(vec![min.clone()]).await;
    let found = held.peer(Key::Id(5)).await.expect("known");
    assert_eq!(v1::Peer { seen: known.seen, ..found }, known);
    held.put_peers(vec![v1::Peer { id: 6, ..min }]).await;
    assert_eq!(held.peer(Key::Id(6)).await.and_then(|peer| peer.access_hash), Some(1));
    held.put_peers(vec![peer(6)]).await;
    assert_eq!(held.peer(Key::Id(6)).await.and_then(|peer| peer.name), Some("Peer 6".into()));
}

async fn seen_alone_is_a_commit_once_it_is_ten_minutes_newer(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let at = |seen| v1::Peer { seen: Some(seen), ..peer(5) };
    let first = held.put_peers(vec![at(1_000)]).await.revision;
    for seen in [1_000, 1_599, 0] {
        let again = held.put_peers(vec![at(seen)]).await;
        assert_eq!((again.revision, again.changed), (first, 0), "{seen}");
    }
    let newer = held.put_peers(vec![at(1_600)]).await;
    assert_eq!((newer.revision, newer.changed), (first + 1, 1));
    assert_eq!(held.peer(Key::Id(5)).await.and_then(|peer| peer.seen), Some(1_600));
}

async fn peers_are_the_holders_alone(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.put_peers(vec![peer(5)]).await;
    for (code, reason, token) in [
        (Code::InvalidArgument, Reason::TokenRequired, Vec::new()),
        (Code::FailedPrecondition, Reason::Fenced, vec![7; 32]),
    ] {
        for refused in every_call(&client, token).await {
            expect_reason(&refused, code, reason);
        }
    }
    held.release().await;
    for refused in every_call(&client, held.token.clone()).await {
        expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    }
    let next = client.hold("alice").await;
    assert_eq!(next.all_peers().await, [peer(5)], "whoever holds has them");
    for refused in every_call(&client, held.token.clone()).await {
        expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    }
    assert_eq!(next.all_peers().await, [peer(5)]);
}

async fn every_call(client: &Client, token: Vec<u8>) -> [Status; 4] {
    let name = || "alice".to_owned();
    let keys = vec![v1::PeerKey { key: Some(Key::Id(5)) }];
    let put = v1::PutPeersRequest { name: name(), token: token.clone(), peers: vec![peer(6)] };
    let get = v1::GetPeersRequest { name: name(), token: token.clone(), keys };
    let list = v1::ListPeersRequest { name: name(), token: token.clone(), ..Default::default() };
    let delete = v1::DeletePeersRequest { name: name(), token, ids: Vec::new(), all: true };
    [
        client.peers().put_peers(put).await.expect_err("refused"),
        client.peers().get_peers(get).await.expect_err("refused"),
        client.peers().list_peers(list).await.expect_err("refused"),
        client.peers().delete_peers(delete).await.expect_err("refused"),
    ]
}

async fn peers_move_no_revision_of_the_session_and_no_watcher_is_told(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let revision = held.save(session_of(5)).await;
    let soon = prost_types::Duration { seconds: 0, nanos: 100_000_000 };
    let request = v1::WatchRequest { bookmark_interval: Some(soon), ..Default::default() };
    let mut watch = client.watch(request).await;
    let mut view = watch.begin().await;

    let put = held.put_peers(vec![peer(5)]).await.revision;
    assert_eq!(put, revision + 1);
    assert_eq!(held.load().await.1, revision);
    while view.revision < put {
        let told = watch.next().await;
        assert!(matches!(told.event, Some(v1::watch_response::Event::Bookmark(_))), "{told:?}");
        view.take(told);
    }
    assert_eq!(view.revision, put, "a bookmark passes by what nobody is told");
    let resumed = view.resume();
    held.put_peers(vec![peer(6)]).await;
    let advanced = held.advance(pts(9)).await;
    let told = watch.commit().await;
    assert_eq!((told.revision, told.previous_revision), (advanced, revision));

    // Whoever comes back with a place before them misses nothing and is told of none of them.
    let mut watch = client.watch(resumed).await;
    let told = watch.commit().await;
    assert_eq!((told.revision, told.previous_revision), (advanced, revision));
}

async fn peers_go_with_their_session(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    held.save(session_of(5)).await;
    held.put_peers((1..=1_000).map(peer).collect()).await;
    held.delete().await;
    assert_eq!(held.all_peers().await, []);
    held.put_peers(vec![peer(1)]).await;
    assert_eq!(held.delete().await, 0, "there is no session, but peers there are");
    assert_eq!(held.all_peers().await, []);
    held.put_peers(vec![peer(2)]).await;
    held.release().await;
    held.delete().await;
    let next = held.client.hold("alice").await;
    assert_eq!(next.all_peers().await, [], "a released token deletes them too");
}

async fn peers_are_deleted_by_id_or_all(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    held.put_peers((1..=9).map(peer).collect()).await;
    assert_eq!(held.try_delete_peers(&[1, 1, 77], false).await.expect("deleted").deleted, 1);
    let all = held.try_delete_peers(&[], true).await.expect("deleted");
    assert_eq!(all.deleted, 8);
    assert_eq!(held.try_delete_peers(&[], true).await.expect("none").revision, all.revision);
    for (ids, all) in [(&[][..], false), (&[1][..], true), (&[1; 1_001][..], false)] {
        let refused = held.try_delete_peers(ids, all).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    }
}

async fn a_listing_is_as_of_its_revision(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let empty = held.peer_messages().await;
    assert_eq!((empty.len(), empty[0].peers.len()), (1, 0), "it tells its revision");
    let ids: Vec<i64> = (1..=5_000).collect();
    for ids in ids.chunks(1_000) {
        held.put_peers(ids.iter().map(|id| peer(*id)).collect()).await;
    }
    let revision = held.client.info().await.figures.expect("told").revision;
    let request = held.list_peers_request();
    let mut stream = held.client.peers().list_peers(request).await.expect("begun").into_inner();
    let mut messages = vec![stream.message().await.expect("told").expect("some")];
    held.put_peers((4_001..=5_000).map(|id| v1::Peer { name: Some("new".into()), ..peer(id) }).collect())
        .await;
    held.try_delete_peers(&[4_500], false).await.expect("deleted");
    while let Some(message) = stream.message().await.expect("told") {
        messages.push(message);
    }
    assert!(messages.iter().all(|message| message.peers.len() <= 1_000 && message.revision == revision));
    let told: Vec<v1::Peer> = messages.into_iter().flat_map(|message| message.peers).collect();
    assert!(told == ids.iter().map(|id| peer(*id)).collect::<Vec<_>>());

    let groups = v1::Peer { kind: v1::PeerKind::Group.into(), seen: Some(9_000), ..peer(-5) };
    held.put_peers(vec![groups]).await;
    let kinds = vec![v1::PeerKind::Group.into(), v1::PeerKind::Forum.into()];
    for request in [
        v1::ListPeersRequest { kinds, ..held.list_peers_request() },
        v1::ListPeersRequest { seen_after: Some(8_999), ..held.list_peers_request() },
    ] {
        let mut stream = held.client.peers().list_peers(request).await.expect("begun").into_inner();
        let mut told = Vec::new();
        while let Some(message) = stream.message().await.expect("told") {
            told.extend(message.peers.into_iter().map(|peer| peer.id));
        }
        assert_eq!(told, [-5]);
    }
}

async fn what_is_no_peer_is_refused_by_its_field(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    for (field, peers) in [
        ("peers", Vec::new()),
        ("peers", vec![peer(1); 1_001]),
        ("peers.id", vec![peer(1), v1::Peer::default()]),
        ("peers[id=5].phone", vec![v1::Peer { phone: Some("+49".into()), ..nobody() }]),
        ("peers[id=5].kind", vec![v1::Peer { kind: 99, ..nobody() }]),
    ] {
        let refused = held.try_put_peers(peers).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
        assert!(refused.message().starts_with(field), "{refused:?}");
    }
    let large = |id| v1::Peer { extra: [("k".to_owned(), vec![1; 65_000])].into(), ..peer(id) };
    let refused = held.try_put_peers((1..=17).map(large).collect()).await.expect_err("more than a MiB");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    for ids in [1..=16, 17..=32, 33..=48, 49..=64] {
        held.put_peers(ids.map(large).collect()).await;
    }
    let grown = v1::Peer { extra: [("l".to_owned(), vec![1; 1_000])].into(), ..nobody() };
    let refused = held.try_put_peers(vec![peer(99), grown]).await.expect_err("its extra is too large");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    assert_eq!(held.peer(Key::Id(99)).await, None, "all or none");
    assert!(held.peer_messages().await.len() > 4, "a message has about 512 KiB");
    let keys = (1..=64).map(|id| v1::PeerKey { key: Some(Key::Id(id)) }).collect();
    let get = v1::GetPeersRequest { name: "alice".into(), token: held.token.clone(), keys };
    let refused = held.client.peers().get_peers(get).await.expect_err("more than a message has room for");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    let get = v1::GetPeersRequest { name: "alice".into(), token: held.token.clone(), ..Default::default() };
    let refused = held.client.peers().get_peers(get).await.expect_err("no keys");
    expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
}

async fn puts_that_are_under_way_together_share_commits(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let batches = async || held.client.info().await.figures.expect("told").batches;
    let mut fewest = i64::MAX;
    for round in 0..5 {
        let before = batches().await;
        let puts = (1..=50).map(|id| held.put_peers(vec![peer(round * 50 + id)]));
        let revisions: BTreeSet<i64> = join_all(puts).await.into_iter().map(|put| put.revision).collect();
        assert_eq!(revisions.len(), 50, "each has a revision of its own");
        fewest = fewest.min(batches().await - before);
    }
    // A memory is so fast that hardly any of them meet.
    assert!(fewest <= if engine == "memory" { 50 } else { 25 }, "{fewest}");
}

#[tokio::test]
async fn what_was_acknowledged_outlasts_a_kill_and_what_was_deleted_stays_so() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    held.save(session_of(5)).await;
    let ids: Vec<i64> = (1..=3_000).collect();
    for ids in ids.chunks(1_000) {
        held.put_peers(ids.iter().map(|id| peer(*id)).collect()).await;
    }
    held.try_delete_peers(&[7], false).await.expect("deleted");
    let mut expected: Vec<_> = ids.iter().map(|id| peer(*id)).collect();
    expected.remove(6);
    let put = held.put_peers(vec![v1::Peer { id: 1, phone: Some("1".into()), ..Default::default() }]).await;
    expected[0].phone = Some("1".into());
    let mut held = resumed(&mut daemon, held).await;
    let told = held.all_peers().await;
    assert!(told[0].seen > Some(1_000), "who is not told when is seen now");
    expected[0].seen = told[0].seen;
    assert!(told == expected);
    assert_eq!(
        held.client.info().await.figures.expect("told").revision,
        put.revision,
        "no gap, no repetition"
    );
    assert_eq!(held.peer(Key::Username("USER9".into())).await, Some(peer(9)));

    held.delete().await;
    held = resumed(&mut daemon, held).await;
    assert_eq!(held.all_peers().await, []);
    held.put_peers(vec![peer(1)]).await;
    assert!(daemon.stop().await.success());
    daemon.start_again().await;
    let held = daemon.client().await.resume("alice", &held.token).await.expect("a restart ends no hold");
    assert_eq!(held.all_peers().await, [peer(1)]);
}

/// The same hold after the daemon was killed.
async fn resumed(daemon: &mut Daemon, held: Held) -> Held {
    daemon.kill().await;
    daemon.start_again().await;
    let client = daemon.client().await;
    client.resume(&held.name, &held.token).await.expect("a kill ends no hold")
}
