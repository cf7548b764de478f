//! What Telethon itself wrote is read with every value equal. `make test` makes its virtual environments and names their
//! directory in `SESSIOND_TEST_TELETHON`; without it these tests say that they were skipped.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader},
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use rusqlite::Connection;
use serde_json::Value;
use sessiond_session::{
    Attribute, Auth, Contents, Session, SqliteSession, Storage as _, StorageError, UpdateState, User,
    formats::{Format, Imported, Reading, Schema, read_path, telethon_v2},
};
use tempfile::TempDir;

/// How many sessions of each kind are made up.
const SEEDS: u32 = 2;

/// A version of Telethon, installed.
struct Telethon {
    python: PathBuf,
    /// Version of the files that it writes.
    format: i64,
}

/// A Python process that is told to end by the end of its input.
struct Writer {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Telethon {
    /// Every version that is installed. None: there is none, and that is said.
    fn versions() -> Option<[Self; 2]> {
        let Some(directory) = env::var_os("SESSIOND_TEST_TELETHON").map(PathBuf::from) else {
            #[expect(
                clippy::print_stderr,
                reason = "a test that did nothing must not look like one that did"
            )]
            {
                eprintln!("skipped: it needs Telethon, and `make test` runs it");
            }
            return None;
        };
        let version = |name: &str, format| {
            let python = directory.join(name).join("bin/python");
            assert!(python.exists(), "{} is not there; tests/telethon/venvs.sh makes it", python.display());
            Self { python, format }
        };
        Some([version("telethon-1.42.0", 7), version("telethon-1.45.0", 8)])
    }

    fn write(&self, case: &str, file: &Path, seed: u32) -> Writer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/telethon/write.py");
        Writer::start(Command::new(&self.python).arg(script).arg(case).arg(file).arg(seed.to_string()))
    }
}

impl Writer {
    fn start(command: &mut Command) -> Self {
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python is installed");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "the script ended without it");
        line.trim_end().to_owned()
    }

    fn facts(&mut self) -> Value {
        serde_json::from_str(&self.line()).expect("JSON")
    }

    /// Lets it end.
    fn finish(&mut self) {
        drop(self.process.stdin.take());
    }

    fn ended(mut self) {
        self.finish();
        assert!(self.process.wait().expect("it ends").success());
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.clone(), fs::read(&path).expect("read"))).collect()
}

fn imported(file: &Path, case: &str) -> Imported {
    read_path(file, &Reading::default()).expect(case).pop().expect("one")
}

fn number<T: TryFrom<i64>>(value: &Value) -> T {
    let number = value.as_i64().expect("a number");
    T::try_from(number).ok().expect("in range")
}

/// That a session is what Telethon says of its file.
fn assert_equal(imported: &Imported, facts: &Value) {
    let version = Some(number(&facts["version"]));
    assert_eq!(imported.schema(), Schema { format: Format::TelethonV1, version });
    let Imported { contents, left_behind, .. } = imported;
    let Contents { session, peers, attributes } = contents;
    let Session { dcs, user, state, home_dc, test_mode } = session;
    assert_eq!(*test_mode, None);
    if facts["dc_id"] == 0 {
        assert_eq!((dcs.as_slice(), user, home_dc), (&[][..], &None, &None));
    } else {
        let dc: i32 = number(&facts["dc_id"]);
        let [only] = dcs.as_slice() else { panic!("one data center: {dcs:?}") };
        assert_eq!((only.id, *home_dc), (dc, Some(dc)));
        let (ip, port) = match (only.ipv4_addr, only.ipv6_addr) {
            (Some(address), None) => (IpAddr::V4(*address.ip()), address.port()),
            (None, Some(address)) => (IpAddr::V6(*address.ip()), address.port()),
            both => panic!("one address: {both:?}"),
        };
        assert_eq!(
            (ip.to_string().as_str(), port),
            (facts["server_address"].as_str().expect("a text"), number(&facts["port"]))
        );
        let Auth::Key(key) = &only.auth else { panic!("a key") };
        let hexadecimal: String = key.expose().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(facts["auth_key"] == hexadecimal, "another key");
        let username = facts["username"].as_str().map(Into::into);
        let expected = (!facts["user_id"].is_null()).then(|| User {
            id: number(&facts["user_id"]),
            dc,
            bot: None,
            username,
        });
        assert_eq!(*user, expected);
    }
    assert_eq!(peers.len(), number::<usize>(&facts["entities"]));
    let is_file = |attribute: &&Attribute| attribute.key.starts_with("telethon.file/");
    assert_eq!(attributes.iter().filter(is_file).count(), number::<usize>(&facts["sent_files"]));
    assert_eq!(contents.number("takeout_id").is_some(), facts["takeout"] == true);
    assert_state(state.as_ref(), facts);
    assert_left_behind(left_behind, facts);
}

fn assert_state(state: Option<&UpdateState>, facts: &Value) {
    let channels = facts["channels"].as_array().expect("a list");
    if facts["state"].is_null() && channels.is_empty() {
        assert_eq!(state, None);
        return;
    }
    let UpdateState { pts, qts, date, seq, channels: read } = state.expect("a state");
    let counters =
        facts["state"].as_array().map_or([0; 4], |state| [0, 1, 2, 3].map(|at| number(&state[at])));
    assert_eq!([i64::from(*pts), i64::from(*qts), *date, i64::from(*seq)], counters);
    let read: Vec<_> = read.iter().map(|channel| serde_json::json!([channel.id, channel.pts])).collect();
    assert_eq!(read, *channels);
}

fn assert_left_behind(left_behind: &[String], facts: &Value) {
    let said = |what: &str| left_behind.iter().any(|sentence| sentence.contains(what));
    assert_eq!(
        said("who is logged in"),
        facts["user_id"].is_null() && facts["dc_id"] != 0,
        "{left_behind:?}"
    );
}

#[test]
fn what_telethon_wrote_is_imported_with_every_value_equal() {
    for telethon in Telethon::versions().into_iter().flatten() {
        let directory = directory();
        for case in ["plain", "ipv6", "fresh", "no-state", "no-self", "takeout"] {
            for seed in 0..SEEDS {
                let file = directory.path().join(format!("{case}{seed}.session"));
                let mut writer = telethon.write(case, &file, seed);
                let facts = writer.facts();
                writer.ended();
                assert_eq!(facts["version"], telethon.format);
                let before = contents(directory.path());
                assert_equal(&imported(&file, case), &facts);
                assert!(contents(directory.path()) == before, "nothing was written");
            }
        }
    }
}

#[test]
fn a_file_that_telethon_brought_up_to_date_is_imported_with_every_value_equal() {
    let Some([old, new]) = Telethon::versions() else { return };
    let directory = directory();
    let file = directory.path().join("a.session");
    let mut writer = old.write("plain", &file, 1);
    let mut written = writer.facts();
    writer.ended();
    let mut upgrade = new.write("upgrade", &file, 0);
    let facts = upgrade.facts();
    upgrade.ended();
    written["version"] = 8.into();
    assert_eq!(facts, written);
    assert_equal(&imported(&file, "imported"), &facts);
}

#[test]
fn a_file_that_telethon_is_writing_is_imported_as_of_its_last_commit() {
    for telethon in Telethon::versions().into_iter().flatten() {
        let directory = directory();
        let file = directory.path().join("a.session");
        let mut writer = telethon.write("open", &file, 5);
        let committed = writer.facts();
        assert_eq!(writer.line(), "open");
        let before = contents(directory.path());
        assert_eq!(before.len(), 2, "its journal is there");
        assert_equal(&imported(&file, "imported"), &committed);
        assert!(contents(directory.path()) == before, "nothing was written");

        writer.finish();
        let later = writer.facts();
        assert_ne!(later["state"], committed["state"]);
        assert_equal(&imported(&file, "imported"), &later);
        writer.ended();
    }
}

#[test]
fn a_file_whose_telethon_was_killed_while_it_wrote_is_imported_as_of_its_last_commit() {
    for telethon in Telethon::versions().into_iter().flatten() {
        let directory = directory();
        let file = directory.path().join("a.session");
        let mut writer = telethon.write("open", &file, 6);
        let committed = writer.facts();
        assert_eq!(writer.line(), "open");
        writer.process.kill().expect("killed");
        writer.process.wait().expect("dead");
        let before = contents(directory.path());
        assert_eq!(before.len(), 2, "its journal was left");
        assert_equal(&imported(&file, "imported"), &committed);
        assert!(contents(directory.path()) == before, "nothing was written");
    }
}

#[tokio::test]
async fn a_program_that_has_a_session_locked_is_named() {
    let Some([_, telethon]) = Telethon::versions() else { return };
    let directory = directory();
    let file = directory.path().join("a.session");
    telethon_v2::create(&Connection::open(&file).expect("open")).expect("tables");
    let script = "import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute('begin exclusive')
print('locked', flush=True)
sys.stdin.read()";
    let mut other = Writer::start(Command::new(&telethon.python).args(["-c", script]).arg(&file));
    assert_eq!(other.line(), "locked");

    let refused = SqliteSession::open(&file).await.expect_err("locked");
    let StorageError::InUse { openers, .. } = &refused else { panic!("{refused:?}") };
    let [opener] = openers.as_slice() else { panic!("{openers:?}") };
    assert_eq!(opener.pid, other.process.id());
    assert!(opener.program.starts_with("python"), "{opener}");
    assert!(refused.to_string().contains(&opener.to_string()), "{refused}");
    other.ended();
    assert_eq!(
        SqliteSession::open(&file).await.expect("free").load().await.expect("load"),
        Some(Session::default())
    );
}

#[tokio::test]
async fn telethon_gets_a_lock_error_from_an_open_session() {
    for telethon in Telethon::versions().into_iter().flatten() {
        let directory = directory();
        let session = SqliteSession::open(directory.path().join("a.session")).await.expect("open");
        session.save(&Session::default()).await.expect("save");
        let script = "import sqlite3, sys
from telethon.sessions import SQLiteSession
try:
    SQLiteSession(sys.argv[1])
except sqlite3.OperationalError as error:
    print(error, flush=True)";
        let mut other =
            Writer::start(Command::new(&telethon.python).args(["-c", script]).arg(session.path()));
        assert_eq!(other.line(), "database is locked");
        other.ended();
    }
}
