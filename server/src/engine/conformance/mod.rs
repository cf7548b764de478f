//! The rules that every engine keeps. Each engine is one line at the end.

mod agreement;

use std::{sync::Arc, time::SystemTime};

use sessiond_proto::SessionName;
use sessiond_session::{
    Auth, AuthKey, ChannelState, Clear, DataCenter, MAX_CHANNELS, Session, StateChange, User,
};

use super::{
    Bearer, Engine, Error, Event, HoldStatus, Holder, LogError, LostReason, MemoryEngine, News, Op, Outcome,
    Request, Revision, SaveMode, Selection, SqliteEngine, TokenHash, Write,
};
use crate::{principal::Principal, seal::KeySource};

/// An engine under test. The directory lasts as long as it does.
struct Subject {
    engine: Arc<dyn Engine>,
    directory: Option<tempfile::TempDir>,
}

impl Subject {
    fn memory() -> Self {
        Self { engine: Arc::new(MemoryEngine::open().expect("a thread starts")), directory: None }
    }

    fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        Self { engine: open(&directory), directory: Some(directory) }
    }

    /// The same sessions after a restart.
    async fn restarted(self) -> Self {
        self.engine.close().await;
        let Self { engine, directory } = self;
        drop(engine);
        let directory = directory.expect("only what is on a disk survives a restart");
        Self { engine: open(&directory), directory: Some(directory) }
    }

    async fn commit(&self, write: Write) -> Result<Outcome, Error> {
        self.engine.commit(write).await
    }

    /// A hold of a session.
    async fn hold(&self, session: &str, token: u8) -> Revision {
        let op = Op::Grant { holder: Arc::new(holder()), token: TokenHash::of(&[token; 32]) };
        self.engine.grant(Write::own(name(session), op)).await.expect("nobody holds it").revision
    }

    async fn revision(&self, session: &str) -> Revision {
        self.engine.load(&name(session), None).await.expect("it can be loaded").revision
    }

    async fn session(&self, session: &str, token: u8) -> Option<Session> {
        let loaded = self.engine.load(&name(session), Some(&bearer(token))).await;
        loaded.expect("the token is current").session
    }
}

fn open(directory: &tempfile::TempDir) -> Arc<dyn Engine> {
    let data = directory.path().join("data");
    std::fs::create_dir_all(&data).expect("made");
    let keys = KeySource::File(directory.path().join("key"));
    Arc::new(SqliteEngine::open(&data, &keys, 100).expect("the store opens"))
}

fn name(name: &str) -> SessionName {
    name.parse().expect("a valid name")
}

fn holder() -> Holder {
    let (pid, principal) = (1, Principal::Uid(1_000));
    let since = SystemTime::UNIX_EPOCH;
    let (label, executable) = ("test".into(), "/bin/test".into());
    Holder { label, pid, principal, executable, since, start_time: 5, boot_id: "boot".into() }
}

fn bearer(token: u8) -> Bearer {
    Bearer { token: TokenHash::of(&[token; 32]), principal: Principal::Uid(1_000) }
}

fn write(session: &str, token: u8, op: Op) -> Write {
    Write { bearer: Some(bearer(token)), ..Write::own(name(session), op) }
}

fn pts(pts: i32) -> StateChange {
    StateChange { pts: Some(pts), ..StateChange::default() }
}

fn advance(session: &str, token: u8, to: i32) -> Write {
    write(session, token, Op::Advance(vec![pts(to)]))
}

fn save(session: &str, token: u8, content: Session) -> Write {
    let op = Op::Save { session: Box::new(content), mode: SaveMode::Replace, clear: Clear::default() };
    write(session, token, op)
}

fn logged_in(key: u8) -> Session {
    let auth = Auth::Key(AuthKey::try_from([key; 256].as_slice()).expect("256 bytes"));
    Session {
        dcs: vec![DataCenter { id: 2, auth, ..DataCenter::default() }],
        user: Some(User { id: 7, dc: 2, bot: Some(false), username: None }),
        ..Session::default()
    }
}

/// Every commit after a revision, as the log has it.
async fn log(engine: &dyn Engine, after: Revision) -> Vec<(Revision, Revision, String)> {
    let (mut told, mut after) = (Vec::new(), after);
    loop {
        let batches = engine.log(after).await.expect("the log has it");
        let Some(last) = batches.last() else { return told };
        after = last.last();
        for commit in batches.iter().flat_map(|batch| batch.commits()) {
            told.push((commit.revision, commit.previous, format!("{:?}", commit.event)));
        }
    }
}

async fn what_is_saved_is_loaded(subject: Subject) {
    subject.hold("a", 1).await;
    let revision = subject.commit(save("a", 1, logged_in(9))).await.expect("saved").revision;
    assert_eq!(subject.session("a", 1).await, Some(logged_in(9)));
    let seen = subject.engine.load(&name("a"), None).await.expect("loaded");
    assert_eq!((seen.revision, seen.session), (revision, Some(logged_in(9).without_keys())));
}

async fn only_the_current_token_writes(subject: Subject) {
    assert!(matches!(subject.commit(advance("a", 1, 1)).await, Err(Error::Fenced)));
    subject.hold("a", 1).await;
    assert!(matches!(subject.commit(advance("a", 2, 1)).await, Err(Error::Fenced)));
    let other_user =
        Write { bearer: Some(Bearer { principal: Principal::Uid(1), ..bearer(1) }), ..advance("a", 1, 1) };
    assert!(matches!(subject.commit(other_user).await, Err(Error::NotPermitted)));
    subject.commit(write("a", 1, Op::Release)).await.expect("released");
    assert!(matches!(subject.commit(advance("a", 1, 1)).await, Err(Error::Fenced)));
    assert!(matches!(subject.engine.load(&name("a"), Some(&bearer(1))).await, Err(Error::Fenced)));
}

async fn a_held_session_is_granted_to_nobody_else(subject: Subject) {
    let first = subject.hold("a", 1).await;
    let op = Op::Grant { holder: Arc::new(holder()), token: TokenHash::of(&[2; 32]) };
    let refused = subject.engine.grant(Write::own(name("a"), op)).await;
    assert!(matches!(refused, Err(Error::Held(who)) if *who == holder()));
    let end = Op::End { fence: Some(first), reason: LostReason::Gone };
    subject.commit(Write::own(name("a"), end)).await.expect("ended");
    assert!(subject.hold("a", 2).await > first, "a later hold has a higher fence");
}

async fn ending_an_earlier_hold_leaves_the_current_one(subject: Subject) {
    let first = subject.hold("a", 1).await;
    subject.commit(write("a", 1, Op::Release)).await.expect("released");
    subject.hold("a", 2).await;
    let end = Op::End { fence: Some(first), reason: LostReason::Gone };
    subject.commit(Write::own(name("a"), end)).await.expect("nothing to do");
    subject.commit(advance("a", 2, 1)).await.expect("it still holds");
}

async fn a_released_token_deletes_until_the_next_grant(subject: Subject) {
    subject.hold("a", 1).await;
    subject.commit(advance("a", 1, 1)).await.expect("advanced");
    subject.commit(write("a", 1, Op::Release)).await.expect("released");
    subject.commit(write("a", 1, Op::Release)).await.expect("releasing is idempotent");
    subject.commit(write("a", 1, Op::Delete)).await.expect("deleted");
    assert_eq!(subject.revision("a").await, 0);
    subject.hold("a", 2).await;
    assert!(matches!(subject.commit(write("a", 1, Op::Delete)).await, Err(Error::Fenced)));
}

async fn a_hold_does_not_move_the_sessions_revision(subject: Subject) {
    subject.hold("a", 1).await;
    let revision = subject.commit(advance("a", 1, 1)).await.expect("advanced").revision;
    subject.commit(write("a", 1, Op::Release)).await.expect("released");
    subject.hold("a", 2).await;
    assert_eq!(subject.revision("a").await, revision);
}

async fn a_write_that_changes_nothing_is_no_commit(subject: Subject) {
    subject.hold("a", 1).await;
    let revision = subject.commit(save("a", 1, logged_in(1))).await.expect("saved").revision;
    assert_eq!(subject.commit(save("a", 1, logged_in(1))).await.expect("saved").revision, revision);
    let advanced = subject.commit(advance("a", 1, 5)).await.expect("advanced").revision;
    assert_eq!(subject.commit(advance("a", 1, 5)).await.expect("advanced").revision, advanced);
    assert_eq!(subject.engine.snapshot().revision, advanced);
    assert_eq!(
        subject.commit(write("b", 1, Op::Delete)).await.map_err(|e| e.to_string()).ok().map(|o| o.revision),
        None
    );
}

async fn a_counter_of_zero_makes_a_state(subject: Subject) {
    subject.hold("a", 1).await;
    let revision = subject.commit(advance("a", 1, 0)).await.expect("advanced").revision;
    assert_eq!(subject.revision("a").await, revision);
    assert_ne!(revision, 0);
}

async fn forgetting_a_channel_where_there_is_none_makes_no_session(subject: Subject) {
    subject.hold("a", 1).await;
    let forget = StateChange { removed_channels: vec![5], ..StateChange::default() };
    let revision = subject.commit(write("a", 1, Op::Advance(vec![forget]))).await.expect("nothing to do");
    assert_eq!((revision.revision, subject.session("a", 1).await), (0, None));
}

async fn expected_revision_is_compared(subject: Subject) {
    subject.hold("a", 1).await;
    let none_yet = Write { expected: Some(0), ..advance("a", 1, 1) };
    let revision = subject.commit(none_yet).await.expect("there is none yet").revision;
    let again = Write { expected: Some(0), ..advance("a", 1, 2) };
    assert!(
        matches!(subject.commit(again).await, Err(Error::RevisionMismatch { current }) if current == revision)
    );
    let right = Write { expected: Some(revision), ..advance("a", 1, 2) };
    subject.commit(right).await.expect("it is at that revision");
}

async fn a_retry_takes_effect_once(subject: Subject) {
    subject.hold("a", 1).await;
    let request = Some(Request { key: 1, content: 1 });
    let first = subject.commit(Write { request, ..advance("a", 1, 1) }).await.expect("advanced").revision;
    subject.commit(advance("a", 1, 2)).await.expect("advanced");
    let again = subject.commit(Write { request, ..advance("a", 1, 1) }).await.expect("answered").revision;
    assert_eq!(again, first);
    let state = subject.session("a", 1).await.and_then(|session| session.state);
    assert_eq!(state.map(|state| state.pts), Some(2));
    let other = Some(Request { key: 1, content: 2 });
    let reused = subject.commit(Write { request: other, ..advance("a", 1, 9) }).await;
    assert!(matches!(reused, Err(Error::RequestIdReused)));
}

async fn a_retry_of_what_changed_nothing_changes_nothing_later(subject: Subject) {
    subject.hold("a", 1).await;
    let first = subject.commit(advance("a", 1, 1)).await.expect("advanced").revision;
    let request = Some(Request { key: 1, content: 1 });
    subject.commit(Write { request, ..advance("a", 1, 1) }).await.expect("nothing to change");
    subject.commit(advance("a", 1, 2)).await.expect("advanced");
    let again = subject.commit(Write { request, ..advance("a", 1, 1) }).await.expect("answered").revision;
    assert_eq!(again, first);
    let state = subject.session("a", 1).await.and_then(|session| session.state);
    assert_eq!(state.map(|state| state.pts), Some(2));
}

async fn a_file_is_taken_in_where_nobody_holds_and_keeps_what_no_file_has(subject: Subject) {
    let take_in = |session| Write::own(name("a"), Op::TakeIn(Box::new(session)));
    subject.hold("a", 1).await;
    let known = Session { home_dc: Some(2), test_mode: Some(true), ..logged_in(1) };
    let revision = subject.commit(save("a", 1, known.clone())).await.expect("saved").revision;
    assert!(matches!(subject.commit(take_in(logged_in(2))).await, Err(Error::Held(_))));
    subject.commit(write("a", 1, Op::Release)).await.expect("released");

    let outdated = Write { expected: Some(revision - 1), ..take_in(logged_in(2)) };
    assert!(matches!(subject.commit(outdated).await, Err(Error::RevisionMismatch { .. })));
    subject.commit(take_in(logged_in(2))).await.expect("taken in");

    subject.hold("a", 1).await;
    let expected = Session { home_dc: Some(2), test_mode: Some(true), ..logged_in(2) };
    assert_eq!(subject.session("a", 1).await, Some(expected));
    subject.commit(write("a", 1, Op::Release)).await.expect("released");
    let mut elsewhere = logged_in(3);
    elsewhere.user.as_mut().expect("there is one").dc = 4;
    subject.commit(take_in(elsewhere.clone())).await.expect("taken in");
    subject.hold("a", 1).await;
    let expected = Session { test_mode: Some(true), ..elsewhere };
    assert_eq!(subject.session("a", 1).await, Some(expected), "the home that it had is not the user's");
}

async fn a_refused_change_costs_only_itself(subject: Subject) {
    subject.hold("a", 1).await;
    let all = (1..=MAX_CHANNELS).map(|id| ChannelState { id: id.cast_signed() as i64, pts: 1 }).collect();
    subject
        .commit(write("a", 1, Op::Advance(vec![StateChange { channels: all, ..pts(1) }])))
        .await
        .expect("all fit");
    let one_more = StateChange { channels: vec![ChannelState { id: i64::MAX, pts: 1 }], ..pts(3) };
    let op = Op::Advance(vec![pts(2), one_more.clone(), pts(4)]);
    let outcome = subject.commit(write("a", 1, op)).await.expect("the first is taken");
    assert_eq!(outcome.applied, 1);
    assert!(matches!(outcome.refused, Some(Error::Limit(_))));
    let swap = StateChange { removed_channels: vec![1], ..one_more };
    subject.commit(write("a", 1, Op::Advance(vec![swap]))).await.expect("one goes and one comes");
    let state = subject.session("a", 1).await.and_then(|session| session.state).expect("there is one");
    assert_eq!((state.pts, state.channels.len(), state.channel(1)), (3, MAX_CHANNELS, None));
}

async fn a_deleted_session_can_be_made_again(subject: Subject) {
    subject.hold("a", 1).await;
    subject.commit(save("a", 1, logged_in(1))).await.expect("saved");
    subject.commit(write("a", 1, Op::Delete)).await.expect("deleted");
    assert_eq!((subject.revision("a").await, subject.session("a", 1).await), (0, None));
    assert_eq!(subject.commit(write("a", 1, Op::Delete)).await.expect("nothing to delete").revision, 0);
    subject.commit(advance("a", 1, 1)).await.expect("made again");
    assert_eq!(
        subject.session("a", 1).await.map(|session| session.dcs),
        Some(Vec::new()),
        "its keys are gone"
    );
}

async fn the_log_has_every_commit_in_order(subject: Subject) {
    let fence = subject.hold("a", 1).await;
    let (one, two) = (pts(1), pts(2));
    subject.commit(write("a", 1, Op::Advance(vec![one, two]))).await.expect("advanced");
    subject.commit(write("a", 1, Op::Delete)).await.expect("deleted");
    let told = log(&*subject.engine, fence).await;
    let revisions: Vec<_> = told.iter().map(|(revision, previous, _)| (*revision, *previous)).collect();
    assert_eq!(revisions, [(fence + 1, 0), (fence + 2, fence + 1), (fence + 3, fence + 2)]);
    assert!(told[2].2.starts_with("Deleted"));
    assert!(matches!(subject.engine.log(fence + 4).await, Err(LogError::Unknown)));
}

async fn a_subscription_hears_of_its_sessions_alone(subject: Subject) {
    let selection = Selection { names: [name("a")].into(), prefix: Some("b".into()), ..Selection::default() };
    let subscription = subject.engine.subscribe(selection);
    let start = subject.engine.snapshot().revision;
    subject.hold("other", 1).await;
    let News::None(head) = subscription.news(start) else { panic!("there is none") };
    let fence = subject.hold("bob", 1).await;
    subscription.changed().await;
    let News::Batches(batches, through) = subscription.news(head) else { panic!("there is some") };
    assert_eq!((batches.len(), batches[0].first(), through), (1, fence, fence));
    assert!(matches!(&batches[0].commits()[0].event, Event::HoldChanged { holder: Some(_), .. }));
    assert!(matches!(subscription.news(through), News::None(head) if head == through));
    let watchers = (subject.engine.watchers(&name("a")), subject.engine.watchers(&name("other")));
    assert_eq!(watchers, (1, 0));
    drop(subscription);
    assert_eq!(subject.engine.watchers(&name("a")), 0);
}

async fn a_closed_engine_refuses_writes(subject: Subject) {
    subject.hold("a", 1).await;
    subject.engine.close().await;
    assert!(matches!(subject.commit(advance("a", 1, 1)).await, Err(Error::Closed)));
}

async fn what_was_acknowledged_survives_a_restart(subject: Subject) {
    let fence = subject.hold("a", 1).await;
    subject.commit(save("a", 1, logged_in(3))).await.expect("saved");
    let request = Some(Request { key: 4, content: 4 });
    let revision = subject.commit(Write { request, ..advance("a", 1, 5) }).await.expect("advanced").revision;
    let before = log(&*subject.engine, 0).await;
    let store_id = subject.engine.store_id();

    let subject = subject.restarted().await;

    assert_eq!(subject.engine.store_id(), store_id);
    let hold = subject.engine.hold(&name("a")).expect("there is one");
    assert_eq!((hold.fence, hold.status, &*hold.holder), (fence, HoldStatus::Held, &holder()));
    let mut expected = logged_in(3);
    expected.advance(&pts(5));
    assert_eq!((subject.revision("a").await, subject.session("a", 1).await), (revision, Some(expected)));
    let again = subject.commit(Write { request, ..advance("a", 1, 5) }).await.expect("answered").revision;
    assert_eq!(again, revision);
    assert_eq!(log(&*subject.engine, 0).await, before);
    assert!(subject.hold("b", 1).await > revision, "revisions go on");
}

async fn a_deleted_session_stays_deleted_after_a_restart(subject: Subject) {
    subject.hold("a", 1).await;
    subject.commit(save("a", 1, logged_in(3))).await.expect("saved");
    let subject = subject.restarted().await;
    subject.commit(write("a", 1, Op::Delete)).await.expect("deleted");
    let subject = subject.restarted().await;
    assert_eq!((subject.revision("a").await, subject.session("a", 1).await), (0, None));
}

async fn a_copied_store_has_an_identity_of_its_own_and_no_holds(subject: Subject) {
    subject.hold("a", 1).await;
    let revision = subject.commit(save("a", 1, logged_in(3))).await.expect("saved").revision;
    let store_id = subject.engine.store_id();
    subject.engine.close().await;
    let original = subject.directory.expect("it is on a disk");
    let copy = tempfile::tempdir().expect("a directory can be made");
    std::fs::create_dir(copy.path().join("data")).expect("made");
    for file in ["data/sessiond.db", "key"] {
        std::fs::copy(original.path().join(file), copy.path().join(file)).expect("copied");
    }

    let copied = Subject { engine: open(&copy), directory: Some(copy) };

    assert_ne!(copied.engine.store_id(), store_id);
    assert!(copied.engine.hold(&name("a")).is_none());
    assert!(copied.hold("a", 2).await > revision + (1 << 32));
    assert_eq!(copied.session("a", 2).await, Some(logged_in(3)));
    let after = copied.engine.snapshot().revision;
    let store_id = copied.engine.store_id();
    let copied = copied.restarted().await;
    assert_eq!(
        (copied.engine.store_id(), copied.engine.snapshot().revision),
        (store_id, after),
        "it is new only once"
    );
}

macro_rules! rules {
    ($engine:ident: $($rule:ident),* $(,)?) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $rule() {
                    super::$rule($crate::engine::conformance::Subject::$engine()).await;
                }
            )*
        }
    };
}

/// What holds for every engine, and for those on a disk beside it.
macro_rules! engine {
    ($engine:ident $($durable:ident),* $(,)?) => {
        rules! { $engine:
            what_is_saved_is_loaded,
            only_the_current_token_writes,
            a_held_session_is_granted_to_nobody_else,
            ending_an_earlier_hold_leaves_the_current_one,
            a_released_token_deletes_until_the_next_grant,
            a_hold_does_not_move_the_sessions_revision,
            a_write_that_changes_nothing_is_no_commit,
            a_counter_of_zero_makes_a_state,
            forgetting_a_channel_where_there_is_none_makes_no_session,
            expected_revision_is_compared,
            a_retry_takes_effect_once,
            a_retry_of_what_changed_nothing_changes_nothing_later,
            a_file_is_taken_in_where_nobody_holds_and_keeps_what_no_file_has,
            a_refused_change_costs_only_itself,
            a_deleted_session_can_be_made_again,
            the_log_has_every_commit_in_order,
            a_subscription_hears_of_its_sessions_alone,
            a_closed_engine_refuses_writes,
            $($durable,)*
        }
    };
}

engine!(memory);
engine!(
    sqlite what_was_acknowledged_survives_a_restart,
    a_deleted_session_stays_deleted_after_a_restart,
    a_copied_store_has_an_identity_of_its_own_and_no_holds,
);

// After the macro that they use.
mod belongings;
mod listing;
