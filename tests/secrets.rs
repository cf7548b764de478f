//! Where keys and tokens are not.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::Signal;
use sessiond_proto::v1::{self, peer_key::Key};

use crate::{
    cli::media::fixture,
    harness::{Actor, Daemon, attribute, files_at, given, key, peer, pts, random_session},
};

#[tokio::test]
async fn no_key_and_no_token_is_in_the_log_at_its_loudest() {
    for format in ["text", "json"] {
        let mut daemon = Daemon::builder()
            .variable("SESSIOND_LOG", "trace")
            .variable("SESSIOND_LOG_FORMAT", format)
            .start()
            .await;
        let mut secrets = Vec::new();
        let mut actor = Actor::start(&daemon);
        secrets.push(actor.hold("bob").await.token);
        let client = daemon.client().await;
        let held = client.hold("alice").await;
        secrets.push(held.token.clone());
        let mut session = random_session();
        held.save(session.clone()).await;
        secrets.extend(session.dcs.iter().filter_map(|dc| dc.auth.clone()));

        // One that is merged, one that is refused for its size, and one that a fenced client sends.
        let (merged, longer, fenced) = (key(), [key(), vec![1]].concat(), key());
        session.dcs[0].auth = Some(merged.clone());
        held.merge(session.clone()).await;
        session.dcs[0].auth = Some(longer.clone());
        client.save(held.save_request(session.clone())).await.expect_err("refused");
        session.dcs[0].auth = Some(fenced.clone());
        let request = v1::SaveRequest { token: key()[..32].into(), ..held.save_request(session) };
        secrets.push(request.token.clone());
        client.save(request).await.expect_err("refused");
        secrets.extend([merged, longer, fenced]);

        // What is kept beside the session, and one of each that is refused.
        let (name, phone, hash) = ("Anna Zweistein-Quux", "4912345678901", 8_361_946_205_173_648_219_i64);
        let named = v1::Peer {
            access_hash: Some(hash),
            usernames: Some(v1::Usernames { names: vec!["zweisteinquux".into()] }),
            phone: Some(phone.into()),
            name: Some(name.into()),
            extra: [("a.b".to_owned(), key())].into(),
            ..peer(5)
        };
        secrets.extend(named.extra.values().cloned());
        held.put_peers(vec![named.clone()]).await;
        held.peer(Key::Phone(phone.into())).await.expect("found");
        held.peer(Key::Username("zweisteinquux".into())).await.expect("found");
        held.peer(Key::PeerName(name.into())).await.expect("found");
        held.all_peers().await;
        let wrong = v1::Peer { phone: Some(format!("+{phone}")), ..named.clone() };
        held.try_put_peers(vec![wrong]).await.expect_err("refused");
        held.try_put_peers(vec![v1::Peer { name: Some(name.repeat(99)), ..named }])
            .await
            .expect_err("refused");
        let secret = v1::Attribute { secret: true, ..attribute("m.temp", &key()) };
        secrets.push(secret.value.clone());
        held.put_attributes(vec![secret.clone()]).await;
        held.get_attributes(&["m.temp"]).await;
        let open = v1::Attribute { secret: false, ..secret };
        held.try_put_attributes(vec![open], &[]).await.expect_err("refused");
        held.list_attributes(held.list_attributes_request()).await.expect("told");

        // Sessions whole: one that goes in, one that is refused, and one that goes out.
        let locked = given(&files_at(&fixture("tdata/locked")));
        let whole = client.hold("carol").await;
        let import = |passcode: &str| v1::ImportRequest {
            passcode: passcode.into(),
            account: "1".into(),
            ..whole.import_request()
        };
        whole.try_import(import("canary-5678"), locked.clone()).await.expect_err("the wrong passcode");
        whole.try_import(import("1234"), locked).await.expect("imported");
        let desktop = whole.load().await.0.expect("there");
        secrets.extend(desktop.dcs.iter().filter_map(|dc| dc.auth.clone()));
        secrets.push(whole.token.clone());
        let export = v1::ExportRequest { lossy: true, ..whole.export_request("telethon-string") };
        let (_, files) = whole.try_export(export).await.expect("exported");
        secrets.push(files[""][100..].to_vec());

        held.advance(pts(5)).await;
        client.load("alice").await;
        client.try_hold("alice").await.err().expect("held");
        let resumed = client.resume("alice", &held.token).await.expect("resumed");
        resumed.release().await;
        client.end_hold("bob").await;
        daemon.restart().await;
        daemon.client().await.hold("alice").await;
        daemon.stop().await;

        let log = daemon.log();
        assert!(
            log.contains("alice") && log.contains("imported") && log.contains("exported"),
            "there is a log"
        );
        for text in [name, phone, &hash.to_string(), "zweisteinquux", "canary-5678"] {
            assert!(!log.to_lowercase().contains(&text.to_lowercase()), "who was met is in the log: {text}");
        }
        for secret in &secrets {
            for text in texts(secret) {
                assert!(!log.contains(&text), "a secret is in the log, as {text}");
            }
        }
    }
}

#[tokio::test]
async fn no_token_is_on_the_disk() {
    let mut daemon = Daemon::unsealed().await;
    let held = daemon.client().await.hold("alice").await;
    let session = random_session();
    held.save(session.clone()).await;
    let key = session.dcs[1].auth.clone().expect("there");
    for killed in [true, false] {
        daemon.signal(if killed { Signal::KILL } else { Signal::TERM });
        daemon.end().await;
        let mut keys = 0;
        for entry in fs::read_dir(daemon.dir()).expect("readable") {
            let bytes = fs::read(entry.expect("readable").path()).expect("readable");
            assert!(!contains(&bytes, &held.token));
            keys += usize::from(contains(&bytes, &key));
        }
        assert!(keys > 0, "what is there is found");
        daemon.start_again().await;
    }
}

/// What a part of a secret looks like in a text: as it is, in hexadecimal, in base64 wherever it begins, and as Rust and
/// Python print bytes.
fn texts(secret: &[u8]) -> Vec<String> {
    let part = &secret[8..24];
    let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut texts = vec![
        String::from_utf8_lossy(part).into_owned(),
        hex.to_uppercase(),
        hex,
        format!("{part:?}").trim_matches(['[', ']']).to_owned(),
        part.escape_ascii().to_string(),
    ];
    for begin in 0..3 {
        // Without the ends, which depend on what stands beside them.
        let text = STANDARD.encode(&secret[6 + begin..24 + begin]);
        texts.push(text.replace('+', "-").replace('/', "_"));
        texts.push(text);
    }
    texts
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
