use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use serde_json::json;
use sessiond_client::{MirrorAction, Session, SessionName};
use sessiond_session::formats::{self, ImportError, Imported, Reading};

use super::{
    Context,
    failure::Failure,
    mirror,
    render::{printable, session_object, session_text},
};
use crate::exit::Exit;

/// What stands for the standard input.
const STDIN: &str = "-";

/// Bring a session file in
///
/// The file itself is not changed. Do not use it any longer: Telegram revokes a key that is used in two places at once.
///
/// `sessiond import --force NAME`, where there is no such file, takes in what another program left in the session's own file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond import alice.session
  sessiond import backup.session --name alice --force
  ssh host cat alice.session | sessiond import - --name alice")]
pub(crate) struct Import {
    /// A session file of Telethon 1 or 2, or - for one on the standard input
    file: OsString,
    /// What the session is called. Default: the file's name without its extension
    #[arg(long)]
    name: Option<SessionName>,
    /// Replace a session that is there
    #[arg(long)]
    force: bool,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { file, name, force } = self;
        if let Some(name) = session_of(&file).filter(|_| name.is_none()) {
            if force {
                return mirror::settle(context, &name, MirrorAction::Take).await;
            }
            let message = format!(
                "there is no file {name}; with --force, what is in the file of session {name} is taken in"
            );
            return Err(Failure::new(Exit::NoInput, message).into());
        }
        let name = name.map_or_else(|| name_of(&file), Ok)?;
        let mut imported = tokio::task::spawn_blocking(move || read(&file)).await??;
        let home = home_by_key(&imported.contents.session);
        let session = &mut imported.contents.session;
        session.home_dc = home.or(session.home_dc);
        let revision = save(context, &name, &imported.contents.session, force).await?;
        tell(context, &name, &imported, home, revision)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The session that the argument means, where it is no file.
fn session_of(file: &OsStr) -> Option<SessionName> {
    if file == STDIN || Path::new(file).exists() {
        return None;
    }
    file.to_str()?.parse().ok()
}

fn name_of(file: &OsStr) -> Result<SessionName, Failure> {
    let usage = |message| Failure::new(Exit::Usage, message);
    if file == STDIN {
        return Err(usage(
            "what comes on the standard input has no name: give it one with --name".to_owned(),
        ));
    }
    let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
    stem.parse().map_err(|error| usage(format!("{}: {error}: give it a name with --name", printable(&stem))))
}

fn read(file: &OsStr) -> anyhow::Result<Imported> {
    if file != STDIN {
        return read_one(Path::new(file)).map_err(Into::into);
    }
    let directory = tempfile::tempdir()?;
    let path: PathBuf = directory.path().join("stdin.session");
    let mut copy = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    io::copy(&mut io::stdin().lock(), &mut copy).context("the standard input")?;
    drop(copy);
    Ok(read_one(&path).map_err(of_stdin)?)
}

fn read_one(path: &Path) -> Result<Imported, ImportError> {
    let mut imported = formats::read_path(path, &Reading::default())?;
    Ok(imported.swap_remove(0))
}

/// The error without the path of the copy, which means nothing to the user and is gone.
fn of_stdin(error: ImportError) -> ImportError {
    let path = "the standard input".into();
    match error {
        ImportError::Format { path: _, format, source } => ImportError::Format { path, format, source },
        ImportError::Io { path: _, source } => ImportError::Io { path, source },
        error => error,
    }
}

/// The home data center, where the file does not tell it and its keys do. A Telethon v2 file has no place for it beside the
/// user's, and before anybody is logged in there is a key of the home alone.
fn home_by_key(session: &Session) -> Option<i32> {
    if session.user.is_some() || session.home_dc.is_some() {
        return None;
    }
    let mut with_key = session.dcs.iter().filter(|dc| dc.auth.is_present());
    let only = with_key.next()?;
    with_key.next().is_none().then_some(only.id)
}

/// Replaces the session while nobody else holds it, and gives the revision.
async fn save(context: &Context, name: &SessionName, session: &Session, force: bool) -> anyhow::Result<i64> {
    let hold = context.client.hold(name).label("sessiond import").await.with_context(|| name.to_string())?;
    let saved = match hold.session() {
        Some(there) if !force => {
            let what = session_text(there);
            let message = format!(
                "there is a session {name} ({what}): replace it with --force, or choose another name with --name"
            );
            Err(Failure::new(Exit::CannotCreate, message).into())
        }
        _ => hold.save(session).await.with_context(|| name.to_string()),
    };
    // Where that fails, the end of this process does it.
    let _ = hold.release().await;
    saved
}

fn tell(
    context: &Context,
    name: &SessionName,
    imported: &Imported,
    home_by_key: Option<i32>,
    revision: i64,
) -> io::Result<()> {
    let Imported { contents, left_behind, .. } = imported;
    let (format, session) = (imported.schema(), &contents.session);
    context.output.result(
        || {
            json!({
                "name": name.as_str(),
                "revision": revision,
                "format": format.to_string(),
                "session": session_object(session),
                "left_behind": left_behind,
            })
        },
        || {
            let mut text = format!("imported {name} from a {format}: {}", session_text(session));
            if let Some(id) = home_by_key {
                text += &format!("\nhome DC {id} is taken from its key, the only one in the file");
            }
            for sentence in left_behind {
                text += &format!("\nleft behind: {}", printable(sentence));
            }
            text
        },
    )
}
