//! SQLite files. SQLite's own checks find some of it, and what they let through is the readers'.

use std::fs;

use rusqlite::Connection;
use sessiond_session::formats::{Format, Medium};

use crate::samples::{Sample, written};

/// Rows of a table that has too many.
const ROWS: usize = 30_000;

/// Rows that are all in order, and as short as a library writes them: as what they are they would take more than there may be.
const MOST_ROWS: usize = 450_000;

/// Where the number of pages stands, and the size of each:
/// <https://www.sqlite.org/fileformat.html#the_database_header>.
const PAGE_SIZE: usize = 16;
const PAGES: usize = 28;

/// What begins a page of a table that leads to others, and how long its head is.
const INTERIOR: u8 = 5;
const INTERIOR_HEAD: usize = 12;

pub(super) fn each(explode: &mut impl FnMut(&str, Sample)) {
    for (format, into) in [
        (Format::Grammers, "peer_info (peer_id, hash) SELECT n + 1000, (1 << 62) + n"),
        (Format::PyroTgFork, "usernames (id, username) SELECT n + 1000, n || ''"),
    ] {
        let numbers = format!("SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT {MOST_ROWS}");
        let sql = format!("WITH RECURSIVE numbers (n) AS ({numbers}) INSERT INTO {into} FROM numbers");
        explode("as many rows as there may be", Sample::of(format, changed(&written(format), &sql)));
    }
    for format in Format::ALL.into_iter().filter(|format| format.medium() == Medium::Database) {
        let valid = written(format);
        let changed = |sql: &str| Sample::of(format, changed(&valid, sql));
        let tables = tables(&valid);
        for table in &tables {
            let many = changed(&rows_of(&valid, table));
            explode(&format!("rows of {table} without an end"), Sample::of(format, endless(&many)));
            explode(&format!("many rows of {table}"), many);
        }
        for (name, value) in [
            ("long texts", "replace(hex(zeroblob(200000)), '00', char(1))"),
            (
                "long texts with lists in them",
                "'[' || replace(hex(zeroblob(150000)), '00', '\"\",') || '\"\"]'",
            ),
            ("large blobs", "zeroblob(300000)"),
        ] {
            let set = |(table, column): &(String, String)| {
                format!(
                    "UPDATE OR IGNORE \"{table}\" SET \"{column}\" = {value} WHERE rowid IN (SELECT rowid FROM \"{table}\" LIMIT 2);"
                )
            };
            for column in columns(&valid) {
                explode(&format!("{name} in {}.{}", column.0, column.1), changed(&set(&column)));
            }
        }
        for table in &tables {
            explode(&format!("{table} is a view"), changed(&view(table)));
            explode(&format!("{table} is made up"), changed(&generated(&valid, table)));
        }
        explode(
            "many tables",
            changed(&(0..2_000).map(|at| format!("CREATE TABLE t{at} (a);")).collect::<String>()),
        );
        let list = "1,".repeat(1_500);
        let wide = |at: usize| format!("CREATE TABLE w{at} (a CHECK (a IN ({list}1)));");
        explode("tables that are long to tell", changed(&(0..20).map(wide).collect::<String>()));
        let long = |at: usize| format!("CREATE TABLE \"{}{at}\" (a);", "\u{1}".repeat(3_000));
        explode("tables of long names", changed(&(0..50).map(long).collect::<String>()));
        explode(
            "a table of a very long name",
            changed(&format!("CREATE TABLE \"{}\" (a)", "x".repeat(100_000))),
        );
        for pages in [0, 1, 0x7fff_ffff, 0xffff_fffe_u32] {
            let mut bytes = valid.bytes().expect("a file").to_vec();
            bytes[PAGES..PAGES + 4].copy_from_slice(&pages.to_be_bytes());
            explode("another number of pages", Sample::of(format, bytes));
        }
        let mut bytes = valid.bytes().expect("a file").to_vec();
        bytes[PAGE_SIZE..PAGE_SIZE + 2].copy_from_slice(&1_u16.to_be_bytes());
        explode("the largest pages", Sample::of(format, bytes));
    }
}

/// The file after some SQL.
fn changed(sample: &Sample, sql: &str) -> Vec<u8> {
    on(sample, |connection| {
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = OFF; PRAGMA foreign_keys = OFF; BEGIN; {sql}; COMMIT"
            ))
            .expect("SQL");
    })
}

/// The file after something was done to it.
fn on(sample: &Sample, work: impl FnOnce(&Connection)) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
    fs::write(&file, sample.bytes().expect("a file")).expect("written");
    let connection = Connection::open(&file).expect("open");
    work(&connection);
    drop(connection);
    fs::read(&file).expect("there")
}

fn tables(sample: &Sample) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
    queried(sample, sql, |row| row.get(0))
}

fn columns(sample: &Sample) -> Vec<(String, String)> {
    let sql = "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
               WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND c.type NOT LIKE '%INT%'";
    queried(sample, sql, |row| Ok((row.get(0)?, row.get(1)?)))
}

fn queried<T>(
    sample: &Sample,
    sql: &str,
    make: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    on(sample, |connection| {
        let mut statement = connection.prepare(sql).expect("SQL");
        found = statement.query_map([], make).expect("rows").collect::<Result<_, _>>().expect("rows");
    });
    found
}

/// Each column of a table, and what its rows have instead of what the first one has.
fn values(sample: &Sample, table: &str) -> Vec<(String, String)> {
    let sql = format!("SELECT name, type, pk FROM pragma_table_info('{table}')");
    queried(sample, &sql, |row| {
        let (name, kind, key): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let kept = ["type", "hash", "usernames", "complete"].contains(&name.as_str());
        let value = match kind.to_uppercase().as_str() {
            "TEXT" if key > 0 => "'key' || n".to_owned(),
            "TEXT" if !kept => "''".to_owned(),
            _ if key > 0 => "n + 1000000".to_owned(),
            _ => format!("\"{name}\""),
        };
        Ok((name, value))
    })
}

fn rows_of(sample: &Sample, table: &str) -> String {
    let values: Vec<_> = values(sample, table).into_iter().map(|(_, value)| value).collect();
    let values = values.join(", ");
    format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT {ROWS})
         INSERT OR IGNORE INTO \"{table}\" SELECT {values} FROM numbers, (SELECT * FROM \"{table}\" LIMIT 1)"
    )
}

/// A view of the table's name and columns with rows without an end.
fn view(table: &str) -> String {
    format!(
        "ALTER TABLE \"{table}\" RENAME TO old;
         CREATE VIEW \"{table}\" AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)
         SELECT old.* FROM n, old"
    )
}

/// A table whose texts and blobs are nowhere, but computed.
fn generated(sample: &Sample, table: &str) -> String {
    let columns = values(sample, table);
    let keys: Vec<_> = columns.iter().filter(|(_, value)| value.contains("n + 1000000")).collect();
    let definition = |(name, value): &(String, String)| match value.as_str() {
        "n + 1000000" => format!("\"{name}\" INTEGER"),
        "''" => format!("\"{name}\" AS (printf('%.*c', 1000, 'x'))"),
        _ => format!("\"{name}\" AS (7)"),
    };
    let definitions: Vec<_> = columns.iter().map(definition).collect();
    let names: Vec<_> = keys.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "DROP TABLE \"{table}\"; CREATE TABLE \"{table}\" ({});
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT {ROWS})
         INSERT INTO \"{table}\" ({}) SELECT {} FROM numbers",
        definitions.join(", "),
        names.join(", "),
        vec!["n"; names.len()].join(", ")
    )
}

/// The file with each page that leads to others leading to one that does so itself, and that to one page of rows.
fn endless(sample: &Sample) -> Vec<u8> {
    let mut bytes = sample.bytes().expect("a file").to_vec();
    let size = usize::from(u16::from_be_bytes([bytes[PAGE_SIZE], bytes[PAGE_SIZE + 1]]));
    let pages = bytes.len() / size;
    let interior: Vec<usize> = (1..pages).filter(|page| bytes[page * size] == INTERIOR).collect();
    for page in interior {
        let children = children(&bytes, page * size);
        let [first, second, ..] = children[..] else { continue };
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let (between, leaf) = (number(first), number(second));
        let head = page * size;
        let copy = (between as usize - 1) * size;
        bytes.copy_within(head..head + size, copy);
        children.iter().for_each(|at| bytes[*at..at + 4].copy_from_slice(&between.to_be_bytes()));
        for at in children {
            bytes[at - head + copy..at - head + copy + 4].copy_from_slice(&leaf.to_be_bytes());
        }
    }
    bytes
}

/// Where the numbers of the pages stand to which a page leads.
fn children(bytes: &[u8], page: usize) -> Vec<usize> {
    let number = |at: usize| usize::from(u16::from_be_bytes([bytes[page + at], bytes[page + at + 1]]));
    let cells = (0..number(3)).map(|cell| page + number(INTERIOR_HEAD + 2 * cell));
    cells.chain([page + 8]).collect()
}
