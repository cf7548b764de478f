use std::sync::Arc;

use async_trait::async_trait;
use sessiond_proto::SessionName;
use sessiond_session::{Attribute, Peer, Session};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    AttributeRange, Batch, Bearer, Engine, Entry, Error, Figures, Hold, Listing, Loaded, LogError,
    MirrorAction, Op, Outcome, PeerFilter, PeerKey, Place, Protection, Revision, SealStatus, Selection,
    Settled, Snapshot, Subscription, Write,
    committer::{Committer, Observer},
    journal::{Journal, Recovered},
    sqlite::{Claim, Mirrors, Noted, Source},
    state::{Damage, with_keys},
};

/// So few keys are looked up at once, where nobody writes: that takes less time than another thread would to begin.
const FEW: usize = 16;

/// An engine in this process: a committer over a journal, and the sessions' own files where there are any.
#[derive(Debug)]
pub(crate) struct LocalEngine<J: Journal> {
    committer: Arc<Committer<J>>,
    mirrors: Option<Arc<Mirrors>>,
    /// One at a time reads the disk, so that writers wait for one at the most.
    reader: Semaphore,
}

impl<J: Journal> LocalEngine<J> {
    /// Begins with what a journal had.
    pub(crate) fn start(
        journal: J,
        recovered: Recovered,
        mirrors: Option<Arc<Mirrors>>,
    ) -> std::io::Result<Self> {
        let observer: Observer = match mirrors.clone() {
            Some(mirrors) => Box::new(move |batch| mirrors.note(batch)),
            None => Box::new(|_| {}),
        };
        let committer = Arc::new(Committer::start(journal, recovered, observer)?);
        if let Some(mirrors) = &mirrors {
            let (image, whole) = (Arc::clone(&committer), Arc::clone(&committer));
            let note = Arc::clone(&committer);
            mirrors.start(
                Source {
                    image: Box::new(move |name| image.image(name)),
                    whole: Box::new(move |name| whole.whole_session(name)),
                },
                Box::new(move |name, noted| match noted {
                    Noted::Written(revision) | Noted::Removed(revision) => note.note_mirrored(name, revision),
                    Noted::NotOurs => note.set_file_damage(name, Some(Damage::File)),
                }),
            )?;
        }
        Ok(Self { committer, mirrors, reader: Semaphore::new(1) })
    }

    /// Reads the disk, on a thread of its own.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Committer<J>) -> T + Send + 'static) -> T {
        let _turn = self.reader.acquire().await.expect("it is never closed");
        let committer = Arc::clone(&self.committer);
        blocking(move || read(&committer)).await
    }

    /// Makes sure that the session's own file is ours and locked, before it is held. A stock file that nobody has taken
    /// in yet is taken in.
    async fn claim(&self, name: &SessionName) -> Result<Option<Claim>, Error> {
        let Some(mirrors) = &self.mirrors else { return Ok(None) };
        if let Some(why) = self.committer.state().entry(name).and_then(|entry| entry.unreadable()) {
            return Err(Error::Damaged(why.to_string()));
        }
        let mut claim = match mirrors.claim_open(name) {
            Some(claim) => claim,
            None => self.claim_file(mirrors, name).await?,
        };
        if let Some(session) = claim.take_stock() {
            self.take_in(name, session, 0).await?;
            // Before anything else is written to the session, so that after a crash the file is known by what is in it.
            claim = self.claim_file(mirrors, name).await?;
        }
        self.committer.set_file_damage(name, None);
        Ok(Some(claim))
    }

    async fn claim_file(&self, mirrors: &Arc<Mirrors>, name: &SessionName) -> Result<Claim, Error> {
        let known = self.revision_of(name);
        let claim = blocking({
            let (mirrors, name) = (Arc::clone(mirrors), name.clone());
            move || mirrors.claim(&name, known)
        });
        claim.await.inspect_err(|error| self.note_damage(name, error))
    }

    /// Takes a stock file in, if there is one by this name and nothing is known of it yet.
    async fn take_in_unknown(&self, name: &SessionName) -> Result<(), Error> {
        let Some(mirrors) = &self.mirrors else { return Ok(()) };
        let known = |entry: &Entry| entry.session.is_some() || entry.held().is_some();
        if self.committer.state().entry(name).is_some_and(known) || !mirrors.exists(name) {
            return Ok(());
        }
        match self.claim(name).await {
            // Somebody was faster: it is known now.
            Ok(_) | Err(Error::Held(_) | Error::RevisionMismatch { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes what a file has the session, if it is still at the revision that was known when the file was looked at.
    async fn take_in(&self, name: &SessionName, found: Session, known: Revision) -> Result<(), Error> {
        let write = Write::own(name.clone(), Op::TakeIn(Box::new(found)));
        self.committer.commit(Write { expected: Some(known), ..write }).await.map(drop)
    }

    fn revision_of(&self, name: &SessionName) -> Revision {
        self.committer.state().entry(name).map_or(0, |entry| entry.revision)
    }

    fn note_damage(&self, name: &SessionName, error: &Error) {
        if matches!(error, Error::ForeignFile(_) | Error::Damaged(_)) {
            self.committer.set_file_damage(name, Some(Damage::File));
        }
    }

    fn loaded(&self, name: &SessionName, bearer: Option<&Bearer>) -> Result<Loaded, Error> {
        let entry = self.committer.state().entry(name).cloned().unwrap_or_default();
        let holder = entry.holder().cloned();
        let Some(bearer) = bearer else {
            if let Some(why) = entry.unreadable() {
                return Err(Error::Damaged(why.to_string()));
            }
            let session = entry.session.map(Arc::unwrap_or_clone);
            return Ok(Loaded { session, revision: entry.revision, holder });
        };
        entry.check(bearer)?;
        if let Some(why) = entry.unreadable() {
            return Err(Error::Damaged(why.to_string()));
        }
        let keys = entry.keys.clone().unwrap_or_default();
        let session = entry.session.map(|session| with_keys(&session, &keys));
        Ok(Loaded { session, revision: entry.revision, holder })
    }
}

#[async_trait]
impl<J: Journal> Engine for LocalEngine<J> {
    fn kind(&self) -> &'static str {
        J::ENGINE
    }

    fn store_id(&self) -> String {
        self.committer.store_id()
    }

    async fn load(&self, name: &SessionName, bearer: Option<&Bearer>) -> Result<Loaded, Error> {
        self.take_in_unknown(name).await?;
        self.loaded(name, bearer)
    }

    fn hold(&self, name: &SessionName) -> Option<Arc<Hold>> {
        self.committer.state().entry(name).and_then(|entry| entry.hold.clone())
    }

    fn snapshot(&self) -> Snapshot {
        let state = self.committer.state();
        Snapshot { revision: state.revision, sessions: state.sessions.clone() }
    }

    async fn commit(&self, write: Write) -> Result<Outcome, Error> {
        self.committer.commit(write).await
    }

    async fn grant(&self, write: Write) -> Result<Outcome, Error> {
        // Up to here, and from then on the hold, keeps the file locked.
        let _claim = self.claim(&write.name).await?;
        self.committer.commit(write).await
    }

    fn line_up(&self, name: &SessionName) -> Place {
        self.committer.lines().join(name)
    }

    fn waiting(&self, name: &SessionName) -> usize {
        self.committer.lines().len(name)
    }

    fn subscribe(&self, selection: Selection) -> Subscription {
        self.committer.feed().subscribe(selection)
    }

    fn watchers(&self, name: &SessionName) -> usize {
        self.committer.feed().watchers(name)
    }

    async fn log(&self, after: Revision) -> Result<Vec<Arc<Batch>>, LogError> {
        if after > self.committer.state().revision {
            return Err(LogError::Unknown);
        }
        self.read(move |committer| committer.log(after)).await
    }

    async fn peers(
        &self,
        name: &SessionName,
        bearer: Bearer,
        keys: Vec<PeerKey>,
    ) -> Result<(Vec<Option<Peer>>, Revision), Error> {
        if keys.len() <= FEW && self.committer.is_quiet() {
            return self.committer.peers(name, &bearer, &keys);
        }
        let name = name.clone();
        self.read(move |committer| committer.peers(&name, &bearer, &keys)).await
    }

    async fn list_peers(
        &self,
        name: &SessionName,
        bearer: Bearer,
        filter: PeerFilter,
    ) -> Result<Listing, Error> {
        let name = name.clone();
        self.read(move |committer| committer.list_peers(name, bearer, filter)).await
    }

    async fn next_peers(&self, listing: Listing) -> Result<(Vec<Peer>, Option<Listing>), Error> {
        self.read(move |committer| committer.next_peers(listing)).await
    }

    async fn attributes(
        &self,
        name: &SessionName,
        bearer: Bearer,
        keys: Vec<String>,
    ) -> Result<(Vec<Attribute>, Revision), Error> {
        if keys.len() <= FEW && self.committer.is_quiet() {
            return self.committer.attributes(name, &bearer, &keys);
        }
        let name = name.clone();
        self.read(move |committer| committer.attributes(&name, &bearer, &keys)).await
    }

    async fn list_attributes(
        &self,
        name: &SessionName,
        bearer: Bearer,
        range: AttributeRange,
    ) -> Result<(Vec<Attribute>, Revision), Error> {
        let name = name.clone();
        self.read(move |committer| committer.list_attributes(&name, &bearer, &range)).await
    }

    async fn settle_mirror(&self, name: &SessionName, action: MirrorAction) -> Result<Settled, Error> {
        let Some(mirrors) = self.mirrors.clone() else {
            return Err(Error::Limit("this engine keeps no files".into()));
        };
        if let Some(hold) = self.committer.state().entry(name).and_then(|entry| entry.held().cloned()) {
            return Err(Error::Held(Arc::clone(&hold.holder)));
        }
        let known = self.revision_of(name);
        let taken = match action {
            MirrorAction::Take => {
                let (mirrors, name) = (Arc::clone(&mirrors), name.clone());
                Some(blocking(move || mirrors.read_foreign(&name)).await?)
            }
            MirrorAction::Write | MirrorAction::Replace => None,
        };
        if let Some(found) = taken {
            self.take_in(name, found, known).await?;
        }
        let committer = Arc::clone(&self.committer);
        let name = name.clone();
        blocking(move || {
            let image = committer.image(&name)?;
            let kept_as = mirrors.settle(&name, image.as_ref(), action != MirrorAction::Write)?;
            committer.set_file_damage(&name, None);
            Ok(Settled { revision: image.map_or(0, |(_, revision)| revision), kept_as })
        })
        .await
    }

    async fn seal_status(&self) -> Result<SealStatus, Error> {
        self.read(|committer| committer.seal_status()).await
    }

    async fn protect(&self, name: &SessionName, protection: Protection) -> Result<(), Error> {
        let (committer, mirrors, name) = (Arc::clone(&self.committer), self.mirrors.clone(), name.clone());
        blocking(move || {
            committer.protect(&name, protection)?;
            let Some(mirrors) = mirrors else { return Ok(()) };
            mirrors.settle(&name, committer.image(&name)?.as_ref(), false).map(drop)
        })
        .await
    }

    async fn rotate_master_key(&self) -> Result<SealStatus, Error> {
        let committer = Arc::clone(&self.committer);
        blocking(move || committer.rotate_master_key()).await
    }

    fn figures(&self) -> Figures {
        let (commits, batches) = self.committer.counts();
        let (commit_p50, commit_p99) = self.committer.times();
        let (log_after, log_bytes) = self.committer.log_extent();
        let state = self.committer.state();
        Figures {
            revision: state.revision,
            log_after,
            log_bytes,
            sessions: state.sessions.values().filter(|entry| entry.is_visible()).count(),
            held: state.held,
            waiting: self.committer.lines().total(),
            watchers: self.committer.feed().subscribers(),
            commits,
            batches,
            commit_p50,
            commit_p99,
        }
    }

    async fn close(&self) {
        let (committer, mirrors) = (Arc::clone(&self.committer), self.mirrors.clone());
        blocking(move || {
            // The mirrors read from the committer, and the journal notes how far they came.
            if let Some(mirrors) = &mirrors {
                mirrors.close();
            }
            committer.close();
        })
        .await;
    }
}

/// Runs what blocks on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.expect("blocking work does not panic, and is never cancelled")
}
