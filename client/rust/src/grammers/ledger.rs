use std::collections::{BTreeSet, HashMap};

use sessiond_session::{Auth, DataCenter, Peer, Session, StateChange, UpdateState, User};

use crate::Error;

/// Peers that may be unwritten before a program has to wait for the daemon with more: what a minute of the busiest account
/// brings, and some megabytes.
const MOST_PEERS: usize = 20_000;

/// A session as the library has it, and what of that the daemon is yet to be told.
#[derive(Default)]
pub(super) struct Ledger {
    session: Session,
    /// Data centers of which something is unwritten.
    dcs: BTreeSet<i32>,
    home_dc: bool,
    user: bool,
    change: StateChange,
    peers: HashMap<i64, Peer>,
    /// Peers that are on their way. Until that is answered, the daemon may not have them.
    peers_sent: HashMap<i64, Peer>,
    /// Whether it is the turn of the state, of peers and state.
    state_next: bool,
    /// What the daemon refused, until somebody is told of it.
    refused: Option<Error>,
    closed: bool,
}

/// What is written with one call.
pub(super) enum Part {
    Session(Session),
    State(StateChange),
    Peers(Vec<Peer>),
}

impl Ledger {
    pub(super) fn new(session: Session) -> Self {
        Self { session, ..Self::default() }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn state(&self) -> Option<&UpdateState> {
        self.session.state.as_ref()
    }

    /// Who is logged in, if it is this peer, or if none is named.
    pub(super) fn user(&self, id: Option<i64>) -> Option<&User> {
        self.session.user.as_ref().filter(|user| id.is_none_or(|id| user.id == id))
    }

    /// What is unwritten of a peer.
    pub(super) fn peer(&self, id: i64) -> Option<Peer> {
        let mut peer = self.peers_sent.get(&id).cloned();
        match (&mut peer, self.peers.get(&id)) {
            (Some(peer), Some(newer)) => {
                peer.merge(newer.clone());
            }
            (None, newer) => return newer.cloned(),
            (Some(_), None) => {}
        }
        peer
    }

    pub(super) fn set_home_dc(&mut self, id: i32) {
        if self.session.home_dc_id() != id {
            self.session.merge(Session { home_dc: Some(id), ..Session::default() });
            self.home_dc = true;
        }
    }

    /// Adds what is new of a data center. Libraries tell what they were told, again and again.
    pub(super) fn set_dc(&mut self, told: DataCenter) {
        let known = self.session.dc_with_addresses(told.id).unwrap_or_default();
        let DataCenter { id, ipv4_addr, ipv6_addr, auth } = told;
        let news = DataCenter {
            id,
            ipv4_addr: ipv4_addr.filter(|_| ipv4_addr != known.ipv4_addr),
            ipv6_addr: ipv6_addr.filter(|_| ipv6_addr != known.ipv6_addr),
            auth: if auth == known.auth { Auth::Absent } else { auth },
        };
        if news != (DataCenter { id, ..DataCenter::default() }) {
            self.session.merge(Session { dcs: vec![news], ..Session::default() });
            self.dcs.insert(id);
        }
    }

    /// Somebody is logged in. If it was another before, that one's state is forgotten; the keys are those he logged in with.
    pub(super) fn set_user(&mut self, id: i64, bot: Option<bool>) {
        let before = self.session.user.clone();
        let user = User { id, dc: self.session.home_dc_id(), bot, username: None };
        let is_another = before.as_ref().is_some_and(|before| before.id != id);
        let dcs = if is_another { self.session.dcs.clone() } else { Vec::new() };
        if is_another {
            self.dcs.extend(dcs.iter().map(|dc| dc.id));
            self.change = StateChange::default();
        }
        self.session.merge(Session { dcs, user: Some(user), ..Session::default() });
        self.user |= self.session.user != before;
    }

    /// Sets what is new of the update state. Counters of 0 say nothing.
    pub(super) fn advance(&mut self, told: StateChange) {
        let none = UpdateState::default();
        let known = self.session.state.as_ref().unwrap_or(&none);
        let StateChange { pts, qts, date, seq, mut channels, mut removed_channels } = told;
        channels.retain(|channel| channel.pts > 0 && known.channel(channel.id) != Some(channel.pts));
        removed_channels.retain(|id| known.channel(*id).is_some());
        let news = StateChange {
            pts: pts.filter(|pts| *pts > 0 && *pts != known.pts),
            qts: qts.filter(|qts| *qts > 0 && *qts != known.qts),
            date: date.filter(|date| *date > 0 && *date != known.date),
            seq: seq.filter(|seq| *seq > 0 && *seq != known.seq),
            channels,
            removed_channels,
        };
        if !news.is_empty() {
            self.session.advance(&news);
            self.change.followed_by(news);
        }
    }

    /// Whether a peer can be noted without more of them being unwritten than may be.
    pub(super) fn has_room(&self) -> bool {
        self.peers.len() + self.peers_sent.len() < MOST_PEERS
    }

    pub(super) fn note_peer(&mut self, peer: Peer) {
        self.peers.entry(peer.id).or_insert_with(|| Peer { id: peer.id, ..Peer::default() }).merge(peer);
    }

    /// Takes what is to be written next: the session first, since another user is another state; then peers, so that whoever
    /// goes on from a state knows whom the updates before it brought; and the state at every other turn at least, however
    /// many peers come. `None`: nothing is.
    pub(super) fn next(&mut self) -> Option<Part> {
        if self.user || self.home_dc || !self.dcs.is_empty() {
            return Some(Part::Session(self.unwritten_session()));
        }
        if !self.peers.is_empty() && (!self.state_next || self.change.is_empty()) {
            self.state_next = true;
            self.peers_sent = std::mem::take(&mut self.peers);
            return Some(Part::Peers(self.peers_sent.values().cloned().collect()));
        }
        self.state_next = false;
        (!self.change.is_empty()).then(|| Part::State(std::mem::take(&mut self.change)))
    }

    fn unwritten_session(&mut self) -> Session {
        let dcs = std::mem::take(&mut self.dcs);
        let (home_dc, user) = (std::mem::take(&mut self.home_dc), std::mem::take(&mut self.user));
        Session {
            dcs: dcs.into_iter().filter_map(|id| self.session.dc(id).cloned()).collect(),
            user: self.session.user.clone().filter(|_| user),
            home_dc: home_dc.then(|| self.session.home_dc_id()),
            ..Session::default()
        }
    }

    /// A part was answered, for good or ill.
    pub(super) fn settle(&mut self, part: &Part) {
        if let Part::Peers(_) = part {
            self.peers_sent.clear();
        }
    }

    /// A part was not answered, so that it is yet to be written, under what is newer.
    pub(super) fn put_back(&mut self, part: Part) {
        match part {
            Part::Session(Session { dcs, user, home_dc, state: _, test_mode: _ }) => {
                self.dcs.extend(dcs.into_iter().map(|dc| dc.id));
                self.user |= user.is_some();
                self.home_dc |= home_dc.is_some();
            }
            Part::State(mut change) => {
                change.followed_by(std::mem::take(&mut self.change));
                self.change = change;
            }
            Part::Peers(_) => {
                let newer = std::mem::replace(&mut self.peers, std::mem::take(&mut self.peers_sent));
                newer.into_values().for_each(|peer| self.note_peer(peer));
            }
        }
    }

    pub(super) fn refuse(&mut self, error: Error) {
        self.refused = Some(error);
    }

    /// # Errors
    /// What was refused since this was last asked.
    pub(super) fn refusal(&mut self) -> Result<(), Error> {
        self.refused.take().map_or(Ok(()), Err)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes nothing in any more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}

#[cfg(test)]
mod tests;
