//! What a daemon might tell, for tests.

use std::time::{Duration, SystemTime};

use sessiond_client::{
    Change, ChannelState, Commit, Figures, Holder, RestartReason, ServerInfo, Session, SessionName,
    SessionSummary, Snapshot, StateChange, UpdateState, User, WatchEvent,
};

use super::{
    feed::Update,
    known::{Known, Now},
};

/// So long after the view began. Noon of a day in 2026, and later.
pub(super) fn at(seconds: u64) -> Now {
    let elapsed = Duration::from_secs(seconds);
    Now { elapsed, wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_521_600) + elapsed }
}

pub(super) fn name(text: &str) -> SessionName {
    text.parse().expect("a name")
}

pub(super) fn session(pts: i32, username: Option<&str>) -> Session {
    let username = username.map(str::to_owned);
    let channels =
        vec![ChannelState { id: 1_234_567_890, pts: 77 }, ChannelState { id: 2_222_222_222, pts: 88 }];
    Session {
        user: Some(User { id: 5_000_000_001, dc: 4, bot: Some(false), username }),
        state: Some(UpdateState { pts, qts: 20, date: 1_700_000_000, seq: 300, channels }),
        ..Session::default()
    }
}

pub(super) fn holder(label: &str, pid: i32) -> Holder {
    Holder {
        label: label.to_owned(),
        pid: Some(pid),
        uid: 1000,
        executable: "bin/worker".to_owned(),
        since: Some(at(0).wall - Duration::from_secs(90)),
        host: String::new(),
    }
}

pub(super) fn snapshot(text: &str, session: Option<Session>, holder: Option<Holder>) -> Update {
    let revision = i64::from(session.is_some()) * 5;
    Update::Watched(WatchEvent::Snapshot(Snapshot { name: name(text), revision, session, holder }))
}

pub(super) fn restarted() -> Update {
    Update::Watched(WatchEvent::Restarted(RestartReason::First))
}

pub(super) fn synced() -> Update {
    Update::Watched(WatchEvent::Synced { revision: 9, store_id: "a".to_owned() })
}

pub(super) fn commit(text: &str, revision: i64, change: Change) -> WatchEvent {
    let time = Some(at(0).wall);
    WatchEvent::Commit(Commit { name: name(text), revision, previous_revision: 0, time, change })
}

pub(super) fn advanced(text: &str, revision: i64, pts: i32) -> Update {
    let change = StateChange { pts: Some(pts), ..StateChange::default() };
    Update::Watched(commit(text, revision, Change::Advanced(change)))
}

/// Listed with so many who wait and who watch.
pub(super) fn summary(text: &str, waiting: i32, watchers: i32) -> SessionSummary {
    SessionSummary {
        name: name(text),
        revision: 5,
        user: None,
        changed: Some(at(0).wall - Duration::from_secs(300)),
        holder: None,
        pts: None,
        channel_count: 2,
        dcs_with_auth: vec![],
        waiting,
        watchers,
        damaged: false,
        test_mode: None,
    }
}

pub(super) fn info(commits: i64) -> Update {
    let figures = Figures {
        started: Some(at(0).wall - Duration::from_secs(7_200)),
        revision: 123_456,
        log_bytes: 12_900_000,
        sessions: 3,
        held: 1,
        waiting: 2,
        watchers: 5,
        commits,
        batches: commits / 10,
        commit_p50: Some(Duration::from_micros(310)),
        commit_p99: Some(Duration::from_micros(1_240)),
        ..Figures::default()
    };
    Update::Info(Box::new(ServerInfo {
        version: "0.1.0".to_owned(),
        engine: "sqlite".to_owned(),
        store_id: "a".to_owned(),
        features: Vec::new(),
        figures,
    }))
}

/// Three sessions: one held and at work, one damaged, one at rest.
pub(super) fn three() -> Known {
    let mut known = Known::default();
    let mut damaged = summary("bot.shop", 0, 1);
    damaged.damaged = true;
    let before = [
        restarted(),
        snapshot("alice", Some(session(1_195_809, Some("alice"))), Some(holder("worker-1", 13_906))),
        snapshot("bot.shop", Some(session(7, None)), None),
        snapshot("customer-1", Some(session(2_000, Some("carol"))), None),
        synced(),
        Update::Listed(vec![summary("alice", 2, 3), damaged, summary("customer-1", 0, 1)]),
        Update::ListedAll,
        info(1_000),
    ];
    before.into_iter().for_each(|update| known.apply(update, at(0)));
    for second in 0..10 {
        let pts = 1_195_809 + 100 * (i32::try_from(second).expect("small") + 1);
        known.apply(advanced("alice", 10 + i64::try_from(second).expect("small"), pts), at(second));
    }
    known.apply(info(3_500), at(10));
    known
}
