//! Which module reads and writes which kind of directory.

use std::path::Path;

use super::{
    ExportError, Files, Format, FormatError, Imported, Reading, Wanting, folder::Folder, gramjs_store,
    reading::Fault, tdata,
};
use crate::Contents;

/// Which kind of directory one is. `None`: of none, though there may be sessions in it.
pub fn directory_format(path: &Path) -> Option<Format> {
    format_of(&path.into())
}

fn format_of(folder: &Folder<'_>) -> Option<Format> {
    if tdata::is_this(folder) {
        Some(Format::Tdata)
    } else if gramjs_store::is_this(folder) {
        Some(Format::GramJsStore)
    } else {
        None
    }
}

/// What is in a directory.
pub(super) fn read(folder: &Folder<'_>, how: &Reading<'_>) -> Result<Vec<Imported>, Fault> {
    let format = how.from.or_else(|| format_of(folder));
    let read = match format {
        Some(Format::Tdata) => tdata::read(folder, how.passcode),
        Some(Format::GramJsStore) => gramjs_store::read(folder).map(|imported| vec![imported]),
        Some(other) => Err(FormatError::Unknown(format!("it is a directory, and a {other} is none"))),
        None => Err(FormatError::Unknown("it is a directory of no known kind".into())),
    };
    read.map_err(|error| Fault::new(format, error))
}

/// The files of a directory of this name.
pub(super) fn write(
    format: Format,
    contents: &Contents,
    wanting: &Wanting,
    name: &str,
) -> Result<Files, ExportError> {
    match format {
        Format::GramJsStore => gramjs_store::write(contents, wanting, name),
        other => Err(ExportError::ReadOnly(other)),
    }
}
