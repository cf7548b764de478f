use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{self, Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;
use sessiond_client::{Session, SessionName, Storage as _};
use sessiond_session::SqliteSession;

use super::{Context, failure::Failure, possession::Inherited, render::session_text};
use crate::exit::Exit;

/// Write a session to a file of Telethon 2
///
/// Whoever has the file has the account. Do not use it while another uses the session: Telegram revokes a key that is used
/// in two places at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond export alice --out alice.session
  sessiond export alice --out alice.session --force")]
pub(crate) struct Export {
    /// The session's name
    name: SessionName,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    inherited: Inherited,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { name, out, force, inherited } = self;
        let out = path::absolute(out)?;
        refuse(&out, force)?;
        let loaded = inherited
            .with(context, &name, async |held| held.load().await.with_context(|| name.to_string()))
            .await?;
        let Some(session) = loaded.session else {
            let message = format!("there is no session {name}; `sessiond ls` lists those that there are");
            return Err(Failure::new(Exit::NoInput, message).into());
        };
        write(&session, &out, force).await.with_context(|| out.display().to_string())?;
        if session.test_mode == Some(true) || session.user.is_none() && session.home_dc.is_some() {
            context
                .output
                .note("left behind: the file has no place for the home data center and for test servers");
        }
        context.output.result(
            || json!({ "name": name.as_str(), "revision": loaded.revision, "file": out.to_string_lossy() }),
            || format!("exported {name} to {}: {}", out.display(), session_text(&session)),
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses a file that is there, before a hold is taken for it, and one that SQLite would not take for what it is.
fn refuse(out: &Path, force: bool) -> Result<(), Failure> {
    let refusal = |message| Err(Failure::new(Exit::CannotCreate, message));
    if !force && out.symlink_metadata().is_ok() {
        return refusal(format!("{} is there: replace it with --force", out.display()));
    }
    let folder = folder_of(out);
    if !folder.is_dir() {
        return refusal(format!("{} is no directory: make it, or choose another --out", folder.display()));
    }
    for suffix in ["-journal", "-wal"] {
        let beside = with_suffix(out, suffix);
        if beside.symlink_metadata().is_ok() {
            let beside = beside.display();
            return refusal(format!(
                "{beside} is there, which SQLite would add to the new file: remove it, or choose another --out"
            ));
        }
    }
    Ok(())
}

/// Writes the file beside its place, for this user alone, and puts it there whole.
async fn write(session: &Session, out: &Path, force: bool) -> anyhow::Result<()> {
    let folder = folder_of(out);
    let temporary = tempfile::Builder::new().prefix(".sessiond-").tempdir_in(folder)?;
    let file = temporary.path().join("export.session");
    let storage = SqliteSession::open(&file).await?;
    storage.save(session).await?;
    storage.close().await?;
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    File::open(&file)?.sync_all()?;
    if force {
        fs::rename(&file, out)?;
    } else {
        rename_to_nothing(&file, out)?;
    }
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Moves a file to where none is.
fn rename_to_nothing(file: &Path, out: &Path) -> io::Result<()> {
    match renameat_with(CWD, file, CWD, out, RenameFlags::NOREPLACE) {
        // Some file systems cannot; a link does not replace either.
        Err(rustix::io::Errno::INVAL) => fs::hard_link(file, out),
        moved => moved.map_err(io::Error::from),
    }
}

fn folder_of(out: &Path) -> &Path {
    out.parent().unwrap_or(Path::new("/"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use sessiond_client::{Session, Storage as _, User};
    use sessiond_session::SqliteSession;

    use super::{refuse, write};

    fn session(id: i64) -> Session {
        let user = User { id, dc: 2, bot: Some(false), username: None };
        Session { user: Some(user), ..Session::default() }
    }

    #[tokio::test]
    async fn a_file_is_written_whole_for_its_user_alone_and_replaces_nothing_unasked() {
        let directory = tempfile::tempdir().expect("a directory");
        let out = directory.path().join("a.session");
        write(&session(1), &out, false).await.expect("there is no file");
        assert_eq!(fs::metadata(&out).expect("a file").permissions().mode() & 0o777, 0o600);
        assert!(write(&session(2), &out, false).await.is_err());
        assert!(refuse(&out, false).is_err());
        write(&session(3), &out, true).await.expect("it may be replaced");
        let read = SqliteSession::open(&out).await.expect("a session's file").load().await.expect("whole");
        assert_eq!(read, Some(session(3)));
        let names: Vec<_> = fs::read_dir(directory.path()).expect("a directory").flatten().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn a_file_needs_a_directory_that_is_there() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(refuse(&directory.path().join("none/a.session"), false).is_err());
        assert!(refuse(&directory.path().join("a.session"), false).is_ok());
    }

    #[test]
    fn a_journal_that_was_left_is_not_made_part_of_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("a.session-journal"), "").expect("written");
        assert!(refuse(&directory.path().join("a.session"), true).is_err());
    }
}
