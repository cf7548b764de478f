//! What somebody changes in the store of a daemon that is stopped: the session that it concerns is damaged, and no other.

use rusqlite::{Connection, params};
use sessiond_proto::{Reason, v1};
use tonic::{Code, Status};

use crate::harness::{Daemon, attribute, expect_reason, key, peer, random_session};

/// A daemon that is stopped, with two sessions that have everything that is secret, each of them written twice; and the
/// store as it was after the first time.
async fn stopped() -> (Daemon, std::path::PathBuf) {
    let mut daemon = Daemon::start().await;
    write(&daemon, "alice").await;
    write(&daemon, "bob").await;
    assert!(daemon.stop().await.success());
    let earlier = daemon.home().join("earlier.db");
    std::fs::copy(daemon.dir().join("sessiond.db"), &earlier).expect("copied");
    daemon.start_again().await;
    write(&daemon, "alice").await;
    write(&daemon, "bob").await;
    assert!(daemon.stop().await.success());
    (daemon, earlier)
}

async fn write(daemon: &Daemon, name: &str) {
    let held = daemon.client().await.hold(name).await;
    let mut session = random_session();
    for dc in &mut session.dcs {
        (dc.auth, dc.has_auth) = (Some(key()), true);
    }
    held.save(session).await;
    let secret = |key_: &str| v1::Attribute { secret: true, ..attribute(key_, &key()) };
    held.put_attributes(vec![secret("test.a"), secret("test.b")]).await;
    let hash = i64::from_le_bytes(key()[..8].try_into().expect("8 bytes"));
    held.put_peers(vec![v1::Peer { access_hash: Some(hash), ..peer(5) }]).await;
    held.release().await;
}

/// Does something to the store, and starts the daemon.
async fn start_after(daemon: &mut Daemon, tamper: impl FnOnce(&Connection)) {
    let store = Connection::open(daemon.dir().join("sessiond.db")).expect("open");
    tamper(&store);
    store.close().expect("closed");
    daemon.start_again().await;
}

/// Bob's session is as it was, and alice's tells that it is damaged.
async fn only_alice_is_damaged(daemon: &Daemon, refused: &Status) {
    expect_reason(refused, Code::DataLoss, Reason::SessionDamaged);
    let mut watch = daemon.client().await.watch_all().await;
    let view = watch.begin().await;
    assert!(view.is_synced());
    let held = daemon.client().await.hold("bob").await;
    assert!(held.session.as_ref().expect("there").dcs.iter().all(|dc| dc.auth.is_some()));
    assert_eq!(held.get_attributes(&["test.a", "test.b"]).await.len(), 2);
    held.peer(v1::peer_key::Key::Id(5)).await.expect("there");
    watch.commit().await;
    held.release().await;
}

#[tokio::test]
async fn keys_that_were_changed_swapped_removed_or_put_back_are_told() {
    let (daemon, earlier) = stopped().await;
    let attach = format!("attach '{}' as earlier", earlier.display());
    let put_back = "insert or replace into auth select * from earlier.auth where name = 'alice' and dc = \
                    (select min(dc) from auth where name = 'alice')";
    // Another bit in the 31st byte.
    let flip = |table: &str, column: &str| {
        format!(
            "update {table} set {column} = cast(substr({column}, 1, 30) || unhex(case hex(substr({column}, 31, 1)) \
             when '00' then '01' else '00' end) || substr({column}, 32) as blob) where name = 'alice'"
        )
    };
    let cases = [
        flip("auth", "key"),
        flip("seal", "data_key"),
        flip("seal", "auth_stamp"),
        "update auth set key = (select key from auth o where o.name = 'bob' limit 1) where name = 'alice'"
            .into(),
        "update auth set key_revision = key_revision + 1 where name = 'alice'".into(),
        "update auth set key_version = 0, key = randomblob(256) where name = 'alice'".into(),
        "delete from auth where name = 'alice' and dc = (select min(dc) from auth where name = 'alice')"
            .into(),
        "delete from seal where name = 'alice'".into(),
        put_back.into(),
        "update seal set data_key = (select data_key from seal where name = 'bob') where name = 'alice'"
            .into(),
    ];
    let whole = std::fs::read(daemon.dir().join("sessiond.db")).expect("there");
    let mut daemon = daemon;
    for sql in cases {
        std::fs::write(daemon.dir().join("sessiond.db"), &whole).expect("ours");
        start_after(&mut daemon, |store| {
            store.execute(&attach, ()).expect("attached");
            assert!(store.execute(&sql, ()).expect("valid") > 0, "{sql}");
        })
        .await;
        let refused = daemon.client().await.try_hold("alice").await.map(drop).expect_err(&sql);
        only_alice_is_damaged(&daemon, &refused).await;
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn attributes_and_access_hashes_that_were_changed_or_put_back_are_told() {
    let (mut daemon, earlier) = stopped().await;
    let attach = format!("attach '{}' as earlier", earlier.display());
    let whole = std::fs::read(daemon.dir().join("sessiond.db")).expect("there");
    let of = |column: &str, name: &str| format!("(select {column} from belongings where name = '{name}')");
    let (attributes, peers) = (of("attributes", "alice"), of("peers", "alice"));
    let (bobs, bobs_peers) = (of("attributes", "bob"), of("peers", "bob"));
    let cases = [
        format!(
            "insert or replace into attribute select * from earlier.attribute where owner = {attributes} and key = 'test.a'"
        ),
        format!("delete from attribute where owner = {attributes} and key = 'test.b'"),
        format!(
            "update attribute set secret_value = (select secret_value from attribute where owner = {bobs} and key = \
             'test.a') where owner = {attributes} and key = 'test.a'"
        ),
        format!(
            "update peer set sealed_access_hash = (select sealed_access_hash from peer where owner = {bobs_peers}) \
             where owner = {peers}"
        ),
        format!("update peer set access_hash = 7, sealed_access_hash = null where owner = {peers}"),
    ];
    for sql in cases {
        std::fs::write(daemon.dir().join("sessiond.db"), &whole).expect("ours");
        start_after(&mut daemon, |store| {
            store.execute(&attach, ()).expect("attached");
            assert!(store.execute(&sql, params![]).expect("valid") > 0, "{sql}");
        })
        .await;
        let held = daemon.client().await.hold("alice").await;
        let request = v1::GetAttributesRequest {
            name: "alice".into(),
            token: held.token.clone(),
            keys: vec!["test.a".into()],
        };
        let attributes = daemon.client().await.attributes().get_attributes(request).await;
        let keys = vec![v1::PeerKey { key: Some(v1::peer_key::Key::Id(5)) }];
        let request = v1::GetPeersRequest { name: "alice".into(), token: held.token.clone(), keys };
        let peers = daemon.client().await.peers().get_peers(request).await;
        let refused = attributes.map(drop).and(peers.map(drop)).expect_err(&sql);
        held.release().await;
        only_alice_is_damaged(&daemon, &refused).await;
        assert!(daemon.stop().await.success());
    }
}
