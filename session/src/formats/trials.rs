//! Rules that every format keeps to.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::LazyLock};

use proptest::{
    prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest},
    sample::{Index, select},
};
use rusqlite::Connection;

use super::{
    ExportError, Format, FormatError, ImportError, Imported, Medium, Reading, Wanting, databases, dropped,
    random, read_bytes, read_path, texts, to_files, write,
};
use crate::Contents;

/// The formats that are written without a directory.
const WRITTEN: [Format; 15] = [
    Format::TelethonV2,
    Format::TelethonV1,
    Format::TelethonV1Version8,
    Format::TelethonString,
    Format::Pyrogram,
    Format::PyrogramString,
    Format::Kurigram,
    Format::PyroTgFork,
    Format::Pyrofork,
    Format::Grammers,
    Format::GramJsString,
    Format::Mtcute,
    Format::MtcuteString,
    Format::Gotd,
    Format::MtkrutoString,
];

/// Those that do not tell who is logged in.
const NAMELESS: [Format; 3] = [Format::TelethonString, Format::GramJsString, Format::Gotd];

/// What a caller adds so that whatever is known to be logged in can be written.
const WANTING: Wanting = Wanting { api_id: Some(6), user_id: None, bot: Some(false) };

fn unless_lacking<T>(written: Result<T, ExportError>) -> Option<T> {
    match written {
        Ok(written) => Some(written),
        Err(ExportError::Lacks { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

/// Writes a session and reads it, without a file. `None`: the format needs something that it lacks.
fn written_and_read(contents: &Contents, format: Format) -> Option<Contents> {
    let read: Result<Imported, FormatError> = if format.medium() == Medium::Database {
        let connection = Connection::open_in_memory().expect("open");
        unless_lacking(databases::write(format, &connection, contents, &WANTING))?;
        databases::read(format, &connection)
    } else {
        let bytes = unless_lacking(texts::write(format, contents, &WANTING))?;
        assert!(texts::looks_like(format, &bytes), "{format}");
        texts::read(format, &bytes)
    };
    let Imported { contents, left_behind, .. } = read.unwrap_or_else(|error| panic!("{format}: {error}"));
    // Telethon 1 is said to leave behind who is logged in where nobody is.
    assert!(left_behind.is_empty() || contents.session.user.is_none(), "{format}: {left_behind:?}");
    Some(contents)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_lost_is_said_and_nothing_else(contents in random::contents()) {
        for format in WRITTEN {
            let Some(back) = written_and_read(&contents, format) else { continue };
            let (missing, said) = (random::missing(&back, &contents), dropped(&contents, format));
            prop_assert_eq!(
                missing.is_empty(), said.is_empty(),
                "{}: missing {:?}, said {:?}", format, missing, said
            );
        }
    }

    #[test]
    fn what_was_read_is_written_whole_and_read_back_the_same(contents in random::contents()) {
        for format in WRITTEN {
            let Some(back) = written_and_read(&contents, format) else { continue };
            prop_assert_eq!(dropped(&back, format), Vec::<String>::new(), "{}", format);
            let again = written_and_read(&back, format).expect("it lacks nothing");
            prop_assert_eq!(random::missing(&again, &back), Vec::<String>::new(), "{}", format);
            // Addresses that were filled in are there from now on.
            let settled = written_and_read(&again, format).expect("it lacks nothing");
            prop_assert!(settled == again, "{}: {:?} became {:?}", format, again, settled);
        }
    }

    #[test]
    fn nothing_is_made_up(contents in random::contents()) {
        for format in WRITTEN {
            let Some(back) = written_and_read(&contents, format) else { continue };
            let mut known = contents.clone();
            if let Some(user) = &mut known.session.user {
                user.bot = user.bot.or(WANTING.bot);
            }
            let known_ids: Vec<_> = known.peers.iter().map(|peer| peer.id).collect();
            for peer in back.peers.iter() {
                let is_own = known.session.user.as_ref().is_some_and(|user| user.id == peer.id);
                prop_assert!(is_own || known_ids.contains(&peer.id), "{}: {:?}", format, peer);
            }
            for dc in &back.session.dcs {
                let there = known.session.dc(dc.id);
                prop_assert!(
                    !dc.auth.is_present() || there.is_some_and(|there| there.auth == dc.auth), "{}", format
                );
            }
            prop_assert_eq!(back.session.user.map(|user| user.id), known.session.user
                .filter(|_| !NAMELESS.contains(&format)).map(|user| user.id), "{}", format);
        }
    }
}

/// Bytes of a file or a string of each format.
static VALID: LazyLock<Vec<(Format, Vec<u8>)>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    let written = WRITTEN.into_iter().map(|format| {
        let path = directory.path().join(format.name());
        write(&random::rich(), format, &Wanting::default(), &path).expect("written");
        (format, fs::read(&path).expect("read"))
    });
    written.collect()
});

#[test]
fn a_written_file_is_its_owners_alone_and_there_is_nothing_beside_it() {
    let directory = tempfile::tempdir().expect("a directory");
    for format in WRITTEN {
        let path = directory.path().join(format.name());
        write(&random::rich(), format, &Wanting::default(), &path).expect("written");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600, "{format}");
        let again = write(&random::rich(), format, &Wanting::default(), &path);
        assert!(matches!(again, Err(ExportError::Io { .. })), "{format}");
        let detected = read_path(&path, &Reading::default()).expect("read").pop().expect("one");
        let wanted = if format == Format::TelethonV1Version8 { Format::TelethonV1 } else { format };
        assert_eq!((detected.format, detected.doubts.len()), (wanted, 0));
        assert!(detected.contents.session.dcs[0].auth.is_present());
        let files = to_files(&random::rich(), format, &Wanting::default(), format.name()).expect("written");
        assert!(*files[""] == fs::read(&path).expect("read"), "{format}: in memory it is the same");
    }
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), WRITTEN.len());
}

#[test]
fn a_file_that_could_not_be_written_is_not_left_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a");
    for format in WRITTEN {
        let mut contents = random::rich();
        contents.session.home_dc = Some(9);
        contents.session.dcs.clear();
        contents.session.user = None;
        if write(&contents, format, &Wanting::default(), &path).is_ok() {
            fs::remove_file(&path).expect("there");
        }
        assert!(!path.exists(), "{format}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_damaged_file_is_read_or_refused_by_its_formats_name(
        at in any::<Index>(),
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in proptest::option::weighted(0.2, any::<Index>()),
        detected in any::<bool>(),
    ) {
        let (format, valid) = at.get(&VALID);
        let mut bytes = valid.clone();
        for (index, byte) in changes {
            // Half of them where tables and their rows begin, for in SQLite's files most of the rest is empty.
            let place = index.index(bytes.len() * 2);
            let place = if place < bytes.len() { place } else { place % 128.min(bytes.len()) };
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let from = (!detected).then_some(*format);
        match read_bytes(&bytes, &Reading { from, passcode: None }) {
            Ok(_) => {}
            Err(ImportError::Format { format: named, .. }) => prop_assert!(detected || named == Some(*format)),
            Err(other) => prop_assert!(false, "{}: {}", format, other),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..300), format in select(WRITTEN.to_vec())
    ) {
        for from in [None, Some(format), Some(Format::GrammersTl)] {
            let _ = read_bytes(&bytes, &Reading { from, passcode: None });
        }
    }
}

/// Values that no library writes somewhere, or only by mistake.
const ODD: [&str; 12] = [
    "NULL",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "1e300",
    "''",
    "'odd'",
    "x''",
    "x'ff'",
    "zeroblob(256)",
    "cast(x'ff' AS text)",
];

#[test]
fn any_value_in_any_column_is_read_or_refused_by_its_column() {
    for format in WRITTEN.into_iter().filter(|format| format.medium() == Medium::Database) {
        let connection = Connection::open_in_memory().expect("open");
        databases::write(format, &connection, &random::rich(), &WANTING).expect("written");
        let sql = "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'";
        let mut columns = connection.prepare(sql).expect("a query");
        let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("columns");
        let columns: Vec<(String, String)> = columns.collect::<Result<_, _>>().expect("columns");
        for (table, column) in columns {
            for value in ODD {
                connection.execute_batch("SAVEPOINT odd").expect("a savepoint");
                let changed =
                    connection.execute_batch(&format!("UPDATE \"{table}\" SET \"{column}\" = {value}"));
                if changed.is_ok()
                    && let Err(error) = databases::read(format, &connection)
                {
                    let named = match &error {
                        FormatError::Value { column, .. } => column.starts_with(&format!("{table}.")),
                        FormatError::Old { .. } => table == "version",
                        _ => false,
                    };
                    assert!(named, "{format}: {table}.{column} = {value}: {error}");
                }
                connection.execute_batch("ROLLBACK TO odd; RELEASE odd").expect("rolled back");
            }
        }
    }
}

#[test]
fn a_view_without_an_end_is_not_read_for_ever() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a");
    write(&random::rich(), Format::TelethonV1, &Wanting::default(), &path).expect("written");
    let file = Connection::open(&path).expect("open");
    file.execute_batch(
        "DROP TABLE update_state; CREATE VIEW update_state AS
         WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)
         SELECT id, 1 AS pts, 1 AS qts, 1 AS date, 1 AS seq FROM n",
    )
    .expect("a view");
    drop(file);
    let read = read_path(&path, &Reading::default());
    assert!(matches!(read, Err(ImportError::Format { .. })), "{read:?}");
}
