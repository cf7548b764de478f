//! The file: read at the start and on SIGHUP, and checked by `sessiond policy check`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use sessiond_proto::{Reason, v1};
use tonic::Code;

use super::governed::{Governed, rule, rule_of, said};
use crate::harness::{Daemon, expect_reason, peer, pts};

#[tokio::test]
async fn a_policy_that_is_no_good_keeps_the_daemon_from_starting() {
    let daemon = Daemon::builder();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("policy.toml");
    let daemon = daemon.arg(format!("--policy={}", file.display())).prepare();
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(66), "{said}");
    for (text, mode, code, expected) in [
        ("[[rule]]\nuser = 'self'\nsession = '*'\n", 0o600, 78, "policy.toml:3:1: unknown field `session`"),
        ("", 0o622, 77, "chmod go-w"),
    ] {
        fs::write(&file, text).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("ours");
        let (status, said) = daemon.fail_to_start().await;
        assert_eq!(status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn a_policy_is_read_again_on_sighup_and_a_bad_one_refused_with_its_reason() {
    let governed = Governed::start(&rule("'a'", "'watch'")).await;
    let client = governed.daemon.client().await;
    client.load("a").await;
    governed.reload(&rule("'b'", "'watch'")).await;
    let refused = client.try_load("a", &[]).await.expect_err("not any more");
    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);

    governed.write("[[rule]]\nuser = 'self'\nsessions = '*'\nallow = 'all'\n");
    governed.ask_to_reload("policy.toml:4:9: \"all\" is no permission").await;
    client.load("b").await;
    client.try_load("a", &[]).await.expect_err("as before");

    fs::remove_file(governed.file()).expect("there");
    governed.ask_to_reload("stays as it was").await;
    client.load("b").await;
    governed.reload(&rule("'*'", "'watch'")).await;
    client.load("a").await;
}

#[tokio::test]
async fn a_policy_is_checked_without_a_daemon() {
    let daemon = Daemon::builder().prepare();
    let file = daemon.home().join("policy.toml");
    let path = file.to_str().expect("UTF-8");
    let check = async |args: &[&str]| said(&mut daemon.command(&[&["policy", "check"], args].concat())).await;
    fs::write(&file, rule("'*'", "'watch'").repeat(2)).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
    assert_eq!(check(&[path]).await, Ok(format!("{path}: 2 rules\n")));
    assert_eq!(check(&[path, "--json"]).await, Ok(format!("{{\"file\":\"{path}\",\"rules\":2}}\n")));
    let by_variable = said(daemon.command(&["policy", "check"]).env("SESSIOND_POLICY", path)).await;
    assert_eq!(by_variable, Ok(format!("{path}: 2 rules\n")));
    let none = check(&[]).await.expect_err("there is none");
    assert!(none.contains("SESSIOND_POLICY"), "{none}");
    fs::write(&file, "[[rule]]\nsessions = '*'\nallow = 'watch'\n").expect("written");
    let refused = check(&[path]).await.expect_err("it says not who");
    assert!(
        refused.starts_with(&format!("sessiond: {path}:1:1: the rule does not say who may")),
        "{refused}"
    );
}

#[tokio::test]
async fn programs_of_one_user_are_told_apart_by_their_executables() {
    let governed = Governed::start("").await.with_session("alice", "").await;
    let [worker, viewer, stranger] = ["worker", "viewer", "stranger"].map(|name| governed.program(name));
    let everything = "['watch', 'list', 'hold', 'peers', 'admin']";
    let rules = [rule_of(&worker, "'bot-*'", everything), rule_of(&viewer, "'*'", "['watch', 'list']")];
    governed.reload(&rules.concat()).await;
    let hold = |name| ["hold", name, "--", "true"];
    assert_eq!(governed.run(&worker, &hold("bot-1")).await, Ok(String::new()));
    for (program, name) in [(&worker, "alice"), (&viewer, "bot-1"), (&stranger, "bot-1")] {
        let refused = governed.run(program, &hold(name)).await.expect_err("not permitted");
        assert!(refused.contains("no rule of the daemon's policy"), "{refused}");
    }
    assert!(governed.run(&viewer, &["show", "alice"]).await.is_ok());
    assert!(governed.run(&worker, &["show", "alice"]).await.is_err());
    assert!(governed.run(&viewer, &["ls"]).await.is_ok());
    assert!(governed.run(&stranger, &["ls"]).await.is_err());

    // The rule is about what is at that path, and not about a program that was there, or that is a link to it.
    let moved = governed.daemon.home().join("moved");
    fs::rename(&viewer, &moved).expect("moved");
    assert!(governed.run(&moved, &["ls"]).await.is_err());
    std::os::unix::fs::symlink(&moved, &viewer).expect("linked");
    assert!(governed.run(&viewer, &["ls"]).await.is_err());
}

#[tokio::test]
async fn a_label_decides_where_a_rule_has_one() {
    let governed = Governed::start("").await;
    let program = governed.program("worker");
    let rule = format!("{}label = 'nightly-*'\n", rule_of(&program, "'*'", "['hold', 'peers']"));
    governed.reload(&rule).await;
    let script = r#""$0" advance "$SESSIOND_NAME" --pts 5"#;
    let program_text = program.to_str().expect("UTF-8");
    let with = |label| ["hold", "alice", "--label", label, "--", "sh", "-c", script, program_text];
    let done = governed.run(&program, &with("nightly-1")).await;
    assert!(done.is_ok(), "{done:?}");
    for label in ["daily", "", "xnightly-1"] {
        let refused = governed.run(&program, &with(label)).await.expect_err("not permitted");
        assert!(refused.contains("hold of session alice"), "{refused}");
    }
}

#[tokio::test]
async fn a_hold_keeps_its_label_and_its_token_what_it_is_good_for() {
    let governed = Governed::start(&format!("{}label = 'test'\n", rule("'*'", "['hold', 'peers']"))).await;
    let client = governed.daemon.client().await;
    let held = client.hold("alice").await;
    held.advance(pts(1)).await;
    held.put_peers(vec![peer(1)]).await;
    // Without a word about the label it stays what it was.
    let held = governed.daemon.client().await.resume("alice", &held.token).await.expect("resumed");
    held.advance(pts(2)).await;
    held.release().await;
    held.delete().await;
    let request = v1::HoldRequest { name: "alice".into(), label: "other".into(), ..Default::default() };
    let refused = client.ask_to_hold(request).await.err().expect("refused");
    expect_reason(&refused, Code::PermissionDenied, Reason::NotPermitted);
}
