//! Each call needs one permission, and no other.

use sessiond_proto::{Reason, v1};
use tonic::{Code, Status};

use super::governed::{Governed, rule};
use crate::harness::{Client, attribute, expect_reason, metadata_of, peer, pts, random_session};

/// The calls that a permission is for. Each is sound, of a session that nobody holds.
const CALLS: [(&str, &[&str]); 5] = [
    ("watch", &["Watch", "Load"]),
    ("list", &["List", "GetServerInfo"]),
    (
        "hold",
        &["Hold", "Resume", "Release", "Load with a token", "Save", "Advance", "AdvanceStream", "Delete"],
    ),
    (
        "peers",
        &[
            "PutPeers",
            "GetPeers",
            "ListPeers",
            "DeletePeers",
            "PutAttributes",
            "GetAttributes",
            "ListAttributes",
            "DeleteAttributes",
        ],
    ),
    ("admin", &["EndHold", "SettleMirror", "Import", "Export"]),
];

/// Makes a call, with a token that is no hold's where it needs one.
async fn call(client: &Client, call: &str) -> Result<(), Status> {
    let (name, token) = (String::from("alice"), vec![7; 32]);
    let held = v1::AdvanceRequest {
        name: name.clone(),
        token: token.clone(),
        change: Some(pts(1)),
        ..Default::default()
    };
    match call {
        "Watch" => {
            let watch = v1::WatchRequest { names: vec![name], ..Default::default() };
            client.try_watch(watch).await.map(drop)
        }
        "Load" => client.try_load(&name, &[]).await.map(drop),
        "Load with a token" => client.try_load(&name, &token).await.map(drop),
        "List" => client.list(v1::ListRequest::default()).await.map(drop),
        "GetServerInfo" => client.admin.clone().get_server_info(v1::GetServerInfoRequest {}).await.map(drop),
        "Hold" => match client.try_hold(&name).await {
            Ok(held) => held.client.release(&name, &held.token).await,
            Err(refused) => Err(refused),
        },
        "Resume" => client.resume(&name, &token).await.map(drop),
        "Release" => client.release(&name, &token).await,
        "Save" => {
            let session = Some(random_session());
            client.save(v1::SaveRequest { name, token, session, ..Default::default() }).await.map(drop)
        }
        "Advance" => client.advance(held).await.map(drop),
        "AdvanceStream" => {
            let first = v1::AdvanceStreamRequest { name, token, change: Some(pts(1)), sequence: 1 };
            let answers = client.sessions.clone().advance_stream(tokio_stream::once(first)).await;
            answers?.into_inner().message().await.map(drop)
        }
        "Delete" => client.delete(v1::DeleteRequest { name, token, ..Default::default() }).await.map(drop),
        "EndHold" => client.admin.clone().end_hold(v1::EndHoldRequest { name }).await.map(drop),
        "SettleMirror" => client.settle_mirror(&name, v1::MirrorAction::Write).await.map(drop),
        "Import" => {
            let first = v1::ImportRequest { name, token, last: true, ..Default::default() };
            client.admin.clone().import(tokio_stream::once(first)).await.map(drop)
        }
        "Export" => {
            let request =
                v1::ExportRequest { name, token, format: "telethon-v2".into(), ..Default::default() };
            client.admin.clone().export(request).await.map(drop)
        }
        _ => call_of_holder(client, call, name, token).await,
    }
}

/// Calls for what is kept beside a session.
async fn call_of_holder(client: &Client, call: &str, name: String, token: Vec<u8>) -> Result<(), Status> {
    let (mut peers, mut attributes) = (client.peers(), client.attributes());
    match call {
        "PutPeers" => {
            peers.put_peers(v1::PutPeersRequest { name, token, peers: vec![peer(1)] }).await.map(drop)
        }
        "GetPeers" => {
            let keys = vec![v1::PeerKey { key: Some(v1::peer_key::Key::Id(1)) }];
            peers.get_peers(v1::GetPeersRequest { name, token, keys }).await.map(drop)
        }
        "ListPeers" => {
            peers.list_peers(v1::ListPeersRequest { name, token, ..Default::default() }).await.map(drop)
        }
        "DeletePeers" => peers
            .delete_peers(v1::DeletePeersRequest { name, token, ids: vec![1], all: false })
            .await
            .map(drop),
        "PutAttributes" => {
            let request = v1::PutAttributesRequest {
                name,
                token,
                attributes: vec![attribute("a/b", b"c")],
                ..Default::default()
            };
            attributes.put_attributes(request).await.map(drop)
        }
        "GetAttributes" => {
            let keys = vec!["a/b".into()];
            attributes.get_attributes(v1::GetAttributesRequest { name, token, keys }).await.map(drop)
        }
        "ListAttributes" => {
            let request = v1::ListAttributesRequest { name, token, ..Default::default() };
            attributes.list_attributes(request).await.map(drop)
        }
        "DeleteAttributes" => {
            let request =
                v1::DeleteAttributesRequest { name, token, keys: vec!["a/b".into()], ..Default::default() };
            attributes.delete_attributes(request).await.map(drop)
        }
        _ => unreachable!("{call} is a call"),
    }
}

fn is_denied(answer: &Result<(), Status>) -> bool {
    answer.as_ref().is_err_and(|status| status.code() == Code::PermissionDenied)
}

#[tokio::test]
async fn each_call_is_for_those_who_have_its_permission_and_for_nobody_else() {
    let governed = Governed::start("").await;
    for (given, _) in CALLS {
        governed.reload(&rule("'alice'", &format!("'{given}'"))).await;
        let client = governed.daemon.client().await;
        for (needed, calls) in CALLS {
            for name in calls {
                let answer = call(&client, name).await;
                if needed == given {
                    assert!(!is_denied(&answer), "{given}: {name}: {answer:?}");
                } else {
                    let refused = answer.expect_err(name);
                    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
                    let (message, about) =
                        (refused.message(), if needed == "list" { "any session" } else { "alice" });
                    assert!(message.contains(needed) && message.contains(about), "{name}: {message}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_permission_is_for_the_sessions_of_its_rule_alone() {
    let governed = Governed::start("").await;
    for (sessions, permitted) in [
        ("'alice'", true),
        ("'a*'", true),
        ("'?lice'", true),
        ("['bob', '*e']", true),
        ("'*'", true),
        ("'bob'", false),
        ("'alice2'", false),
        ("'alic'", false),
        ("'Alice'", false),
        ("['b*', '?']", false),
    ] {
        governed.reload(&rule(sessions, "['watch', 'hold', 'peers', 'admin']")).await;
        let client = governed.daemon.client().await;
        for name in ["Watch", "Load", "Hold", "Advance", "PutPeers", "EndHold"] {
            let answer = call(&client, name).await;
            assert_eq!(is_denied(&answer), !permitted, "{sessions}: {name}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn arguments_are_checked_before_the_caller_and_the_token_after() {
    let governed = Governed::start(&rule("'bob'", "'hold'")).await;
    let client = governed.daemon.client().await;
    let refused = client.try_load("../x", &[]).await.expect_err("no name");
    expect_reason(&refused, Code::InvalidArgument, Reason::InvalidName);
    let refused = client.try_load("alice", &[1]).await.expect_err("no token");
    expect_reason(&refused, Code::InvalidArgument, Reason::TokenRequired);
    let refused = client.try_load("alice", &[1; 32]).await.expect_err("not of this session");
    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
    let refused = client.try_load("bob", &[1; 32]).await.expect_err("no hold's token");
    expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    // A change of a stream is refused by its place.
    let first = v1::AdvanceStreamRequest {
        name: "alice".into(),
        token: vec![1; 32],
        change: Some(pts(1)),
        sequence: 1,
    };
    let answers = client.sessions.clone().advance_stream(tokio_stream::once(first)).await.expect("begun");
    let refused = answers.into_inner().message().await.expect_err("not of this session");
    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
    assert_eq!(metadata_of(&refused)["sequence"], "1");
}

#[tokio::test]
async fn whoever_no_rule_is_about_is_told_so_whatever_is_asked() {
    let governed = Governed::start("[[rule]]\nuser = 4294967294\nsessions = '*'\nallow = 'watch'\n").await;
    let client = governed.daemon.client().await;
    for name in CALLS.iter().flat_map(|(_, calls)| *calls) {
        let refused = call(&client, name).await.expect_err(name);
        expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
        assert!(refused.message().contains("no rule"), "{name}: {refused:?}");
    }
    // Nor are its arguments looked at.
    let refused = client.try_load("../x", &[]).await.expect_err("refused");
    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
}
