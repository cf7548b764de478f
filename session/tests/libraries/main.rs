//! What a library wrote is imported, and what is exported is read by the library: tests/formats/ has every library that can
//! be had, and says how they are driven. `make test` installs them and names their directory in `SESSIOND_TEST_LIBRARIES`;
//! without it these tests say that they were skipped. `tests/libraries.rs` puts the daemon in between.

mod cell;
mod contents;
mod differences;

use std::{collections::HashSet, path::Path};

use cell::Cell;
use rusqlite::Connection;
use serde_json::{Value, json};
use sessiond_session::formats::{Format, Reading, read_path, write};

use differences::differences;

/// How many contents are made up for each cell and direction.
const SEEDS: u32 = 2;

/// What a program does that found no library.
const SKIPPED: &str = "skipped: it needs other libraries, and `make test` runs it";

macro_rules! formats {
    ($($name:ident: $format:literal,)*) => {
        /// The formats that have libraries here.
        const FORMATS: &[&str] = &[$($format),*];

        $(mod $name {
            #[test]
            fn what_a_library_wrote_is_imported() {
                crate::each_cell($format, crate::import);
            }

            #[test]
            fn what_is_exported_is_read_by_the_library() {
                crate::each_cell($format, crate::export);
            }

            #[test]
            fn what_is_exported_has_the_tables_of_the_library() {
                crate::each_cell($format, crate::same_tables);
            }
        })*
    };
}

formats! {
    telethon_v1: "telethon-v1",
    telethon_string: "telethon-string",
    pyrogram: "pyrogram",
    pyrogram_string: "pyrogram-string",
    kurigram: "kurigram",
    pyrotgfork: "pyrotgfork",
    pyrofork: "pyrofork",
    gramjs_string: "gramjs-string",
    gramjs_store: "gramjs-store",
    mtcute: "mtcute",
    mtcute_string: "mtcute-string",
    gotd: "gotd",
    grammers: "grammers",
    grammers_tl: "grammers-tl",
    tdata: "tdata",
    mtkruto_string: "mtkruto-string",
}

#[test]
fn every_format_of_the_matrix_is_tested() {
    let tested: HashSet<&str> = FORMATS.iter().copied().collect();
    let matrix = cell::matrix();
    assert_eq!(tested, matrix.iter().map(|cell| cell.format.as_str()).collect());
}

/// Runs a test on every cell of a format, and fails with the faults of all of them.
fn each_cell(format: &str, test: fn(&Cell, u32) -> Vec<String>) {
    let Some(libraries) = cell::libraries() else {
        #[expect(clippy::print_stderr, reason = "a test that did nothing must not look like one that did")]
        {
            eprintln!("{SKIPPED}");
        }
        return;
    };
    let cells = cell::matrix().into_iter().filter(|cell| cell.format == format);
    let faults: Vec<String> = cells
        .map(|cell| cell.at(&libraries))
        .flat_map(|cell| (0..SEEDS).map(move |seed| (cell.clone(), seed)))
        .flat_map(|(cell, seed)| {
            let name = format!("{} {}, seed {seed}", cell.library, cell.version);
            test(&cell, seed).into_iter().map(move |fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{format}\n{}\n", faults.join("\n"));
}

fn import(cell: &Cell, seed: u32) -> Vec<String> {
    if !cell.writes {
        return Vec::new();
    }
    let folder = tempfile::tempdir().expect("a directory");
    let path = cell.path(folder.path());
    let mut given = cell.made_up(seed, "write");
    cell.write(&path, &given);
    let passcode = given.as_object_mut().expect("an object").remove("passcode");
    let how = Reading { from: None, passcode: passcode.as_ref().and_then(Value::as_str) };
    let imported = match read_path(&path, &how) {
        Ok(imported) => imported,
        Err(error) => return vec![with_causes(&error)],
    };
    let mut faults: Vec<String> = imported
        .iter()
        .filter(|imported| !cell.exports.contains(&imported.format) && imported.format.name() != cell.format)
        .map(|imported| format!("it was taken for a {}", imported.format))
        .collect();
    let accounts: Vec<_> = imported.iter().map(|imported| contents::to_json(&imported.contents)).collect();
    let seen = match accounts.as_slice() {
        [single] if given.get("accounts").is_none() => single.clone(),
        accounts => json!({ "accounts": accounts }),
    };
    faults.extend(differences(&given, &seen));
    faults
}

fn export(cell: &Cell, seed: u32) -> Vec<String> {
    let formats = cell.exports.iter().filter(|format| cell.reads && format.is_written());
    let read_back = |format: &Format| {
        let folder = tempfile::tempdir().expect("a directory");
        let path = cell.path(folder.path());
        let given = cell.made_up(seed, "read");
        if let Err(error) = write(&contents::from_json(&given), *format, &cell.wanting, &path) {
            return vec![with_causes(&error)];
        }
        match cell.read(&path) {
            Ok(seen) => differences(&given, &seen),
            Err(fault) => vec![fault],
        }
    };
    formats.flat_map(read_back).collect()
}

/// The first seed says it all: tables do not depend on what is in them.
fn same_tables(cell: &Cell, seed: u32) -> Vec<String> {
    let format = cell.exports[0];
    if seed > 0 || !cell.writes || format.medium() != sessiond_session::formats::Medium::Database {
        return Vec::new();
    }
    let folder = tempfile::tempdir().expect("a directory");
    let theirs = cell.path(&folder.path().join("theirs"));
    let ours = cell.path(&folder.path().join("ours"));
    let given = cell.made_up(seed, "write");
    for path in [&theirs, &ours] {
        std::fs::create_dir(path.parent().expect("it has one")).expect("made");
    }
    cell.write(&theirs, &given);
    if let Err(error) = write(&contents::from_json(&given), format, &cell.wanting, &ours) {
        return vec![with_causes(&error)];
    }
    let (theirs, ours) = (tables(&theirs), tables(&ours));
    let faults = theirs.iter().filter(|table| !ours.contains(table)).map(|table| format!("missing: {table}"));
    faults
        .chain(ours.iter().filter(|table| !theirs.contains(table)).map(|table| format!("too much: {table}")))
        .collect()
}

/// How a file's tables, indices and triggers were made, without differences in spaces, and the numbers in its header that
/// libraries set.
fn tables(path: &Path) -> Vec<String> {
    let file = Connection::open(path).expect("a database");
    let mut made =
        file.prepare("select sql from sqlite_master where sql is not null order by sql").expect("a table");
    let made = made.query_map((), |row| row.get::<_, String>(0)).expect("rows");
    let mut made: Vec<String> = made.map(|sql| without_spaces(&sql.expect("text"))).collect();
    for number in ["user_version", "application_id", "page_size", "auto_vacuum"] {
        let value: i64 = file.pragma_query_value(None, number, |row| row.get(0)).expect("a number");
        made.push(format!("{number} = {value}"));
    }
    made
}

fn without_spaces(sql: &str) -> String {
    let words: Vec<_> = sql.split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(" )", ")").replace(" (", "(")
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
