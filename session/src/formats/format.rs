use std::{fmt, str::FromStr};

use rusqlite::Connection;

use super::{FormatError, column, databases, error::shown};

/// A way in which a library keeps or hands out a session. Its [`name`](Self::name) is what commands take and print; shown
/// to people it says whose it is, and what: "Pyrogram file", "GramJS string".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The SQLite file of Telethon 2, version 10.
    TelethonV2,
    /// The SQLite file of Telethon 1. Version 7 is written, which every Telethon 1 opens: 1.43 and later bring it up to
    /// date, and Telethon 2 migrates only this one. Versions 7 and 8 are read.
    TelethonV1,
    /// The same in version 8, as Telethon 1.43 and later write it and only they open it.
    TelethonV1Version8,
    /// `StringSession` of Telethon 1.
    TelethonString,
    /// The SQLite file of Pyrogram 2 and Hydrogram, version 3.
    Pyrogram,
    /// The session string of Pyrogram, Hydrogram and all forks.
    PyrogramString,
    /// The SQLite file of Kurigram, version 7.
    Kurigram,
    /// The SQLite file of PyroTGFork, version 6.
    PyroTgFork,
    /// The SQLite file of Pyrofork, version 4, which is not what others call version 4.
    Pyrofork,
    /// `StringSession` of GramJS and teleproto.
    GramJsString,
    /// The directory of a `StoreSession` of GramJS and teleproto.
    GramJsStore,
    /// The SQLite file of mtcute.
    Mtcute,
    /// The session string of mtcute, version 3.
    MtcuteString,
    /// The JSON of gotd/td, version 1.
    Gotd,
    /// The SQLite file of grammers, from 0.8.
    Grammers,
    /// The file of grammers up to 0.8, in TL. Its addresses tell whether 0.8 wrote it, or an earlier one.
    GrammersTl,
    /// The same of 0.8, where the addresses do not tell.
    GrammersTl08,
    /// The `tdata` directory of Telegram Desktop.
    Tdata,
    /// The auth string of MTKruto.
    MtkrutoString,
}

/// In what a format is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A SQLite file.
    Database,
    /// A file of other bytes.
    Bytes,
    /// One line of text.
    Text,
    /// A directory.
    Directory,
}

/// A name that no format has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format {name:?}; there are {}", Format::ALL.map(Format::name).join(", "))]
pub struct UnknownFormat {
    name: String,
}

/// What a database is: its format and the version of its tables, where they have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// The format.
    pub format: Format,
    /// As the file says, or as its columns tell where it does not.
    pub version: Option<i64>,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 19] = [
        Self::TelethonV2,
        Self::TelethonV1,
        Self::TelethonV1Version8,
        Self::TelethonString,
        Self::Pyrogram,
        Self::PyrogramString,
        Self::Kurigram,
        Self::PyroTgFork,
        Self::Pyrofork,
        Self::GramJsString,
        Self::GramJsStore,
        Self::Mtcute,
        Self::MtcuteString,
        Self::Gotd,
        Self::Grammers,
        Self::GrammersTl,
        Self::GrammersTl08,
        Self::Tdata,
        Self::MtkrutoString,
    ];

    /// Its name for commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TelethonV2 => "telethon-v2",
            Self::TelethonV1 => "telethon-v1",
            Self::TelethonV1Version8 => "telethon-v1-8",
            Self::TelethonString => "telethon-string",
            Self::Pyrogram => "pyrogram",
            Self::PyrogramString => "pyrogram-string",
            Self::Kurigram => "kurigram",
            Self::PyroTgFork => "pyrotgfork",
            Self::Pyrofork => "pyrofork",
            Self::GramJsString => "gramjs-string",
            Self::GramJsStore => "gramjs-store",
            Self::Mtcute => "mtcute",
            Self::MtcuteString => "mtcute-string",
            Self::Gotd => "gotd",
            Self::Grammers => "grammers",
            Self::GrammersTl => "grammers-tl",
            Self::GrammersTl08 => "grammers-tl-0.8",
            Self::Tdata => "tdata",
            Self::MtkrutoString => "mtkruto-string",
        }
    }

    /// In what it is kept.
    pub const fn medium(self) -> Medium {
        match self {
            Self::TelethonV2
            | Self::TelethonV1
            | Self::TelethonV1Version8
            | Self::Pyrogram
            | Self::Kurigram
            | Self::PyroTgFork
            | Self::Pyrofork
            | Self::Mtcute
            | Self::Grammers => Medium::Database,
            Self::Gotd | Self::GrammersTl | Self::GrammersTl08 => Medium::Bytes,
            Self::TelethonString
            | Self::PyrogramString
            | Self::GramJsString
            | Self::MtcuteString
            | Self::MtkrutoString => Medium::Text,
            Self::GramJsStore | Self::Tdata => Medium::Directory,
        }
    }

    /// Whether sessions can be written in it, and not only read.
    pub const fn is_written(self) -> bool {
        !matches!(self, Self::GrammersTl | Self::GrammersTl08 | Self::Tdata)
    }
}

impl Schema {
    /// What an open database is. `None`: there is nothing in it.
    ///
    /// # Errors
    /// [`FormatError::Unknown`] if it has other tables.
    pub fn of(connection: &Connection) -> Result<Option<Self>, FormatError> {
        let tables = column::tables(connection)?;
        if tables.is_empty() {
            return Ok(None);
        }
        for format in databases::FORMATS {
            if databases::is_this(format, connection, &tables)? {
                return Ok(Some(Self { format, version: databases::version(format, connection, &tables)? }));
            }
        }
        let tables: Vec<_> = tables.iter().take(16).map(|table| shown(table)).collect();
        Err(FormatError::Unknown(format!(
            "its tables are {}, as sqlite_schema.name has them",
            tables.join(", ")
        )))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TelethonV2 => "Telethon v2 file",
            Self::TelethonV1 => "Telethon v1 file",
            Self::TelethonV1Version8 => "Telethon v1 file of 1.43 or later",
            Self::TelethonString => "Telethon string",
            Self::Pyrogram => "Pyrogram file",
            Self::PyrogramString => "Pyrogram string",
            Self::Kurigram => "Kurigram file",
            Self::PyroTgFork => "PyroTGFork file",
            Self::Pyrofork => "Pyrofork file",
            Self::GramJsString => "GramJS string",
            Self::GramJsStore => "GramJS store directory",
            Self::Mtcute => "mtcute file",
            Self::MtcuteString => "mtcute string",
            Self::Gotd => "gotd session",
            Self::Grammers => "grammers file",
            Self::GrammersTl => "grammers file of up to 0.8",
            Self::GrammersTl08 => "grammers file of 0.8",
            Self::Tdata => "Telegram Desktop directory",
            Self::MtkrutoString => "MTKruto string",
        })
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let named = Self::ALL.into_iter().find(|format| format.name() == name);
        named.ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, version } = self;
        match version {
            Some(version) => write!(f, "{format}, version {version}"),
            None => write!(f, "{format}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn a_format_is_found_by_its_name_and_all_names_differ() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        let error = "telethon".parse::<Format>().expect_err("no format");
        assert!(error.to_string().contains("telethon-v2"), "{error}");
    }
}
