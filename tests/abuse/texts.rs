//! What clients call themselves and things: it steers no terminal, begins no line of the log, and leaves no directory.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt as _};

use sessiond_proto::v1;
use tokio::process::Command;

use crate::harness::{Client, Daemon, attribute, pts, within};

/// What a text may try: colours, a title, the beginning of a line, a line of the log, another direction, the end of a string.
const HOSTILE: [&str; 7] = [
    "\u{1b}[31mred",
    "\u{1b}]0;title\u{7}",
    "a\r\nb",
    "x\n2026-11-24T00:00:00.000000Z  INFO sessiond_server::holds: granted session=eve",
    "\u{9b}31m",
    "a\u{0}b",
    "../../etc/passwd",
];

/// Says each of them wherever a text can be said. All of it may be refused.
async fn say_everywhere(client: &Client, text: &str) {
    let (name, token) = (text.to_owned(), vec![7; 32]);
    let _ = client.try_load(&name, &[]).await;
    let _ = client.try_load(&name, &token).await;
    let _ = client.try_hold(&name).await;
    let label = v1::HoldRequest { name: "alice".into(), label: text.into(), ..Default::default() };
    if let Ok(mut stream) = client.ask_to_hold(label).await {
        let _ = stream.next().await;
    }
    let request_id = text.into();
    let save = v1::SaveRequest { name: name.clone(), token: token.clone(), request_id, ..Default::default() };
    let _ = client.save(save).await;
    let change = Some(pts(1));
    let advance =
        v1::AdvanceRequest { name: name.clone(), token: token.clone(), change, ..Default::default() };
    let _ = client.advance(advance).await;
    let list = v1::ListRequest { page_token: text.into(), name_prefix: text.into(), ..Default::default() };
    let _ = client.list(list).await;
    let (names, store_id) = (vec![name.clone()], text.into());
    let _ = client.try_watch(v1::WatchRequest { names, store_id, ..Default::default() }).await;
    let _ = client.settle_mirror(&name, v1::MirrorAction::Write).await;
    let end = v1::EndHoldRequest { name: name.clone() };
    let _ = client.admin.clone().end_hold(end).await;
    let export = v1::ExportRequest {
        name: "alice".into(),
        token: token.clone(),
        format: text.into(),
        ..Default::default()
    };
    let _ = client.admin.clone().export(export).await;
    let import =
        v1::ImportRequest { file: text.into(), account: text.into(), last: true, ..Default::default() };
    let import =
        v1::ImportRequest { name: "alice".into(), token: token.clone(), format: text.into(), ..import };
    let _ = client.admin.clone().import(tokio_stream::once(import)).await;
    let attributes = vec![attribute(text, b"x")];
    let put = v1::PutAttributesRequest { name: "alice".into(), token, attributes, ..Default::default() };
    let _ = client.attributes().put_attributes(put).await;
}

/// Neither escapes nor lines that are not the log's own.
fn check_log(log: &str) {
    assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "{log:?}");
    for line in log.lines() {
        assert!(
            line.starts_with("20") && !line.contains("  INFO sessiond_server::holds: granted session=eve"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn no_text_of_a_client_escapes_into_the_log_or_the_directory() {
    for format in ["text", "json"] {
        let daemon = Daemon::builder();
        let daemon =
            daemon.variable("SESSIOND_LOG", "trace").arg(format!("--log-format={format}")).start().await;
        let client = daemon.client().await;
        for text in HOSTILE {
            say_everywhere(&client, text).await;
        }
        let log = daemon.log();
        if format == "text" {
            check_log(&log);
        } else {
            assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "{log:?}");
            assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
        }
        let files =
            fs::read_dir(daemon.dir()).expect("there").map(|file| file.expect("readable").file_name());
        let strange = files.filter(|file| {
            let known = ["sessiond.", "audit.", "alice."];
            !file.to_str().is_some_and(|file| known.iter().any(|known| file.starts_with(known)))
        });
        assert_eq!(strange.collect::<Vec<_>>(), Vec::<std::ffi::OsString>::new());
    }
}

#[tokio::test]
async fn a_programs_path_escapes_neither_into_the_log_nor_onto_a_terminal() {
    let daemon = Daemon::builder().variable("SESSIOND_LOG", "debug").start().await;
    let directory = daemon.home().join(OsStr::from_bytes(b"a\x1b[31m\nb\xff\xc2\x9b"));
    fs::create_dir(&directory).expect("made");
    let program = directory.join("sleep");
    fs::copy(env!("CARGO_BIN_EXE_sessiond"), &program).expect("copied");
    let mut holder = Command::new(&program);
    holder.args(["hold", "alice", "--", "cat"]).env("SESSIOND_SOCKET", daemon.socket());
    holder.stdin(std::process::Stdio::piped()).kill_on_drop(true);
    let _holder = holder.spawn().expect("started");
    let client = daemon.client().await;
    let held = within(async {
        loop {
            if let Some(holder) = client.load("alice").await.holder {
                return holder;
            }
        }
    })
    .await;
    assert!(held.executable.ends_with("/sleep") && !held.executable.contains(char::is_control), "{held:?}");
    for args in [&["ls"][..], &["ls", "--json"], &["end-hold", "alice"]] {
        let output = within(daemon.command(args).output()).await.expect("started");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
        assert!(said.lines().count() < 4, "{said}");
    }
    check_log(&daemon.log());
}
