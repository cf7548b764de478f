//! What callers see of the sessions that they may see, and what becomes of streams under another policy.

use sessiond_proto::{Reason, v1};
use tonic::Code;

use super::governed::{Governed, rule};
use crate::harness::{Client, Held, expect_reason, pts};

const EVERYTHING: &str = "['watch', 'list', 'hold', 'peers', 'admin']";

/// A session of each name, held.
async fn hold_all(client: &Client, names: &[&str]) -> Vec<Held> {
    let mut held = Vec::new();
    for name in names {
        let hold = client.hold(name).await;
        hold.advance(pts(1)).await;
        held.push(hold);
    }
    held
}

#[tokio::test]
async fn a_listing_has_only_what_the_caller_may_see_page_by_page() {
    let governed = Governed::start(&rule("'*'", EVERYTHING)).await;
    let client = governed.daemon.client().await;
    let _held = hold_all(&client, &["a1", "a2", "b1", "b2", "b3", "c1"]).await;
    governed.reload(&rule("['a2', 'b*']", "'list'")).await;
    let names = async |name_prefix: &str, page_size| {
        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let name_prefix = name_prefix.into();
            let page =
                client.list(v1::ListRequest { page_size, page_token, name_prefix }).await.expect("listed");
            names.extend(page.sessions.into_iter().map(|session| session.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return names;
            }
        }
    };
    for page_size in [1, 2, 4, 100] {
        assert_eq!(names("", page_size).await, ["a2", "b1", "b2", "b3"], "{page_size}");
        assert_eq!(names("a", page_size).await, ["a2"]);
        assert!(names("c", page_size).await.is_empty());
    }
}

#[tokio::test]
async fn a_watch_of_everything_tells_only_what_the_caller_may_see() {
    let governed = Governed::start(&rule("'*'", EVERYTHING)).await;
    let client = governed.daemon.client().await;
    let held = hold_all(&client, &["a1", "b1", "b2"]).await;
    governed.reload(&[rule("'b*'", "'watch'"), rule("'*'", "'hold'")].concat()).await;
    let prefix =
        |name_prefix: &str| v1::WatchRequest { name_prefix: name_prefix.into(), ..Default::default() };
    for (request, expected) in [
        (v1::WatchRequest::default(), vec!["b1", "b2"]),
        (prefix("b"), vec!["b1", "b2"]),
        (prefix("b2"), vec!["b2"]),
        (prefix("a"), vec![]),
        (v1::WatchRequest { names: vec!["b1".into()], ..prefix("b2") }, vec!["b1", "b2"]),
    ] {
        let mut watch = client.watch(request).await;
        let view = watch.begin().await;
        assert_eq!(view.sessions.keys().collect::<Vec<_>>(), expected);
    }
    let mut watch = client.watch_all().await;
    watch.begin().await;
    held[0].advance(pts(2)).await;
    let revision = held[1].advance(pts(3)).await;
    let told = watch.commit().await;
    assert_eq!((told.name.as_str(), told.revision), ("b1", revision));
    held[0].advance(pts(4)).await;
    let revision = held[2].advance(pts(5)).await;
    let after_revision = Some(told.revision);
    let mut watch = client.watch(v1::WatchRequest { after_revision, ..Default::default() }).await;
    let told = watch.commit().await;
    assert_eq!((told.name.as_str(), told.revision), ("b2", revision));
}

#[tokio::test]
async fn a_watch_of_a_name_that_the_caller_may_not_see_is_refused_whether_or_not_it_is_there() {
    let governed = Governed::start(&rule("'*'", EVERYTHING)).await;
    let client = governed.daemon.client().await;
    let _held = hold_all(&client, &["a", "b"]).await;
    governed.reload(&rule("'b'", "'watch'")).await;
    for names in [vec!["a"], vec!["b", "a"], vec!["c"]] {
        let names = names.into_iter().map(String::from).collect();
        let refused = client.try_watch(v1::WatchRequest { names, ..Default::default() }).await;
        let refused = refused.err().expect("refused");
        expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
    }
    let names = vec!["b".into()];
    assert!(client.try_watch(v1::WatchRequest { names, ..Default::default() }).await.is_ok());
}

#[tokio::test]
async fn whoever_loses_the_permission_to_watch_is_told_nothing_more() {
    let governed = Governed::start(&rule("'*'", EVERYTHING)).await;
    let client = governed.daemon.client().await;
    let held = hold_all(&client, &["a", "b"]).await;
    let named = v1::WatchRequest { names: vec!["a".into()], ..Default::default() };
    let mut by_name = client.watch(named.clone()).await;
    let mut all = client.watch_all().await;
    let mut other = client.watch(v1::WatchRequest { names: vec!["b".into()], ..named }).await;
    for watch in [&mut by_name, &mut all, &mut other] {
        watch.begin().await;
    }
    governed.reload(&[rule("'b'", "'watch'"), rule("'*'", "'hold'")].concat()).await;
    held[0].advance(pts(2)).await;
    let revision = held[1].advance(pts(2)).await;
    for watch in [&mut by_name, &mut all] {
        let ended = watch.end_before_a_commit().await;
        expect_reason(&ended, Code::PermissionDenied, Reason::NotPermitted);
    }
    assert_eq!(other.commit().await.revision, revision);
}

#[tokio::test]
async fn whoever_loses_the_permission_to_hold_writes_nothing_more_and_gets_no_keys() {
    let governed = Governed::start(&rule("'*'", EVERYTHING)).await;
    let client = governed.daemon.client().await;
    let held = client.hold("a").await;
    let mut waiter = governed.daemon.client().await.wait_for("a", "next").await;
    waiter.waiting().await;
    governed.reload(&rule("'*'", "['watch', 'admin']")).await;
    let refused = client.advance(held.advance_request(pts(1))).await.expect_err("refused");
    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
    let refused = client.try_load("a", &held.token).await.expect_err("refused");
    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
    // The hold itself goes on until somebody ends it.
    assert!(client.load("a").await.holder.is_some());
    client.end_hold("a").await;
    drop(held);
    expect_reason(&waiter.refused().await, Code::PermissionDenied, Reason::NotPermitted);
}
