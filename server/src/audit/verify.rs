//! Whether a record is as the daemon wrote it.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use super::{
    files,
    record::{LineHash, Link, MAX_LINE},
};

/// A record that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) files: usize,
    pub(crate) records: u64,
    /// Numbers of the first and of the last record.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// What a record from elsewhere can be compared with, later.
    pub(crate) newest: LineHash,
    /// Bytes of a line that a kill or a power cut has torn: the daemon's next start mends that.
    pub(crate) torn: usize,
}

/// The first place where a record is not as the daemon wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}, line {line}: {what}", file.display())]
pub(crate) struct Fault {
    pub(crate) file: PathBuf,
    /// Counted from 1.
    pub(crate) line: u64,
    pub(crate) what: What,
}

/// What is wrong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// This line: what follows it was written after another one.
    Changed { number: u64 },
    /// This line cannot be read as one of the record's.
    NoRecord,
    /// The lines before this one.
    Removed { from: u64, to: u64 },
    /// This line was not written here.
    Misplaced { number: u64, expected: u64 },
    /// What came before the first line is gone, and no change of files explains that.
    BeginningGone { number: u64 },
    /// The hash that was kept elsewhere is that of no line.
    NotThere,
}

/// Reads a whole record, the oldest file first. `expected` is a hash that was kept elsewhere: of one of the lines.
///
/// # Errors
/// Outside, where a file cannot be read. Inside, the first fault.
pub(crate) fn verify(directory: &Path, expected: Option<LineHash>) -> io::Result<Result<Summary, Fault>> {
    let opened = files::open_all(directory)?;
    let complete = opened.len() > files::KEPT;
    let summary =
        Summary { files: opened.len(), records: 0, first: 0, last: 0, newest: LineHash::NONE, torn: 0 };
    let mut walk = Walk { summary, before: None, found: expected.is_none(), expected, complete };
    let last = opened.len().saturating_sub(1);
    for (at, (path, file)) in opened.into_iter().enumerate() {
        if let Err(fault) = walk.file(&path, file, at == last)? {
            return Ok(Err(fault));
        }
    }
    Ok(walk.end(directory))
}

/// Each line of a record, the oldest first, as it is.
///
/// # Errors
/// Where a file cannot be read, and whatever `each` fails with.
pub(crate) fn read<E: From<io::Error>>(
    directory: &Path,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<usize, E> {
    let opened = files::open_all(directory)?;
    let files = opened.len();
    for (_, file) in opened {
        let mut lines = Lines::of(file);
        while let Some(line) = lines.next()? {
            each(&line.bytes)?;
        }
    }
    Ok(files)
}

/// On its way from the first line to the last.
struct Walk {
    summary: Summary,
    /// Where the line before is.
    before: Option<(PathBuf, u64)>,
    expected: Option<LineHash>,
    found: bool,
    /// All files are there that are ever kept: older ones may have been removed.
    complete: bool,
}

impl Walk {
    fn file(&mut self, path: &Path, file: File, is_last: bool) -> io::Result<Result<(), Fault>> {
        let mut lines = Lines::of(file);
        for at in 1.. {
            let Some(line) = lines.next()? else { break };
            if !line.is_ended && is_last {
                self.summary.torn = line.bytes.len();
                break;
            }
            let fault = |line, what| Fault { file: path.to_owned(), line, what };
            let checked = match Link::of(&line.bytes).filter(|_| line.is_ended) {
                Some(link) => self.link(link).map_err(|what| self.blamed(what, &fault(at, what))),
                None => Err(fault(at, What::NoRecord)),
            };
            if let Err(fault) = checked {
                return Ok(Err(fault));
            }
            self.summary.newest = LineHash::of(&line.bytes);
            self.found |= self.expected == Some(self.summary.newest);
            self.before = Some((path.to_owned(), at));
        }
        Ok(Ok(()))
    }

    fn link(&mut self, link: Link) -> Result<(), What> {
        let Link { number, previous } = link;
        let Summary { records, last, newest, .. } = self.summary;
        if records == 0 {
            let from_the_first = number == 1 && previous == LineHash::NONE;
            let after_removed_files = self.complete && number > 1;
            if !(from_the_first || after_removed_files) {
                return Err(What::BeginningGone { number });
            }
            self.summary.first = number;
        } else {
            let next = last + 1;
            if number > next {
                return Err(What::Removed { from: next, to: number - 1 });
            }
            if number < next {
                return Err(What::Misplaced { number, expected: next });
            }
            if previous != newest {
                return Err(What::Changed { number: last });
            }
        }
        self.summary.records += 1;
        self.summary.last = number;
        Ok(())
    }

    /// Of two lines that do not fit together, the one before is the one that has changed: its hash is what the later one has
    /// written down.
    fn blamed(&self, what: What, here: &Fault) -> Fault {
        match (&self.before, what) {
            (Some((file, line)), What::Changed { .. }) => Fault { file: file.clone(), line: *line, what },
            _ => here.clone(),
        }
    }

    fn end(self, directory: &Path) -> Result<Summary, Fault> {
        if self.found {
            return Ok(self.summary);
        }
        let (file, line) = self.before.unwrap_or_else(|| (directory.join(files::CURRENT), 1));
        Err(Fault { file, line, what: What::NotThere })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { number } => {
                write!(f, "record {number} was changed, or what the next one says of it")
            }
            Self::NoRecord => f.write_str("this is no record: the line was changed, or put in"),
            Self::Removed { from, to } if from == to => write!(f, "record {from} was removed before it"),
            Self::Removed { from, to } => write!(f, "records {from} to {to} were removed before it"),
            Self::Misplaced { number, expected } => write!(
                f,
                "record {number} is where record {expected} was: a line was put in, or lines are in another order"
            ),
            Self::BeginningGone { number } => {
                write!(f, "the record begins with number {number}: what came before it was removed")
            }
            Self::NotThere => f.write_str(
                "up to here no line has the expected hash: what had it was removed or written anew",
            ),
        }
    }
}

/// The lines of a file, each of bounded length.
struct Lines(BufReader<File>);

struct Line {
    bytes: Vec<u8>,
    is_ended: bool,
}

impl Lines {
    fn of(file: File) -> Self {
        Self(BufReader::with_capacity(256 << 10, file))
    }

    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        self.0.by_ref().take(2 * MAX_LINE).read_until(b'\n', &mut bytes)?;
        let is_ended = bytes.pop_if(|byte| *byte == b'\n').is_some();
        let is_there = is_ended || !bytes.is_empty();
        Ok(is_there.then_some(Line { bytes, is_ended }))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use tempfile::TempDir;

    use super::{Fault, LineHash, Summary, What, verify};
    use crate::audit::{
        appender::Appender,
        record::{Event, Record},
    };

    /// A record of nine lines in three files.
    fn written() -> TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut appender, _) = Appender::open(directory.path()).expect("opened");
        for number in 1..=9 {
            appender.append(&Record::of(Event::Saved).at(number)).expect("written");
            if number % 3 == 0 && number < 9 {
                appender.rotate().expect("rotated");
            }
        }
        directory
    }

    fn lines(directory: &Path, file: &str) -> Vec<String> {
        let text = fs::read_to_string(directory.join(file)).expect("readable");
        text.lines().map(str::to_owned).collect()
    }

    fn write(directory: &Path, file: &str, lines: &[String]) {
        fs::write(directory.join(file), lines.iter().map(|line| format!("{line}\n")).collect::<String>())
            .expect("written");
    }

    fn verified(directory: &Path) -> Result<Summary, Fault> {
        verify(directory, None).expect("readable")
    }

    /// What is found, where, after the second file was tampered with.
    fn found(tamper: impl FnOnce(&mut Vec<String>)) -> (String, u64, What) {
        let directory = written();
        let file = "audit.000002.jsonl";
        let mut lines = lines(directory.path(), file);
        tamper(&mut lines);
        write(directory.path(), file, &lines);
        let Fault { file, line, what } = verified(directory.path()).expect_err("tampered with");
        (file.file_name().expect("a name").to_string_lossy().into_owned(), line, what)
    }

    #[test]
    fn a_record_as_it_was_written_is_whole() {
        let directory = written();
        let summary = verified(directory.path()).expect("whole");
        assert_eq!(
            (summary.files, summary.records, summary.first, summary.last, summary.torn),
            (3, 9, 1, 9, 0)
        );
        let last = lines(directory.path(), "audit.jsonl").pop().expect("a line");
        assert_eq!(summary.newest, LineHash::of(last.as_bytes()));
    }

    #[test]
    fn every_kind_of_tampering_is_found_at_the_first_line_that_it_touched() {
        let file = "audit.000002.jsonl".to_owned();
        let of = |line, what| (file.clone(), line, what);
        assert_eq!(
            found(|lines| lines[1] = lines[1].replace("\"revision\":5", "\"revision\":6")),
            of(2, What::Changed { number: 5 })
        );
        assert_eq!(
            found(|lines| lines[2] = lines[2].replace("saved", "started")),
            of(3, What::Changed { number: 6 })
        );
        assert_eq!(found(|lines| lines[1].insert(0, ' ')), of(2, What::Changed { number: 5 }));
        assert_eq!(found(|lines| lines[1].truncate(30)), of(2, What::NoRecord));
        assert_eq!(found(|lines| lines.insert(1, "hello".into())), of(2, What::NoRecord));
        assert_eq!(found(|lines| lines.insert(1, String::new())), of(2, What::NoRecord));
        assert_eq!(found(|lines| drop(lines.remove(1))), of(2, What::Removed { from: 5, to: 5 }));
        assert_eq!(found(|lines| drop(lines.drain(..2))), of(1, What::Removed { from: 4, to: 5 }));
        assert_eq!(
            found(|lines| lines.insert(1, lines[0].clone())),
            of(2, What::Misplaced { number: 4, expected: 5 })
        );
        assert_eq!(found(|lines| lines.swap(0, 1)), of(1, What::Removed { from: 4, to: 4 }));
        assert_eq!(
            found(|lines| lines.push(lines[0].clone())),
            of(4, What::Misplaced { number: 4, expected: 7 })
        );
        let (other, line, what) = found(Vec::clear);
        assert_eq!((other.as_str(), line, what), ("audit.jsonl", 1, What::Removed { from: 4, to: 6 }));
    }

    #[test]
    fn every_byte_counts() {
        let directory = written();
        let path = directory.path().join("audit.000002.jsonl");
        let whole = fs::read(&path).expect("readable");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).expect("written");
            assert!(verified(directory.path()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_file_that_is_gone_is_missed() {
        let directory = written();
        fs::remove_file(directory.path().join("audit.000002.jsonl")).expect("removed");
        assert_eq!(verified(directory.path()).expect_err("gone").what, What::Removed { from: 4, to: 6 });
        let directory = written();
        fs::remove_file(directory.path().join("audit.000001.jsonl")).expect("removed");
        assert_eq!(verified(directory.path()).expect_err("gone").what, What::BeginningGone { number: 4 });
    }

    #[test]
    fn a_torn_end_is_not_tampering() {
        let directory = written();
        let path = directory.path().join("audit.jsonl");
        let text = fs::read_to_string(&path).expect("readable");
        fs::write(&path, format!("{text}{{\"numb")).expect("written");
        let summary = verified(directory.path()).expect("whole");
        assert_eq!((summary.last, summary.torn), (9, 6));
        // But in the middle it is.
        let path = directory.path().join("audit.000001.jsonl");
        let text = fs::read_to_string(&path).expect("readable");
        fs::write(&path, text.trim_end()).expect("written");
        assert_eq!(verified(directory.path()).expect_err("torn").what, What::NoRecord);
    }

    #[test]
    fn a_hash_that_was_kept_elsewhere_tells_of_an_end_that_was_cut_off_and_of_a_record_that_was_written_anew()
    {
        let directory = written();
        let newest = verified(directory.path()).expect("whole").newest;
        let expecting = |directory: &Path| verify(directory, Some(newest)).expect("readable");
        assert!(expecting(directory.path()).is_ok());
        let (mut appender, _) = Appender::open(directory.path()).expect("opened");
        appender.append(&Record::of(Event::Deleted)).expect("written");
        assert!(expecting(directory.path()).is_ok(), "it may be any line's");

        let mut kept = lines(directory.path(), "audit.jsonl");
        kept.truncate(2);
        write(directory.path(), "audit.jsonl", &kept);
        verified(directory.path()).expect("the chain alone does not tell");
        let fault = expecting(directory.path()).expect_err("the hash does");
        assert_eq!((fault.line, fault.what), (2, What::NotThere));
        assert_eq!(expecting(written().path()).expect_err("other times").what, What::NotThere);
    }
}
