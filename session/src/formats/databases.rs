//! Which module reads and writes which kind of SQLite file.

use rusqlite::Connection;

use super::{
    ExportError, Format, FormatError, Imported, Wanting, column, grammers, kurigram, mtcute, pyrofork,
    pyrogram,
    pyrogram_family::{self, Flavor},
    pyrotgfork, telethon_v1, telethon_v2,
};
use crate::Contents;

/// The formats that are SQLite files, in the order in which a file is asked whether it is one: those that share tables with
/// others come before them.
pub(super) const FORMATS: [Format; 8] = [
    Format::TelethonV2,
    Format::TelethonV1,
    Format::Kurigram,
    Format::Pyrofork,
    Format::PyroTgFork,
    Format::Pyrogram,
    Format::Grammers,
    Format::Mtcute,
];

/// Whether a database with these tables is of a format.
pub(super) fn is_this(
    format: Format,
    connection: &Connection,
    tables: &[String],
) -> Result<bool, FormatError> {
    match format {
        Format::TelethonV2 => Ok(telethon_v2::is_this(tables)),
        Format::TelethonV1 | Format::TelethonV1Version8 => telethon_v1::is_this(connection, tables),
        Format::Pyrogram => pyrogram::is_this(connection, tables),
        Format::Kurigram => kurigram::is_this(connection, tables),
        Format::PyroTgFork => pyrotgfork::is_this(connection, tables),
        Format::Pyrofork => pyrofork::is_this(connection, tables),
        Format::Grammers => Ok(grammers::is_this(tables)),
        Format::Mtcute => Ok(mtcute::is_this(tables)),
        _ => Ok(false),
    }
}

/// Whether a database with these tables can be read as one of a format, if somebody says that it is one.
fn can_be(format: Format, connection: &Connection, tables: &[String]) -> Result<bool, FormatError> {
    match flavor(format) {
        Some(_) => pyrogram_family::is_this(connection, tables),
        None => is_this(format, connection, tables),
    }
}

/// Which of Pyrogram's family a format is.
fn flavor(format: Format) -> Option<&'static Flavor> {
    match format {
        Format::Pyrogram => Some(&pyrogram::FLAVOR),
        Format::Kurigram => Some(&kurigram::FLAVOR),
        Format::PyroTgFork => Some(&pyrotgfork::FLAVOR),
        Format::Pyrofork => Some(&pyrofork::FLAVOR),
        _ => None,
    }
}

/// The version of a format's tables.
pub(super) fn version(
    format: Format,
    connection: &Connection,
    tables: &[String],
) -> Result<Option<i64>, FormatError> {
    if flavor(format).is_some() {
        return pyrogram_family::version(connection, tables).map(Some);
    }
    match format {
        Format::TelethonV2 => {
            let version = column::version(connection, tables, "version")?;
            Ok(Some(version.unwrap_or(telethon_v2::VERSION)))
        }
        Format::TelethonV1 | Format::TelethonV1Version8 => telethon_v1::version(connection, tables).map(Some),
        Format::Grammers => grammers::version(connection).map(Some),
        _ => Ok(None),
    }
}

/// What is in a database of a format. One that is not of it is an error.
pub(super) fn read(format: Format, connection: &Connection) -> Result<Imported, FormatError> {
    if !can_be(format, connection, &column::tables(connection)?)? {
        return Err(FormatError::Unknown(format!(
            "its tables, as sqlite_schema.name has them, are not those of a {format}"
        )));
    }
    if let Some(flavor) = flavor(format) {
        return pyrogram_family::read(connection, flavor);
    }
    match format {
        Format::TelethonV2 => telethon_v2::import(connection),
        Format::TelethonV1 | Format::TelethonV1Version8 => telethon_v1::read(connection),
        Format::Grammers => grammers::read(connection),
        Format::Mtcute => mtcute::read(connection),
        other => Err(FormatError::Unknown(format!("a {other} is no SQLite database"))),
    }
}

/// Makes the tables of a format in an empty database, and fills them.
pub(super) fn write(
    format: Format,
    connection: &Connection,
    contents: &Contents,
    wanting: &Wanting,
) -> Result<(), ExportError> {
    if let Some(flavor) = flavor(format) {
        return pyrogram_family::write(connection, contents, wanting, flavor);
    }
    match format {
        Format::TelethonV2 => telethon_v2::export(connection, contents, wanting),
        Format::TelethonV1 | Format::TelethonV1Version8 => {
            telethon_v1::write(connection, contents, wanting, format)
        }
        Format::Grammers => grammers::write(connection, contents, wanting),
        Format::Mtcute => mtcute::write(connection, contents, wanting),
        other => Err(ExportError::ReadOnly(other)),
    }
}
