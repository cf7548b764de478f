//! `sessiond import`: files of all formats in one command, and one session with many peers.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use sessiond_session::{
    Attribute, Auth, AuthKey, ChannelState, Contents, DataCenter, Peer, PeerKind, Session, UpdateState, User,
    formats::{Format, Wanting, write},
};

use crate::{bench::Bench, daemon::Daemon, figure::Figure};

/// What a session among many has beside its key.
const FEW: i64 = 20;

/// The format of which the session with many peers is: names are in a table of their own.
const LARGEST: Format = Format::Kurigram;

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let (files, peers) = (bench.scale.imported_files, bench.scale.imported_peers);
    let folder = bench.scratch()?;
    let mixed = folder.path().join("mixed");
    std::fs::create_dir(&mixed)?;
    let formats: Vec<Format> = Format::ALL.into_iter().filter(|format| format.is_written()).collect();
    for (number, format) in formats.iter().cycle().take(files).enumerate() {
        save(FEW, *format, &mixed.join(format!("session-{number}")))?;
    }
    let large = folder.path().join("large");
    save(i64::try_from(peers)?, LARGEST, &large)?;

    let daemon = bench.daemon().await?;
    let what = format!("import of {files} files of {} formats, in one command", formats.len());
    let took = imported(&daemon, &mixed).await?;
    bench.take(Figure::new(format!("import.files.{files}"), what).amount(took.as_secs_f64(), "s"));
    let what = format!("import of a {LARGEST} with {peers} peers");
    let took = imported(&daemon, &large).await?;
    bench.take(Figure::new(format!("import.peers.{peers}"), what).amount(took.as_secs_f64(), "s"));
    Ok(())
}

fn save(peers: i64, format: Format, path: &Path) -> anyhow::Result<()> {
    write(&session(peers), format, &Wanting::default(), path).with_context(|| path.display().to_string())
}

/// How long the command takes, from its start to its end.
async fn imported(daemon: &Daemon, from: &Path) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let status = daemon.cli().arg("import").arg(from).status().await?;
    anyhow::ensure!(status.success(), "the import ended with {status}");
    Ok(begun.elapsed())
}

/// A session of which every format has something, with so many peers and a few channels.
fn session(peers: i64) -> Contents {
    let auth = Auth::Key(AuthKey::try_from([7; AuthKey::LEN].as_slice()).expect("as long as a key"));
    let user = User { id: 7, dc: 2, bot: Some(false), username: Some("alice".into()) };
    let channels = (1..=FEW).map(|id| ChannelState { id, pts: 99 }).collect();
    let session = Session {
        dcs: vec![DataCenter { id: 2, auth, ..DataCenter::default() }],
        user: Some(user),
        state: Some(UpdateState { pts: 10, qts: 20, date: 1_700_000_000, seq: 40, channels }),
        home_dc: Some(2),
        test_mode: None,
    };
    let attributes = vec![Attribute::number("api_id", 12_345)];
    Contents { session, peers: (1..=peers).map(peer).collect(), attributes }
}

fn peer(number: i64) -> Peer {
    Peer {
        id: 5_000_000_000 + number,
        access_hash: Some(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed())),
        kind: Some(PeerKind::User),
        bot: Some(false),
        usernames: Some(vec![format!("user{number}")]),
        phone: Some("34600123456".into()),
        name: Some("Alice and Bob".into()),
        seen: Some(1_700_000_000),
        ..Peer::default()
    }
}
