//! Sessions whole, through the daemon: Import and Export.

use std::{fs, path::Path};

use serde_json::json;
use sessiond_proto::{Reason, v1};
use sessiond_session::formats::{self, Files, Format, Wanting};
use tonic::{Code, Status};

use crate::{
    cli::{
        export_formats::{everything, store},
        media::{fixture, string},
        run::{run, text},
        telethon::{write_v1, write_v2},
    },
    harness::{
        Daemon, Held, attribute, expect_reason, files_at, given, key, metadata_of, peer, pts, session_of,
    },
};

on_both_engines! {
    what_a_library_keeps_is_imported_as_the_command_line_does
    an_account_of_several_is_chosen_and_a_passcode_opens_what_is_locked
    a_session_that_is_there_is_replaced_only_with_force_and_then_altogether
    only_the_holder_imports_and_exports
    what_is_exported_is_what_the_command_line_exports
}

/// A file, string or directory of several libraries.
fn sources(folder: &Path) -> Vec<(&'static str, std::path::PathBuf)> {
    let (v1, v2, text) = (folder.join("v1"), folder.join("v2"), folder.join("text"));
    write_v1(&v1, 8, &key());
    write_v2(&v2, &key());
    fs::write(&text, string("mtcute-plain")).expect("written");
    vec![
        ("telethon-v1", v1),
        ("telethon-v2", v2),
        ("mtcute-string", text),
        ("gotd", fixture("gotd.json")),
        ("gramjs-store", fixture("gramjs-store")),
    ]
}

async fn what_a_library_keeps_is_imported_as_the_command_line_does(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let folder = tempfile::tempdir().expect("a directory");
    for (format, path) in sources(folder.path()) {
        let told = run(&daemon, &["import", text(&path), "--name", "by-command", "--json"]).await.object();
        let by_command = client.hold("by-command").await;
        let held = client.hold("by-call").await;
        let answer = held.try_import(held.import_request(), given(&files_at(&path))).await.expect("imported");
        assert_eq!((answer.format.as_str(), &told["from"]), (format, &json!(format)));
        assert_eq!(json!(answer.format_version), told["version"], "{format}");
        assert_eq!(
            json!([answer.peer_count, answer.attribute_count]),
            json!([told["peers"], told["attributes"]])
        );
        assert_eq!(json!([answer.left_behind, answer.doubts]), json!([told["left_behind"], told["doubts"]]));

        let (session, revision) = held.load().await;
        assert_eq!((&session, answer.revision), (&by_command.load().await.0, revision), "{format}");
        let mut without_keys = session.expect("imported");
        without_keys.dcs.iter_mut().for_each(|dc| dc.auth = None);
        assert_eq!(answer.session, Some(without_keys), "no key is answered");
        assert_eq!(held.all_peers().await.len(), by_command.all_peers().await.len());
        for held in [held, by_command] {
            held.delete().await;
            held.release().await;
        }
    }
}

async fn an_account_of_several_is_chosen_and_a_passcode_opens_what_is_locked(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("desk").await;
    let locked = given(&files_at(&fixture("tdata/locked")));
    let request = |passcode: &str, account: &str| v1::ImportRequest {
        passcode: passcode.into(),
        account: account.into(),
        ..held.import_request()
    };
    for (first, field, word) in [
        (request("", "1"), "passcode", "none was given"),
        (request("4321", "1"), "passcode", "does not open it"),
        (request("1234", ""), "account", "the accounts 1, 3"),
        (request("1234", "2"), "account", "the accounts 1, 3"),
    ] {
        let refused = held.try_import(first, locked.clone()).await.expect_err("refused");
        expect_field(&refused, field, word);
    }
    let answer = held.try_import(request("1234", "3"), locked).await.expect("imported");
    assert_eq!((answer.format.as_str(), answer.account.as_str()), ("tdata", "3"));
    assert_eq!(answer.session.expect("there").user.expect("there").id, 8);
}

async fn a_session_that_is_there_is_replaced_only_with_force_and_then_altogether(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let before = session_of(5);
    let revision = held.save(before.clone()).await;
    held.put_peers(vec![peer(77)]).await;
    held.put_attributes(vec![v1::Attribute { secret: true, ..attribute("gotd.salt", b"old") }]).await;
    held.put_attributes(vec![attribute("other", b"old")]).await;

    let files = given(&files_at(&fixture("gotd.json")));
    let refused = held.try_import(held.import_request(), files.clone()).await.expect_err("it is there");
    expect_reason(&refused, Code::Aborted, Reason::RevisionMismatch);
    assert_eq!(metadata_of(&refused)["revision"], revision.to_string());
    assert!(refused.message().contains("force"), "{refused}");
    assert_eq!(held.load().await.0, Some(before), "nothing was changed");
    assert_eq!(held.all_peers().await.len(), 1);

    let forced = v1::ImportRequest { force: true, ..held.import_request() };
    let answer = held.try_import(forced.clone(), files.clone()).await.expect("replaced");
    assert!(answer.revision > revision);
    assert_eq!(held.load().await.0.expect("there").user, None);
    assert_eq!(held.all_peers().await.len(), 0);
    let attributes = held.list_attributes(held.list_attributes_request()).await.expect("told").attributes;
    assert_eq!(attributes.len(), usize::try_from(answer.attribute_count).expect("a count"));
    assert!(
        attributes.iter().all(|attribute| attribute.key.starts_with("gotd.") && attribute.value != b"old")
    );

    let again = held.try_import(forced, files).await.expect("replaced by the same");
    assert_eq!(again.revision, answer.revision, "nothing is new");
}

async fn only_the_holder_imports_and_exports(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let earlier = client.hold("alice").await;
    earlier.save(session_of(5)).await;
    earlier.release().await;
    let files = given(&files_at(&fixture("gotd.json")));
    let calls = async |held: &Held| -> [Status; 2] {
        let forced = v1::ImportRequest { force: true, ..held.import_request() };
        [
            held.try_import(forced, files.clone()).await.expect_err("refused"),
            held.try_export(held.export_request("telethon-v2")).await.expect_err("refused"),
        ]
    };
    let held = client.hold("alice").await;
    for refused in calls(&earlier).await {
        expect_reason(&refused, Code::FailedPrecondition, Reason::Fenced);
    }
    for (name, token) in [("bob", Vec::new()), ("carol", vec![1; 31])] {
        for refused in calls(&Held { token, ..client.hold(name).await }).await {
            expect_reason(&refused, Code::InvalidArgument, Reason::TokenRequired);
        }
    }
    let name = "../alice".to_owned();
    for refused in calls(&Held { name, ..client.hold("dave").await }).await {
        expect_reason(&refused, Code::InvalidArgument, Reason::InvalidName);
    }
    assert_eq!(held.load().await.0.expect("there").user.expect("there").id, 5, "nothing was changed");
}

#[tokio::test]
async fn what_is_no_session_is_refused_and_said() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let whole = || given(&files_at(&fixture("gotd.json")));
    let first = || held.import_request();
    let bytes = |bytes: &[u8]| vec![v1::ImportRequest { data: bytes.into(), ..Default::default() }];
    let file =
        |file: &str| vec![v1::ImportRequest { file: file.into(), data: vec![1], ..Default::default() }];
    let database = {
        let path = daemon.home().join("other.db");
        rusqlite::Connection::open(&path)
            .expect("made")
            .execute_batch("create table notes(text)")
            .expect("made");
        fs::read(path).expect("there")
    };
    for (first, rest, field, word) in [
        (first(), Vec::new(), "data", "no known format"),
        (first(), bytes(b"hello"), "data", "text of 5 characters"),
        (first(), bytes(&[0xA5; 5_000]), "data", "other data of 5000 bytes"),
        (first(), bytes(&database), "data", "its tables are notes"),
        (first(), bytes(&database[..4_000]), "data", "cannot be imported"),
        (first(), file("notes"), "data", "a directory of no known kind"),
        (first(), file("../notes"), "file", "no path"),
        (first(), [bytes(b"1"), file("a")].concat(), "file", "without a path"),
        (v1::ImportRequest { format: "gotd".into(), ..first() }, bytes(b"{}"), "data", "as a gotd session"),
        (v1::ImportRequest { format: "telethon".into(), ..first() }, whole(), "format", "there is no format"),
        (first(), vec![first()], "name", "first message alone"),
        (
            first(),
            vec![v1::ImportRequest { force: true, ..Default::default() }],
            "force",
            "first message alone",
        ),
    ] {
        expect_field(&held.try_import(first, rest).await.expect_err(word), field, word);
    }
    assert_eq!(held.load().await, (None, 0), "nothing was written");
    held.try_import(first(), whole()).await.expect("imported");
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_all_of_it_came() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let megabyte = v1::ImportRequest { data: vec![7; 1 << 20], ..Default::default() };
    let refused =
        held.try_import(held.import_request(), vec![megabyte.clone(); 80]).await.expect_err("refused");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    assert!(refused.message().contains("67108864 bytes"), "{refused}");
    let large = v1::ImportRequest { data: vec![7; 5 << 20], ..Default::default() };
    let refused = held.try_import(held.import_request(), vec![large]).await.expect_err("refused");
    expect_reason(&refused, Code::ResourceExhausted, Reason::LimitExceeded);
    // What it had is free again.
    for _ in 0..5 {
        let refused = held.try_import(held.import_request(), vec![megabyte.clone(); 63]).await;
        expect_field(&refused.expect_err("refused"), "data", "too large to be");
    }
}

#[tokio::test]
async fn an_import_that_breaks_off_leaves_nothing() {
    let daemon = Daemon::start().await;
    let held = daemon.client().await.hold("alice").await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let (mut admin, first) = (held.client.admin.clone(), held.import_request());
    let import =
        tokio::spawn(
            async move { admin.import(tokio_stream::wrappers::ReceiverStream::new(receiver)).await },
        );
    sender.send(first).await.expect("it reads");
    for part in given(&files_at(&fixture("gotd.json"))) {
        sender.send(part).await.expect("it reads");
    }
    import.abort();
    assert!(import.await.expect_err("aborted").is_cancelled());
    // Of a client that goes the daemon hears that its stream has ended, as that of one does that has sent everything.
    let unended =
        held.try_import_unended(held.import_request(), given(&files_at(&fixture("gotd.json")))).await;
    expect_field(&unended.expect_err("refused"), "last", "broken off");
    held.advance(pts(1)).await;
    assert_eq!(held.load().await.0.expect("there").dcs, [], "no key came");
}

async fn what_is_exported_is_what_the_command_line_exports(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let contents = everything();
    store(&daemon, "alice", &contents).await;
    let folder = tempfile::tempdir().expect("a directory");
    for format in Format::ALL.into_iter().filter(|format| format.is_written()) {
        let out = folder.path().join(format.name()).join("alice");
        fs::create_dir(out.parent().expect("there")).expect("made");
        let args = ["export", "alice", "--to", format.name(), "--lossy", "--json", "--out", text(&out)];
        let told = run(&daemon, &args).await.object();
        let held = daemon.client().await.hold("alice").await;
        let request = v1::ExportRequest { lossy: true, ..held.export_request(format.name()) };
        let (first, files) = held.try_export(request).await.expect("exported");
        assert_eq!(
            (json!(first.revision), json!(first.left_behind)),
            (told["revision"].clone(), told["left_behind"].clone())
        );
        assert!(files == files_at(&out), "{format}: the same bytes");

        // And back, by the name that it has.
        let held_again = daemon.client().await.hold("again").await;
        let first =
            v1::ImportRequest { format: format.name().into(), force: true, ..held_again.import_request() };
        let answer = held_again.try_import(first, given(&files)).await.expect("imported");
        assert_eq!(answer.left_behind, Vec::<String>::new());
        let stored = held_again.load().await.0.expect("there");
        let home = stored.dcs.iter().find(|dc| dc.id == 2).expect("the home");
        let key = contents.session.dcs[0].auth.key().map(|key| key.expose().to_vec());
        assert_eq!(home.auth, key, "{format}");
        for held in [held, held_again] {
            held.release().await;
        }
    }
}

#[tokio::test]
async fn a_large_session_goes_in_and_out_in_pieces() {
    let daemon = Daemon::start().await;
    let mut contents = everything();
    contents.peers = (1..=40_000)
        .map(|id| sessiond_client::Peer {
            id,
            access_hash: Some(-id),
            name: Some("x".repeat(60)),
            seen: Some(id),
            ..Default::default()
        })
        .collect();
    let format = Format::TelethonV1;
    let files: Files = formats::to_files(&contents, format, &Wanting::default(), "alice").expect("written");
    assert!(files[""].len() > 2 << 20);
    let held = daemon.client().await.hold("alice").await;
    let answer = held.try_import(held.import_request(), given(&files)).await.expect("imported");
    assert_eq!(answer.peer_count, 40_000);
    let (_, back) = held.try_export(held.export_request(format.name())).await.expect("exported");
    assert!(back == files);
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_and_said() {
    let daemon = Daemon::start().await;
    let contents = everything();
    store(&daemon, "alice", &contents).await;
    let client = daemon.client().await;
    let (held, nobody) = (client.hold("alice").await, client.hold("nobody").await);
    let lossy = |format: &str| v1::ExportRequest { lossy: true, ..held.export_request(format) };
    for (request, field, word) in [
        (held.export_request("telethon-string"), "lossy", "3 peers"),
        (lossy("telethon"), "format", "there is no format"),
        (lossy("tdata"), "format", "only read"),
        (v1::ExportRequest { api_id: Some(6), ..lossy("pyrogram") }, "api_id", "12345"),
        (v1::ExportRequest { user_id: Some(8), ..lossy("pyrogram") }, "user_id", "not 8"),
        (v1::ExportRequest { bot: Some(true), ..lossy("pyrogram") }, "bot", "false"),
        (nobody.export_request("telethon-v2"), "name", "no session nobody"),
    ] {
        expect_field(&held.try_export(request).await.expect_err(word), field, word);
    }
    // What the session lacks is asked for.
    let own = v1::User { bot: None, ..session_of(7).user.expect("there") };
    held.save(v1::Session { user: Some(own), ..session_of(7) }).await;
    held.try_delete_attributes(&["api_id"], "").await.expect("deleted");
    let mut request = lossy("pyrogram-string");
    expect_field(&held.try_export(request.clone()).await.expect_err("lacks it"), "api_id", "API id");
    request.api_id = Some(6);
    expect_field(&held.try_export(request.clone()).await.expect_err("lacks it"), "bot", "bot");
    request.bot = Some(false);
    let (first, files) = held.try_export(request).await.expect("exported");
    assert_eq!((files.len(), files[""].len()), (1, 362), "{first:?}");
}

/// Makes sure that an argument is refused, which one, and that this is said of it.
#[track_caller]
fn expect_field(refused: &Status, field: &str, word: &str) {
    expect_reason(refused, Code::InvalidArgument, Reason::InvalidSession);
    assert_eq!(metadata_of(refused).get("field").map(String::as_str), Some(field), "{refused}");
    assert!(refused.message().contains(word), "{word}: {refused}");
}
