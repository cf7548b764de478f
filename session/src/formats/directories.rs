//! Which module reads and writes which kind of directory.

use std::path::Path;

use super::{
    ExportError, Format, FormatError, Imported, Reading, Wanting, gramjs_store, reading::Fault, tdata,
};
use crate::Contents;

/// What is in a directory.
pub(super) fn read(path: &Path, how: &Reading<'_>) -> Result<Vec<Imported>, Fault> {
    let format = match how.from {
        Some(format) => Some(format),
        None if tdata::is_this(path) => Some(Format::Tdata),
        None if gramjs_store::is_this(path) => Some(Format::GramJsStore),
        None => None,
    };
    let read = match format {
        Some(Format::Tdata) => tdata::read(path, how.passcode),
        Some(Format::GramJsStore) => gramjs_store::read(path).map(|imported| vec![imported]),
        Some(other) => Err(FormatError::Unknown(format!("it is a directory, and a {other} is none"))),
        None => Err(FormatError::Unknown("it is a directory of no known kind".into())),
    };
    read.map_err(|error| Fault::new(format, error))
}

/// Makes a directory.
pub(super) fn write(
    format: Format,
    contents: &Contents,
    wanting: &Wanting,
    path: &Path,
) -> Result<(), ExportError> {
    match format {
        Format::GramJsStore => gramjs_store::write(contents, wanting, path),
        other => Err(ExportError::ReadOnly(other)),
    }
}
