use std::io;

use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use crate::formats::{FormatError, folder::Folder};

const MAGIC: &[u8] = b"TDF$";

/// What a name may end with, in the order in which Telegram Desktop looks: the last two are those of versions before 1.4.
const ENDS: [char; 3] = ['s', '0', '1'];

/// The most bytes of a file. Those that are read have some hundreds.
const MAX_BYTES: u64 = 4 << 20;

/// Whether there is such a file.
pub(super) fn is_there(folder: &Folder<'_>, name: &str) -> bool {
    ENDS.iter().any(|end| folder.has_file(&format!("{name}{end}")))
}

/// What is in the first such file that is whole: what stands between its version and its digest.
pub(super) fn read(folder: &Folder<'_>, name: &str) -> Result<Zeroizing<Vec<u8>>, FormatError> {
    let mut refused = None;
    for end in ENDS {
        let name = format!("{name}{end}");
        let error = match folder.read(&name, MAX_BYTES) {
            Ok(bytes) => match contents(bytes) {
                Ok(contents) => return Ok(contents),
                Err(problem) => FormatError::Value { column: name, problem: problem.into() },
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => FormatError::Value { column: name, problem: format!("cannot be read: {error}") },
        };
        refused = refused.or(Some(error));
    }
    Err(refused
        .unwrap_or_else(|| FormatError::Value { column: format!("{name}s"), problem: "is missing".into() }))
}

/// `TDF$`, a version, the contents, and an MD5 of the contents, their length, the version and `TDF$`.
fn contents(mut bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    if !bytes.starts_with(MAGIC) {
        return Err("does not begin as a file of Telegram Desktop");
    }
    let split = (bytes.len().checked_sub(16)).filter(|end| *end >= 8).ok_or("is cut off")?;
    let (head, rest) = bytes.split_at(8);
    let (contents, digest) = rest.split_at(split - 8);
    let length = u32::try_from(contents.len()).map_err(|_| "is too large to be one")?;
    let computed = Md5::new()
        .chain_update(contents)
        .chain_update(length.to_le_bytes())
        .chain_update(&head[4..])
        .chain_update(MAGIC)
        .finalize();
    if computed[..] != *digest {
        return Err("is damaged: its digest is another");
    }
    bytes.truncate(split);
    bytes.drain(..8);
    Ok(bytes)
}
