//! `sessiond export --offline`: out of the directory of a daemon that is stopped.

use sessiond_session::formats::{Format, Wanting, write};

use super::{
    export_formats::{everything, read, store},
    run,
    run::text,
};
use crate::harness::{Actor, Daemon, session_of};

#[tokio::test]
async fn a_stopped_daemons_session_is_exported_whole_and_a_running_ones_is_refused() {
    let mut daemon = Daemon::start().await;
    let contents = everything();
    store(&daemon, "alice", &contents).await;
    let (out, dir) = (daemon.home().join("out.session"), daemon.dir());
    let offline = ["export", "alice", "--offline", "--dir", text(&dir), "--out", text(&out)];
    let args = [&offline[..], &["--to", "kurigram", "--lossy"]].concat();
    let refused = run(&daemon, &args).await.refusal(75);
    assert!(refused.contains(&format!("the daemon with pid {}", daemon.pid())), "{refused}");
    assert!(!out.exists());

    daemon.stop().await;
    run(&daemon, &args).await.text();
    let expected = daemon.home().join("expected.session");
    write(&contents, Format::Kurigram, &Wanting::default(), &expected).expect("written");
    assert!(read(&out, Format::Kurigram) == read(&expected, Format::Kurigram));
    let shown = run(&daemon, &["audit", "show", "alice", "--json", "--dir", text(&dir)]).await.objects();
    let last = shown.last().expect("it is recorded");
    assert_eq!((&last["event"], &last["note"]), (&"exported".into(), &"offline".into()));

    daemon.start_again().await;
    let client = daemon.client().await;
    assert_eq!(client.load("alice").await.holder, None, "nobody holds it afterwards");
    client.hold("alice").await.release().await;
}

#[tokio::test]
async fn a_holder_that_outlives_the_daemon_keeps_its_session_and_a_dead_one_does_not() {
    let mut daemon = Daemon::start().await;
    let held = daemon.client().await.hold("bob").await;
    held.save(session_of(5)).await;
    let mut actor = Actor::start(&daemon);
    held.release().await;
    actor.hold("bob").await;
    daemon.kill().await;
    let (out, dir) = (daemon.home().join("out.session"), daemon.dir());
    let args = ["export", "bob", "--offline", "--dir", text(&dir), "--out", text(&out)];
    let refused = run(&daemon, &args).await.refusal(75);
    assert!(refused.contains("alive") && refused.contains(&actor.pid().to_string()), "{refused}");
    actor.kill().await;
    run(&daemon, &args).await.text();
    assert!(out.exists());
}

#[tokio::test]
async fn a_directory_without_a_store_stays_as_it_is() {
    let daemon = Daemon::builder().prepare();
    let empty = tempfile::tempdir().expect("a directory");
    let out = daemon.home().join("out.session");
    let args = ["export", "alice", "--offline", "--dir", text(empty.path()), "--out", text(&out)];
    let refused = run(&daemon, &args).await.refusal(66);
    assert!(refused.contains("--dir"), "{refused}");
    assert_eq!(std::fs::read_dir(empty.path()).expect("there").count(), 0);
}
