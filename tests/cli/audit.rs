//! `sessiond audit`: the record as people and scripts see it.

use std::fs;

use super::{run, run::text};
use crate::harness::{Daemon, random_session};

/// A daemon that is stopped, with two sessions on record.
async fn recorded() -> Daemon {
    let mut daemon = Daemon::start().await;
    let client = daemon.client().await;
    for name in ["alice", "bob"] {
        let held = client.hold(name).await;
        held.save(random_session()).await;
        held.release().await;
    }
    daemon.stop().await;
    daemon
}

#[tokio::test]
async fn a_record_is_shown_to_people_as_a_table_and_to_programs_as_it_is() {
    let daemon = recorded().await;
    let dir = daemon.dir();
    let dir = text(&dir);
    let shown = run(&daemon, &["audit", "show", "--dir", dir]).await.text();
    assert!(shown.starts_with("TIME"), "{shown}");
    assert!(
        shown.lines().any(|line| line.contains("hold_granted")
            && line.contains("alice")
            && line.contains("test (pid")),
        "{shown}"
    );
    let of_bob = run(&daemon, &["audit", "show", "bob", "--dir", dir]).await.text();
    assert!(of_bob.contains("saved") && !of_bob.contains("alice"), "{of_bob}");

    let objects = run(&daemon, &["audit", "show", "--json", "--since", "1h", "--dir", dir]).await.text();
    assert_eq!(objects, fs::read_to_string(daemon.dir().join("audit.jsonl")).expect("there"));
    let later =
        run(&daemon, &["audit", "show", "--json", "--since", "2999-01-01T00:00:00Z", "--dir", dir]).await;
    assert_eq!(later.text(), "");
}

#[tokio::test]
async fn a_record_that_was_tampered_with_is_refused_with_the_place() {
    let daemon = recorded().await;
    let dir = daemon.dir();
    let verify = ["audit", "verify", "--dir", text(&dir)];
    let whole = run(&daemon, &verify).await.text();
    assert!(whole.starts_with("whole: 8 records, 1 to 8\nnewest hash: "), "{whole}");

    let file = dir.join("audit.jsonl");
    let record = fs::read_to_string(&file).expect("there");
    fs::write(&file, record.replacen("alice", "carol", 1)).expect("written");
    let refused = run(&daemon, &verify).await.refusal(65);
    assert!(refused.contains("audit.jsonl, line 2: record 2 was changed"), "{refused}");

    fs::write(&file, &record).expect("written");
    let other = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    let refused = run(&daemon, &[&verify[..], &["--expect", other]].concat()).await.refusal(65);
    assert!(refused.contains("no line has the expected hash"), "{refused}");
}

#[tokio::test]
async fn where_there_is_no_record_the_directory_is_asked_for() {
    let daemon = Daemon::builder().prepare();
    let home = daemon.home().to_owned();
    for command in ["show", "verify"] {
        let refused = run(&daemon, &["audit", command, "--dir", text(&home)]).await.refusal(66);
        assert!(refused.contains("has no audit record"), "{refused}");
    }
}
