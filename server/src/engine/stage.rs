mod moved;

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use sessiond_proto::SessionName;
use sessiond_session::{Auth, Clear, MAX_CHANNELS, MAX_DCS, Session, StateChange};

use self::moved::Moved;
use super::{
    Batch, Bearer, Commit, Drafts, Error, Event, Hold, HoldStatus, Holder, Keep, LostReason, Op, Outcome,
    Request, Revision, SaveMode, Sessions, TokenHash, Write,
    journal::{Journal, Transaction},
    requests::{Answered, Requests},
    state::{Entry, Keys, keys_of, with_keys},
};

/// About how many bytes of the write-ahead log a row takes that is kept beside a session: the page that it is on.
const ROW_WEIGHT: usize = 4 << 10;

/// Checks the writes of one batch, each against what the ones before it in the batch will have done, and gathers what is
/// to be made durable. Nothing outside changes.
pub(crate) struct Stage<'a, J> {
    sessions: &'a Sessions,
    requests: &'a Requests,
    journal: &'a mut J,
    now: SystemTime,
    revision: Revision,
    drafts: HashMap<SessionName, Draft>,
    belongings: Drafts,
    commits: Vec<Commit>,
    weight: usize,
    transaction: Transaction,
}

/// A session as it will be after the writes so far: the durable one, and what moved since. Channels are not copied.
struct Draft {
    revision: Revision,
    session: Option<Arc<Session>>,
    /// What was set since `session`.
    moved: Moved,
    keys: Option<Arc<Keys>>,
    hold: Option<Arc<Hold>>,
    /// Why its data cannot be read.
    unreadable: Option<Arc<str>>,
    answered: Vec<Answered>,
}

impl<'a, J: Journal> Stage<'a, J> {
    /// `sessions` are as of `revision`.
    pub(crate) fn new(
        sessions: &'a Sessions,
        revision: Revision,
        requests: &'a Requests,
        journal: &'a mut J,
    ) -> Self {
        Self {
            sessions,
            requests,
            journal,
            now: SystemTime::now(),
            revision,
            drafts: HashMap::new(),
            belongings: Drafts::default(),
            commits: Vec::new(),
            weight: 0,
            transaction: Transaction::default(),
        }
    }

    /// About how many bytes of memory its commits take.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// What the batch comes to.
    pub(crate) fn finish(mut self) -> Transaction {
        self.transaction.kept = self.belongings.finish();
        self.transaction.batch = Batch::new(self.commits).map(Arc::new);
        self.transaction
    }

    /// Checks one write. One that is refused costs only itself.
    pub(crate) fn write(&mut self, write: Write) -> Result<Outcome, Error> {
        let Write { name, bearer, op, request, expected } = write;
        self.draft(&name);
        if let Some(request) = request
            && let Some(revision) = self.answer(&name, request)?
        {
            return Ok(Outcome { revision, applied: 0, refused: None });
        }
        self.check_fence(&name, bearer.as_ref(), &op)?;
        let draft = self.draft(&name);
        if let Some(expected) = expected
            && draft.revision != expected
        {
            return Err(Error::RevisionMismatch { current: draft.revision });
        }
        if matches!(op, Op::Save { .. } | Op::Advance(_)) {
            draft.check_readable()?;
        }
        let outcome = match op {
            Op::Save { session, mode, clear } => self.save(&name, *session, mode, &clear),
            Op::TakeIn(session) => self.take_in(&name, *session),
            Op::Advance(changes) => self.advance(&name, changes),
            Op::Delete => self.delete(&name),
            Op::Keep(keep) => self.keep(&name, keep),
            Op::Grant { holder, token } => self.grant(&name, holder, token),
            Op::Resume { holder } => Ok(self.resume(&name, holder)),
            Op::Release => Ok(self.end(&name, HoldStatus::Released, None)),
            Op::End { fence, reason } => Ok(self.end_from_outside(&name, fence, reason)),
        }?;
        if let Some(request) = request {
            let answered = Answered { request, revision: outcome.revision };
            self.draft(&name).answered.push(answered);
            self.transaction.requests.push((name, answered));
        }
        Ok(outcome)
    }

    fn answer(&mut self, name: &SessionName, request: Request) -> Result<Option<Revision>, Error> {
        let earlier = self.draft(name).answered.iter().find(|answered| answered.request.key == request.key);
        match earlier {
            Some(answered) if answered.request.content != request.content => Err(Error::RequestIdReused),
            Some(answered) => Ok(Some(answered.revision)),
            None => self.requests.answer(name, request),
        }
    }

    /// Only the token of the current hold writes. A released one still deletes, and may be released again.
    fn check_fence(&mut self, name: &SessionName, bearer: Option<&Bearer>, op: &Op) -> Result<(), Error> {
        let Some(bearer) = bearer else { return Ok(()) };
        let hold = self.draft(name).hold.as_ref().filter(|hold| hold.token == bearer.token);
        let hold = hold.ok_or(Error::Fenced)?;
        if hold.holder.principal != bearer.principal {
            return Err(Error::NotPermitted);
        }
        let released = hold.status == HoldStatus::Released && matches!(op, Op::Delete | Op::Release);
        if hold.status == HoldStatus::Held || released { Ok(()) } else { Err(Error::Fenced) }
    }

    fn save(
        &mut self,
        name: &SessionName,
        given: Session,
        mode: SaveMode,
        clear: &Clear,
    ) -> Result<Outcome, Error> {
        let keys = self.keys(name)?;
        let draft = self.draft(name);
        draft.settle();
        let before = draft.session.as_ref().map(|session| with_keys(session, &keys));
        let after = match mode {
            SaveMode::Replace => given,
            SaveMode::Merge => {
                let mut merged = before.clone().unwrap_or_default();
                merged.merge_after(clear, given);
                merged
            }
        };
        check_limits(&after)?;
        if before.as_ref() == Some(&after) {
            return Ok(draft.unchanged());
        }
        let new_keys = Arc::new(keys_of(&after));
        let session = Arc::new(after.without_keys());
        draft.session = Some(Arc::clone(&session));
        draft.keys = Some(Arc::clone(&new_keys));
        let revision = self.commit(name, Event::Saved(session));
        if new_keys != keys {
            self.transaction.keys.push((name.clone(), revision, new_keys));
        }
        Ok(Outcome { revision, applied: 1, refused: None })
    }

    /// A file has no place for the home data center beside the user's, nor for test mode: those stay as they are. So do keys of
    /// the same user that the file does not have because they are sealed.
    fn take_in(&mut self, name: &SessionName, mut found: Session) -> Result<Outcome, Error> {
        self.check_unheld(name)?;
        self.draft(name).unreadable = None;
        let keys = match self.keys(name) {
            Err(Error::Damaged(_)) => None,
            keys => Some(keys?),
        };
        if let Some(known) = &self.draft(name).session {
            let user_dc = found.user.as_ref().map(|user| user.dc);
            found.home_dc = known.home_dc.filter(|dc| user_dc.is_none_or(|user_dc| user_dc == *dc));
            found.test_mode = known.test_mode;
            let same_user =
                found.user.as_ref().map(|user| user.id) == known.user.as_ref().map(|user| user.id);
            if let Some(keys) = keys.as_ref().filter(|_| same_user && self.journal.is_sealed(name)) {
                add_keys(&mut found, keys);
            }
        }
        if keys.is_some() {
            return self.save(name, found, SaveMode::Replace, &Clear::default());
        }
        self.save_over_damage(name, found)
    }

    /// Where keys cannot be read, none of them stays.
    fn save_over_damage(&mut self, name: &SessionName, found: Session) -> Result<Outcome, Error> {
        let place = self.transaction.keys.len();
        self.draft(name).keys = Some(Arc::default());
        let saved = self.save(name, found, SaveMode::Replace, &Clear::default());
        match &saved {
            Ok(outcome) => {
                let none = (name.clone(), outcome.revision, Arc::default());
                self.transaction.keys.insert(place, none);
            }
            Err(_) => self.draft(name).keys = None,
        }
        saved
    }

    fn check_unheld(&mut self, name: &SessionName) -> Result<(), Error> {
        match self.draft(name).hold.as_ref().filter(|hold| hold.status == HoldStatus::Held) {
            Some(hold) => Err(Error::Held(Arc::clone(&hold.holder))),
            None => Ok(()),
        }
    }

    fn advance(&mut self, name: &SessionName, changes: Vec<StateChange>) -> Result<Outcome, Error> {
        // Not looked up for each change: there may be a thousand.
        let mut draft = self.drafts.remove(name).unwrap_or_else(|| Draft::of(self.sessions.get(name)));
        let advanced = self.advance_draft(name, &mut draft, changes);
        self.drafts.insert(name.clone(), draft);
        advanced
    }

    fn advance_draft(
        &mut self,
        name: &SessionName,
        draft: &mut Draft,
        changes: Vec<StateChange>,
    ) -> Result<Outcome, Error> {
        let mut outcome = draft.unchanged();
        self.commits.reserve(changes.len());
        for change in changes {
            match draft.advance(&change) {
                Ok(true) => outcome.revision = self.commit_to(name, draft, Event::Advanced(change)),
                Ok(false) => {}
                Err(refused) if outcome.applied == 0 => return Err(refused),
                Err(refused) => {
                    outcome.refused = Some(refused);
                    break;
                }
            }
            outcome.applied += 1;
        }
        Ok(outcome)
    }

    fn delete(&mut self, name: &SessionName) -> Result<Outcome, Error> {
        let had_any = self.belongings.drop_all(self.journal.keeper(), name, self.revision + 1)?;
        let draft = self.draft(name);
        if draft.revision == 0 {
            let unchanged = draft.unchanged();
            if had_any {
                self.commit(name, Event::Kept);
            }
            return Ok(unchanged);
        }
        draft.session = None;
        draft.unreadable = None;
        draft.moved = Moved::default();
        let keys = Arc::new(Keys::new());
        draft.keys = Some(Arc::clone(&keys));
        let revision = self.commit(name, Event::Deleted);
        self.draft(name).revision = 0;
        self.transaction.keys.push((name.clone(), revision, keys));
        Ok(Outcome { revision, applied: 1, refused: None })
    }

    fn keep(&mut self, name: &SessionName, keep: Keep) -> Result<Outcome, Error> {
        let weight = keep.rows() * ROW_WEIGHT + keep.weight();
        let now =
            self.now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
        let place = (self.revision + 1, now);
        let changed = self.belongings.keep(self.journal.keeper(), name, keep, place)?;
        if changed > 0 {
            self.weight += weight;
            self.commit(name, Event::Kept);
        }
        Ok(Outcome { revision: self.revision, applied: changed, refused: None })
    }

    fn grant(&mut self, name: &SessionName, holder: Arc<Holder>, token: TokenHash) -> Result<Outcome, Error> {
        self.check_unheld(name)?;
        let keys = self.keys(name)?;
        self.draft(name).keys = Some(Arc::clone(&keys));
        let fence = self.commit(name, Event::HoldChanged { holder: Some(Arc::clone(&holder)), reason: None });
        self.set_hold(name, Hold { fence, token, holder, status: HoldStatus::Held });
        self.transaction.granted.push((name.clone(), keys));
        Ok(Outcome { revision: fence, applied: 1, refused: None })
    }

    fn resume(&mut self, name: &SessionName, holder: Arc<Holder>) -> Outcome {
        let draft = self.draft(name);
        if let Some(hold) = draft.hold.clone()
            && hold.holder != holder
        {
            self.commit(name, Event::HoldChanged { holder: Some(Arc::clone(&holder)), reason: None });
            self.set_hold(name, Hold { holder, ..Hold::clone(&hold) });
        }
        self.draft(name).unchanged()
    }

    fn end_from_outside(
        &mut self,
        name: &SessionName,
        fence: Option<Revision>,
        reason: LostReason,
    ) -> Outcome {
        let draft = self.draft(name);
        let current = draft.hold.as_ref().map(|hold| hold.fence);
        if fence.is_some() && fence != current {
            return draft.unchanged();
        }
        let status = if reason == LostReason::EndedByAdmin { HoldStatus::Ended } else { HoldStatus::Over };
        self.end(name, status, Some(reason))
    }

    fn end(&mut self, name: &SessionName, status: HoldStatus, reason: Option<LostReason>) -> Outcome {
        let held = self.draft(name).hold.clone().filter(|hold| hold.status == HoldStatus::Held);
        if let Some(hold) = held {
            self.commit(name, Event::HoldChanged { holder: None, reason });
            self.set_hold(name, Hold { status, ..Hold::clone(&hold) });
        }
        self.draft(name).unchanged()
    }

    fn set_hold(&mut self, name: &SessionName, hold: Hold) {
        self.draft(name).hold = Some(Arc::new(hold.clone()));
        self.transaction.holds.push((name.clone(), hold));
    }

    fn commit(&mut self, name: &SessionName, event: Event) -> Revision {
        let mut draft = self.drafts.remove(name).unwrap_or_else(|| Draft::of(self.sessions.get(name)));
        let revision = self.commit_to(name, &mut draft, event);
        self.drafts.insert(name.clone(), draft);
        revision
    }

    fn commit_to(&mut self, name: &SessionName, draft: &mut Draft, event: Event) -> Revision {
        self.revision += 1;
        let revision = self.revision;
        let previous = draft.revision;
        if event.is_data() {
            draft.revision = revision;
        }
        let commit = Commit { revision, previous, name: name.clone(), time: self.now, event };
        self.weight += commit.weight();
        self.commits.push(commit);
        revision
    }

    fn keys(&mut self, name: &SessionName) -> Result<Arc<Keys>, Error> {
        match &self.draft(name).keys {
            Some(keys) => Ok(Arc::clone(keys)),
            None => Ok(Arc::new(self.journal.keys(name)?)),
        }
    }

    fn draft(&mut self, name: &SessionName) -> &mut Draft {
        if !self.drafts.contains_key(name) {
            self.drafts.insert(name.clone(), Draft::of(self.sessions.get(name)));
        }
        self.drafts.get_mut(name).expect("it was just made")
    }
}

impl Draft {
    /// What cannot be read is not written over: whatever is whole of it, keys above all, would be lost.
    fn check_readable(&self) -> Result<(), Error> {
        match &self.unreadable {
            Some(why) => Err(Error::Damaged(why.to_string())),
            None => Ok(()),
        }
    }

    fn of(entry: Option<&Entry>) -> Self {
        let entry = entry.cloned().unwrap_or_default();
        let unreadable = entry.unreadable().cloned();
        let Entry { revision, changed: _, session, keys, hold, damage: _ } = entry;
        Self { revision, session, moved: Moved::default(), keys, hold, unreadable, answered: Vec::new() }
    }

    fn unchanged(&self) -> Outcome {
        Outcome { revision: self.revision, applied: 0, refused: None }
    }

    /// Sets what a change mentions, and tells whether that changed anything.
    fn advance(&mut self, change: &StateChange) -> Result<bool, Error> {
        let state = self.session.as_ref().and_then(|session| session.state.as_ref());
        // Forgetting what is not there makes no session.
        let is_new = state.is_none() && self.moved.is_empty() && change.sets_anything();
        if !is_new && !self.moved.would_change(state, change) {
            return Ok(false);
        }
        if !change.channels.is_empty() {
            let channels = self.moved.channel_count(state, change);
            if channels > MAX_CHANNELS {
                return Err(Error::Limit(format!(
                    "the session would have {channels} channels, and at most {MAX_CHANNELS} are kept"
                )));
            }
        }
        self.moved.take(state, change);
        Ok(true)
    }

    /// Puts what moved into the session.
    fn settle(&mut self) {
        let moved = std::mem::take(&mut self.moved);
        if !moved.is_empty() {
            Arc::make_mut(self.session.get_or_insert_default()).advance(&moved.into_change());
        }
    }
}

/// Adds keys to a session that has none for their data centers.
fn add_keys(session: &mut Session, keys: &Keys) {
    for dc in session.dcs.iter_mut().filter(|dc| dc.auth == Auth::Absent) {
        dc.auth = keys.get(&dc.id).cloned().map_or(Auth::Absent, Auth::Key);
    }
}

fn check_limits(session: &Session) -> Result<(), Error> {
    let (dcs, channels) = (session.dcs.len(), session.state.as_ref().map_or(0, |state| state.channels.len()));
    if dcs > MAX_DCS {
        return Err(Error::Limit(format!(
            "the session would have {dcs} data centers, and at most {MAX_DCS} are kept"
        )));
    }
    if channels > MAX_CHANNELS {
        return Err(Error::Limit(format!(
            "the session would have {channels} channels, and at most {MAX_CHANNELS} are kept"
        )));
    }
    Ok(())
}
