mod many;
mod name;
mod progress;
mod ready;
mod saving;

use std::{io, process::ExitCode};

use anyhow::Context as _;
use serde_json::json;
use sessiond_client::{MirrorAction, Session, SessionName};

use super::{
    Context,
    failure::Failure,
    findings::{self, object, remarks},
    mirror,
    source::{Found, Origin, Reader, Source},
};
use crate::exit::Exit;
use many::Tally;
use name::Base;
use ready::Ready;

/// Bring sessions in: a file, a string, a directory
///
/// The source is not changed. Do not use it any longer: Telegram revokes a key that is used in two places at once.
///
/// Of a directory of files, each is imported under its name without its extension; what cannot be is told at the end, and
/// the exit code is that of the first. A directory with several accounts gives each a name of its own: NAME-1, NAME-2.
///
/// `sessiond import --force NAME`, where there is no such file, takes in what another program left in the session's own file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond import alice.session
  sessiond import backup.session --name alice --force
  sessiond import sessions/
  sessiond import - --name alice < string.txt
  sessiond import string.txt --name alice --from telethon-string
  sessiond import ~/.local/share/TelegramDesktop/tdata --name desktop
  ssh host cat alice.session | sessiond import - --name alice")]
pub(crate) struct Import {
    #[command(flatten)]
    source: Source,
    /// What the session is called. Default: the file's name without its extension
    #[arg(long)]
    name: Option<SessionName>,
    /// Replace sessions that are there, with all that is kept of them
    #[arg(long)]
    force: bool,
}

/// What becomes of a session that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Keep,
    Replace,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { source, name, force } = self;
        if let Some(name) = source.session().filter(|_| name.is_none()) {
            if force {
                return mirror::settle(context, &name, MirrorAction::Take).await;
            }
            return Err(no_file(context, &name).await.into());
        }
        let there = if force { There::Replace } else { There::Keep };
        let reader = source.reader();
        match source.found()? {
            Found::One(origin) => one(context, origin, reader, name, there).await,
            Found::Each(origins) if name.is_none() => many::import(context, origins, reader, there).await,
            Found::Each(_) => {
                let message = "a directory's sessions are called after their files, and --name is for one: import each by itself, or leave it out";
                Err(Failure::new(Exit::Usage, message).into())
            }
        }
    }
}

/// Says that there is no such file, and what else it could mean where there is a session of that name.
async fn no_file(context: &Context, name: &SessionName) -> Failure {
    let hint = match context.client.load(name).await {
        Ok(loaded) if loaded.session.is_some() => {
            format!("; with --force, what is in the file of session {name} is taken in")
        }
        _ => String::new(),
    };
    Failure::new(Exit::NoInput, format!("there is no file {name}{hint}"))
}

/// Imports what is in one place. Where that is one session, its failure is the command's.
async fn one(
    context: &Context,
    origin: Origin,
    reader: Reader,
    name: Option<SessionName>,
    there: There,
) -> anyhow::Result<ExitCode> {
    let base = Base::of(&origin, name)?;
    let read = read(origin.clone(), reader).await?;
    let alone = read.len() == 1;
    let mut tally = Tally::default();
    for imported in read {
        let saved = match Ready::new(&base, imported) {
            Ok(ready) => saving::save(&context.client, &ready, there).await.map(|revision| (ready, revision)),
            Err(error) => Err(error.into()),
        };
        match saved {
            Ok((ready, revision)) => {
                tell(context, &origin, &ready, revision)?;
                tally.imported();
            }
            Err(error) if alone => return Err(error),
            Err(error) => tally.refused(context.output, &origin, error)?,
        }
    }
    Ok(if alone { ExitCode::SUCCESS } else { tally.end(context.output) })
}

/// Reads on a thread on which nobody else waits.
async fn read(origin: Origin, reader: Reader) -> anyhow::Result<Vec<sessiond_session::formats::Imported>> {
    let reading = tokio::task::spawn_blocking(move || reader.read(&origin));
    reading.await.context("reading has ended early")?
}

fn tell(context: &Context, origin: &Origin, ready: &Ready, revision: i64) -> io::Result<()> {
    let Ready { name, imported } = ready;
    context.output.result(
        || {
            let mut object = object(imported);
            object.insert("name".to_owned(), json!(name.as_str()));
            object.insert("revision".to_owned(), json!(revision));
            object.insert("source".to_owned(), json!(origin.to_string()));
            object.into()
        },
        || {
            let mut text =
                format!("imported {name} from a {}: {}", imported.schema(), findings::line(imported));
            if nobody_is_told(&imported.contents.session) {
                text +=
                    &format!("\nwho is logged in is not told: `sessiond set-user {name} --id ID` says it");
            }
            for remark in remarks(imported) {
                text += &format!("\n{remark}");
            }
            text
        },
    )
}

/// Whether there is the key of somebody who is logged in, or was about to be, and not who that is.
fn nobody_is_told(session: &Session) -> bool {
    session.user.is_none() && session.dc(session.home_dc_id()).is_some_and(|dc| dc.auth.is_present())
}
