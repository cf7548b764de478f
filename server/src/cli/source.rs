use std::{
    ffi::{OsStr, OsString},
    fmt, fs,
    io::{self, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use sessiond_client::SessionName;
use sessiond_session::formats::{self, Format, ImportError, Imported, Reading};
use zeroize::Zeroizing;

use super::{failure::Failure, possession::Secret, render::printable};
use crate::exit::Exit;

/// What stands for the standard input.
const STDIN: &str = "-";

/// Most bytes that are read from the standard input. They are kept in memory; a file is not.
const MAX_STDIN: u64 = 256 << 20;

/// Shortest text of an argument that may be a session string: a key alone has more characters in base64.
const MIN_STRING: usize = 256;

/// What SQLite keeps beside a file that is in use.
const SIDECARS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// What is read, and for what it is taken.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// A session file, a file with a session string, a directory, or - for the standard input
    file: OsString,
    /// What it is, where that is not what it looks like
    #[arg(long, value_name = "FORMAT", value_parser = one_of(Format::ALL))]
    from: Option<Format>,
    /// What opens a directory of Telegram Desktop, if it is locked. In the variable no other user sees it
    #[arg(long, env = "SESSIOND_PASSCODE", hide_env_values = true)]
    passcode: Option<Secret>,
}

/// Where the sessions are.
#[derive(Debug)]
pub(super) enum Found {
    /// In one place, which is of one format.
    One(Origin),
    /// In files and directories of one directory, by name.
    Each(Vec<Origin>),
}

/// One place with a session, or with several of one format.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Stdin,
    Path(PathBuf),
}

/// How sources are read.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    from: Option<Format>,
    passcode: Option<Secret>,
}

impl Source {
    /// The session that the argument means, where there is no such file.
    pub(super) fn session(&self) -> Option<SessionName> {
        let file = &self.file;
        if file == STDIN || Path::new(file).exists() {
            return None;
        }
        file.to_str()?.parse().ok()
    }

    pub(super) fn found(&self) -> anyhow::Result<Found> {
        let file = &self.file;
        if file == STDIN {
            return Ok(Found::One(Origin::Stdin));
        }
        let path = PathBuf::from(file);
        if is_string(file) {
            let message = "a session string as an argument is seen by every user of this host: give it on the standard input, with - in its place";
            return Err(Failure::new(Exit::Usage, message).into());
        }
        if !path.is_dir() || formats::directory_format(&path).is_some() {
            return Ok(Found::One(Origin::Path(path)));
        }
        let within = entries(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        if within.is_empty() {
            let message = format!("there is nothing in {}", path.display());
            return Err(Failure::new(Exit::NoInput, message).into());
        }
        Ok(Found::Each(within))
    }

    pub(super) fn reader(&self) -> Reader {
        Reader { from: self.from, passcode: self.passcode.clone() }
    }
}

impl Reader {
    /// Reads what is there. Takes as long as that takes: not for a thread that others wait for.
    pub(super) fn read(&self, origin: &Origin) -> anyhow::Result<Vec<Imported>> {
        let how = Reading { from: self.from, passcode: self.passcode.as_ref().map(Secret::expose) };
        match origin {
            Origin::Path(path) => Ok(formats::read_path(path, &how)?),
            Origin::Stdin => Ok(formats::read_bytes(&standard_input()?, &how).map_err(of_stdin)?),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("the standard input"),
            Self::Path(path) => f.write_str(&printable(&path.to_string_lossy())),
        }
    }
}

/// An option's formats, by their names.
pub(super) fn one_of(formats: impl IntoIterator<Item = Format>) -> impl TypedValueParser<Value = Format> {
    let names = formats.into_iter().map(|format| PossibleValue::new(format.name()).help(format.to_string()));
    PossibleValuesParser::new(names).map(|name| name.parse().expect("it is one of them"))
}

/// Whether an argument is no file, but a session string.
fn is_string(argument: &OsStr) -> bool {
    let text = argument.to_str().filter(|text| text.len() >= MIN_STRING && !Path::new(text).exists());
    text.is_some_and(|text| formats::read_bytes(text.as_bytes(), &Reading::default()).is_ok())
}

/// What is in a directory, by name, without what is hidden and what SQLite keeps beside its files.
fn entries(directory: &Path) -> io::Result<Vec<Origin>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && !SIDECARS.iter().any(|sidecar| name.ends_with(sidecar)) {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths.into_iter().map(Origin::Path).collect())
}

fn standard_input() -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let stdin = io::stdin().lock();
    if stdin.is_terminal() {
        // Who closed stderr does not want to know.
        let _ =
            io::Write::write_all(&mut io::stderr(), b"paste a session string, then press Enter and Ctrl-D\n");
    }
    let mut bytes = Zeroizing::new(Vec::new());
    stdin.take(MAX_STDIN + 1).read_to_end(&mut bytes).context("the standard input")?;
    if bytes.len() as u64 > MAX_STDIN {
        let message = "more is on the standard input than can be read from it: give the file's name instead";
        return Err(Failure::new(Exit::Data, message).into());
    }
    Ok(bytes)
}

/// The error of what has no path.
fn of_stdin(error: ImportError) -> ImportError {
    let path = "the standard input".into();
    match error {
        ImportError::Format { path: _, format, source } => ImportError::Format { path, format, source },
        ImportError::Io { path: _, source } => ImportError::Io { path, source },
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Origin, entries};

    #[test]
    fn what_is_hidden_and_what_lies_beside_a_database_is_no_source() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in
            ["b.session", "a.session", ".hidden", "a.session-journal", "a.session-wal", "a.session-shm"]
        {
            fs::write(directory.path().join(name), "x").expect("written");
        }
        let found = entries(directory.path()).expect("readable");
        let names = found.iter().map(Origin::to_string).collect::<Vec<_>>();
        assert!(
            names.len() == 2 && names[0].ends_with("/a.session") && names[1].ends_with("/b.session"),
            "{names:?}"
        );
    }
}
