use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use rusqlite::{Connection, MAIN_DB, OpenFlags};
use zeroize::Zeroizing;

use super::{
    ExportError, Files, Format, Medium, databases, directories, gotd, gramjs_store, gramjs_string, grammers,
    kurigram, mtcute, mtcute_string, mtkruto_string, pyrofork, pyrogram, pyrogram_family, pyrogram_string,
    pyrotgfork, telethon_string, telethon_v1, telethon_v2, texts,
};
use crate::{Auth, Contents};

/// What a caller adds where a format needs it and the session has it not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanting {
    /// The id of the program at Telegram.
    pub api_id: Option<i32>,
    /// Who is logged in.
    pub user_id: Option<i64>,
    /// Whether that is a bot.
    pub bot: Option<bool>,
}

/// What a format has no place for, one sentence each, for people. Nothing: what is written is read back whole.
pub fn dropped(contents: &Contents, format: Format) -> Vec<String> {
    match format {
        Format::TelethonV2 => telethon_v2::dropped(contents),
        Format::TelethonV1 | Format::TelethonV1Version8 => telethon_v1::dropped(contents),
        Format::TelethonString => telethon_string::dropped(contents),
        Format::Pyrogram => pyrogram_family::dropped(contents, &pyrogram::FLAVOR),
        Format::Kurigram => pyrogram_family::dropped(contents, &kurigram::FLAVOR),
        Format::PyroTgFork => pyrogram_family::dropped(contents, &pyrotgfork::FLAVOR),
        Format::Pyrofork => pyrogram_family::dropped(contents, &pyrofork::FLAVOR),
        Format::PyrogramString => pyrogram_string::dropped(contents),
        Format::Grammers => grammers::dropped(contents),
        Format::GramJsString => gramjs_string::dropped(contents),
        Format::GramJsStore => gramjs_store::dropped(contents),
        Format::Mtcute => mtcute::dropped(contents),
        Format::MtcuteString => mtcute_string::dropped(contents),
        Format::Gotd => gotd::dropped(contents),
        Format::MtkrutoString => mtkruto_string::dropped(contents),
        Format::GrammersTl | Format::GrammersTl08 | Format::Tdata => Vec::new(),
    }
}

/// Writes a session to a new file, or directory, that its owner alone may read: what the library itself writes, and nothing
/// beside it. It is on the disk, but the directory that it is in is not synced.
///
/// # Errors
/// See [`ExportError`]. Nothing is left at the path, unless it was there before.
pub fn write(contents: &Contents, format: Format, wanting: &Wanting, path: &Path) -> Result<(), ExportError> {
    check(contents, wanting)?;
    let io_error = |source: io::Error| ExportError::Io { path: path.to_owned(), source };
    match format.medium() {
        Medium::Directory => {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let files = directories::write(format, contents, wanting, name)?;
            DirBuilder::new().mode(0o700).create(path).map_err(io_error)?;
            fill(path, &files).map_err(|error| {
                let _ = fs::remove_dir_all(path);
                io_error(error)
            })
        }
        Medium::Bytes | Medium::Text => {
            let bytes = texts::write(format, contents, wanting)?;
            let mut file = new_file().open(path).map_err(io_error)?;
            file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|error| {
                let _ = fs::remove_file(path);
                io_error(error)
            })
        }
        Medium::Database => {
            new_file().open(path).map_err(io_error)?;
            let written = Connection::open_with_flags(path, WRITING)
                .map_err(ExportError::from)
                .and_then(|connection| fill_database(connection, contents, format, wanting))
                .and_then(|connection| connection.close().map_err(|(_, error)| error.into()));
            if written.is_err() {
                let _ = fs::remove_file(path);
            }
            written
        }
    }
}

/// The same in memory: the files of a directory of this name, or the one file that the format is, under the empty path.
///
/// # Errors
/// See [`ExportError`].
pub fn to_files(
    contents: &Contents,
    format: Format,
    wanting: &Wanting,
    name: &str,
) -> Result<Files, ExportError> {
    check(contents, wanting)?;
    let bytes = match format.medium() {
        Medium::Directory => return directories::write(format, contents, wanting, name),
        Medium::Bytes | Medium::Text => texts::write(format, contents, wanting)?,
        Medium::Database => {
            // Its bytes are those of a file: SQLite's own databases in memory are not paged through in the same way.
            let connection =
                Connection::open_with_flags_and_vfs(name, WRITING | OpenFlags::SQLITE_OPEN_CREATE, c"memdb")?;
            let mut connection = fill_database(connection, contents, format, wanting)?;
            Zeroizing::new(connection.serialize(MAIN_DB)?.to_vec())
        }
    };
    Ok([(String::new(), bytes)].into())
}

const WRITING: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

fn check(contents: &Contents, wanting: &Wanting) -> Result<(), ExportError> {
    if let Some(dc) = contents.session.dcs.iter().find(|dc| dc.auth == Auth::Withheld) {
        return Err(ExportError::Withheld { dc: dc.id });
    }
    fn text(value: Option<impl ToString>) -> Option<String> {
        value.map(|value| value.to_string())
    }
    let Wanting { api_id, user_id, bot } = *wanting;
    let user = contents.session.user.as_ref();
    let given = [
        ("api_id", text(api_id), text(contents.number("api_id"))),
        ("user_id", text(user_id), text(user.map(|user| user.id))),
        ("bot", text(bot), text(user.and_then(|user| user.bot))),
    ];
    for (field, given, known) in given {
        if let (Some(given), Some(known)) = (given, known)
            && given != known
        {
            return Err(ExportError::Contradicts { field, given, known });
        }
    }
    Ok(())
}

fn new_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

fn fill(directory: &Path, files: &Files) -> io::Result<()> {
    for (name, bytes) in files {
        new_file().open(directory.join(name))?.write_all(bytes)?;
    }
    // One wait for all files, of which there can be tens of thousands.
    Ok(rustix::fs::syncfs(File::open(directory)?)?)
}

/// Nobody else knows the database, so a journal in memory is enough.
fn fill_database(
    connection: Connection,
    contents: &Contents,
    format: Format,
    wanting: &Wanting,
) -> Result<Connection, ExportError> {
    connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(()))?;
    let transaction = connection.unchecked_transaction()?;
    databases::write(format, &transaction, contents, wanting)?;
    transaction.commit()?;
    Ok(connection)
}
