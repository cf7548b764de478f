//! The canary: a key that is known to the test goes through everything that a daemon does, and is then looked for wherever it
//! should not be.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::memmem;
use rustix::process::geteuid;
use sessiond_proto::v1;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{UnixListener, UnixStream},
};

use crate::{
    cli::{run::run, telethon::write_v1},
    harness::{Client, Daemon, Held, attribute, given, key, pts, random_session, within},
};

/// Everything that a log may say, also that of the libraries which carry gRPC.
const LOUDEST: &str = "trace,h2=trace,hyper=trace,hyper_util=trace,tonic=trace,tower=trace";

/// A key, and what it looks like in bytes and texts.
struct Canary {
    key: Vec<u8>,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    fn new() -> Self {
        let key = key();
        let mut forms = Vec::new();
        // Several parts of it, since some of it may have been written over.
        for part in [&key[..20], &key[100..120], &key[236..]] {
            let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            forms.extend([part.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()]);
            forms.push(format!("{part:?}").trim_matches(['[', ']']).as_bytes().to_vec());
            forms.push(part.escape_ascii().to_string().into_bytes());
            for begin in 0..3 {
                // Wherever it begins, and without the end, which depends on what follows.
                let text = STANDARD.encode(&part[begin..begin + 15]);
                forms.push(text.replace('+', "-").replace('/', "_").into_bytes());
                forms.push(text.into_bytes());
            }
        }
        Self { key, forms }
    }

    /// Parts of it as they are.
    fn raw(&self) -> impl Iterator<Item = &[u8]> {
        [&self.key[..20], &self.key[100..120], &self.key[236..]].into_iter()
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(bytes, form))
    }
}

/// Between a client and the daemon: keeps every byte that the daemon sends.
struct Tap {
    socket: PathBuf,
    heard: Arc<Mutex<Vec<u8>>>,
    _directory: TempDir,
}

impl Tap {
    fn on(daemon: &Daemon) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("tap.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let (heard, upstream) = (Arc::new(Mutex::default()), daemon.socket());
        let keep: Arc<Mutex<Vec<u8>>> = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(daemon) = UnixStream::connect(&upstream).await else { continue };
                tokio::spawn(Self::pass(client, daemon, Arc::clone(&keep)));
            }
        });
        Self { socket, heard, _directory: directory }
    }

    async fn pass(client: UnixStream, daemon: UnixStream, keep: Arc<Mutex<Vec<u8>>>) {
        let ((mut from_client, mut to_client), (mut from_daemon, mut to_daemon)) =
            (client.into_split(), daemon.into_split());
        let back = tokio::spawn(async move {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(bytes @ 1..) = from_daemon.read(&mut buffer).await {
                keep.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..bytes]);
                if to_client.write_all(&buffer[..bytes]).await.is_err() {
                    return;
                }
            }
        });
        let _ = copy(&mut from_client, &mut to_daemon).await;
        drop(to_daemon);
        let _ = back.await;
    }

    fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Everything that is done with a session, by its holder: each gives an error too.
async fn everything(daemon: &Daemon, client: &Client, canary: &Canary) -> Held {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let file = elsewhere.path().join("imported.session");
    write_v1(&file, 8, &canary.key);
    run(daemon, &["import", file.to_str().expect("UTF-8")]).await.text();
    run(
        daemon,
        &["export", "imported", "--out", elsewhere.path().join("out").to_str().expect("UTF-8"), "--lossy"],
    )
    .await
    .text();

    let held = client.hold("alice").await;
    let mut session = random_session();
    session.dcs[1].auth = Some(canary.key.clone());
    held.save(session.clone()).await;
    held.merge(session.clone()).await;
    let too_long = v1::Session { dcs: vec![long_key(&session, canary)], ..session.clone() };
    client.save(held.save_request(too_long)).await.expect_err("a key of another length");
    let stale = v1::SaveRequest { expected_revision: Some(1), ..held.save_request(session.clone()) };
    client.save(stale).await.expect_err("another revision");
    let fenced = v1::SaveRequest { token: vec![1; 32], ..held.save_request(session.clone()) };
    client.save(fenced).await.expect_err("another token");
    held.put_attributes(vec![v1::Attribute { secret: true, ..attribute("m.temp", &canary.key) }]).await;
    held.get_attributes(&["m.temp"]).await;
    held.advance(pts(5)).await;
    held.load().await;
    let request = v1::ExportRequest { lossy: true, ..held.export_request("telethon-string") };
    let (_, files) = held.try_export(request).await.expect("exported");
    held.try_import(held.import_request(), given(&files)).await.expect_err("there is a session");
    let resumed = client.resume("alice", &held.token).await.expect("resumed");
    drop(held);
    resumed
}

fn long_key(session: &v1::Session, canary: &Canary) -> v1::DataCenter {
    let auth = Some([&canary.key[..], &[1]].concat());
    v1::DataCenter { auth, ..session.dcs[1].clone() }
}

/// What somebody does who holds nothing.
async fn look(viewer: &Client) {
    viewer.load("alice").await;
    viewer.list(v1::ListRequest::default()).await.expect("told");
    viewer.info().await;
    viewer.try_hold("alice").await.err().expect("held");
    viewer.try_load("alice", &[1; 32]).await.expect_err("another token");
    let mut watch = viewer.watch_all().await;
    watch.begin().await;
}

/// The files below a directory, and those that the daemon has open, by where they are.
fn files(daemon: &Daemon) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    below(daemon.home(), &mut files);
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid()));
    for entry in open.into_iter().flatten().flatten() {
        // Also those that have no name any more. What is no file has nothing to be read.
        let is_file = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file());
        if is_file && let (Ok(name), Ok(bytes)) = (fs::read_link(entry.path()), fs::read(entry.path())) {
            files.insert(name.display().to_string(), bytes);
        }
    }
    files
}

fn below(directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            below(&path, files);
        } else if path.is_file()
            // A journal may be gone by now.
            && let Ok(bytes) = fs::read(&path)
        {
            files.insert(path.display().to_string(), bytes);
        }
    }
}

/// Whether this is where sessions are kept: keys are there, unless they are sealed.
fn is_kept_in(path: &str) -> bool {
    path.contains("/sessiond.db") || path.contains(".session")
}

/// The daemon seals keys wherever it writes them.
async fn is_sealing(daemon: &Daemon) -> bool {
    run(daemon, &["serve", "--help"]).await.text().contains("--seal")
}

/// The parts of a process's memory that have the canary, as it is, but for threads' stacks: what a function leaves there stays
/// until another one is called as deep (SECURITY.md). `None`: they may not be read.
fn memory_with(canary: &Canary, pid: u32) -> Option<Vec<String>> {
    if !geteuid().is_root() {
        return None;
    }
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let has_it = |region: &str| is_in_region(canary, &memory, region).unwrap_or(false);
    let regions = maps.lines().scan("", |before, region| {
        let is_stack = region.ends_with("[stack]") || is_guard_of(before, region);
        *before = region;
        Some((region, is_stack))
    });
    let heap = regions.filter(|(_, is_stack)| !is_stack).map(|(region, _)| region);
    Some(heap.filter(|region| has_it(region)).map(str::to_owned).collect())
}

/// Whether a part of memory is the page below a thread's stack that catches its overflow.
fn is_guard_of(guard: &str, stack: &str) -> bool {
    let end = guard.split([' ', '-']).nth(1);
    guard.contains(" ---p ") && end.is_some() && end == stack.split('-').next()
}

/// A part that cannot be read is none that has been written to: [vvar] and the like.
fn is_in_region(canary: &Canary, memory: &File, region: &str) -> io::Result<bool> {
    let (begin, end) = region.split(' ').next().and_then(|range| range.split_once('-')).unwrap_or_default();
    let number = |text| u64::from_str_radix(text, 16).map_err(io::Error::other);
    let (mut at, end) = (number(begin)?, number(end)?);
    let (mut piece, nothing) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    while at < end {
        let bytes = memory.read_at(&mut piece, at)?;
        if bytes == 0 {
            break;
        }
        // Most of it was never used.
        if piece[..bytes] != nothing[..bytes] && canary.raw().any(|part| contains(&piece[..bytes], part)) {
            return Ok(true);
        }
        at += bytes as u64;
    }
    Ok(false)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memmem::find(bytes, part).is_some()
}

#[tokio::test]
async fn a_key_is_nowhere_but_with_its_holder() {
    let canary = Canary::new();
    let mut daemon = Daemon::builder().variable("SESSIOND_LOG", LOUDEST).start().await;
    let tap = Tap::on(&daemon);
    let viewer = within(Client::connect(&tap.socket)).await;
    let mut watch = viewer.watch_all().await;
    watch.begin().await;
    let client = daemon.client().await;
    let held = everything(&daemon, &client, &canary).await;
    look(&viewer).await;
    let open = files(&daemon);
    daemon.kill().await;
    daemon.start_again().await;
    let viewer = within(Client::connect(&tap.socket)).await;
    look(&viewer).await;
    let client = daemon.client().await;
    let resumed = client.resume("alice", &held.token).await.expect("resumed");
    resumed.load().await;
    let after = files(&daemon);
    resumed.release().await;
    daemon.stop().await;

    let sealing = is_sealing(&daemon).await;
    let mut stored = 0;
    let mut left = BTreeMap::new();
    below(daemon.home(), &mut left);
    for (path, bytes) in open.iter().chain(&after).chain(&left) {
        let has_it = canary.is_in(bytes);
        stored += usize::from(has_it && is_kept_in(path));
        assert!(!has_it || (is_kept_in(path) && !sealing), "the key is in {path}");
    }
    assert!(sealing || stored > 0, "what is there is found");
    assert!(
        left.keys().any(|path| path.ends_with("/log"))
            && left.keys().any(|path| path.ends_with("/audit.jsonl"))
    );
    let heard = tap.heard();
    assert!(contains(&heard, b"alice"), "what is told is heard");
    assert!(!canary.is_in(&heard), "somebody was told the key who held nothing");
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was not looked at")]
async fn a_key_is_not_in_the_daemons_memory_when_nobody_holds_its_session_any_more() {
    let canary = Canary::new();
    let daemon = Daemon::start().await;
    let client = daemon.client().await;
    let held = everything(&daemon, &client, &canary).await;
    let Some(while_held) = memory_with(&canary, daemon.pid()) else {
        eprintln!("skipped: only root can look into the daemon's memory");
        return;
    };
    assert!(!while_held.is_empty(), "what is there is found");
    held.release().await;
    drop((held, client));
    if !is_sealing(&daemon).await {
        eprintln!("skipped: SQLite has keys in memory of its own as long as they are not sealed");
        return;
    }
    // Connections end, and what had the key is freed, a moment later.
    let clean = async {
        let mut looks = tokio::time::interval(Duration::from_millis(200));
        loop {
            looks.tick().await;
            let found = memory_with(&canary, daemon.pid()).expect("it could be read before");
            if found.is_empty() {
                return;
            }
            eprintln!("the key is still in {found:#?}");
        }
    };
    within(clean).await;
}
