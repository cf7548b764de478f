//! Many at once: whatever is committed together has the same effect as one after the other, in the order of revisions.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
};

use futures_util::future::join_all;
use sessiond_proto::v1;
use sessiond_session::{Clear, Session, StateChange};

use crate::harness::{Client, Daemon, Held, channel, key, pts, within};

on_both_engines! {
    writes_made_at_once_have_the_effect_of_one_after_the_other
    a_crowd_of_writers_loses_nothing
    many_sessions_are_held_at_once
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const WRITERS: i64 = 16;
const WRITES: usize = 60;

async fn writes_made_at_once_have_the_effect_of_one_after_the_other(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let mut holds = Vec::new();
    for name in NAMES {
        holds.push(client.hold(name).await);
    }
    let tokens: Arc<Vec<_>> = Arc::new(holds.iter().map(|held| held.token.clone()).collect());
    let counter = Arc::new(AtomicI32::new(1));
    let writers = (1..=WRITERS).map(|seed| {
        let (tokens, counter) = (Arc::clone(&tokens), Arc::clone(&counter));
        let connecting = daemon.client();
        async move { Writer { client: connecting.await, tokens, counter, seed }.write().await }
    });
    let written = within(join_all(writers)).await.concat();

    let mut expected = BTreeMap::new();
    for (at, name) in NAMES.into_iter().enumerate() {
        let writes: BTreeMap<_, _> = written.iter().filter(|write| write.at == at).map(by_revision).collect();
        expected.insert(name, writes.into_iter().fold((None, 0), apply));
    }
    for held in &holds {
        assert_eq!(read(held).await, expected[held.name.as_str()], "{}", held.name);
    }
    if engine == "sqlite" {
        expect_after_a_kill(daemon, &holds, &expected).await;
    }
}

/// What the log says after a start is what memory said before it.
async fn expect_after_a_kill(
    mut daemon: Daemon,
    holds: &[Held],
    expected: &BTreeMap<&str, (Option<Session>, i64)>,
) {
    daemon.kill().await;
    daemon.start_again().await;
    let client = daemon.client().await;
    for held in holds {
        let held = client.resume(&held.name, &held.token).await.expect("a kill ends no hold");
        assert_eq!(read(&held).await, expected[held.name.as_str()], "{}", held.name);
    }
}

async fn a_crowd_of_writers_loses_nothing(engine: &'static str) {
    let daemon = Daemon::on(engine).await;
    let held = daemon.client().await.hold("alice").await;
    let writers = (1..=32).map(|writer| {
        let (held, connecting) = (&held, daemon.client());
        async move {
            let client = connecting.await;
            let mut revisions = Vec::new();
            for number in 1..=20 {
                let channels = vec![channel(writer * 100 + number, 1)];
                let change = v1::StateChange { channels, ..Default::default() };
                revisions.push(client.advance(held.advance_request(change)).await.expect("advanced"));
            }
            assert!(revisions.is_sorted(), "a client's writes are in its order");
            revisions
        }
    });
    let mut revisions = within(join_all(writers)).await.concat();
    revisions.sort_unstable();
    assert!(revisions.iter().copied().eq(held.fence + 1..=held.fence + 640), "each is one revision");
    let (session, revision) = held.load().await;
    assert_eq!(Some(&revision), revisions.last());
    assert_eq!(session.and_then(|session| session.state).expect("there").channels.len(), 640);
}

async fn many_sessions_are_held_at_once(engine: &'static str) {
    let mut daemon = Daemon::on(engine).await;
    let client = daemon.client().await;
    let names: Vec<_> = (0..200).map(|number| format!("session{number:03}")).collect();
    let held = within(join_all(names.iter().map(|name| client.hold(name)))).await;
    within(join_all(held.iter().map(|held| held.advance(pts(1))))).await;
    let mut fences: Vec<_> = held.iter().map(|held| held.fence).collect();
    fences.sort_unstable();
    fences.dedup();
    assert_eq!(fences.len(), 200);
    if engine == "memory" {
        return;
    }
    daemon.kill().await;
    daemon.start_again().await;
    let client = daemon.client().await;
    let resumed = within(join_all(held.iter().map(|held| client.resume(&held.name, &held.token)))).await;
    for (before, after) in held.iter().zip(resumed) {
        let after = after.expect("a kill ends no hold");
        assert_eq!(after.fence, before.fence);
        after.release().await;
    }
}

/// One of many that write the same sessions.
struct Writer {
    client: Client,
    tokens: Arc<Vec<Vec<u8>>>,
    /// Gives each write a number that no other has, so that each changes something.
    counter: Arc<AtomicI32>,
    seed: i64,
}

/// A write that was acknowledged.
#[derive(Clone)]
struct Written {
    at: usize,
    revision: i64,
    write: Write,
}

#[derive(Clone)]
enum Write {
    Replace(v1::Session),
    Merge(v1::Session, v1::SaveClear),
    Advance(v1::StateChange),
    Delete,
}

impl Writer {
    async fn write(mut self) -> Vec<Written> {
        let mut written = Vec::new();
        for _ in 0..WRITES {
            let at = self.below(NAMES.len() as i64) as usize;
            let write = self.next();
            let revision = self.send(at, write.clone()).await;
            // Of nothing to delete: no commit.
            if revision != 0 {
                written.push(Written { at, revision, write });
            }
        }
        written
    }

    fn next(&mut self) -> Write {
        let number = self.counter.fetch_add(1, Relaxed);
        let dc = |id, auth| v1::DataCenter { id, auth, ..Default::default() };
        let user = |id| Some(v1::User { id, dc: 2, bot: None, username: None });
        let state = Some(v1::UpdateState {
            pts: number,
            channels: vec![channel(self.below(20) + 1, number)],
            ..Default::default()
        });
        let empty = v1::Session::default;
        match self.below(12) {
            0 => Write::Delete,
            1 => Write::Replace(v1::Session { dcs: vec![dc(2, Some(key()))], state, ..empty() }),
            2 => Write::Merge(
                v1::Session { user: user(self.below(2) + 1), state, dcs: vec![dc(2, None)], ..empty() },
                v1::SaveClear::default(),
            ),
            3 => Write::Merge(
                v1::Session { dcs: vec![dc(4, Some(key()))], state, ..empty() },
                v1::SaveClear { auth_dcs: vec![2], channels: true, ..Default::default() },
            ),
            4 => Write::Advance(v1::StateChange {
                qts: Some(number),
                removed_channels: vec![self.below(20) + 1],
                ..Default::default()
            }),
            _ => Write::Advance(v1::StateChange {
                pts: Some(number),
                channels: vec![channel(self.below(20) + 1, number)],
                ..Default::default()
            }),
        }
    }

    async fn send(&self, at: usize, write: Write) -> i64 {
        let (name, token) = (NAMES[at].to_owned(), self.tokens[at].clone());
        let save = v1::SaveRequest { name: name.clone(), token: token.clone(), ..Default::default() };
        let answer = match write {
            Write::Replace(session) => {
                self.client.save(v1::SaveRequest { session: Some(session), ..save }).await
            }
            Write::Merge(session, clear) => {
                let mode = v1::SaveMode::Merge.into();
                let (session, clear) = (Some(session), Some(clear));
                self.client.save(v1::SaveRequest { session, mode, clear, ..save }).await
            }
            Write::Advance(change) => {
                let change = Some(change);
                self.client.advance(v1::AdvanceRequest { name, token, change, ..Default::default() }).await
            }
            Write::Delete => {
                self.client.delete(v1::DeleteRequest { name, token, ..Default::default() }).await
            }
        };
        answer.expect("written")
    }

    /// A number that looks random, from 0 up to this one.
    fn below(&mut self, end: i64) -> i64 {
        // Of Numerical Recipes; its high bits are good enough.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33).rem_euclid(end)
    }
}

fn by_revision(written: &Written) -> (i64, Write) {
    (written.revision, written.write.clone())
}

/// The session and its revision after one more write.
fn apply((session, _): (Option<Session>, i64), (revision, write): (i64, Write)) -> (Option<Session>, i64) {
    let session = match write {
        Write::Delete => return (None, 0),
        Write::Replace(given) => model(given),
        Write::Merge(given, clear) => {
            let mut session = session.unwrap_or_default();
            session.merge_after(&Clear::from(clear), model(given));
            session
        }
        Write::Advance(change) => {
            let mut session = session.unwrap_or_default();
            session.advance(&StateChange::try_from(change).expect("valid"));
            session
        }
    };
    (Some(session), revision)
}

async fn read(held: &Held) -> (Option<Session>, i64) {
    let (session, revision) = held.load().await;
    (session.map(model), revision)
}

fn model(session: v1::Session) -> Session {
    session.try_into().expect("valid")
}
