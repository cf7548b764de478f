//! Which module reads and writes which kind of directory.

use std::path::Path;

use super::{
    ExportError, Format, FormatError, Imported, Reading, Wanting, gramjs_store, reading::Fault, tdata,
};
use crate::Contents;

/// Which kind of directory one is. `None`: of none, though there may be sessions in it.
pub fn directory_format(path: &Path) -> Option<Format> {
    if tdata::is_this(path) {
        Some(Format::Tdata)
    } else if gramjs_store::is_this(path) {
        Some(Format::GramJsStore)
    } else {
        None
    }
}

/// What is in a directory.
pub(super) fn read(path: &Path, how: &Reading<'_>) -> Result<Vec<Imported>, Fault> {
    let format = how.from.or_else(|| directory_format(path));
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
