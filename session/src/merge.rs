use crate::{Auth, DataCenter, Session, UpdateState, User};

/// What to forget before a merge. This is how a library logs out, since a merge by itself only adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clear {
    /// Data centers whose keys are forgotten.
    pub auth_dcs: Vec<i32>,
    /// Every key is forgotten.
    pub all_auth: bool,
    /// The user is forgotten. The home data center is not.
    pub user: bool,
    /// The update state is forgotten, channels included.
    pub state: bool,
    /// The channels' states are forgotten.
    pub channels: bool,
}

impl Session {
    /// Adds what another session knows. The libraries that save whole sessions forget the keys of other data centers and
    /// write zeros where they saw no update, so nothing is taken away: an absent address, an absent key and a zero counter
    /// keep what is here; channels merge by id. The user merges by field for the same id; another id is another account,
    /// and clears the state and the keys that are not mentioned.
    pub fn merge(&mut self, other: Self) {
        self.merge_after(&Clear::default(), other);
    }

    /// Forgets what `clear` names, and then [merges](Self::merge). A user that `clear` forgets is still who was here: another
    /// id is another account. [`forget`](Self::forget) and then `merge` would not know that.
    pub fn merge_after(&mut self, clear: &Clear, other: Self) {
        let Self { dcs, user, state, home_dc, test_mode } = other;
        if let (Some(here), Some(there)) = (&self.user, &user)
            && here.id != there.id
        {
            self.forget(&Clear { all_auth: true, user: true, state: true, ..Clear::default() });
        }
        self.forget(clear);
        for dc in dcs {
            self.merge_dc(dc);
        }
        if let Some(state) = state {
            self.merge_state(state);
        }
        self.merge_home(home_dc, user);
        self.test_mode = test_mode.or(self.test_mode);
    }

    /// Forgets what is named.
    pub fn forget(&mut self, clear: &Clear) {
        let Clear { auth_dcs, all_auth, user, state, channels } = clear;
        if *all_auth {
            self.dcs.iter_mut().for_each(|dc| dc.auth = Auth::Absent);
        }
        for id in auth_dcs {
            if let Ok(at) = self.dcs.binary_search_by_key(id, |dc| dc.id) {
                self.dcs[at].auth = Auth::Absent;
            }
        }
        if *user && let Some(user) = self.user.take() {
            self.home_dc.get_or_insert(user.dc);
        }
        if *state {
            self.state = None;
        }
        if *channels && let Some(state) = &mut self.state {
            state.channels.clear();
        }
    }

    fn merge_dc(&mut self, other: DataCenter) {
        let DataCenter { id, ipv4_addr, ipv6_addr, auth } = other;
        let at = self.dcs.binary_search_by_key(&id, |dc| dc.id).unwrap_or_else(|at| {
            self.dcs.insert(at, DataCenter { id, ..DataCenter::default() });
            at
        });
        let dc = &mut self.dcs[at];
        dc.ipv4_addr = ipv4_addr.or(dc.ipv4_addr);
        dc.ipv6_addr = ipv6_addr.or(dc.ipv6_addr);
        if let Auth::Key(key) = auth {
            dc.auth = Auth::Key(key);
        }
    }

    fn merge_state(&mut self, other: UpdateState) {
        if other == UpdateState::default() {
            return;
        }
        let UpdateState { pts, qts, date, seq, mut channels } = other;
        let state = self.state.get_or_insert_default();
        let newer = |there: i32, here: i32| if there == 0 { here } else { there };
        state.pts = newer(pts, state.pts);
        state.qts = newer(qts, state.qts);
        state.seq = newer(seq, state.seq);
        state.date = if date == 0 { state.date } else { date };
        channels.retain(|channel| channel.pts != 0 || state.channel(channel.id).is_none());
        state.set_channels(&channels);
    }

    /// `home_dc` and the user's data center go together: whichever came last moves the other.
    fn merge_home(&mut self, home_dc: Option<i32>, user: Option<User>) {
        if let Some(User { id, dc, bot, username }) = user {
            let here = self.user.take();
            self.user = Some(User {
                id,
                dc,
                bot: bot.or(here.as_ref().and_then(|user| user.bot)),
                username: username.or(here.and_then(|user| user.username)),
            });
            self.home_dc = self.home_dc.map(|_| dc);
        }
        if let Some(id) = home_dc {
            self.home_dc = Some(id);
            if let Some(user) = &mut self.user {
                user.dc = id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Auth, AuthKey, ChannelState, Clear, DataCenter, Session, UpdateState, User};

    fn key(byte: u8) -> Auth {
        Auth::Key(AuthKey::try_from([byte; 256].as_slice()).expect("256 bytes"))
    }

    fn dc(id: i32, auth: Auth) -> DataCenter {
        DataCenter { id, auth, ..DataCenter::default() }
    }

    fn user(id: i64) -> User {
        User { id, dc: 2, bot: Some(true), username: Some("alice".into()) }
    }

    fn state(pts: i32, channels: &[(i64, i32)]) -> UpdateState {
        let channels = channels.iter().map(|&(id, pts)| ChannelState { id, pts }).collect();
        UpdateState { pts, qts: pts, date: i64::from(pts), seq: pts, channels }
    }

    fn logged_in() -> Session {
        Session {
            dcs: vec![dc(1, key(1)), dc(2, key(2))],
            user: Some(user(7)),
            state: Some(state(9, &[(5, 50), (6, 60)])),
            home_dc: Some(2),
            test_mode: Some(true),
        }
    }

    #[test]
    fn merging_nothing_changes_nothing() {
        let mut session = logged_in();
        session.merge(Session::default());
        assert_eq!(session, logged_in());
    }

    #[test]
    fn a_key_and_an_address_that_are_not_mentioned_stay() {
        let mut session = logged_in();
        let ipv4_addr = "149.154.167.51:443".parse().ok();
        session.merge(Session {
            dcs: vec![DataCenter { id: 2, ipv4_addr, ..DataCenter::default() }, dc(4, key(4))],
            ..Session::default()
        });
        session.merge(Session { dcs: vec![dc(2, Auth::Withheld)], ..Session::default() });
        let merged = DataCenter { id: 2, ipv4_addr, ipv6_addr: None, auth: key(2) };
        assert_eq!(session.dcs, vec![dc(1, key(1)), merged, dc(4, key(4))]);
    }

    #[test]
    fn zeros_are_never_written_over_a_state() {
        let mut session = logged_in();
        session.merge(Session { state: Some(state(0, &[(5, 0), (6, 61), (7, 0)])), ..Session::default() });
        assert_eq!(session.state, Some(state(9, &[(5, 50), (6, 61), (7, 0)])));
    }

    #[test]
    fn a_state_of_zeros_does_not_make_one() {
        let mut session = Session::default();
        session.merge(Session { state: Some(UpdateState::default()), ..Session::default() });
        assert_eq!(session.state, None);
    }

    #[test]
    fn a_user_merges_by_field() {
        let mut session = logged_in();
        let partial = User { id: 7, dc: 4, bot: None, username: None };
        session.merge(Session { user: Some(partial), ..Session::default() });
        assert_eq!(session.user, Some(User { dc: 4, ..user(7) }));
        assert_eq!(session.home_dc, Some(4), "the home follows the user");
        assert!(session.state.is_some());
    }

    #[test]
    fn another_user_clears_the_old_ones_state_and_keys() {
        let mut session = logged_in();
        let other = User { id: 8, dc: 2, bot: None, username: None };
        session.merge(Session {
            dcs: vec![dc(2, key(22))],
            user: Some(other.clone()),
            state: Some(state(1, &[])),
            ..Session::default()
        });
        assert_eq!(session.dcs, vec![dc(1, Auth::Absent), dc(2, key(22))]);
        assert_eq!(session.user, Some(other));
        assert_eq!(session.state, Some(state(1, &[])));
    }

    #[test]
    fn another_user_than_before_the_clear_is_another_account() {
        let other = User { id: 8, dc: 2, bot: None, username: None };
        let given = || Session { user: Some(other.clone()), ..Session::default() };
        let clear = Clear { user: true, ..Clear::default() };
        let mut session = logged_in();
        session.merge_after(&clear, given());
        assert_eq!(session.dcs, vec![dc(1, Auth::Absent), dc(2, Auth::Absent)]);
        assert_eq!((session.user, session.state), (Some(other.clone()), None));

        // What the clear itself names is forgotten whoever comes after it.
        let mut session = logged_in();
        session.merge_after(
            &clear,
            Session { user: Some(User { username: None, ..user(7) }), ..Session::default() },
        );
        assert_eq!(session, Session { user: Some(User { username: None, ..user(7) }), ..logged_in() });
    }

    #[test]
    fn a_new_home_moves_the_user() {
        let mut session = logged_in();
        session.merge(Session { home_dc: Some(5), ..Session::default() });
        assert_eq!(session.user.map(|user| user.dc), Some(5));
    }

    #[test]
    fn clearing_logs_out_and_keeps_the_home() {
        let mut session = Session { home_dc: None, ..logged_in() };
        session.forget(&Clear { auth_dcs: vec![2], user: true, state: true, ..Clear::default() });
        let expected = Session {
            dcs: vec![dc(1, key(1)), dc(2, Auth::Absent)],
            home_dc: Some(2),
            test_mode: Some(true),
            ..Session::default()
        };
        assert_eq!(session, expected);
    }

    #[test]
    fn clearing_channels_keeps_the_counters() {
        let mut session = logged_in();
        session.forget(&Clear { channels: true, ..Clear::default() });
        assert_eq!(session.state, Some(state(9, &[])));
    }
}
