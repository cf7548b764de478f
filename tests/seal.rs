//! Sealing: what is on the disk is of no use without the master key, and nothing is lost on the way there and back.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use sessiond_proto::{Reason, v1};
use tonic::Code;

use crate::{
    cli::run::run,
    harness::{
        Daemon, attribute, contents, eventually, expect_reason, files_with, key, peer, pts, random_session,
        stock,
    },
};

/// A session with everything that is secret, and all of that.
async fn with_secrets(daemon: &Daemon, name: &str) -> (v1::Session, Vec<Vec<u8>>) {
    let held = daemon.client().await.hold(name).await;
    let mut session = random_session();
    for dc in &mut session.dcs {
        (dc.auth, dc.has_auth) = (Some(key()), true);
    }
    held.save(session.clone()).await;
    let secret = v1::Attribute { secret: true, ..attribute("test.secret", &key()) };
    held.put_attributes(vec![secret.clone()]).await;
    held.put_peers(vec![v1::Peer { access_hash: Some(0x1234_5678_9abc_def0), ..peer(5) }]).await;
    held.release().await;
    let keys = session.dcs.iter().filter_map(|dc| dc.auth.clone());
    let secrets = keys.chain([secret.value]).collect();
    (session, secrets)
}

/// Everything is there, whoever holds it now.
async fn is_whole(daemon: &Daemon, name: &str, session: &v1::Session, secrets: &[Vec<u8>]) {
    let held = daemon.client().await.hold(name).await;
    assert_eq!(held.session.as_ref(), Some(session));
    let attributes = held.get_attributes(&["test.secret"]).await;
    assert_eq!(Some(&attributes[0].value), secrets.last());
    let peer = held.peer(v1::peer_key::Key::Id(5)).await.expect("there");
    assert_eq!(peer.access_hash, Some(0x1234_5678_9abc_def0));
    held.release().await;
}

fn no_file_has<'a>(daemon: &Daemon, secrets: impl IntoIterator<Item = &'a Vec<u8>>) -> Option<()> {
    files_with(&daemon.dir(), secrets).is_empty().then_some(())
}

/// All that is secret in any of these.
fn all(sessions: &[(String, v1::Session, Vec<Vec<u8>>)]) -> impl Iterator<Item = &Vec<u8>> {
    sessions.iter().flat_map(|(.., secrets)| secrets)
}

#[tokio::test]
async fn the_first_start_makes_a_key_and_no_secret_is_in_any_file() {
    let mut daemon = Daemon::start().await;
    let key = daemon.master_key();
    assert_eq!(fs::metadata(&key).expect("made").permissions().mode() & 0o777, 0o600);
    let (session, secrets) = with_secrets(&daemon, "alice").await;
    let held = daemon.client().await.hold("alice").await;
    held.advance(pts(session.state.as_ref().expect("there").pts)).await;
    assert_eq!(no_file_has(&daemon, &secrets), Some(()));
    held.release().await;
    daemon.restart().await;
    is_whole(&daemon, "alice", &session, &secrets).await;
    let file = daemon.dir().join("alice.session");
    let dcs = eventually(|| stock::read(&file).ok()).await.dcs;
    assert!(dcs.len() == session.dcs.len() && dcs.iter().all(|dc| dc.auth.is_none()));
    assert!(daemon.stop().await.success());
    assert_eq!(no_file_has(&daemon, &secrets), Some(()));
}

#[tokio::test]
async fn without_the_key_or_with_another_nothing_starts_and_nothing_changes() {
    let mut daemon = Daemon::start().await;
    let (session, secrets) = with_secrets(&daemon, "alice").await;
    assert!(daemon.stop().await.success());
    let (before, path) = (contents(&daemon.dir()), daemon.master_key());
    let text = fs::read(&path).expect("there");

    fs::remove_file(&path).expect("ours");
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(66), "{said}");
    assert!(said.contains("--seal file:PATH") && !path.exists(), "{said}");
    fs::write(&path, "0a".repeat(32)).expect("ours");
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(78), "{said}");
    daemon.seal_from_now_on(false);
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(78), "{said}");
    assert!(said.contains("seal off --all"), "{said}");
    assert!(contents(&daemon.dir()) == before, "nothing has changed");

    fs::write(&path, text).expect("ours");
    daemon.seal_from_now_on(true);
    daemon.start_again().await;
    is_whole(&daemon, "alice", &session, &secrets).await;
}

#[tokio::test]
async fn an_open_directory_is_sealed_at_the_next_start_and_nothing_open_is_left() {
    let mut daemon = Daemon::unsealed().await;
    let mut sessions = Vec::new();
    for number in 0..20 {
        let name = format!("session-{number}");
        let (session, secrets) = with_secrets(&daemon, &name).await;
        sessions.push((name, session, secrets));
    }
    daemon.stop().await;
    assert_eq!(
        files_with(&daemon.dir(), all(&sessions)).len(),
        sessions.len() + 1,
        "the files and the store"
    );

    daemon.seal_from_now_on(true);
    daemon.start_again().await;
    for (name, session, secrets) in &sessions {
        is_whole(&daemon, name, session, secrets).await;
    }
    eventually(|| no_file_has(&daemon, all(&sessions))).await;
}

#[tokio::test]
async fn a_kill_while_a_directory_is_sealed_loses_nothing_and_leaves_nothing_open() {
    let mut daemon = Daemon::unsealed().await;
    let mut sessions = Vec::new();
    for number in 0..20 {
        let name = format!("session-{number}");
        let (session, secrets) = with_secrets(&daemon, &name).await;
        sessions.push((name, session, secrets));
    }
    daemon.kill().await;
    daemon.seal_from_now_on(true);
    for after in 1..25 {
        daemon.start_and_kill(Duration::from_millis(after * 4)).await;
    }
    daemon.start_again().await;
    for (name, session, secrets) in &sessions {
        is_whole(&daemon, name, session, secrets).await;
    }
    eventually(|| no_file_has(&daemon, all(&sessions))).await;
}

#[tokio::test]
async fn a_rotation_loses_nothing_wherever_it_is_killed_and_keeps_the_old_key_for_copies() {
    let mut daemon = Daemon::start().await;
    let mut sessions = Vec::new();
    for number in 0..20 {
        let name = format!("session-{number}");
        let (session, secrets) = with_secrets(&daemon, &name).await;
        sessions.push((name, session, secrets));
    }
    let first = daemon.sessiond_client().await.seal().await.expect("told");
    for round in 0..6 {
        // Ended with its daemon: it would go on with the next.
        let rotating = tokio::spawn(daemon.command(&["seal", "rotate"]).kill_on_drop(true).output());
        tokio::time::timeout(Duration::from_millis(round * 3), std::future::pending::<()>())
            .await
            .expect_err("what is waited for never comes");
        daemon.kill().await;
        rotating.abort();
        let _ = rotating.await;
        daemon.start_again().await;
    }
    let key_id = run(&daemon, &["seal", "rotate", "--json"]).await.object()["key_id"].clone();
    let last = daemon.sessiond_client().await.seal().await.expect("told");
    assert_eq!(key_id, last.key_id.as_deref().expect("one"));
    assert_ne!(first.key_id, last.key_id);
    assert!(last.retired_key_ids.contains(first.key_id.as_ref().expect("one")));
    for (name, session, secrets) in &sessions {
        is_whole(&daemon, name, session, secrets).await;
    }
    // Once everything is wrapped anew, the old keys may be forgotten.
    assert!(daemon.stop().await.success());
    let text = fs::read_to_string(daemon.master_key()).expect("there");
    let kept: String =
        text.lines().filter(|line| !line.starts_with("retired")).map(|line| format!("{line}\n")).collect();
    fs::write(daemon.master_key(), kept).expect("ours");
    daemon.start_again().await;
    for (name, session, secrets) in &sessions {
        is_whole(&daemon, name, session, secrets).await;
    }
}

#[tokio::test]
async fn a_session_that_is_opened_by_choice_has_its_keys_in_its_file_until_it_is_sealed_again() {
    let mut daemon = Daemon::start().await;
    let (session, secrets) = with_secrets(&daemon, "alice").await;
    with_secrets(&daemon, "bob").await;
    let file = daemon.dir().join("alice.session");
    run(&daemon, &["seal", "off", "alice"]).await.text();
    assert_eq!(stock::read(&file).expect("readable").dcs, stock::as_in_file(session.clone()).dcs);
    daemon.restart().await;
    is_whole(&daemon, "alice", &session, &secrets).await;
    assert_eq!(daemon.sessiond_client().await.seal().await.expect("told").open_names, ["alice"]);

    run(&daemon, &["seal", "on", "alice"]).await.text();
    assert!(stock::read(&file).expect("readable").dcs.iter().all(|dc| dc.auth.is_none()));
    daemon.restart().await;
    assert_eq!(no_file_has(&daemon, &secrets), Some(()));
    is_whole(&daemon, "alice", &session, &secrets).await;

    run(&daemon, &["seal", "off", "--all"]).await.text();
    assert!(daemon.stop().await.success());
    daemon.seal_from_now_on(false);
    daemon.start_again().await;
    is_whole(&daemon, "alice", &session, &secrets).await;
    let refused = run(&daemon, &["seal", "rotate"]).await.refusal(75);
    assert!(refused.contains("seals nothing"), "{refused}");
}

#[tokio::test]
async fn a_sealed_sessions_file_that_was_changed_is_taken_in_by_force_alone_and_its_keys_stay() {
    let daemon = Daemon::start().await;
    let (session, _) = with_secrets(&daemon, "alice").await;
    let file = daemon.dir().join("alice.session");
    eventually(|| stock::read(&file).ok().filter(|read| read.user == session.user)).await;
    let changed = eventually(|| stock::open(&file).ok()?.execute("update state set pts = 99", ()).ok()).await;
    assert_eq!(changed, 1);
    let refused = daemon.client().await.try_hold("alice").await.map(drop).expect_err("it was changed");
    expect_reason(&refused, Code::FailedPrecondition, Reason::ForeignFile);
    run(&daemon, &["import", "--force", "alice"]).await.text();
    let held = daemon.client().await.hold("alice").await;
    let now = held.session.as_ref().expect("there");
    assert_eq!(now.state.as_ref().expect("there").pts, 99);
    assert_eq!(now.dcs, session.dcs);
}
