use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    ExportError, Format, Medium, databases, directories, gotd, gramjs_store, gramjs_string, grammers,
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
    if let Some(dc) = contents.session.dcs.iter().find(|dc| dc.auth == Auth::Withheld) {
        return Err(ExportError::Withheld { dc: dc.id });
    }
    let io_error = |source: io::Error| ExportError::Io { path: path.to_owned(), source };
    match format.medium() {
        Medium::Directory => directories::write(format, contents, wanting, path),
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
            let written = write_database(contents, format, wanting, path);
            if written.is_err() {
                let _ = fs::remove_file(path);
            }
            written
        }
    }
}

fn new_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

/// Nobody else knows the file, so a journal in memory is enough.
fn write_database(
    contents: &Contents,
    format: Format,
    wanting: &Wanting,
    path: &Path,
) -> Result<(), ExportError> {
    let mode = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, mode)?;
    connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(()))?;
    let transaction = connection.unchecked_transaction()?;
    databases::write(format, &transaction, contents, wanting)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error.into())
}
