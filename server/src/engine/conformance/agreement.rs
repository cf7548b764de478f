//! Random writes, made on every engine: they answer alike, and have the same sessions in the end and after a restart.

use proptest::prelude::*;
use sessiond_session::{ChannelState, Clear, Session, StateChange};

use super::{Subject, bearer, logged_in, name, write};
use crate::engine::{LostReason, Op, Request, SaveMode, Write};

/// A step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Grant { session: u8, token: u8 },
    Release { session: u8, token: u8 },
    End { session: u8 },
    Save { session: u8, token: u8, key: u8, merge: bool, log_out: bool },
    Advance { session: u8, token: u8, changes: Vec<StateChange>, request: Option<u64>, expected: Option<i64> },
    Delete { session: u8, token: u8 },
    Restart,
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
