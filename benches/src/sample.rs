//! Sessions with made-up keys, and changes as updates bring them.

use sessiond_proto::v1;

/// Size of an auth key, in bytes.
const KEY: usize = 256;

/// First of the made-up channels' ids.
const FIRST_CHANNEL: i64 = 1_000_000_000;

/// A change as most updates bring it: two counters.
pub(crate) fn change(counter: i32, date: i64) -> v1::StateChange {
    v1::StateChange { pts: Some(counter), date: Some(date), ..Default::default() }
}

/// A session of this user, with the keys of so many data centers and so many channels.
pub(crate) fn session(id: i64, dcs: i32, channels: i64) -> v1::Session {
    let dc = |dc: i32| v1::DataCenter {
        id: dc,
        ipv4_addr: Some(format!("149.154.167.{dc}:443")),
        ipv6_addr: Some(format!("2001:67c:4e8:f002::{dc}:443")),
        auth: Some(key(id, dc)),
        has_auth: true,
    };
    v1::Session {
        version: 1,
        dcs: (1..=dcs).map(dc).collect(),
        user: Some(v1::User { id, dc: 1, bot: Some(false), username: Some(format!("user{id}")) }),
        state: Some(v1::UpdateState {
            pts: 1,
            qts: 1,
            date: 1_700_000_000,
            seq: 1,
            channels: (0..channels).map(|at| channel(at, 1)).collect(),
        }),
        home_dc: Some(1),
        test_mode: Some(false),
    }
}

/// The state of one of a session's channels.
pub(crate) fn channel(at: i64, pts: i32) -> v1::ChannelState {
    v1::ChannelState { id: FIRST_CHANNEL + at, pts }
}

/// A made-up key. It opens nothing, so that it need not be random, only different.
fn key(id: i64, dc: i32) -> Vec<u8> {
    let mut state = id.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(dc.unsigned_abs());
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..KEY).map(|_| byte()).collect()
}
