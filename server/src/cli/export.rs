mod offline;
mod target;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use serde_json::json;
use sessiond_client::{HeldSession, PeerFilter, SessionName};
use sessiond_session::{
    Contents,
    formats::{self, Format, Medium, Wanting},
};
use tokio::task::spawn_blocking;

use self::target::{Draft, Existing, Target};
use super::{
    Context,
    failure::Failure,
    output::Output,
    possession::Inherited,
    render::{printable, session_text},
    source::one_of,
};
use crate::exit::Exit;

/// What stands for the standard output.
const STDOUT: &str = "-";

/// Write a session as a file, directory or string of any library
///
/// Whoever has it has the account. Do not use it while another uses the session: Telegram revokes a key that is used in two
/// places at once. What the format has no place for is said, and then written only with --lossy. docs/formats.md has what
/// each library reads.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond export alice --out alice.session
  sessiond export alice --to pyrogram --api-id 12345 --out alice.session
  sessiond export alice --to gramjs-string --lossy --out - --show-secret
  sessiond export alice --offline --dir /srv/sessions --out alice.session")]
pub(crate) struct Export {
    /// The session's name
    name: SessionName,
    /// What to write
    #[arg(long, value_name = "FORMAT", default_value = Format::TelethonV2.name(), value_parser = one_of(Format::ALL.into_iter().filter(|format| format.is_written())))]
    to: Format,
    /// The file to write, or the directory to make, or - for the standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Leave behind what the format has no place for
    #[arg(long)]
    lossy: bool,
    /// The id of the user who is logged in, where the format needs it and the session does not have it
    #[arg(long, value_name = "N")]
    user_id: Option<i64>,
    /// Whether that user is a bot, where the format needs it and the session does not have it
    #[arg(long, value_name = "true|false")]
    bot: Option<bool>,
    /// The API id of the program that is to use it, where the format needs it and the session does not have it
    #[arg(long, value_name = "N")]
    api_id: Option<i32>,
    /// Write to the standard output, where others may read it
    #[arg(long)]
    show_secret: bool,
    /// Read the directory of a daemon that is stopped, and ask none
    #[arg(long)]
    offline: bool,
    /// With --offline, that directory. Default: the one of `sessiond serve`
    #[arg(long, value_name = "DIR", env = "SESSIOND_DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    inherited: Inherited,
}

/// What was written, for whoever asked for it.
struct Exported {
    name: SessionName,
    revision: i64,
    format: Format,
    /// What is in it, in one line.
    summary: String,
    left_behind: Vec<String>,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let target = self.target(context.output)?;
        let (contents, revision) = self.read(context).await?;
        let wanting = self.wanting(&contents)?;
        let left_behind = formats::dropped(&contents, self.to);
        if !self.lossy {
            self.refuse_losses(&left_behind)?;
        }
        let Self { name, to: format, .. } = self;
        let summary = session_text(&contents.session);
        let exported = Exported { name, revision, format, summary, left_behind };
        let draft = Draft { contents, format, wanting };
        let (target, bytes) =
            spawn_blocking(move || target.write(&draft).map(|bytes| (target, bytes))).await??;
        match (target, bytes) {
            (Target::Path { path, .. }, _) => exported.tell(context.output, &path.to_string_lossy())?,
            (Target::Stdout, bytes) => exported.print(context.output, &bytes)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Where to write, before a hold is taken for it.
    fn target(&self, output: Output) -> anyhow::Result<Target> {
        if self.out.as_os_str() != STDOUT {
            let existing = if self.force { Existing::Replaced } else { Existing::Kept };
            return Target::path(&self.out, self.to, existing);
        }
        let usage = |message: String| Err(Failure::new(Exit::Usage, message).into());
        let (format, medium) = (self.to, self.to.medium());
        if medium == Medium::Directory {
            return usage(format!("a {format} does not go to the standard output: choose a path with --out"));
        }
        if !self.show_secret {
            return usage(format!(
                "whoever reads the {format} has the account: write it to a file with --out, or to the standard output with \
                 --show-secret"
            ));
        }
        if medium != Medium::Text && (output.is_json() || output.is_to_terminal()) {
            return usage(format!("a {format} is no text to show: choose a file with --out"));
        }
        Ok(Target::Stdout)
    }

    /// Everything that is kept of the session, and its revision.
    async fn read(&self, context: &Context) -> anyhow::Result<(Contents, i64)> {
        let name = &self.name;
        let read = if self.offline {
            offline::read(self.dir.clone(), name).await?
        } else {
            let read = self
                .inherited
                .with(context, name, async |held| read(held).await.with_context(|| name.to_string()));
            read.await?
        };
        read.ok_or_else(|| {
            let message = format!("there is no session {name}; `sessiond ls` lists those that there are");
            Failure::new(Exit::NoInput, message).into()
        })
    }

    /// What was said for what the session lacks. It may not contradict what the session has, which is what would be written.
    fn wanting(&self, contents: &Contents) -> Result<Wanting, Failure> {
        fn text(value: Option<impl ToString>) -> Option<String> {
            value.map(|value| value.to_string())
        }
        let user = contents.session.user.as_ref();
        let said = [
            ("--user-id", text(self.user_id), text(user.map(|user| user.id))),
            ("--bot", text(self.bot), text(user.and_then(|user| user.bot))),
            ("--api-id", text(self.api_id), text(contents.number("api_id"))),
        ];
        for (flag, said, known) in said {
            if let (Some(said), Some(known)) = (said, known)
                && said != known
            {
                let message = format!("the session has {known}, not {said}: leave out {flag}");
                return Err(Failure::new(Exit::Usage, message));
            }
        }
        Ok(Wanting { api_id: self.api_id, user_id: self.user_id, bot: self.bot })
    }

    fn refuse_losses(&self, losses: &[String]) -> Result<(), Failure> {
        if losses.is_empty() {
            return Ok(());
        }
        let (name, format) = (&self.name, self.to);
        let losses: Vec<_> = losses.iter().map(|loss| printable(loss)).collect();
        let message = format!(
            "a {format} does not hold all of {name}: accept that with --lossy, or choose another format with --to; it would \
             leave behind {}",
            losses.join("; ")
        );
        Err(Failure::new(Exit::CannotCreate, message))
    }
}

impl Exported {
    /// Tells of what is at a path.
    fn tell(&self, output: Output, path: &str) -> io::Result<()> {
        let Self { name, revision, format, summary, left_behind } = self;
        if !output.is_json() {
            self.note_losses(output);
        }
        output.result(
            || {
                json!({
                    "name": name.as_str(),
                    "revision": revision,
                    "format": format.name(),
                    "file": path,
                    "left_behind": left_behind,
                })
            },
            || format!("exported {name} to {path}, a {format}: {summary}"),
        )
    }

    /// Prints the session itself, and tells of it elsewhere.
    fn print(&self, output: Output, bytes: &[u8]) -> io::Result<()> {
        let Self { name, revision, format, summary, left_behind } = self;
        if output.is_json() {
            let text = String::from_utf8_lossy(bytes);
            let object = json!({
                "name": name.as_str(),
                "revision": revision,
                "format": format.name(),
                "string": text,
                "left_behind": left_behind,
            });
            return output.line(&object.to_string());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        if format.medium() == Medium::Text {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()?;
        self.note_losses(output);
        output.note(&format!("exported {name} as a {format}: {summary}"));
        Ok(())
    }

    fn note_losses(&self, output: Output) {
        for loss in &self.left_behind {
            output.note(&format!("left behind: {}", printable(loss)));
        }
    }
}

/// Reads all that there is under one hold.
async fn read(held: &HeldSession) -> Result<Option<(Contents, i64)>, sessiond_client::Error> {
    let loaded = held.load().await?;
    let Some(session) = loaded.session else { return Ok(None) };
    let peers = held.list_peers(PeerFilter::default()).try_collect().await?;
    let attributes = held.list_attributes("").try_collect().await?;
    Ok(Some((Contents { session, peers, attributes }, loaded.revision)))
}
