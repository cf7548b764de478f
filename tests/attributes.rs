//! AttributeService: what single libraries keep in a session.

use sessiond_proto::{Reason, v1};
use tonic::{Code, Status};

use crate::harness::{Client, Daemon, attribute, expect_reason, session_of};

on_both_engines! {
    attributes_are_set_told_and_deleted
    attributes_come_in_pages_by_key
    a_secret_attribute_stays_secret
    attributes_are_the_holders_alone
    attributes_move_no_revision_of_the_session
    attributes_go_with_their_session
    what_is_no_attribute_is_refused_by_its_field
    attributes_have_limits
}

async fn attributes_are_set_told_and_deleted(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let (one, empty) = (attribute("a.b/c d", &[0, 255]), attribute("m.ref/1", b""));
    let revision = held.put_attributes(vec![one.clone(), empty.clone()]).await;
    assert_eq!(held.get_attributes(&["m.ref/1", "none", "a.b/c d"]).await, [empty.clone(), one.clone()]);
    assert_eq!(held.put_attributes(vec![one.clone()]).await, revision, "nothing changed");
    let both = held.try_put_attributes(vec![attribute("x", b"1")], &["m.ref/1", "none"]).await;
    assert_eq!(both.expect("in one commit"), revision + 1);
    assert_eq!(held.get_attributes(&["m.ref/1", "x"]).await, [attribute("x", b"1")]);
    let deleted = held.try_delete_attributes(&["x", "none"], "a.").await.expect("deleted");
    assert_eq!((deleted.deleted, deleted.revision), (2, revision + 2));
    let nothing = held.try_delete_attributes(&["x"], "").await.expect("nothing to do");
    assert_eq!((nothing.deleted, nothing.revision), (0, revision + 2));
}

async fn attributes_come_in_pages_by_key(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let all: Vec<v1::Attribute> = (0..250).map(|n| attribute(&format!("k/{n:03}"), &[1])).collect();
    held.put_attributes(all.clone()).await;
    held.put_attributes(vec![attribute("j", b""), attribute("l", b"")]).await;
    let first = v1::ListAttributesRequest { prefix: "k/".into(), ..held.list_attributes_request() };
    for (page_size, pages) in [(0, 3), (250, 1), (249, 2), (1, 250)] {
        let mut request = v1::ListAttributesRequest { page_size, ..first.clone() };
        let (mut told, mut count) = (Vec::new(), 0);
        loop {
            let page = held.list_attributes(request.clone()).await.expect("told");
            (request.page_token, count) = (page.next_page_token, count + 1);
            told.extend(page.attributes);
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!((told == all, count), (true, pages), "{page_size}");
    }
    let keys_only = v1::ListAttributesRequest { keys_only: true, ..held.list_attributes_request() };
    let told = held.list_attributes(keys_only).await.expect("told").attributes;
    assert!(told.iter().all(|attribute| attribute.value.is_empty()));
    assert_eq!((told[0].has_value, told[1].has_value), (false, true));
    for page_token in ["x", "ag"] {
        let request = v1::ListAttributesRequest { page_token: page_token.into(), ..first.clone() };
        let refused = held.list_attributes(request).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidPageToken);
    }
    // A page is no larger than a message.
    for n in 0..80 {
        held.put_attributes(vec![attribute(&format!("large/{n:02}"), &[1; 65_536])]).await;
    }
    let mut request = v1::ListAttributesRequest {
        prefix: "large/".into(),
        page_size: 1_000,
        ..held.list_attributes_request()
    };
    let page = held.list_attributes(request.clone()).await.expect("told");
    request.page_token = page.next_page_token;
    let rest = held.list_attributes(request).await.expect("told");
    assert_eq!(page.attributes.len() + rest.attributes.len(), 80);
}

async fn a_secret_attribute_stays_secret(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let secret = v1::Attribute { secret: true, ..attribute("m.temp/2", b"key") };
    held.put_attributes(vec![secret.clone()]).await;
    assert_eq!(held.get_attributes(&["m.temp/2"]).await, [secret]);
    let refused =
        held.try_put_attributes(vec![attribute("m.temp/2", b"key")], &[]).await.expect_err("refused");
    expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    held.try_delete_attributes(&[], "m.").await.expect("deleted");
    held.put_attributes(vec![attribute("m.temp/2", b"no key")]).await;
}

async fn attributes_are_the_holders_alone(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.put_attributes(vec![attribute("k", b"v")]).await;
    for refused in every_call(&client, Vec::new()).await {
        expect_reason(&refused, Code::InvalidArgument, Reason::TokenRequired);
    }
    for refused in every_call(&client, vec![7; 32]).await {
        expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    }
    held.release().await;
    for refused in every_call(&client, held.token.clone()).await {
        expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    }
    let next = client.hold("alice").await;
    assert_eq!(next.get_attributes(&["k"]).await, [attribute("k", b"v")]);
}

async fn every_call(client: &Client, token: Vec<u8>) -> [Status; 4] {
    let (name, keys) = (|| "alice".to_owned(), || vec!["k".to_owned()]);
    let mut service = client.attributes();
    let put = v1::PutAttributesRequest {
        name: name(),
        token: token.clone(),
        attributes: Vec::new(),
        delete_keys: keys(),
    };
    let get = v1::GetAttributesRequest { name: name(), token: token.clone(), keys: keys() };
    let list = v1::ListAttributesRequest { name: name(), token: token.clone(), ..Default::default() };
    let delete = v1::DeleteAttributesRequest { name: name(), token, keys: keys(), prefix: String::new() };
    [
        service.put_attributes(put).await.expect_err("refused"),
        service.get_attributes(get).await.expect_err("refused"),
        service.list_attributes(list).await.expect_err("refused"),
        service.delete_attributes(delete).await.expect_err("refused"),
    ]
}

async fn attributes_move_no_revision_of_the_session(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let revision = held.save(session_of(5)).await;
    assert_eq!(held.put_attributes(vec![attribute("k", b"v")]).await, revision + 1);
    assert_eq!(held.load().await.1, revision);
}

async fn attributes_go_with_their_session(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    held.save(session_of(5)).await;
    held.put_attributes(vec![attribute("k", b"v")]).await;
    held.delete().await;
    assert_eq!(held.get_attributes(&["k"]).await, []);
}

async fn what_is_no_attribute_is_refused_by_its_field(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let long = "k".repeat(257);
    for (attributes, delete_keys) in [
        (vec![], &[][..]),
        (vec![attribute("", b"")], &[]),
        (vec![attribute("é", b"")], &[]),
        (vec![attribute(&long, b"")], &[]),
        (vec![attribute("k", &[0; 65_537])], &[]),
        (vec![attribute("k", b"1"), attribute("k", b"2")], &[]),
        (vec![attribute("k", b"1")], &["k"]),
        (vec![], &["\n"]),
        (vec![], &["k"; 1_001]),
    ] {
        let refused = held.try_put_attributes(attributes, delete_keys).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    }
    for (keys, prefix) in [(&[][..], ""), (&[""], ""), (&["k"; 1_001], "k"), (&[], "é")] {
        let refused = held.try_delete_attributes(keys, prefix).await.expect_err("refused");
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidSession);
    }
}

async fn attributes_have_limits(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let large = |n: usize| attribute(&format!("l{n}"), &[1; 65_000]);
    let refused = held.try_put_attributes((0..17).map(large).collect(), &[]).await.expect_err("over a MiB");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    for n in 0..20 {
        let many = (0..1_000).map(|m| attribute(&format!("{n}/{m}"), b"")).collect();
        held.put_attributes(many).await;
    }
    let refused = held.try_put_attributes(vec![attribute("x", b"")], &[]).await.expect_err("20,001");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    held.try_put_attributes(vec![attribute("x", b"")], &["0/0"]).await.expect("one goes and one comes");
    for n in 0..19 {
        held.try_delete_attributes(&[], &format!("{n}/")).await.expect("deleted");
    }
    let mut kept = 0;
    let refused = loop {
        match held.try_put_attributes(vec![large(kept)], &[]).await {
            Ok(_) => kept += 1,
            Err(refused) => break refused,
        }
    };
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    assert!((250..260).contains(&kept), "{kept} of 65,000 bytes are 16 MiB");
}

#[tokio::test]
async fn what_was_acknowledged_outlasts_a_kill() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let secret = v1::Attribute { secret: true, ..attribute("s", b"key") };
    held.put_attributes(vec![attribute("k", b"v"), secret.clone(), attribute("gone", b"")]).await;
    held.try_put_attributes(Vec::new(), &["gone"]).await.expect("deleted");
    daemon.kill().await;
    daemon.start_again().await;
    let client = daemon.client().await;
    let held = client.resume("alice", &held.token).await.expect("a kill ends no hold");
    assert_eq!(held.get_attributes(&["gone", "k", "s"]).await, [attribute("k", b"v"), secret]);
}
