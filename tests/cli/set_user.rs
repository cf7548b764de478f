//! `sessiond set-user`

use serde_json::json;

use super::{
    media::string,
    run,
    run::{run_on, text},
};
use crate::harness::{Daemon, session_of};

#[tokio::test]
async fn a_session_from_a_string_that_tells_nobody_is_completed() {
    let daemon = Daemon::start().await;
    run_on(&daemon, &["import", "-", "--name", "alice"], string("gramjs-ordinary").as_bytes()).await.text();
    let out = daemon.home().join("out.session");
    let export = ["export", "alice", "--to", "pyrogram", "--api-id", "6", "--lossy", "--out", text(&out)];
    let lacking = run(&daemon, &export).await.refusal(64);
    assert!(lacking.contains("the id of the user"), "{lacking}");

    let set = ["set-user", "alice", "--id", "5", "--bot", "--username", "@alice"];
    let told = run(&daemon, &set).await.text();
    assert!(told.starts_with("alice is user 5 @alice (bot), at revision "), "{told}");
    let client = daemon.client().await;
    let stored = client.load("alice").await.session.expect("there");
    let user = stored.user.expect("a user");
    let named = (user.id, user.bot, user.username.as_deref(), Some(user.dc));
    assert_eq!(named, (5, Some(true), Some("alice"), stored.home_dc));
    assert!(stored.dcs.iter().any(|dc| dc.has_auth), "its key stays");
    run(&daemon, &export).await.text();
    assert_eq!(client.load("alice").await.holder, None);
}

#[tokio::test]
async fn what_is_not_mentioned_of_the_same_user_stays() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    held.save(session_of(5)).await;
    held.release().await;
    let set = ["set-user", "alice", "--id", "5", "--bot", "true", "--json"];
    let object = run(&daemon, &set).await.object();
    let before = session_of(5).user.expect("a user");
    let expected = json!({ "id": 5, "dc": before.dc, "bot": true, "username": before.username });
    assert_eq!(object["user"], expected, "{object}");
    // Again: nothing is changed.
    assert_eq!(run(&daemon, &set).await.object(), object);
}

#[tokio::test]
async fn another_users_session_is_corrected_only_with_force_and_loses_nothing() {
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    held.save(session_of(5)).await;
    held.release().await;
    let before = client.hold("alice").await;
    before.release().await;
    let set = ["set-user", "alice", "--id", "7"];
    let refused = run(&daemon, &set).await.refusal(73);
    assert!(refused.contains("user 5 @user5") && refused.contains("--force"), "{refused}");

    run(&daemon, &[&set[..], &["--force"]].concat()).await.text();
    let (before, after) =
        (before.session.expect("there"), client.hold("alice").await.session.expect("there"));
    assert_eq!(after.user.map(|user| (user.id, user.username)), Some((7, None)));
    assert_eq!((after.dcs, after.state), (before.dcs, before.state), "keys and counters are the login's");
}

#[tokio::test]
async fn nobody_is_logged_in_where_there_is_no_session_or_no_key() {
    let daemon = Daemon::start().await;
    let refused = run(&daemon, &["set-user", "nobody", "--id", "5"]).await.refusal(66);
    assert!(refused.contains("there is no session nobody"), "{refused}");
    let held = daemon.client().await.hold("alice").await;
    held.save(session_of(5)).await;
    let set = ["set-user", "alice", "--id", "5", "--dc", "3"];
    let refused = run(&daemon, &set).await.refusal(75);
    assert!(refused.contains("holds the session"), "{refused}");
    held.release().await;
    let refused = run(&daemon, &set).await.refusal(65);
    assert!(refused.contains("no key of data center 3") && refused.contains("--dc"), "{refused}");
    for wrong in [&["--id", "0"][..], &["--id", "x"], &[]] {
        let ran = run(&daemon, &[&["set-user", "alice"], wrong].concat()).await;
        assert_eq!(ran.status.code(), Some(64), "{ran:?}");
    }
}
