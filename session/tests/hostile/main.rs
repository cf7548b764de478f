//! What a hostile file or string costs: whatever it claims, reading it takes bounded memory and ends, and a refusal names what
//! it was taken for.
//!
//! The memory of Rust's is counted by the allocator, that of SQLite's is limited by SQLite itself, whose refusal would be seen.

mod bombs;
mod mutation;
mod samples;

use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use peak_alloc::PeakAlloc;
use proptest::{
    prelude::{ProptestConfig, Strategy},
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use rusqlite::{Connection, ErrorCode};
use sessiond_session::formats::{
    Format, FormatError, ImportError, Imported, Medium, Reading, read_bytes, read_path,
};

use bombs::Bomb;
use mutation::Mutation;
use samples::{Sample, samples};

/// Counts what is allocated, and what the most of it was at a time. It does so for the whole process.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One test reads at a time: the other's memory would be counted, too.
static ALONE: Mutex<()> = Mutex::new(());

/// What reading may take, SQLite's part included: so much, or twice its input.
const MOST: usize = 64 << 20;

/// What SQLite may take of it.
const SQLITES: usize = 8 << 20;

/// What it takes to try a passcode as Telegram Desktop 7.3 does: all of it, and the directory beside it.
const PASSCODES: usize = (64 << 20) + (1 << 20);

/// How often each sample is changed.
const MUTATIONS: u32 = 60;

#[test]
fn a_changed_sample_of_any_format_is_read_or_refused_in_bounded_memory() {
    let _alone = alone();
    let mut runner = TestRunner::new(ProptestConfig::default());
    for sample in samples() {
        // Every passcode that is tried takes its time.
        for _ in 0..if sample.passcode.is_some() { MUTATIONS / 20 } else { MUTATIONS } {
            let mutation = Mutation::any().new_tree(&mut runner).expect("a mutation").current();
            let changed = mutation.of(&sample);
            for from in [None, Some(sample.format)] {
                check(&format!("{}: {mutation:?}", sample.format), &changed, from);
            }
        }
    }
}

#[test]
fn what_claims_to_be_huge_takes_no_more_than_it_is() {
    let _alone = alone();
    let mut names = Vec::new();
    bombs::each(|Bomb { name, sample }| {
        check(&name, &sample, Some(sample.format));
        if matches!(sample.format.medium(), Medium::Bytes | Medium::Text) {
            check(&name, &sample, None);
        }
        names.push(name);
    });
    assert!(names.len() > 40, "{names:?}");
}

/// Whoever waits for it has the process's memory for himself.
fn alone() -> MutexGuard<'static, ()> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // It holds for all connections of the process, and cannot be made larger again.
    let limit = format!("PRAGMA hard_heap_limit = {SQLITES}");
    let connection = Connection::open_in_memory().expect("open");
    let is: i64 = connection.query_row(&limit, [], |row| row.get(0)).expect("a limit");
    assert_eq!(usize::try_from(is).ok(), Some(SQLITES));
    alone
}

/// Reads a sample, of which it is said what it is or not, and asserts what holds for every one.
fn check(name: &str, sample: &Sample, from: Option<Format>) {
    let how = Reading { from, passcode: sample.passcode };
    let size = sample.size();
    let most = match sample.passcode {
        Some(_) => PASSCODES + 2 * size,
        None => MOST.max(2 * size) - SQLITES,
    };
    let (read, took) = match sample.bytes() {
        // SQLite would have a copy of it, in what it may take.
        Some(bytes) if size > SQLITES / 2 && bytes.starts_with(b"SQLite format 3\0") => {
            let file = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
            fs::write(&file, bytes).expect("written");
            measured(|| read_path(&file, &how))
        }
        Some(bytes) => measured(|| read_bytes(bytes, &how)),
        None => sample.with_directory(|path: &Path| measured(|| read_path(path, &how))),
    };
    assert!(took <= most, "{name}, {from:?}: {size} bytes took {took} to read, and not at most {most}");
    match read {
        Ok(_) => {}
        Err(ImportError::Format { format, source, .. }) => {
            assert!(from.is_none() || format == from, "{name}: taken for {format:?}, and not {from:?}");
            assert!(!is_out_of_memory(&source), "{name}, {from:?}: SQLite needed more than {SQLITES} bytes");
            assert!(
                names_a_place(&source),
                "{name}, {from:?}: {source} names no byte, page, file, table and column"
            );
        }
        Err(other) => panic!("{name}, {from:?}: {other}: {other:?}"),
    }
}

/// What was read, and the most memory that was in use for it at a time.
fn measured(
    read: impl FnOnce() -> Result<Vec<Imported>, ImportError>,
) -> (Result<Vec<Imported>, ImportError>, usize) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let read = read();
    (read, MEMORY.peak_usage() - before)
}

fn is_out_of_memory(error: &FormatError) -> bool {
    matches!(
        error,
        FormatError::Sqlite { source, .. } if source.sqlite_error_code() == Some(ErrorCode::OutOfMemory)
    )
}

/// Whether an error says where: a byte, a page, a table and a column, a field, or a directory's file. A version that is too old
/// and a passcode are places themselves.
fn names_a_place(error: &FormatError) -> bool {
    match error {
        FormatError::Byte { .. }
        | FormatError::Old { .. }
        | FormatError::PasscodeNeeded
        | FormatError::PasscodeWrong => true,
        FormatError::Value { column, .. } => !column.is_empty() && !column.ends_with('.'),
        FormatError::Sqlite { place, .. } => {
            place.contains('.') || place.contains("page ") || place.contains("byte ")
        }
        FormatError::Unknown(why) => {
            ["byte ", "sqlite_schema.name", "file"].iter().any(|place| why.contains(place))
        }
        _ => false,
    }
}
