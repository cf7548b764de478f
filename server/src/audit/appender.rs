use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rustix::{
    fs::{FallocateFlags, OFlags, fallocate},
    io::Errno,
};

use super::{
    files,
    record::{LineHash, Link, MAX_LINE, Record},
};
use crate::exit::Exit;

/// The size at which a file is full.
const FULL: u64 = 64 << 20;

/// Room is kept for so many bytes at a time, so that the system is seldom asked.
const PIECE: u64 = 256 << 10;

/// The file that is written to, and where the chain has got to.
#[derive(Debug)]
pub(super) struct Appender {
    directory: PathBuf,
    file: Arc<File>,
    /// Bytes of whole lines.
    len: u64,
    /// Up to here the disk keeps space for the file, beyond its end.
    room: u64,
    /// Beyond `len` there is a part of a line that could not be written.
    torn: bool,
    /// Of the last line.
    number: u64,
    hash: LineHash,
}

/// A record that cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the audit record {}", file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error(
        "the audit record {} does not end with a record: look at it with `sessiond audit verify`, and move it away to begin \
         another one",
        file.display()
    )]
    NoRecord { file: PathBuf },
}

impl OpenError {
    /// The code to exit with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Io { source, .. } => Exit::of_io(source),
            Self::NoRecord { .. } => Exit::Data,
        }
    }
}

impl Appender {
    /// Goes on with the record of a directory, or begins one. Answers what was torn off its end by a kill or a power cut, which
    /// is cut off.
    ///
    /// # Errors
    /// Where a file cannot be used, or does not end with a record and something torn.
    pub(super) fn open(directory: &Path) -> Result<(Self, Vec<u8>), OpenError> {
        let path = directory.join(files::CURRENT);
        let io = |source| OpenError::Io { file: path.clone(), source };
        let file = to_append(&path).map_err(io)?;
        let mut end = End::of(&path)?;
        if end.last.is_none() {
            let before = files::full(directory).map_err(io)?.pop();
            end.last = before.map(|(_, path)| End::of(&path)?.of_full(path)).transpose()?;
        }
        if !end.torn.is_empty() {
            file.set_len(end.len).map_err(io)?;
        }
        let (number, hash) = end.last.unwrap_or((0, LineHash::NONE));
        let directory = directory.to_owned();
        let (len, file) = (end.len, Arc::new(file));
        Ok((Self { directory, file, len, room: len, torn: false, number, hash }, end.torn))
    }

    /// Makes sure that the disk keeps room for so many more lines. Where the file system does not do that, a full disk is found
    /// when a line is written.
    ///
    /// # Errors
    /// Where there is no room.
    pub(super) fn make_room(&mut self, lines: u64) -> io::Result<()> {
        let needed = self.len + lines * MAX_LINE;
        if needed <= self.room {
            return Ok(());
        }
        let wanted = needed + PIECE - self.len;
        match fallocate(&*self.file, FallocateFlags::KEEP_SIZE, self.len, wanted) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                self.room = self.len + wanted;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a record as one more line.
    ///
    /// # Errors
    /// Where it is not there, or not whole: then the next one takes its place.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        if self.torn {
            self.cut()?;
        }
        let mut line = record.line(self.number + 1, Timestamp::now(), self.hash);
        let hash = LineHash::of(&line);
        line.push(b'\n');
        let written = (&*self.file).write(&line);
        if !matches!(written, Ok(bytes) if bytes == line.len()) {
            self.torn = true;
            // Now if possible, else when there is more to write.
            let _ = self.cut();
            written?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.len += line.len() as u64;
        (self.number, self.hash) = (self.number + 1, hash);
        Ok(())
    }

    /// The file, to be synced without whoever writes to it.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Of the last line: its number, and what tells whether it is still the same.
    pub(super) fn newest(&self) -> (u64, LineHash) {
        (self.number, self.hash)
    }

    pub(super) fn is_full(&self) -> bool {
        self.len >= FULL
    }

    /// Goes on in a new file, and removes the oldest that is not kept. Whatever fails, no line is lost.
    ///
    /// # Errors
    /// Where there is no new file; the one that is full is gone on with.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        let full = files::full(&self.directory)?;
        let next = full.last().map_or(1, |(number, _)| number + 1);
        self.trim()?;
        self.file.sync_all()?;
        let current = self.directory.join(files::CURRENT);
        fs::rename(&current, files::path_of(&self.directory, next))?;
        let file = to_append(&current)?;
        // Whoever goes on after a power cut finds both, or the one with its old name.
        File::open(&self.directory)?.sync_all()?;
        self.file = Arc::new(file);
        (self.len, self.room) = (0, 0);
        let surplus = (full.len() + 1).saturating_sub(files::KEPT);
        full.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }

    /// Gives back the room that was kept.
    pub(super) fn trim(&mut self) -> io::Result<()> {
        self.cut()
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.len)?;
        self.torn = false;
        self.room = self.len;
        Ok(())
    }
}

#[cfg(test)]
impl Appender {
    /// Writes to another file from now on. Answers the one before.
    pub(super) fn divert(&mut self, file: Arc<File>) -> Arc<File> {
        std::mem::replace(&mut self.file, file)
    }
}

/// How a file ends.
#[derive(Debug)]
struct End {
    /// Bytes up to the end of its last record.
    len: u64,
    /// The last record's number and hash. None: there is nothing in the file.
    last: Option<(u64, LineHash)>,
    /// What is after it.
    torn: Vec<u8>,
}

impl End {
    /// How far back a record is looked for.
    const WINDOW: u64 = 1 << 20;

    fn of(path: &Path) -> Result<Self, OpenError> {
        let (begin, bytes) = tail(path).map_err(|source| OpenError::Io { file: path.to_owned(), source })?;
        let mut end = bytes.len();
        // From the last end of a line back to the first that ends a record.
        while let Some(newline) = bytes[..end].iter().rposition(|byte| *byte == b'\n') {
            let start =
                bytes[..newline].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
            let line = &bytes[start..newline];
            if let Some(link) = Link::of(line) {
                let last = Some((link.number, LineHash::of(line)));
                let torn = bytes[newline + 1..].to_vec();
                return Ok(Self { len: begin + newline as u64 + 1, last, torn });
            }
            end = newline;
        }
        // The very first line may have been torn: then there was no record yet.
        let is_small = begin == 0 && bytes.len() as u64 <= MAX_LINE;
        if is_small && !bytes.contains(&b'\n') {
            Ok(Self { len: 0, last: None, torn: bytes })
        } else {
            Err(OpenError::NoRecord { file: path.to_owned() })
        }
    }

    /// Of a file that is written to no more: it has a record, and ends with it.
    fn of_full(self, file: PathBuf) -> Result<(u64, LineHash), OpenError> {
        self.last.filter(|_| self.torn.is_empty()).ok_or(OpenError::NoRecord { file })
    }
}

/// The end of a file, and where that begins.
fn tail(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let mut file = files::to_read(path)?;
    let begin = file.metadata()?.len().saturating_sub(End::WINDOW);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(End::WINDOW).read_to_end(&mut bytes)?;
    Ok((begin, bytes))
}

/// A file of ours alone, which a link leads nobody to.
fn to_append(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    File::options().append(true).create(true).mode(0o600).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{self, Write as _},
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        path::Path,
    };

    use super::{Appender, OpenError, files};
    use crate::audit::{
        record::{Event, LineHash, Record},
        verify::{Summary, verify},
    };

    fn open(directory: &Path) -> Appender {
        let (appender, torn) = Appender::open(directory).expect("opened");
        assert!(torn.is_empty(), "{torn:?}");
        appender
    }

    fn append(appender: &mut Appender, times: u64) {
        for _ in 0..times {
            appender.append(&Record::of(Event::Saved)).expect("written");
        }
    }

    fn whole(directory: &Path) -> Summary {
        verify(directory, None).expect("readable").expect("whole")
    }

    #[test]
    fn the_chain_goes_on_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        append(&mut open(directory.path()), 2);
        let mut appender = open(directory.path());
        append(&mut appender, 1);
        let summary = whole(directory.path());
        assert_eq!((summary.records, summary.newest), (3, appender.newest().1));
        let mode = fs::metadata(directory.path().join("audit.jsonl")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_chain_goes_on_across_files_and_the_oldest_are_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut appender = open(directory.path());
        for round in 1..=files::KEPT as u64 + 3 {
            append(&mut appender, 2);
            appender.rotate().expect("rotated");
            assert_eq!(appender.newest().0, 2 * round);
        }
        let full = files::full(directory.path()).expect("readable");
        let numbers: Vec<u64> = full.into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, (4..=files::KEPT as u64 + 3).collect::<Vec<_>>());
        let summary = whole(directory.path());
        assert_eq!((summary.first, summary.last), (7, 20), "{summary:?}");

        // Also where nothing was written to the new file, and where a kill came before there was one.
        append(&mut open(directory.path()), 1);
        assert_eq!(whole(directory.path()).last, 21);
        fs::rename(directory.path().join("audit.jsonl"), files::path_of(directory.path(), 11))
            .expect("renamed");
        append(&mut open(directory.path()), 1);
        let error = verify(directory.path(), None).expect("readable").map(|summary| summary.last);
        assert_eq!(error.expect("whole"), 22);
    }

    #[test]
    fn what_is_torn_off_the_end_is_cut_off_and_told() {
        let directory = tempfile::tempdir().expect("a directory");
        append(&mut open(directory.path()), 2);
        let path = directory.path().join("audit.jsonl");
        let whole_before = fs::read(&path).expect("readable");
        for torn in [&b"{\"number\":3,\"time\":\"20"[..], &[0; 4_096], b"\0\0\0\n\0\0", b"{\"number\":3}\n"] {
            let mut file = fs::File::options().append(true).open(&path).expect("there");
            file.write_all(torn).expect("written");
            let (_, told) = Appender::open(directory.path()).expect("opened");
            assert_eq!(told, torn);
            assert_eq!(fs::read(&path).expect("readable"), whole_before);
        }
    }

    #[test]
    fn a_first_line_that_was_torn_is_none_and_what_never_was_a_record_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("audit.jsonl");
        fs::write(&path, "{\"num").expect("written");
        let (mut appender, torn) = Appender::open(directory.path()).expect("opened");
        assert_eq!(torn, b"{\"num");
        append(&mut appender, 1);
        assert_eq!(whole(directory.path()).last, 1);

        let foreign = "something\nelse\n";
        fs::write(&path, foreign).expect("written");
        let error = Appender::open(directory.path()).expect_err("no record");
        assert!(matches!(error, OpenError::NoRecord { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("readable"), foreign);
    }

    #[test]
    fn room_is_kept_beyond_the_end_and_given_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut appender = open(directory.path());
        append(&mut appender, 1);
        let metadata = || fs::metadata(directory.path().join("audit.jsonl")).expect("there");
        let before = metadata();
        appender.make_room(10).expect("there is room");
        assert_eq!(metadata().len(), before.len(), "nobody reads it");
        let kept = metadata().blocks();
        append(&mut appender, 1);
        appender.trim().expect("trimmed");
        assert!(metadata().blocks() <= kept);
        append(&mut appender, 1);
        assert_eq!(whole(directory.path()).last, 3);
    }

    #[test]
    fn a_line_that_cannot_be_written_leaves_the_chain_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut appender = open(directory.path());
        append(&mut appender, 1);
        let full = fs::File::options().write(true).open("/dev/full").expect("there");
        let file = appender.divert(full.into());
        let error = appender.append(&Record::of(Event::Deleted)).expect_err("it takes nothing");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        (&*file).write_all(b"{\"half of").expect("written");
        appender.divert(file);
        append(&mut appender, 1);
        let text = fs::read_to_string(directory.path().join("audit.jsonl")).expect("readable");
        assert!(!text.contains("half") && !text.contains("deleted"), "{text}");
        assert_eq!(whole(directory.path()).last, 2);
    }

    #[test]
    fn the_first_line_of_all_has_nothing_before_it() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(open(directory.path()).newest(), (0, LineHash::NONE));
    }
}
