//! Whole sessions: taken in from what libraries keep them in, and given out as what libraries read. Files are read and made in
//! memory, on threads that nobody waits for, and never on a disk.

mod error;
mod intake;
mod stored;

use std::sync::Arc;

use sessiond_proto::SessionName;
use sessiond_session::{
    Contents, Session,
    formats::{self, Files, Format, Imported, Reading, Wanting},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};
use zeroize::Zeroizing;

use crate::engine::{Bearer, Engine, Revision};

pub(crate) use error::Error;
pub(crate) use intake::{Intake, MAX_BYTES};
pub(crate) use stored::contents;

/// How many sessions are taken in or given out at a time. Each keeps a processor busy, and is in memory as a file and as what
/// was in it.
const AT_ONCE: usize = 2;

/// Most bytes of all files that are on their way in or out: what clients send, or leave unread, does not fill the memory.
const ROOM: usize = 256 << 20;

/// What all imports and exports share. Clones are cheap.
#[derive(Debug, Clone)]
pub(crate) struct Transfers {
    at_once: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

/// What to make a session of.
pub(crate) struct Import {
    pub(crate) name: SessionName,
    pub(crate) bearer: Bearer,
    /// `None`: what it looks like.
    pub(crate) from: Option<Format>,
    pub(crate) passcode: Option<Zeroizing<String>>,
    /// Which account, where there are several.
    pub(crate) account: Option<String>,
    pub(crate) existing: Existing,
}

/// What becomes of a session that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Kept,
    Replaced,
}

/// What was taken in. The contents are stored, and not here any more.
#[derive(Debug)]
pub(crate) struct TakenIn {
    pub(crate) revision: Revision,
    /// As it was read, without contents.
    pub(crate) imported: Imported,
    /// Without keys.
    pub(crate) session: Session,
    pub(crate) peers: usize,
    pub(crate) attributes: usize,
}

/// What to give out.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) name: SessionName,
    pub(crate) bearer: Bearer,
    pub(crate) format: Format,
    pub(crate) wanting: Wanting,
    pub(crate) losses: Losses,
}

/// What becomes of a session that the format does not hold all of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Losses {
    Refused,
    Accepted,
}

/// What is given out.
pub(crate) struct GivenOut {
    pub(crate) revision: Revision,
    pub(crate) left_behind: Vec<String>,
    pub(crate) files: Files,
    /// As long as the files are there.
    pub(crate) room: OwnedSemaphorePermit,
}

/// One of those that are taken in or given out now, until it is dropped.
type Turn = Arc<OwnedSemaphorePermit>;

impl Default for Transfers {
    fn default() -> Self {
        Self { at_once: Arc::new(Semaphore::new(AT_ONCE)), room: Arc::new(Semaphore::new(ROOM)) }
    }
}

impl Transfers {
    /// Begins an import: refuses what would be refused at its end, before anything is sent.
    pub(crate) async fn begin(&self, engine: &dyn Engine, import: &Import) -> Result<Intake, Error> {
        let there = engine.load(&import.name, Some(&import.bearer)).await?;
        if import.existing == Existing::Kept && there.session.is_some() {
            return Err(Error::Exists { current: there.revision });
        }
        Ok(Intake::new(Arc::clone(&self.room)))
    }

    /// Makes the session what was taken in.
    pub(crate) async fn import(
        &self,
        engine: &dyn Engine,
        import: Import,
        intake: Intake,
    ) -> Result<TakenIn, Error> {
        let Import { name, bearer, from, passcode, account, existing } = import;
        let turn = self.turn().await;
        let (files, room) = intake.end();
        let read = on_a_thread(&turn, move || {
            let passcode = passcode.as_ref().map(|passcode| passcode.as_str());
            let read = formats::read_files(&files, &Reading { from, passcode });
            drop((files, room));
            read
        });
        let mut imported = chosen(read.await?, account.as_deref())?;
        imported.settle();
        let contents = std::mem::take(&mut imported.contents).checked()?;
        let (peers, attributes) = (contents.peers.len(), contents.attributes.len());
        let session = contents.session.clone().without_keys();
        let revision = stored::store(engine, &name, &bearer, contents, existing).await?;
        Ok(TakenIn { revision, imported, session, peers, attributes })
    }

    /// Makes what is given out.
    pub(crate) async fn export(&self, engine: &dyn Engine, export: Export) -> Result<GivenOut, Error> {
        let Export { name, bearer, format, wanting, losses } = export;
        let turn = self.turn().await;
        let (contents, revision) =
            contents(engine, &name, &bearer).await?.ok_or_else(|| Error::NoSession(name.clone()))?;
        let made = on_a_thread(&turn, move || made(&contents, format, &wanting, losses, &name));
        let (files, left_behind) = made.await?;
        let bytes = files.values().map(|bytes| bytes.len()).sum();
        let room = intake::room_for(&self.room, bytes)?;
        Ok(GivenOut { revision, left_behind, files, room })
    }

    async fn turn(&self) -> Turn {
        Arc::new(Arc::clone(&self.at_once).acquire_owned().await.expect("it is never closed"))
    }
}

/// Does what keeps a processor busy where nobody waits for it. A client that has gone meanwhile ends its turn no earlier.
async fn on_a_thread<T: Send + 'static>(turn: &Turn, work: impl FnOnce() -> T + Send + 'static) -> T {
    let turn = Arc::clone(turn);
    let working = spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    working.await.expect("readers and writers do not panic, and are never cancelled")
}

/// The account that is meant.
fn chosen(mut read: Vec<Imported>, account: Option<&str>) -> Result<Imported, Error> {
    let at = match account {
        Some(_) => read.iter().position(|imported| imported.account.as_deref() == account),
        None if read.len() == 1 => Some(0),
        None => None,
    };
    match at {
        Some(at) => Ok(read.swap_remove(at)),
        None => Err(Error::Account(read.into_iter().filter_map(|imported| imported.account).collect())),
    }
}

fn made(
    contents: &Contents,
    format: Format,
    wanting: &Wanting,
    losses: Losses,
    name: &SessionName,
) -> Result<(Files, Vec<String>), Error> {
    let left_behind = formats::dropped(contents, format);
    if losses == Losses::Refused && !left_behind.is_empty() {
        return Err(Error::Losses { format, left_behind });
    }
    Ok((formats::to_files(contents, format, wanting, name.as_str())?, left_behind))
}
