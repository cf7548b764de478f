//! `sessiond import` of whatever sessions are kept in: files, strings, directories.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::{Value, json};
use sessiond_proto::v1;

use super::{
    run,
    run::{Ran, run_on, text},
    telethon::{write_v1, write_v2},
};
use crate::harness::{Daemon, attribute, key, peer};

/// Id of the key of most fixtures, the bytes 0 to 255: what its SHA-1 ends with.
pub(super) const FIXTURE_KEY_ID: &str = "32d1586ea457dfc8";

/// What libraries wrote.
pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../session/tests/fixtures").join(name)
}

/// A session string that a library wrote.
pub(super) fn string(name: &str) -> String {
    let strings = fs::read_to_string(fixture("strings.txt")).expect("there");
    let line = strings.lines().find_map(|line| line.strip_prefix(name)).expect("it is one of them");
    line.trim().to_owned()
}

/// Everything below a path, with its bytes and when it was changed.
pub(super) fn image(path: &Path) -> BTreeMap<PathBuf, (Option<Vec<u8>>, SystemTime)> {
    let changed = path.metadata().and_then(|metadata| metadata.modified()).expect("there");
    if path.is_file() {
        return [(path.to_owned(), (Some(fs::read(path).expect("readable")), changed))].into();
    }
    let entries = fs::read_dir(path).expect("readable").map(|entry| image(&entry.expect("readable").path()));
    entries.flatten().chain([(path.to_owned(), (None, changed))]).collect()
}

/// A file of grammers 0.7, in TL, with one data center whose address nobody knows.
fn write_grammers_tl(path: &Path) {
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let mut bytes = words(&[0xa73e_b8ce, 3, 0x1cb5_c415, 1, 0x756d_16b6, 7, 9]);
    bytes.extend([1, 2, 3, 4]);
    bytes.extend(0x2001_067c_04e8_f002_0000_0000_0000_000a_u128.to_be_bytes());
    bytes.extend(words(&[443]));
    bytes.extend([254, 0, 1, 0]);
    bytes.extend(key());
    bytes.extend(words(&[0x672f_428d, 7, 0, 9, 0x9972_75b5]));
    bytes.extend(words(&[0xd0ca_dcc1, 10, 20, 1_700_000_000, 40, 0x1cb5_c415, 0]));
    fs::write(path, bytes).expect("written");
}

#[tokio::test]
async fn what_a_session_is_kept_in_is_told_and_not_changed() {
    let daemon = Daemon::start().await;
    let (database, string_file) = (daemon.home().join("db.session"), daemon.home().join("string.txt"));
    write_v1(&database, 8, &key());
    fs::write(&string_file, format!("{}\n", string("mtcute-plain"))).expect("written");
    let sources = [
        (database, "telethon-v1", 1),
        (string_file, "mtcute-string", 0),
        (fixture("gotd.json"), "gotd", 0),
        (fixture("gramjs-store"), "gramjs-store", 4),
    ];
    let client = daemon.client().await;
    for (source, format, peers) in sources {
        let before = image(&source);
        let imported = run(&daemon, &["import", text(&source), "--json"]).await.object();
        assert_eq!((&imported["from"], &imported["peers"]), (&json!(format), &json!(peers)), "{imported}");
        assert_eq!(imported["source"], json!(text(&source)));
        assert_eq!(image(&source), before, "{format}: it is not changed");
        let name = imported["name"].as_str().expect("a name");
        let held = client.hold(name).await;
        assert_eq!(held.all_peers().await.len(), peers, "{format}");
        assert!(held.session.as_ref().expect("imported").dcs.iter().any(|dc| dc.has_auth), "{format}");
        held.release().await;
    }
    let shown = run(&daemon, &["attrs", "gotd", "--json"]).await.objects();
    assert!(shown.iter().any(|attribute| attribute["key"] == json!("gotd.salt")), "{shown:?}");
}

#[tokio::test]
async fn a_string_comes_on_the_standard_input_and_is_not_shown() {
    let daemon = Daemon::start().await;
    let secret = string("gramjs-ordinary");
    let args = ["import", "-", "--name", "alice"];
    let told = run_on(&daemon, &args, secret.as_bytes()).await.text();
    assert!(told.starts_with("imported alice from a GramJS string: nobody logged in, home DC"), "{told}");
    assert!(told.contains("\nwho is logged in is not told: `sessiond set-user alice --id ID`"), "{told}");
    assert!(!told.contains(&secret[20..60]), "{told}");
    let imported =
        run_on(&daemon, &[&args[..], &["--force", "--json"]].concat(), secret.as_bytes()).await.object();
    assert_eq!(imported["keys"][0]["auth_key_id"], json!(FIXTURE_KEY_ID));
    assert!(!imported.to_string().contains(&secret[20..60]));

    // As an argument all users of the host would see it. It is not repeated.
    for command in ["import", "inspect"] {
        let refused = run(&daemon, &[command, &secret]).await.refusal(64);
        assert!(refused.contains("standard input") && !refused.contains(&secret[20..60]), "{refused}");
    }
}

#[tokio::test]
async fn each_account_of_telegram_desktop_has_a_name_of_its_own() {
    let daemon = Daemon::start().await;
    let source = fixture("tdata/open");
    let before = image(&source);
    let imported = run(&daemon, &["import", text(&source), "--name", "desk", "--json"]).await.objects();
    let accounts: Vec<_> = imported.iter().map(|one| (&one["name"], &one["session"]["user"]["id"])).collect();
    let expected = [(&json!("desk-1"), &json!(7_000_000_001_i64)), (&json!("desk-3"), &json!(8))];
    assert_eq!(accounts, expected);
    assert_eq!(image(&source), before, "it is not changed");
    // Of several what goes goes.
    run(&daemon, &["rm", "desk-3"]).await.text();
    let again = run(&daemon, &["import", text(&source), "--name", "desk"]).await;
    assert_eq!(again.status.code(), Some(73), "{again:?}");
    assert!(again.stderr.contains("there is a session desk-1"), "{again:?}");
}

#[tokio::test]
async fn a_passcode_opens_what_is_locked_and_is_not_shown() {
    let daemon = Daemon::start().await;
    let source = fixture("tdata/locked");
    let args = ["import", text(&source), "--json"];
    let refused = run(&daemon, &args).await.refusal(65);
    assert!(refused.contains("--passcode"), "{refused}");
    let wrong = Ran::of(daemon.command(&args).env("SESSIOND_PASSCODE", "canary-5678")).await.refusal(65);
    assert!(wrong.contains("does not open it") && !wrong.contains("canary"), "{wrong}");
    let opened = Ran::of(daemon.command(&args).env("SESSIOND_PASSCODE", "1234")).await.objects();
    assert!(opened.len() == 2 && opened[0]["name"] == json!("locked-1"), "{opened:?}");
    let help =
        Ran::of(daemon.command(&["import", "--help"]).env("SESSIOND_PASSCODE", "canary-5678")).await.text();
    assert!(help.contains("SESSIOND_PASSCODE") && !help.contains("canary"), "{help}");
    // What is not locked opens whatever the variable says.
    for source in [source, fixture("tdata/open")] {
        let args = ["inspect", text(&source)];
        let shown = Ran::of(daemon.command(&args).env("SESSIOND_PASSCODE", "1234")).await.text();
        assert!(shown.contains("7000000001"), "{shown}");
    }
}

#[tokio::test]
async fn what_is_doubtful_is_said_and_what_it_is_may_be_told() {
    let daemon = Daemon::start().await;
    let file = daemon.home().join("old.session");
    write_grammers_tl(&file);
    let told = run(&daemon, &["import", text(&file)]).await.text();
    assert!(told.contains("\nin doubt: ") && told.contains("--from grammers-tl-0.8"), "{told}");
    let imported = run(&daemon, &["import", text(&file), "--force", "--json"]).await.object();
    assert!(imported["doubt"].is_string(), "{imported}");

    let from = |format| ["import", text(&file), "--name", "other", "--from", format];
    let told = run(&daemon, &from("grammers-tl-0.8")).await.text();
    assert!(told.contains("grammers file of 0.8") && !told.contains("in doubt"), "{told}");
    let refused = run(&daemon, &from("gotd")).await.refusal(65);
    assert!(refused.contains("as a gotd session"), "{refused}");
    let unknown = run(&daemon, &from("no-such-format")).await;
    assert_eq!(unknown.status.code(), Some(64), "{unknown:?}");
    assert!(unknown.stderr.contains("telethon-v1") && unknown.stderr.contains("tdata"), "{unknown:?}");
}

#[tokio::test]
async fn with_a_session_its_earlier_peers_and_attributes_are_replaced() {
    let daemon = Daemon::start().await;
    let (old, new) = (daemon.home().join("old.session"), daemon.home().join("new.session"));
    write_v1(&old, 8, &key());
    write_v2(&new, &key());
    let as_alice = ["import", text(&new), "--name", "alice"];
    run(&daemon, &["import", text(&old), "--name", "alice"]).await.text();
    let client = daemon.client().await;
    let held = client.hold("alice").await;
    assert_eq!(held.all_peers().await.len(), 1);
    let secret = v1::Attribute { secret: true, ..attribute("m.temp/2", b"hush") };
    held.put_peers(vec![peer(-8)]).await;
    held.put_attributes(vec![secret, attribute("gotd.config", b"{}")]).await;
    held.release().await;

    run(&daemon, &as_alice).await.refusal(73);
    let held = client.hold("alice").await;
    assert_eq!(held.all_peers().await.len(), 2, "what was refused changed nothing");
    held.release().await;

    run(&daemon, &[&as_alice[..], &["--force"]].concat()).await.text();
    let held = client.hold("alice").await;
    assert!(held.all_peers().await.is_empty());
    assert!(held.get_attributes(&["m.temp/2", "gotd.config"]).await.is_empty());
}

/// The files that were refused, as programs are told: each with a reason.
fn refused_files(ran: &Ran) -> Vec<String> {
    let objects = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let refused = objects.filter(|object| object["error"].as_str().is_some_and(|error| !error.is_empty()));
    let source = |object: Value| object["source"].as_str().expect("a path").to_owned();
    refused.map(source).map(|path| path.rsplit('/').next().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn a_directory_of_files_is_imported_past_those_that_are_none() {
    let daemon = Daemon::start().await;
    let directory = daemon.home().join("sessions");
    fs::create_dir(&directory).expect("made");
    let path = |name: &str| directory.join(name);
    write_v1(&path("anna.session"), 8, &key());
    write_v2(&path("bob.session"), &key());
    fs::write(path("carl.txt"), string("mtcute-plain")).expect("written");
    fs::copy(fixture("gotd.json"), path("dora.json")).expect("copied");
    fs::write(path("anna.txt"), string("gramjs-short")).expect("written");
    fs::write(path("bad.session"), "hello").expect("written");
    fs::write(path("my bot.txt"), string("gramjs-short")).expect("written");
    fs::write(path("gone.session-journal"), "").expect("written");
    fs::write(path(".hidden"), "").expect("written");
    fs::create_dir(path("store")).expect("made");
    for (file, (bytes, _)) in image(&fixture("gramjs-store")) {
        if let Some(bytes) = bytes {
            fs::write(path("store").join(file.file_name().expect("a name")), bytes).expect("written");
        }
    }
    let before = image(&directory);

    let shown = run(&daemon, &["inspect", text(&directory)]).await;
    assert_eq!(shown.status.code(), Some(65), "{shown:?}");
    assert_eq!((shown.stdout.lines().count(), shown.stderr.lines().count()), (8, 1), "{shown:?}");

    let ran = run(&daemon, &["import", text(&directory)]).await;
    assert_eq!(ran.status.code(), Some(73), "that of the first that was refused: {ran:?}");
    for name in ["anna", "bob", "carl", "dora", "store"] {
        assert!(ran.stdout.contains(&format!("imported {name} from a ")), "{name}: {ran:?}");
    }
    let refused: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(refused.len(), 4, "{ran:?}");
    assert!(
        refused[0].contains("anna.txt: ") && refused[0].contains("anna.session has the same name"),
        "{ran:?}"
    );
    assert!(refused[1].contains("bad.session cannot be imported: "), "{ran:?}");
    assert!(refused[2].contains("my bot.txt: ") && refused[2].contains("--name"), "{ran:?}");
    assert_eq!(refused[3], "5 sessions imported, 3 refused");
    assert_eq!(image(&directory), before, "nothing in it is changed");

    // Again: all are there.
    let again = run(&daemon, &["import", text(&directory), "--json"]).await;
    assert!(again.stderr.contains("0 sessions imported, 8 refused"), "{again:?}");
    assert_eq!(refused_files(&again).len(), 8, "{again:?}");
    let forced = run(&daemon, &["import", text(&directory), "--json", "--force"]).await;
    assert_eq!(forced.stdout.lines().count(), 8, "{forced:?}");
    assert_eq!(refused_files(&forced), ["anna.txt", "bad.session", "my bot.txt"], "programs are told, too");
    let shown = run(&daemon, &["inspect", text(&directory), "--json"]).await;
    assert_eq!(refused_files(&shown), ["bad.session"]);
    let refused = run(&daemon, &["import", text(&directory), "--name", "x"]).await.refusal(64);
    assert!(refused.contains("--name"), "{refused}");
    fs::create_dir(path("empty")).expect("made");
    run(&daemon, &["import", text(&path("empty"))]).await.refusal(66);
}
