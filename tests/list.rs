//! List: what sessions there are, in short.

use sessiond_proto::{Reason, v1};
use tonic::Code;

use crate::harness::{Client, Daemon, expect_reason, pts, random_session, within};

on_both_engines! {
    sessions_are_listed_by_name_a_page_at_a_time
    only_names_that_begin_with_the_prefix_are_listed
    a_page_token_is_good_for_its_own_listing_alone
    a_page_goes_on_after_a_name_that_was_deleted_in_between
    a_summary_says_what_a_session_has
    a_held_name_without_data_is_listed_while_it_is_held
    a_deleted_session_is_not_listed
    those_who_wait_and_those_who_watch_are_counted
    a_page_shows_the_stores_revision_and_identity
}

async fn sessions_are_listed_by_name_a_page_at_a_time(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    // In the order of bytes: the one in which a file system's tools sort them is another.
    let mut names = ["b", "a", "a.b", "a-b", "a_b", "B", "0", "ab", "_x", "a0"].map(String::from).to_vec();
    make(&client, &names).await;
    names.sort_unstable();
    for page_size in [1, 3, 9, 10, 11] {
        let pages = pages(&client, page_size, "").await;
        assert!(pages.iter().all(|page| page.len() <= page_size));
        assert_eq!(pages.len(), names.len().div_ceil(page_size), "no page is empty");
        assert_eq!(pages.concat(), names);
    }
}

async fn only_names_that_begin_with_the_prefix_are_listed(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    make(&client, &["bot", "bot.1", "bot.2", "bou", "bos", "user"].map(String::from)).await;
    assert_eq!(pages(&client, 2, "bot").await, [vec!["bot", "bot.1"], vec!["bot.2"]]);
    assert_eq!(pages(&client, 2, "bot.").await, [vec!["bot.1", "bot.2"]]);
    assert_eq!(pages(&client, 2, "x").await.concat(), Vec::<String>::new());
    assert_eq!(pages(&client, 2, "no/name").await.concat(), Vec::<String>::new());
}

async fn a_page_token_is_good_for_its_own_listing_alone(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    make(&client, &["a1", "a2", "b1"].map(String::from)).await;
    let request = v1::ListRequest { page_size: 1, name_prefix: "a".into(), ..Default::default() };
    let page_token = client.list(request.clone()).await.expect("listed").next_page_token;
    for name_prefix in ["", "b", "a1"] {
        let name_prefix = name_prefix.into();
        let other = v1::ListRequest { page_token: page_token.clone(), name_prefix, ..Default::default() };
        let refused = client.list(other).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidPageToken);
    }
    let next = v1::ListRequest { page_token, ..request };
    assert_eq!(names_of(&client.list(next).await.expect("listed")), ["a2"]);
}

async fn a_page_goes_on_after_a_name_that_was_deleted_in_between(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    make(&client, &["a", "b", "c"].map(String::from)).await;
    let first = v1::ListRequest { page_size: 2, ..Default::default() };
    let page_token = client.list(first).await.expect("listed").next_page_token;
    let held = client.hold("b").await;
    held.delete().await;
    held.release().await;
    let next = v1::ListRequest { page_token, ..Default::default() };
    assert_eq!(names_of(&client.list(next).await.expect("listed")), ["c"]);
}

#[tokio::test]
async fn a_page_has_a_hundred_sessions_and_never_more_than_a_thousand() {
    let daemon = Daemon::on("memory").await;
    let client = daemon.client().await;
    let names: Vec<_> = (0..1_001).map(|number| format!("session{number:04}")).collect();
    make(&client, &names).await;
    for (page_size, sessions) in [(0, 100), (99, 99), (1_000, 1_000), (1_001, 1_000), (i32::MAX, 1_000)] {
        let page = client.list(v1::ListRequest { page_size, ..Default::default() }).await.expect("listed");
        assert_eq!(names_of(&page), names[..sessions]);
        assert!(!page.next_page_token.is_empty());
    }
}

async fn a_summary_says_what_a_session_has(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let session = v1::Session { test_mode: Some(true), ..random_session() };
    let revision = held.save(session.clone()).await;
    held.release().await;
    make(&client, &["bob".to_owned()]).await;

    let listed = client.list(v1::ListRequest::default()).await.expect("listed").sessions;
    let changed = listed[0].changed.expect("told");
    let age = std::time::SystemTime::try_from(changed).expect("a time").elapsed();
    assert!(age.is_ok_and(|age| age.as_secs() < 3_600), "it changed just now");
    let summary = v1::SessionSummary {
        name: "alice".into(),
        revision,
        user: session.user,
        changed: Some(changed),
        holder: None,
        pts: Some(1000),
        channel_count: 2,
        dcs_with_auth: vec![2, 4],
        waiting: 0,
        watchers: 0,
        damaged: false,
        test_mode: Some(true),
    };
    assert_eq!(listed[0], summary);
    let v1::SessionSummary { user, pts, channel_count, dcs_with_auth, test_mode, .. } = &listed[1];
    assert_eq!((user, *pts, *channel_count, test_mode), (&None, Some(1), 0, &None));
    assert_eq!(dcs_with_auth.len(), 0);
}

async fn a_held_name_without_data_is_listed_while_it_is_held(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    let listed = client.list(v1::ListRequest::default()).await.expect("listed").sessions;
    assert_eq!((listed[0].name.as_str(), listed[0].revision), ("alice", 0));
    assert_eq!(listed[0].holder.as_ref().map(|holder| holder.label.as_str()), Some("test"));
    assert_eq!((listed[0].changed, listed[0].pts), (None, None));
    held.release().await;
    let page = client.list(v1::ListRequest::default()).await.expect("listed");
    assert_eq!(names_of(&page), Vec::<String>::new());
}

async fn a_deleted_session_is_not_listed(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    make(&client, &["alice".to_owned(), "bob".to_owned()]).await;
    let held = client.hold("alice").await;
    held.delete().await;
    held.release().await;
    assert_eq!(names_of(&client.list(v1::ListRequest::default()).await.expect("listed")), ["bob"]);
}

async fn those_who_wait_and_those_who_watch_are_counted(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let _held = client.hold("alice").await;
    let waiters = [client.wait_for("alice", "").await, client.wait_for("alice", "").await];
    let watch = |request: v1::WatchRequest| {
        let mut sessions = client.sessions.clone();
        async move { sessions.watch(request).await.expect("begun").into_inner() }
    };
    let named = v1::WatchRequest { names: vec!["alice".into(), "bob".into()], ..Default::default() };
    let prefixed = v1::WatchRequest { name_prefix: "al".into(), ..Default::default() };
    let others = v1::WatchRequest { name_prefix: "bo".into(), ..Default::default() };
    let watches = [
        watch(named.clone()).await,
        watch(v1::WatchRequest { name_prefix: "al".into(), ..named }).await,
        watch(prefixed).await,
        watch(v1::WatchRequest::default()).await,
        watch(others).await,
    ];
    assert_eq!(counted(&client).await, (2, 4), "a watch counts once, however it selects a session");
    let figures = client.info().await.figures.expect("told");
    assert_eq!((figures.waiting, figures.watchers), (2, 5));

    drop((waiters, watches));
    // The daemon hears of it by and by.
    within(async { while counted(&client).await != (0, 0) {} }).await;
}

async fn counted(client: &Client) -> (i32, i32) {
    let listed = client.list(v1::ListRequest::default()).await.expect("listed").sessions;
    (listed[0].waiting, listed[0].watchers)
}

async fn a_page_shows_the_stores_revision_and_identity(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let before = client.list(v1::ListRequest::default()).await.expect("listed");
    assert_eq!(before.revision, 0);
    let held = client.hold("alice").await;
    let revision = held.advance(pts(5)).await;
    let page = client.list(v1::ListRequest::default()).await.expect("listed");
    assert_eq!(page.revision, revision);
    assert_eq!((&page.store_id, page.store_id.is_empty()), (&client.info().await.store_id, false));
}

/// Sessions with a state alone, which nobody holds any more.
async fn make(client: &Client, names: &[String]) {
    for name in names {
        let held = client.hold(name).await;
        held.advance(pts(1)).await;
        held.release().await;
    }
}

/// The names on each page.
async fn pages(client: &Client, page_size: usize, prefix: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let page_size = page_size.try_into().expect("small");
    let mut request = v1::ListRequest { page_size, name_prefix: prefix.into(), ..Default::default() };
    loop {
        let page = client.list(request.clone()).await.expect("listed");
        pages.push(names_of(&page));
        if page.next_page_token.is_empty() {
            return pages;
        }
        request.page_token = page.next_page_token;
    }
}

fn names_of(page: &v1::ListResponse) -> Vec<String> {
    page.sessions.iter().map(|summary| summary.name.clone()).collect()
}
