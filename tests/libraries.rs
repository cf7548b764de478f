//! What libraries keep, through the daemon and out again: every cell of tests/formats/matrix.json that a library writes. The
//! same libraries are driven by `session/tests/libraries/`, without a daemon in between.

#[path = "../session/tests/libraries/cell.rs"]
mod cell;
#[path = "../session/tests/libraries/contents.rs"]
#[expect(dead_code, reason = "nothing is made of JSON here")]
mod contents;
#[path = "../session/tests/libraries/differences.rs"]
mod differences;

use std::{collections::HashSet, fs, path::Path};

use cell::Cell;
use differences::differences;
use serde_json::{Map, Value, json};
use sessiond_client::{Client, Export, Files, Hold};
use sessiond_session::{
    Contents,
    formats::{self, Format, Reading, Wanting},
};

use crate::harness::{Daemon, files_at};

/// Another than those of the tests without a daemon.
const SEED: u32 = 11;

/// How the addresses of Telegram's data centers begin.
const KNOWN_IPV6: [&str; 2] = ["2001:b28:", "2001:67c:4e8:"];

/// A session that a library wrote and the daemon has.
struct Stored {
    name: String,
    cell: Cell,
    /// What the library was given.
    given: Value,
    /// What the library itself reads of it. `None`: it has several accounts.
    seen: Option<Value>,
    /// As it was read without a daemon.
    contents: Contents,
    format: Format,
}

#[tokio::test]
async fn what_libraries_wrote_outlasts_a_restart_and_is_read_by_them_and_in_every_other_format() {
    let Some(libraries) = cell::libraries() else {
        #[expect(clippy::print_stderr, reason = "a test that did nothing must not look like one that did")]
        {
            eprintln!("skipped: it needs other libraries, and `make test` runs it");
        }
        return;
    };
    let mut daemon = Daemon::unsealed().await;
    let client = daemon.sessiond_client().await;
    let mut stored = Vec::new();
    for cell in cell::matrix().into_iter().filter(|cell| cell.writes) {
        stored.extend(store(&client, cell.at(&libraries), stored.len()).await);
    }
    daemon.restart().await;
    let (mut faults, abilities) = (Vec::new(), abilities());
    for stored in &stored {
        let hold = client.hold(&stored.name).await.expect("granted");
        let found = match stored.cell.reads && stored.format.is_written() {
            true => same(&hold, stored).await,
            false => Vec::new(),
        };
        let found = found.into_iter().chain(others(&hold, stored, &abilities).await);
        let Cell { library, version, format, .. } = &stored.cell;
        faults.extend(found.map(|fault| format!("{format} of {library} {version}: {fault}")));
        hold.release().await.expect("released");
    }
    assert!(stored.len() >= cell::matrix().iter().filter(|cell| cell.writes).count());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Has a library write a session, and the daemon import it: each of its accounts.
async fn store(client: &Client, cell: Cell, number: usize) -> Vec<Stored> {
    let folder = tempfile::tempdir().expect("a directory");
    let path = cell.path(folder.path());
    let given = cell.made_up(SEED, "write");
    cell.write(&path, &given);
    let files = files_at(&path);
    let passcode = given["passcode"].as_str();
    let read = formats::read_files(&files, &Reading { from: None, passcode }).expect("a session");
    let mut stored = Vec::new();
    for (index, mut imported) in read.into_iter().enumerate() {
        imported.settle();
        let name = format!("s{number}-{index}");
        let hold = client.hold(&name).await.expect("granted");
        let mut import = hold.import_files(files.clone()).passcode(passcode.unwrap_or_default());
        if let Some(account) = &imported.account {
            import = import.account(account);
        }
        import.await.expect("imported");
        hold.release().await.expect("released");
        let several = given.get("accounts");
        stored.push(Stored {
            name,
            given: several.map_or(&given, |accounts| &accounts[index]).clone(),
            seen: several.is_none().then(|| cell.read(&path).expect("it reads what it wrote")),
            cell: cell.clone(),
            contents: imported.contents,
            format: imported.format,
        });
    }
    stored
}

/// In the format that the library wrote, the library sees what it saw before.
async fn same(hold: &Hold, stored: &Stored) -> Vec<String> {
    let format = stored.cell.exports[0];
    let exported = match export(hold, format, &stored.cell.wanting).await {
        Ok(files) => files,
        Err(error) => return vec![error.to_string()],
    };
    let folder = tempfile::tempdir().expect("a directory");
    let path = put(&exported, folder.path(), stored);
    let seen = match stored.cell.read(&path) {
        Ok(seen) => seen,
        Err(fault) => return vec![fault],
    };
    let before = stored.seen.as_ref().expect("it has one account");
    let expected = [&stored.given, before].map(without_known_ipv6);
    let found = expected.iter().flat_map(|expected| differences(expected, &seen));
    found.map(|fault| format!("read by the library again: {fault}")).collect()
}

/// The same without Telegram's own IPv6 addresses where there is no other: a format that has one address is written with the
/// IPv4 address of the same data center (docs/formats.md).
fn without_known_ipv6(contents: &Value) -> Value {
    let mut contents = contents.clone();
    for dc in contents["session"]["dcs"].as_array_mut().expect("an array") {
        let is_known = dc["ipv6_addr"]
            .as_str()
            .is_some_and(|address| KNOWN_IPV6.iter().any(|net| address.starts_with(net)));
        if is_known && dc.get("ipv4_addr").is_none_or(Value::is_null) {
            dc.as_object_mut().expect("an object").remove("ipv6_addr");
        }
    }
    contents
}

/// In every other format is what a session that was never in a daemon is written as, and in that what both can hold.
async fn others(hold: &Hold, stored: &Stored, abilities: &[(Format, Value)]) -> Vec<String> {
    let (mut faults, wanting) = (Vec::new(), lacking(&stored.contents));
    for format in Format::ALL.into_iter().filter(|format| format.is_written()) {
        let files = match asked(hold, format, &wanting).lossy().await {
            Ok(exported) => exported.files,
            Err(error) => {
                faults.push(format!("as {}: {error}", format.name()));
                continue;
            }
        };
        let direct = formats::to_files(&stored.contents, format, &wanting, &stored.name).expect("written");
        if files != direct {
            faults.push(format!("as {}: it is not what is written without a daemon", format.name()));
        }
        let how = Reading { from: Some(format), passcode: None };
        let read = formats::read_files(&files, &how).expect("readable").remove(0);
        let seen = contents::to_json(&read.contents);
        for (_, can) in abilities.iter().filter(|(able, _)| *able == format) {
            let (given, seen) = held_by(can, &stored.given, &seen);
            let found = differences(&given, &seen);
            faults.extend(found.into_iter().map(|fault| format!("as {}: {fault}", format.name())));
        }
    }
    faults
}

async fn export(hold: &Hold, format: Format, wanting: &Wanting) -> Result<Files, sessiond_client::Error> {
    asked(hold, format, wanting).await.map(|exported| exported.files)
}

fn asked(hold: &Hold, format: Format, wanting: &Wanting) -> Export {
    let Wanting { api_id, user_id, bot } = *wanting;
    let mut export = hold.export(format);
    if let Some(id) = api_id {
        export = export.api_id(id);
    }
    if let Some(id) = user_id {
        export = export.user_id(id);
    }
    if let Some(bot) = bot {
        export = export.bot(bot);
    }
    export
}

/// What a caller adds, whatever the format is.
fn lacking(contents: &Contents) -> Wanting {
    let user = contents.session.user.as_ref();
    Wanting {
        api_id: contents.number("api_id").is_none().then_some(1),
        user_id: user.is_none().then_some(1),
        bot: user.and_then(|user| user.bot).is_none().then_some(false),
    }
}

/// Puts files where a library looks for them. A directory has to be called as the session was.
fn put(files: &Files, folder: &Path, stored: &Stored) -> std::path::PathBuf {
    if let Some(bytes) = files.get("") {
        let path = stored.cell.path(folder);
        fs::write(&path, bytes).expect("written");
        return path;
    }
    let path = folder.join(&stored.name);
    fs::create_dir(&path).expect("made");
    for (name, bytes) in files {
        fs::write(path.join(name), bytes).expect("written");
    }
    path
}

/// What each format that is written can hold, as the matrix says it of the libraries that have it.
fn abilities() -> Vec<(Format, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/formats/matrix.json");
    let matrix: Value = serde_json::from_str(&fs::read_to_string(path).expect("there")).expect("JSON");
    let cells = matrix["cells"].as_array().expect("an array");
    let of_cell = |(cell, can): (Cell, &Value)| {
        cell.exports.into_iter().map(|format| (format, can.clone())).collect::<Vec<_>>()
    };
    cell::matrix().into_iter().zip(cells).flat_map(of_cell).collect()
}

/// Of what was given and of what is seen, that which a library can hold.
fn held_by(can: &Value, given: &Value, seen: &Value) -> (Value, Value) {
    let session = &given["session"];
    let mut held = Map::new();
    let home = &session["home_dc"];
    let is_kept = |dc: &&Value| can["all_dcs"] == true || dc["id"] == *home;
    let dcs = session["dcs"].as_array().into_iter().flatten().filter(is_kept);
    let dcs: Vec<Value> = dcs.map(|dc| json!({ "id": dc["id"], "auth": dc["auth"] })).collect();
    held.insert("dcs".into(), dcs.into());
    held.insert("home_dc".into(), home.clone());
    if can["test_mode"] == true && !session["test_mode"].is_null() {
        held.insert("test_mode".into(), session["test_mode"].clone());
    }
    if session["user"].is_object() && can["user"].is_array() {
        held.insert("user".into(), only(&session["user"], &can["user"]));
    }
    if session["state"].is_object() && can["state"] == true {
        held.insert("state".into(), session["state"].clone());
    }
    let able = |key: &str| {
        let keys = can["attributes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        keys.into_iter().any(|able| key.starts_with(able))
    };
    let attributes = given["attributes"].as_array().into_iter().flatten();
    let attributes: Vec<_> =
        attributes.filter(|one| able(one["key"].as_str().expect("text"))).cloned().collect();
    let peers: Vec<Value> = peers_held_by(&can["peers"], given);
    let ids: HashSet<&str> = peers.iter().filter_map(|peer| peer["id"].as_str()).collect();
    let mut seen = seen.clone();
    let known = seen["peers"].as_array_mut().expect("an array");
    known.retain(|peer| ids.contains(peer["id"].as_str().expect("text")));
    (json!({ "session": held, "peers": peers, "attributes": attributes }), seen)
}

/// Those that every library keeps, with what this one can hold of them.
fn peers_held_by(can: &Value, given: &Value) -> Vec<Value> {
    let Some(fields) = can["fields"].as_array() else { return Vec::new() };
    let kept = given["peers"].as_array().into_iter().flatten().filter(|peer| {
        let is_marked = peer["access_hash"].as_str().is_some_and(|hash| hash != "0");
        is_marked && peer["min"] != true
    });
    let most = usize::try_from(can["usernames"].as_u64().unwrap_or(0)).expect("few");
    let peer = |peer: &Value| {
        let Value::Object(mut held) = only(peer, &fields.clone().into()) else { unreachable!("it is one") };
        held.insert("id".into(), peer["id"].clone());
        let names = peer["usernames"].as_array().filter(|names| (1..=most).contains(&names.len()));
        held.extend(names.map(|names| ("usernames".to_owned(), names.clone().into())));
        let kinds = can["kinds"].as_array();
        let kind = kinds.into_iter().flatten().find(|kind| **kind == peer["kind"]);
        held.extend(kind.map(|kind| ("kind".to_owned(), kind.clone())));
        Value::Object(held)
    };
    kept.map(peer).collect()
}

/// The fields of an object that are named, where they are there.
fn only(object: &Value, names: &Value) -> Value {
    let names = names.as_array().expect("an array").iter().filter_map(Value::as_str);
    let there = names.filter_map(|name| Some((name.to_owned(), object.get(name)?.clone())));
    there.filter(|(_, value)| !value.is_null()).collect()
}
