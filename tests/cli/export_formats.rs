//! `sessiond export --to`: every library's format, what it asks for and what it refuses.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use sessiond_client::{
    Attribute, Auth, AuthKey, ChannelState, DataCenter, Peer, PeerKind, Session, UpdateState, User,
};
use sessiond_session::{
    Contents, Peers,
    formats::{self, Format, Medium, Reading, Wanting},
};
use tokio::process::Command;

use super::{
    PROGRAM, run,
    run::{Ran, text},
};
use crate::harness::{Daemon, key};

/// A session with something of everything, in the home data center 2. When a peer was seen is told, or else it would be when
/// it is stored.
pub(crate) fn everything() -> Contents {
    let dc = |id, address: &str| DataCenter {
        id,
        ipv4_addr: address.parse().ok(),
        ipv6_addr: None,
        auth: Auth::Key(AuthKey::try_from(key().as_slice()).expect("256 bytes")),
    };
    let channels = vec![ChannelState { id: 1_234_567_890, pts: 99 }];
    let user = User { id: 7, dc: 2, bot: Some(false), username: Some("alice".into()) };
    let seen = Some(1_700_000_000);
    let own = Peer {
        id: 7,
        access_hash: Some(-8),
        kind: Some(PeerKind::User),
        usernames: Some(vec!["alice".into()]),
        phone: Some("34600123456".into()),
        name: Some("Alice".into()),
        seen,
        ..Peer::default()
    };
    let group = Peer { id: -55, access_hash: Some(0), kind: Some(PeerKind::Group), seen, ..Peer::default() };
    let id = Peer::channel(1_234_567_890);
    let channel =
        Peer { id, access_hash: Some(i64::MIN), kind: Some(PeerKind::Channel), seen, ..Peer::default() };
    Contents {
        session: Session {
            dcs: vec![dc(2, "149.154.167.51:443"), dc(4, "149.154.167.91:443")],
            user: Some(user),
            state: Some(UpdateState { pts: 10, qts: 20, date: 1_700_000_000, seq: 40, channels }),
            home_dc: Some(2),
            test_mode: Some(false),
        },
        peers: [channel, group, own].into_iter().collect(),
        attributes: vec![
            Attribute::number("api_id", 12_345),
            Attribute::number("created", 1_600_000_000),
            Attribute::number("takeout_id", 77),
        ],
    }
}

/// Stores a session under a name.
pub(crate) async fn store(daemon: &Daemon, name: &str, contents: &Contents) {
    let held = daemon.sessiond_client().await.hold(name).await.expect("held");
    held.save(&contents.session).await.expect("saved");
    if !contents.peers.is_empty() {
        held.put_peers(&contents.peers.iter().collect::<Vec<_>>()).await.expect("put");
    }
    if !contents.attributes.is_empty() {
        held.put_attributes(&contents.attributes, &[] as &[&str]).await.expect("put");
    }
    held.release().await.expect("released");
}

/// What the library's own reader finds at a path.
pub(super) fn read(path: &Path, format: Format) -> Contents {
    let how = Reading { from: Some(format), passcode: None };
    let mut read = formats::read_path(path, &how).expect("readable");
    assert_eq!(read.len(), 1);
    read.remove(0).contents
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

fn written() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|format| format.is_written())
}

#[tokio::test]
async fn what_is_exported_is_the_whole_session_as_the_format_has_it_and_its_users_alone() {
    let daemon = Daemon::start().await;
    let contents = everything();
    store(&daemon, "alice", &contents).await;
    let (folder, direct) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("another"));
    for format in written() {
        let out = folder.path().join(format.name());
        let args = ["export", "alice", "--to", format.name(), "--lossy", "--json", "--out", text(&out)];
        let told = run(&daemon, &args).await.object();
        assert_eq!((&told["format"], &told["file"]), (&format.name().into(), &text(&out).into()));
        let dropped = formats::dropped(&contents, format);
        assert_eq!(told["left_behind"], serde_json::json!(dropped), "{format}");

        let expected = direct.path().join(format.name());
        formats::write(&contents, format, &Wanting::default(), &expected).expect("written");
        assert!(read(&out, format) == read(&expected, format), "{format}");
        assert!(read(&out, format).session.dc(2).expect("the home").auth.is_present(), "{format}");
        if format.medium() == Medium::Directory {
            assert_eq!(mode(&out), 0o700);
            let files = fs::read_dir(&out).expect("a directory").flatten().map(|entry| entry.path());
            files.for_each(|file| assert_eq!(mode(&file), 0o600, "{}", file.display()));
        } else {
            assert_eq!(mode(&out), 0o600, "{format}");
        }
    }
    assert_eq!(
        fs::read_dir(folder.path()).expect("there").count(),
        written().count(),
        "nothing else is left"
    );
}

#[tokio::test]
async fn what_a_format_cannot_hold_is_said_before_it_is_dropped() {
    let daemon = Daemon::start().await;
    let contents = everything();
    store(&daemon, "alice", &contents).await;
    let folder = tempfile::tempdir().expect("a directory");
    for format in written().filter(|format| !formats::dropped(&contents, *format).is_empty()) {
        let out = folder.path().join(format.name());
        let args = ["export", "alice", "--to", format.name(), "--out", text(&out)];
        let refused = run(&daemon, &args).await.refusal(73);
        assert!(refused.contains("--lossy"), "{refused}");
        for loss in formats::dropped(&contents, format) {
            assert!(refused.contains(&loss), "{format}: {loss}: {refused}");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0, "nothing was written");

    let out = folder.path().join("a");
    let args = ["export", "alice", "--to", "telethon-string", "--out", text(&out), "--lossy"];
    let told = run(&daemon, &args).await;
    assert!(told.stderr.contains("left behind: 3 peers"), "{told:?}");
    assert!(told.text().starts_with("exported alice to "));
}

#[tokio::test]
async fn what_a_format_needs_and_the_session_lacks_is_asked_for_by_its_flag() {
    let daemon = Daemon::start().await;
    let mut contents = everything();
    contents.session.user = None;
    contents.peers = Peers::default();
    contents.attributes.clear();
    store(&daemon, "alice", &contents).await;
    let folder = tempfile::tempdir().expect("a directory");
    let out = folder.path().join("a");
    let mut args = vec!["export", "alice", "--to", "pyrogram-string", "--lossy", "--out", text(&out)];
    for (flag, value) in [("--api-id", "6"), ("--user-id", "868231286072"), ("--bot", "true")] {
        let refused = run(&daemon, &args).await.refusal(64);
        assert!(refused.contains(flag), "{refused}");
        args.extend([flag, value]);
    }
    run(&daemon, &args).await.text();
    let read = read(&out, Format::PyrogramString);
    let user = read.session.user.as_ref().expect("told");
    assert_eq!((user.id, user.bot, read.number("api_id")), (868_231_286_072, Some(true), Some(6)));
}

#[tokio::test]
async fn a_flag_does_not_contradict_the_session() {
    let daemon = Daemon::start().await;
    store(&daemon, "alice", &everything()).await;
    let out = daemon.home().join("a");
    for (flag, value) in [("--api-id", "6"), ("--user-id", "8"), ("--bot", "true")] {
        let args = ["export", "alice", "--to", "mtkruto-string", "--lossy", "--out", text(&out), flag, value];
        let refused = run(&daemon, &args).await.refusal(64);
        assert!(refused.contains(flag), "{refused}");
    }
    let args =
        ["export", "alice", "--to", "mtkruto-string", "--lossy", "--out", text(&out), "--user-id", "7"];
    run(&daemon, &args).await.text();
}

#[tokio::test]
async fn a_session_without_a_key_makes_no_string() {
    let daemon = Daemon::start().await;
    let mut contents = everything();
    contents.session.dcs[0].auth = Auth::Absent;
    store(&daemon, "alice", &contents).await;
    let out = daemon.home().join("a");
    let args = ["export", "alice", "--to", "telethon-string", "--lossy", "--out", text(&out)];
    let refused = run(&daemon, &args).await.refusal(65);
    assert!(refused.contains("the key of the home data center 2"), "{refused}");
    assert!(!out.exists());
}

#[tokio::test]
async fn a_string_goes_to_the_standard_output_only_when_asked_to() {
    let daemon = Daemon::start().await;
    let contents = everything();
    store(&daemon, "alice", &contents).await;
    let args = ["export", "alice", "--to", "telethon-string", "--lossy", "--out", "-"];
    let refused = run(&daemon, &args).await.refusal(64);
    assert!(refused.contains("--show-secret"), "{refused}");

    let shown = run(&daemon, &[&args[..], &["--show-secret"]].concat()).await;
    assert_eq!(shown.stdout.lines().count(), 1, "the string alone");
    assert!(shown.stderr.contains("left behind: ") && shown.stderr.contains("exported alice"), "{shown:?}");
    assert!(!shown.stderr.contains(&shown.stdout.trim()[1..20]), "{shown:?}");
    let secret = contents.session.dcs[0].auth.key().expect("there").expose();
    let raw = URL_SAFE.decode(&shown.stdout.trim()[1..]).expect("base64");
    assert!(raw.ends_with(secret));

    let object = run(&daemon, &[&args[..], &["--show-secret", "--json"]].concat()).await.object();
    assert_eq!(object["string"], shown.stdout.trim());
}

#[tokio::test]
async fn a_file_goes_through_a_pipe_and_to_no_terminal() {
    let daemon = Daemon::start().await;
    let contents = everything();
    store(&daemon, "alice", &contents).await;
    let folder = tempfile::tempdir().expect("a directory");
    let piped = folder.path().join("piped.session");
    let line = "\"$0\" export alice --to telethon-v1 --lossy --out - --show-secret > \"$1\"";
    let mut command = in_environment_of(&daemon, "sh");
    let ran = Ran::of(command.args(["-c", line, PROGRAM]).arg(&piped)).await;
    assert!(ran.status.success(), "{ran:?}");
    assert!(read(&piped, Format::TelethonV1).session.dcs[0].auth == contents.session.dcs[0].auth);

    let terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let line = ["export", "alice", "--to", "telethon-v1", "--lossy", "--out", "-", "--show-secret"];
    let mut command = in_environment_of(&daemon, "python3");
    let ran = Ran::of(command.args(["-c", terminal, PROGRAM]).args(line)).await;
    assert_eq!(ran.status.code(), Some(64), "{ran:?}");
    assert!(ran.stdout.contains("is no text to show"), "{ran:?}");

    let args = ["export", "alice", "--to", "gramjs-store", "--lossy", "--out", "-", "--show-secret"];
    let refused = run(&daemon, &args).await.refusal(64);
    assert!(refused.contains("choose a path with --out"), "{refused}");
}

/// A program that finds the daemon as `sessiond` does.
fn in_environment_of(daemon: &Daemon, program: &str) -> Command {
    let sessiond = daemon.command(&[]);
    let environment = sessiond.as_std().get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut command = Command::new(program);
    command.env_clear().envs(environment);
    command
}

#[tokio::test]
async fn a_directory_is_made_and_never_replaced() {
    let daemon = Daemon::start().await;
    store(&daemon, "alice", &everything()).await;
    let folder = tempfile::tempdir().expect("a directory");
    let out = folder.path().join("mine");
    let args = ["export", "alice", "--to", "gramjs-store", "--lossy", "--out", text(&out)];
    run(&daemon, &args).await.text();
    // GramJS looks for a session by the name of its directory.
    assert!(out.join("mine%3AauthKey").is_file());
    let refused = run(&daemon, &[&args[..], &["--force"]].concat()).await.refusal(73);
    assert!(refused.contains("no directory is replaced"), "{refused}");
    assert!(out.join("mine%3AauthKey").is_file());

    let refused = folder.path().join("session");
    let args = ["export", "alice", "--to", "gramjs-store", "--lossy", "--out", text(&refused)];
    let told = run(&daemon, &args).await.refusal(64);
    assert!(told.contains("GramJS takes no directory of this name"), "{told}");
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1, "nothing else is left");
}

#[tokio::test]
async fn the_help_names_every_format_that_is_written() {
    let daemon = Daemon::builder().prepare();
    let help = run(&daemon, &["export", "--help"]).await.text();
    for format in Format::ALL {
        let named = help.contains(&format!("- {}:", format.name()));
        assert_eq!(named, format.is_written(), "{format}: {help}");
    }
    let line = ["export", "alice", "--to", "tdata", "--out", "x"];
    let refused = run(&daemon, &line).await;
    assert_eq!(refused.status.code(), Some(64), "{refused:?}");
}
