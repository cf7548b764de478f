//! Random writes, made on every engine: they answer alike, and have the same sessions in the end and after a restart.

use proptest::prelude::*;
use sessiond_session::{Attribute, ChannelState, Clear, Peer, Session, StateChange};

use super::{Subject, bearer, logged_in, name, write};
use crate::engine::{AttributeRange, Keep, LostReason, Op, PeerFilter, Request, SaveMode, Write};

/// A step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Grant { session: u8, token: u8 },
    Release { session: u8, token: u8 },
    End { session: u8 },
    Save { session: u8, token: u8, key: u8, merge: bool, log_out: bool },
    Advance { session: u8, token: u8, changes: Vec<StateChange>, request: Option<u64>, expected: Option<i64> },
    Delete { session: u8, token: u8 },
    PutPeers { session: u8, token: u8, peers: Vec<Peer> },
    DeletePeers { session: u8, token: u8, ids: Vec<i64> },
    PutAttributes { session: u8, token: u8, attribute: Attribute, delete: String },
    DeleteAttributes { session: u8, token: u8, prefix: String },
    Restart,
}

fn peer() -> impl Strategy<Value = Peer> {
    let names = proptest::option::of(prop::collection::vec("[ab]", 0..2));
    let flags = (proptest::option::of(any::<bool>()), proptest::option::of(any::<bool>()));
    let text = proptest::option::of("[12]?");
    (1..4_i64, proptest::option::of(0..2_i64), names, flags, text, 0..2_000_i64).prop_map(
        |(id, access_hash, usernames, (is_self, min), phone, seen)| {
            let seen = Some(seen);
            Peer { id, access_hash, usernames, is_self, min, phone, seen, ..Peer::default() }
        },
    )
}

fn attribute() -> impl Strategy<Value = Attribute> {
    ("[ab]{1,2}", prop::collection::vec(0..2_u8, 0..2), any::<bool>())
        .prop_map(|(key, value, secret)| Attribute { key, value: value.into(), secret })
}

fn change() -> impl Strategy<Value = StateChange> {
    let channel = (1..4_i64, 0..3_i32).prop_map(|(id, pts)| ChannelState { id, pts });
    (proptest::option::of(0..3_i32), proptest::option::of(0..3_i64), proptest::option::of(channel), 1..9_i64)
        .prop_map(|(pts, date, channel, removed)| {
            let removed =
                if channel.is_some_and(|channel| channel.id == removed) { Vec::new() } else { vec![removed] };
            let channels = channel.into_iter().collect();
            StateChange { pts, date, channels, removed_channels: removed, ..StateChange::default() }
        })
}

fn step() -> impl Strategy<Value = Step> {
    let who = || (0..2_u8, 0..2_u8);
    let changes = prop::collection::vec(change(), 1..4);
    prop_oneof![
        4 => who().prop_map(|(session, token)| Step::Grant { session, token }),
        1 => who().prop_map(|(session, token)| Step::Release { session, token }),
        1 => (0..2_u8).prop_map(|session| Step::End { session }),
        3 => (who(), 0..3_u8, any::<bool>(), any::<bool>()).prop_map(|((session, token), key, merge, log_out)| {
            Step::Save { session, token, key, merge, log_out }
        }),
        8 => (who(), changes, proptest::option::of(0..4_u64), proptest::option::of(0..20_i64)).prop_map(
            |((session, token), changes, request, expected)| Step::Advance { session, token, changes, request, expected }
        ),
        1 => who().prop_map(|(session, token)| Step::Delete { session, token }),
        4 => (who(), prop::collection::vec(peer(), 1..4))
            .prop_map(|((session, token), peers)| Step::PutPeers { session, token, peers }),
        1 => (who(), prop::collection::vec(1..4_i64, 0..2))
            .prop_map(|((session, token), ids)| Step::DeletePeers { session, token, ids }),
        3 => (who(), attribute(), "[cd]").prop_map(|((session, token), attribute, delete)| {
            Step::PutAttributes { session, token, attribute, delete }
        }),
        1 => (who(), "[ab]")
            .prop_map(|((session, token), prefix)| Step::DeleteAttributes { session, token, prefix }),
        1 => Just(Step::Restart),
    ]
}

fn session(number: u8) -> &'static str {
    ["a", "b"][usize::from(number)]
}

fn to_write(step: Step) -> Option<Write> {
    Some(match step {
        Step::Grant { .. } | Step::Restart => return None,
        Step::Release { session: s, token } => write(session(s), token, Op::Release),
        Step::End { session: s } => {
            Write::own(name(session(s)), Op::End { fence: None, reason: LostReason::EndedByAdmin })
        }
        Step::Save { session: s, token, key, merge, log_out } => {
            let clear = Clear { user: log_out && merge, all_auth: log_out && merge, ..Clear::default() };
            let content = if key == 0 { Session::default() } else { logged_in(key) };
            let mode = if merge { SaveMode::Merge } else { SaveMode::Replace };
            write(session(s), token, Op::Save { session: Box::new(content), mode, clear })
        }
        Step::Advance { session: s, token, changes, request, expected } => {
            let content = format!("{changes:?}")
                .bytes()
                .fold(7, |hash: u64, byte| hash.wrapping_mul(31) ^ u64::from(byte));
            let request = request.map(|key| Request { key, content });
            Write { request, expected, ..write(session(s), token, Op::Advance(changes)) }
        }
        Step::Delete { session: s, token } => write(session(s), token, Op::Delete),
        Step::PutPeers { session: s, token, peers } => {
            write(session(s), token, Op::Keep(Keep::PutPeers(peers)))
        }
        Step::DeletePeers { session: s, token, ids } => {
            let keep = if ids.is_empty() { Keep::DeleteAllPeers } else { Keep::DeletePeers(ids) };
            write(session(s), token, Op::Keep(keep))
        }
        Step::PutAttributes { session: s, token, attribute, delete } => {
            let keep = Keep::PutAttributes { attributes: vec![attribute], delete: vec![delete] };
            write(session(s), token, Op::Keep(keep))
        }
        Step::DeleteAttributes { session: s, token, prefix } => {
            let keep = Keep::DeleteAttributes { keys: Vec::new(), prefix: Some(prefix) };
            write(session(s), token, Op::Keep(keep))
        }
    })
}

/// What a step came to, in words that can be compared.
async fn take(subject: &Subject, step: Step) -> String {
    let outcome = match step {
        Step::Grant { session: s, token } => {
            let token = bearer(token).token;
            let op = Op::Grant { holder: std::sync::Arc::new(super::holder()), token };
            subject.engine.grant(Write::own(name(session(s)), op)).await
        }
        step => match to_write(step) {
            Some(write) => subject.commit(write).await,
            None => return String::new(),
        },
    };
    format!("{outcome:?}")
}

/// All of a peer: its own `Debug` has no names.
fn in_words(peer: Peer) -> String {
    let Peer { id, access_hash, usernames, is_self, min, phone, seen, .. } = peer;
    format!("{id} {access_hash:?} {usernames:?} {is_self:?} {min:?} {phone:?} {seen:?}")
}

/// Everything that can be seen of an engine.
async fn all(subject: &Subject) -> String {
    let mut text = String::new();
    for (name, entry) in &subject.engine.snapshot().sessions {
        let hold = entry.hold.as_ref().map(|hold| (hold.fence, hold.status));
        text += &format!("{name}: {} {:?} {hold:?}\n", entry.revision, entry.session);
        for token in 0..2 {
            let loaded = subject.engine.load(name, Some(&bearer(token))).await;
            let keys = loaded.map(|loaded| {
                let dcs = loaded.session.map(|session| session.dcs).unwrap_or_default();
                dcs.iter().map(|dc| (dc.id, dc.auth.key().map(|key| key.expose()[0]))).collect::<Vec<_>>()
            });
            text += &format!("    {keys:?}\n");
            if let Ok(listing) = subject.engine.list_peers(name, bearer(token), PeerFilter::default()).await {
                let (peers, _) = subject.engine.next_peers(listing).await.expect("a few");
                text += &format!("    {:?}\n", peers.into_iter().map(in_words).collect::<Vec<_>>());
            }
            let all = AttributeRange { count: 100, bytes: usize::MAX, ..AttributeRange::default() };
            let attributes = subject.engine.list_attributes(name, bearer(token), all).await.ok();
            let told = attributes.map(|(told, _)| told).unwrap_or_default();
            text += &format!(
                "    {:?}\n",
                told.iter().map(|a| (&a.key, &*a.value, a.secret)).collect::<Vec<_>>()
            );
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn engines_agree(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let memory = Subject::memory();
            let mut sqlite = Subject::sqlite();
            for step in steps {
                if matches!(step, Step::Restart) {
                    sqlite = sqlite.restarted().await;
                }
                let answers = (take(&memory, step.clone()).await, take(&sqlite, step).await);
                assert_eq!(answers.0, answers.1);
            }
            assert_eq!(all(&memory).await, all(&sqlite).await);
            let sqlite = sqlite.restarted().await;
            assert_eq!(all(&memory).await, all(&sqlite).await);
        });
    }
}
