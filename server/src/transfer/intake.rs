use std::{collections::BTreeMap, sync::Arc};

use sessiond_session::formats::Files;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use super::Error;

/// Most bytes of what one session is imported from: some four times what a SQLite file with 100,000 peers has.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// What a piece counts for beside its path and its bytes: there may be many that have next to none.
const PIECE_BYTES: usize = 128;

/// Longest path of a file, in bytes.
const MAX_PATH: usize = 1_024;

/// Files that arrive piece by piece, in memory.
pub(crate) struct Intake {
    room: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    bytes: usize,
    /// Each in the pieces in which it came, so that it is in memory once.
    files: BTreeMap<String, Vec<Zeroizing<Vec<u8>>>>,
    current: String,
}

impl Intake {
    pub(super) fn new(room: Arc<Semaphore>) -> Self {
        Self { room, taken: None, bytes: 0, files: BTreeMap::new(), current: String::new() }
    }

    /// Takes the next piece: of the file that begins with it, or, without a path, of the one before.
    ///
    /// # Errors
    /// It is too much, or the path is none, or was there before.
    pub(crate) fn take(&mut self, path: String, data: Zeroizing<Vec<u8>>) -> Result<(), Error> {
        let weight = PIECE_BYTES + path.len() + data.len();
        if self.bytes + weight > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        let room = room_for(&self.room, weight)?;
        match &mut self.taken {
            Some(taken) => taken.merge(room),
            None => self.taken = Some(room),
        }
        self.bytes += weight;
        if !path.is_empty() {
            self.begin(path)?;
        }
        if !data.is_empty() {
            self.files.entry(self.current.clone()).or_default().push(data);
        }
        Ok(())
    }

    fn begin(&mut self, path: String) -> Result<(), Error> {
        let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        if path.len() > MAX_PATH || !path.split('/').all(is_plain) {
            return Err(Error::File("file is no path below a directory, such as \"key_datas\""));
        }
        if self.files.contains_key("") {
            return Err(Error::File("file follows data of a file without a path"));
        }
        if self.files.insert(path.clone(), Vec::new()).is_some() {
            return Err(Error::File("file begins a second time"));
        }
        self.current = path;
        Ok(())
    }

    /// Everything that has come, and the room that it takes.
    pub(super) fn end(self) -> (Files, Option<OwnedSemaphorePermit>) {
        let mut files = Files::new();
        for (path, mut pieces) in self.files {
            let whole = if pieces.len() == 1 { pieces.remove(0) } else { joined(pieces) };
            files.insert(path, whole);
        }
        if files.is_empty() {
            files.insert(String::new(), Zeroizing::default());
        }
        (files, self.taken)
    }
}

/// Room for so many bytes, until it is dropped.
pub(super) fn room_for(room: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
    let permits = u32::try_from(bytes).map_err(|_| Error::NoRoom)?;
    Arc::clone(room).try_acquire_many_owned(permits).map_err(|_| Error::NoRoom)
}

/// Each piece is gone once it was copied.
fn joined(pieces: Vec<Zeroizing<Vec<u8>>>) -> Zeroizing<Vec<u8>> {
    let mut whole = Zeroizing::new(Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum()));
    for piece in pieces {
        whole.extend_from_slice(&piece);
    }
    whole
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::{Error, Intake, MAX_BYTES, PIECE_BYTES};

    fn intake(room: usize) -> Intake {
        Intake::new(Arc::new(Semaphore::new(room)))
    }

    fn take(intake: &mut Intake, path: &str, data: &[u8]) -> Result<(), Error> {
        intake.take(path.to_owned(), data.to_vec().into())
    }

    #[test]
    fn pieces_are_put_together_by_their_files() {
        let mut whole = intake(MAX_BYTES);
        for piece in ["a", "", "bc"] {
            take(&mut whole, "", piece.as_bytes()).expect("taken");
        }
        assert_eq!(**whole.end().0[""], *b"abc");

        let mut directory = intake(MAX_BYTES);
        for (path, data) in [("x", "1"), ("", "2"), ("y/z", ""), ("", "3"), ("w", "")] {
            take(&mut directory, path, data.as_bytes()).expect("taken");
        }
        let files = directory.end().0;
        assert_eq!(files.keys().collect::<Vec<_>>(), ["w", "x", "y/z"]);
        assert_eq!(
            (&**files["x"], &**files["y/z"], files["w"].len()),
            (b"12".as_slice(), b"3".as_slice(), 0)
        );
        assert_eq!(intake(0).end().0[""].len(), 0, "nothing is an empty file");
    }

    #[test]
    fn a_path_is_one_below_a_directory_and_comes_once() {
        for path in ["/etc", "../a", "a/../b", "a//b", "a/", ".", "a\0", &"a".repeat(2_000)] {
            let refused = take(&mut intake(MAX_BYTES), path, b"");
            assert!(matches!(refused, Err(Error::File(_))), "{path:?}");
        }
        let mut twice = intake(MAX_BYTES);
        take(&mut twice, "a", b"").expect("taken");
        assert!(take(&mut twice, "a", b"").is_err());
        let mut without = intake(MAX_BYTES);
        take(&mut without, "", b"1").expect("taken");
        assert!(take(&mut without, "a", b"").is_err());
    }

    #[test]
    fn there_is_an_end_to_one_import_and_to_all_of_them() {
        let mut large = intake(2 * MAX_BYTES);
        take(&mut large, "", &vec![0; MAX_BYTES - 2 * PIECE_BYTES]).expect("taken");
        assert!(matches!(take(&mut large, "", b"1"), Err(Error::TooLarge)));
        let room = Arc::new(Semaphore::new(PIECE_BYTES + 3));
        let (mut one, mut other) = (Intake::new(Arc::clone(&room)), Intake::new(Arc::clone(&room)));
        take(&mut one, "", b"12").expect("taken");
        assert!(matches!(take(&mut other, "", b"12"), Err(Error::NoRoom)));
        drop(one);
        take(&mut other, "", b"12").expect("there is room again");
    }
}
