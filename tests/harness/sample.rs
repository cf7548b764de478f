use sessiond_proto::v1;

/// A made-up key.
pub(crate) fn key() -> Vec<u8> {
    let mut key = vec![0; 256];
    getrandom::fill(&mut key).expect("random numbers");
    key
}

pub(crate) fn channel(id: i64, pts: i32) -> v1::ChannelState {
    v1::ChannelState { id, pts }
}

/// A change of the pts alone.
pub(crate) fn pts(pts: i32) -> v1::StateChange {
    v1::StateChange { pts: Some(pts), ..Default::default() }
}

/// A session with everything in it, as it is answered to its holder: two data centers with made-up keys, and one without.
pub(crate) fn random_session() -> v1::Session {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("random numbers");
    // Positive, and large enough for the ids of recent accounts.
    let id = i64::from_le_bytes(random) & 0x000f_ffff_ffff | 1;
    session_of(id)
}

/// The same, of this user.
pub(crate) fn session_of(id: i64) -> v1::Session {
    let dc = |id: i32, auth: Option<Vec<u8>>| v1::DataCenter {
        id,
        ipv4_addr: Some(format!("149.154.167.{id}:443")),
        ipv6_addr: Some(format!("2001:67c:4e8:f002::{id}:443")),
        has_auth: auth.is_some(),
        auth,
    };
    v1::Session {
        version: 1,
        dcs: vec![dc(1, None), dc(2, Some(key())), dc(4, Some(key()))],
        user: Some(v1::User { id, dc: 2, bot: Some(false), username: Some(format!("user{id}")) }),
        state: Some(v1::UpdateState {
            pts: 1000,
            qts: 20,
            date: 1_700_000_000,
            seq: 300,
            channels: vec![channel(1_234_567_890, 77), channel(2_222_222_222, 88)],
        }),
        home_dc: Some(2),
        test_mode: Some(false),
    }
}
