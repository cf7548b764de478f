use std::{collections::HashMap, process::ExitCode};

use futures_util::{StreamExt as _, stream};
use sessiond_client::SessionName;
use sessiond_session::formats::Imported;

use super::{
    super::{
        Context, failure,
        failure::Failure,
        findings::refused_object,
        output::Output,
        source::{Origin, Reader},
    },
    Ready, There,
    name::Base,
    progress::Progress,
    saving, tell,
};
use crate::exit::Exit;

/// Sources that are read, and sessions that are saved, at the same time: enough that processors and the disk have always
/// something to do, while not much is in memory.
const AT_ONCE: usize = 8;

/// What became of the sources.
#[derive(Debug, Default)]
pub(super) struct Tally {
    imported: usize,
    refused: Vec<String>,
    exit: Option<Exit>,
}

/// Names that were given, and to what.
#[derive(Debug, Default)]
struct Claims(HashMap<SessionName, Origin>);

/// Imports each source, in their order and past those that cannot be.
///
/// # Errors
/// What would become of all that follow too: the daemon does not answer, or its disk is full.
pub(super) async fn import(
    context: &Context,
    origins: Vec<Origin>,
    reader: Reader,
    there: There,
) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new(origins.len());
    let mut tally = Tally::default();
    let mut claims = Claims::default();
    let read = stream::iter(origins).map(|origin| {
        let reading = super::read(origin.clone(), reader.clone());
        async move { (origin, reading.await) }
    });
    let named = read.buffered(AT_ONCE).map(|(origin, read)| claims.named(&origin, read));
    let saved = named.flat_map(stream::iter).map(|(origin, last, ready)| async move {
        let saved = match ready {
            Ok(ready) => saving::save(&context.client, &ready, there).await.map(|revision| (ready, revision)),
            Err(error) => Err(error),
        };
        (origin, last, saved)
    });
    let mut saved = std::pin::pin!(saved.buffered(AT_ONCE));
    while let Some((origin, last, saved)) = saved.next().await {
        progress.clear();
        match saved {
            Ok((ready, revision)) => {
                tell(context, &origin, &ready, revision)?;
                tally.imported();
            }
            Err(error) => tally.refused(context.output, &origin, error)?,
        }
        if last {
            progress.step();
        }
    }
    drop(progress);
    Ok(tally.end(context.output))
}

/// What was in a source: each session with its name or why it has none, and whether it is the source's last.
type Named = Vec<(Origin, bool, anyhow::Result<Ready>)>;

impl Claims {
    fn named(&mut self, origin: &Origin, read: anyhow::Result<Vec<Imported>>) -> Named {
        let base = Base::of(origin, None).map_err(anyhow::Error::from);
        let ready: Vec<anyhow::Result<Ready>> = match read.and_then(|read| Ok((base?, read))) {
            Ok((base, read)) => {
                read.into_iter().map(|imported| self.claim(origin, &base, imported)).collect()
            }
            Err(error) => vec![Err(error)],
        };
        let count = ready.len();
        let numbered = ready.into_iter().enumerate();
        numbered.map(|(at, ready)| (origin.clone(), at + 1 == count, ready)).collect()
    }

    /// The first that can be read has the name.
    fn claim(&mut self, origin: &Origin, base: &Base, imported: Imported) -> anyhow::Result<Ready> {
        let ready = Ready::new(base, imported)?;
        if let Some(first) = self.0.get(&ready.name) {
            let message = format!(
                "{first} has the same name {}: import one of them by itself, with --name",
                ready.name
            );
            return Err(Failure::new(Exit::CannotCreate, message).into());
        }
        self.0.insert(ready.name.clone(), origin.clone());
        Ok(ready)
    }
}

impl Tally {
    pub(super) fn imported(&mut self) {
        self.imported += 1;
    }

    /// Tells programs at once, and people at the end.
    ///
    /// # Errors
    /// What would become of all that follow too.
    pub(super) fn refused(
        &mut self,
        output: Output,
        origin: &Origin,
        error: anyhow::Error,
    ) -> anyhow::Result<()> {
        if failure::is_of_daemon(&error) {
            return Err(error.context(format!("{} were imported before {origin}", sessions(self.imported))));
        }
        self.exit = self.exit.or(Some(failure::exit(&error)));
        let sentence = failure::sentence(&error);
        if output.is_json() {
            output.line(&refused_object(origin, &sentence).to_string())?;
        }
        let origin = origin.to_string();
        self.refused.push(match sentence.strip_prefix(&origin) {
            Some(_) => sentence,
            None => format!("{origin}: {sentence}"),
        });
        Ok(())
    }

    /// Tells the sum of it, and answers the exit code: that of the first that was refused.
    pub(super) fn end(self, output: Output) -> ExitCode {
        let Self { imported, refused, exit } = self;
        for sentence in &refused {
            output.note(&format!("refused: {sentence}"));
        }
        let refused = if refused.is_empty() { String::new() } else { format!(", {} refused", refused.len()) };
        output.note(&format!("{} imported{refused}", sessions(imported)));
        exit.map_or(ExitCode::SUCCESS, Into::into)
    }
}

fn sessions(count: usize) -> String {
    format!("{count} session{}", if count == 1 { "" } else { "s" })
}
