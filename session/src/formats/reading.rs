use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use zeroize::Zeroizing;

use super::{
    Files, Format, FormatError, ImportError, Imported, Medium, Schema, Source, databases, directories,
    folder::Folder, header::MAGIC, source, texts,
};
use crate::openers;

/// How a session is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading<'a> {
    /// What it is taken for. `None`: for what it looks like.
    pub from: Option<Format>,
    /// What opens it, where it is locked with a passcode.
    pub passcode: Option<&'a str>,
}

/// Most bytes of a file that is no database. Strings have some hundreds, JSON and TL some thousands.
const MAX_BYTES: u64 = 16 << 20;

/// What stands for the path of what has none.
const NOWHERE: &str = "what was given";

/// Reads what is in a file or a directory; of Telegram Desktop's, each account. Nothing is written to it or beside it. A
/// file that a running program uses is read as of its last commit.
///
/// # Errors
/// See [`ImportError`].
pub fn read_path(path: &Path, how: &Reading<'_>) -> Result<Vec<Imported>, ImportError> {
    let io_error = |source| ImportError::Io { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(io_error)?;
    if metadata.is_dir() {
        return directories::read(&path.into(), how).map_err(|fault| fault.of(path));
    }
    if !metadata.is_file() {
        return Err(io_error(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is neither a file nor a directory",
        )));
    }
    match other_bytes(path)? {
        None => Source::open(path).and_then(|source| read_database(&source, how.from)),
        Some(bytes) => read_other(&bytes, how.from).map_err(|fault| fault.of(path)),
    }
    .map_err(|error| error.of_format(how.from))
}

/// Reads what is in a string, or in the bytes of a file that came some other way. Nothing is written to a disk.
///
/// # Errors
/// See [`ImportError`]; the path in it says that there is none.
pub fn read_bytes(bytes: &[u8], how: &Reading<'_>) -> Result<Vec<Imported>, ImportError> {
    if !bytes.starts_with(MAGIC) {
        let read = match bytes.len() as u64 {
            length if length > MAX_BYTES => {
                Err(Fault::new(how.from, FormatError::Unknown(too_large(length))))
            }
            _ => read_other(bytes, how.from),
        };
        return read.map_err(|fault| fault.of(Path::new(NOWHERE)));
    }
    let read = Source::of_bytes(bytes, NOWHERE).and_then(|source| read_database(&source, how.from));
    read.map_err(|error| error.of_format(how.from))
}

/// Reads what is in a directory, or in a file under the empty path, that came some other way. Nothing is written to a disk.
///
/// # Errors
/// See [`ImportError`]; the path in it says that there is none.
pub fn read_files(files: &Files, how: &Reading<'_>) -> Result<Vec<Imported>, ImportError> {
    match files.get("") {
        Some(bytes) => read_bytes(bytes, how),
        None => directories::read(&Folder::of(files), how).map_err(|fault| fault.of(Path::new(NOWHERE))),
    }
}

/// What a file is. `None`: a database with nothing in it. The file is never written to, nor is anything beside it.
///
/// # Errors
/// See [`ImportError`]; anything but a database is [`FormatError::Unknown`].
pub fn schema_of(path: &Path) -> Result<Option<Schema>, ImportError> {
    let source = Source::open(path)?;
    Schema::of(source.connection()).map_err(|error| source.error(None, error))
}

/// What is wrong, and with what it was taken for.
#[derive(Debug)]
pub(super) struct Fault {
    format: Option<Format>,
    error: FormatError,
}

impl Fault {
    pub(super) fn new(format: impl Into<Option<Format>>, error: FormatError) -> Self {
        Self { format: format.into(), error }
    }

    fn of(self, path: &Path) -> ImportError {
        ImportError::Format { path: path.to_owned(), format: self.format, source: self.error }
    }
}

/// The bytes of a file that is no database. An empty file is one: SQLite makes its databases of them.
fn other_bytes(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, ImportError> {
    let io_error = |source| ImportError::Io { path: path.to_owned(), source };
    let in_use = || ImportError::InUse { path: path.to_owned(), openers: openers(path) };
    let bytes = source::unlocked(path, || {
        let file = File::open(path)?;
        let mut bytes = Zeroizing::new(Vec::new());
        (&file).take(MAGIC.len() as u64).read_to_end(&mut bytes)?;
        if bytes.is_empty() || bytes.starts_with(MAGIC) {
            return Ok(None);
        }
        let length = file.metadata()?.len();
        if length > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, too_large(length)));
        }
        (&file).take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    });
    bytes.map_err(io_error)?.ok_or_else(in_use)
}

fn read_database(source: &Source, from: Option<Format>) -> Result<Vec<Imported>, ImportError> {
    let connection = source.connection();
    let format = match from {
        Some(format) => format,
        None => match Schema::of(connection).map_err(|error| source.error(None, error))? {
            Some(schema) => schema.format,
            None => {
                return Err(source.error(
                    None,
                    FormatError::Unknown("it is an empty database: sqlite_schema.name has no table".into()),
                ));
            }
        },
    };
    let read = if format.medium() == Medium::Database {
        databases::read(format, connection)
    } else {
        Err(FormatError::Unknown(format!("byte 0 begins a SQLite database, and no {format}")))
    };
    read.map(|imported| vec![imported]).map_err(|error| source.error(Some(format), error))
}

/// Reads what it was said to be, or else the first format of which it has the shape and can be read.
fn read_other(bytes: &[u8], from: Option<Format>) -> Result<Vec<Imported>, Fault> {
    if let Some(format) = from {
        if !matches!(format.medium(), Medium::Bytes | Medium::Text) {
            let problem = format!("byte 0 begins no {}", kind_of(format));
            return Err(Fault::new(format, FormatError::Unknown(problem)));
        }
        let imported = texts::read(format, bytes).map_err(|error| Fault::new(format, error))?;
        return Ok(vec![imported]);
    }
    let (mut taken, mut refused): (Option<Imported>, Option<Fault>) = (None, None);
    let mut others = Vec::new();
    for format in texts::FORMATS.into_iter().filter(|format| texts::looks_like(*format, bytes)) {
        match texts::read(format, bytes) {
            Ok(_) if taken.is_some() => others.push(format),
            Ok(imported) => taken = Some(imported),
            Err(error) => refused = refused.or(Some(Fault::new(format, error))),
        }
    }
    if let Some(mut imported) = taken {
        if let Some(other) = others.first() {
            let doubt = format!(
                "it was taken for a {} ({}), and could be a {other} ({})",
                imported.format,
                imported.format.name(),
                other.name()
            );
            imported.doubts.push(doubt);
        }
        return Ok(vec![imported]);
    }
    let unknown = || Fault::new(None, FormatError::Unknown(shape(bytes)));
    Err(refused.unwrap_or_else(unknown))
}

fn kind_of(format: Format) -> &'static str {
    match format.medium() {
        Medium::Database => "SQLite database",
        Medium::Directory => "directory",
        Medium::Bytes | Medium::Text => "such file",
    }
}

fn too_large(length: u64) -> String {
    format!("byte 0 begins no database, and with {length} bytes it is too large to be anything else")
}

/// What bytes look like, without a word of what is in them.
fn shape(bytes: &[u8]) -> String {
    let length = bytes.len();
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) => {
            let characters = text.trim().chars().count();
            format!("byte 0 begins no SQLite database, but text of {characters} characters")
        }
        _ => format!("byte 0 begins no SQLite database, but other data of {length} bytes"),
    }
}

impl ImportError {
    /// The same, of a source that was said to be of a format, where it is not known otherwise.
    fn of_format(self, from: Option<Format>) -> Self {
        match self {
            Self::Format { path, format, source } => Self::Format { path, format: format.or(from), source },
            error => error,
        }
    }
}
