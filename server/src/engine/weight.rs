//! About how many bytes things take in memory. Whatever is bounded by bytes is bounded by these.

use sessiond_session::{Attribute, ChannelState, DataCenter, Peer, Session, StateChange};

/// A session without keys.
pub(crate) fn of_session(session: &Session) -> usize {
    let channels = session.state.as_ref().map_or(0, |state| state.channels.len());
    size_of::<Session>() + session.dcs.len() * size_of::<DataCenter>() + channels * size_of::<ChannelState>()
}

/// A change of a state.
pub(crate) fn of_change(change: &StateChange) -> usize {
    size_of::<StateChange>()
        + change.channels.len() * size_of::<ChannelState>()
        + change.removed_channels.len() * size_of::<i64>()
}

/// A peer.
pub(crate) fn of_peer(peer: &Peer) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let usernames = peer.usernames.iter().flatten().map(|username| size_of::<String>() + username.len());
    size_of::<Peer>() + text(&peer.phone) + text(&peer.name) + usernames.sum::<usize>() + peer.extra_bytes()
}

/// An attribute.
pub(crate) fn of_attribute(attribute: &Attribute) -> usize {
    size_of::<Attribute>() + attribute.bytes()
}

#[cfg(test)]
mod tests {
    use sessiond_session::{ChannelState, StateChange};

    use super::of_change;

    #[test]
    fn channels_weigh_most() {
        let channels = vec![ChannelState { id: 1, pts: 1 }; 1_000];
        assert!(of_change(&StateChange { channels, ..StateChange::default() }) >= 1_000 * 16);
    }
}
