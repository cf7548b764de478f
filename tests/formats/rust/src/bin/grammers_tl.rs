//! grammers-tl: the file of grammers-session 0.7 (`Session`) and of 0.8 (`TlSession`), which differ in how addresses are
//! written.
//!
//!     grammers_tl 0.7|0.8 write|read grammers-tl PATH

use sessiond_formats::{Fault, Task, arguments, create, say};

fn main() -> Result<(), Fault> {
    let (version, task, path) = arguments()?;
    match (version.as_deref(), task) {
        (Some("0.7"), Task::Write(contents)) => create(&path, &v07::write(contents)?),
        (Some("0.7"), Task::Read) => say(&v07::read(&std::fs::read(&path)?)?),
        (Some("0.8"), Task::Write(contents)) => create(&path, &v08::write(contents)?),
        (Some("0.8"), Task::Read) => say(&v08::read(&std::fs::read(&path)?)?),
        _ => Err("neither 0.7 nor 0.8".into()),
    }
}

mod v07 {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

    use grammers_session_07::{MessageBox, Session as File};
    use grammers_tl_types_07::{Serializable as _, enums, types};
    use sessiond_formats::{
        Channel, Contents, DataCenter, Fault, Session, State, User, from_hex, socket_v6, text_v6, to_hex,
    };

    pub(super) fn write(contents: Contents) -> Result<Vec<u8>, Fault> {
        let Session { dcs, user, state, .. } = contents.session;
        let file = File::new();
        for dc in dcs {
            let address = match (dc.ipv4_addr, dc.ipv6_addr) {
                (Some(address), _) => SocketAddr::V4(address.parse()?),
                (None, Some(address)) => SocketAddr::V6(socket_v6(&address)?),
                (None, None) => return Err("grammers 0.7 wants an address".into()),
            };
            file.insert_dc(dc.id, address, from_hex(&dc.auth.ok_or("grammers 0.7 wants a key")?)?);
        }
        if let Some(User { id, dc, bot }) = user {
            file.set_user(id.parse()?, dc, bot);
        }
        if let Some(state) = state {
            file.set_state(state_of(state)?);
        }
        Ok(file.save())
    }

    /// A state with channels is made by the library alone: it does not export the type of a channel's state.
    fn state_of(state: State) -> Result<grammers_session_07::UpdateState, Fault> {
        let State { pts, qts, date, seq, channels } = state;
        let mut updates = MessageBox::new();
        updates.set_state(enums::updates::State::State(types::updates::State {
            pts,
            qts,
            date,
            seq,
            unread_count: 0,
        }));
        for Channel { id, pts } in channels {
            updates.try_set_channel_state(id.parse()?, pts);
        }
        Ok(updates.session_state())
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Contents, Fault> {
        let file = File::load(bytes)?;
        let dcs = file.get_dcs().into_iter().map(|dc| DataCenter {
            id: dc.id,
            ipv4_addr: dc.ipv4.map(|ip| format!("{}:{}", Ipv4Addr::from(ip.to_le_bytes()), dc.port)),
            ipv6_addr: dc
                .ipv6
                .map(|ip| text_v6(&SocketAddrV6::new(Ipv6Addr::from(ip), dc.port as u16, 0, 0))),
            auth: dc.auth.map(|key| to_hex(&key)),
        });
        let dcs = dcs.collect();
        let user = file.get_user().map(|user| User { id: user.id.to_string(), dc: user.dc, bot: user.bot });
        let state = file.get_state().map(|state| State {
            pts: state.pts,
            qts: state.qts,
            date: state.date,
            seq: state.seq,
            channels: state.channels.iter().map(|channel| channel_of(&channel.to_bytes())).collect(),
        });
        let home_dc = user.as_ref().map_or(2, |user| user.dc);
        Ok(Contents { session: Session { dcs, home_dc, user, state }, peers: Vec::new() })
    }

    /// A channel's state from its bytes: a constructor of four bytes, an id of eight, and pts.
    fn channel_of(bytes: &[u8]) -> Channel {
        let id = i64::from_le_bytes(bytes[4..12].try_into().expect("8 bytes"));
        let pts = i32::from_le_bytes(bytes[12..16].try_into().expect("4 bytes"));
        Channel { id: id.to_string(), pts }
    }
}

mod v08 {
    #![expect(deprecated, reason = "0.8 is the last to have it, and says so")]

    use grammers_session_08::{
        Session as _,
        defs::{ChannelState, DcOption, PeerAuth, PeerId, PeerInfo, UpdateState, UpdatesState},
        storages::TlSession,
    };
    use sessiond_formats::{
        Channel, Contents, DataCenter, Fault, Session, State, User, from_hex, socket_v6, text_v6, to_hex,
    };

    /// Data centers are looked for among these ids: the library does not list them.
    const DCS: std::ops::Range<i32> = 1..1000;

    pub(super) fn write(contents: Contents) -> Result<Vec<u8>, Fault> {
        let Session { dcs, home_dc, user, state } = contents.session;
        let file = TlSession::new();
        for dc in dcs {
            let ipv4 = dc.ipv4_addr.ok_or("grammers wants an IPv4 address")?.parse()?;
            let ipv6 = socket_v6(&dc.ipv6_addr.ok_or("grammers wants an IPv6 address")?)?;
            let auth_key = dc.auth.map(|auth| from_hex(&auth)).transpose()?;
            file.set_dc_option(&DcOption { id: dc.id, ipv4, ipv6, auth_key });
        }
        if let Some(User { id, bot, .. }) = user {
            let (id, auth) = (id.parse()?, Some(PeerAuth::from_hash(0)));
            file.cache_peer(&PeerInfo::User { id, auth, bot: Some(bot), is_self: Some(true) });
            file.set_home_dc_id(home_dc);
        }
        if let Some(State { pts, qts, date, seq, channels }) = state {
            let channels: Result<_, Fault> = channels
                .into_iter()
                .map(|Channel { id, pts }| Ok(ChannelState { id: id.parse()?, pts }))
                .collect();
            file.set_update_state(UpdateState::All(UpdatesState {
                pts,
                qts,
                date,
                seq,
                channels: channels?,
            }));
        }
        Ok(file.save())
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Contents, Fault> {
        let file = TlSession::load(bytes)?;
        let home_dc = file.home_dc_id();
        let with_key = DCS.filter_map(|id| file.dc_option(id)).filter(|dc| dc.auth_key.is_some());
        let dcs = with_key.map(|DcOption { id, ipv4, ipv6, auth_key }| DataCenter {
            id,
            ipv4_addr: Some(ipv4.to_string()),
            ipv6_addr: Some(text_v6(&ipv6)),
            auth: auth_key.map(|key| to_hex(&key)),
        });
        let dcs = dcs.collect();
        let user = match file.peer(PeerId::self_user()) {
            Some(PeerInfo::User { id, bot, .. }) => {
                Some(User { id: id.to_string(), dc: home_dc, bot: bot.unwrap_or_default() })
            }
            _ => None,
        };
        let state = file.updates_state();
        // The library answers zeros where there is no state.
        let state = (state != UpdatesState::default()).then(|| state_of(state));
        Ok(Contents { session: Session { dcs, home_dc, user, state }, peers: Vec::new() })
    }

    fn state_of(state: UpdatesState) -> State {
        let UpdatesState { pts, qts, date, seq, channels } = state;
        let channels = channels
            .into_iter()
            .map(|ChannelState { id, pts }| Channel { id: id.to_string(), pts })
            .collect();
        State { pts, qts, date, seq, channels }
    }
}
