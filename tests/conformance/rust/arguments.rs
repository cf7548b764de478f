//! What the runner says, as the client takes it.

use std::{fmt::Debug, str::FromStr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};
use sessiond_client::{
    Attribute, Auth, AuthKey, ChannelState, Clear, DataCenter, Peer, PeerFilter, PeerKey, PeerKind, Session,
    StateChange, UpdateState, User,
};

/// The arguments of a call, or an object in them. What is not given is absent, empty, 0 or false.
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(super) fn parse(line: &str) -> Self {
        Self(serde_json::from_str(line).expect("a line is an object"))
    }

    pub(super) fn id(&self) -> i64 {
        self.number("id").expect("every call has an id")
    }

    pub(super) fn given(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.given(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{name} is missing"))
    }

    pub(super) fn text_or<'a>(&'a self, name: &str, otherwise: &'a str) -> &'a str {
        self.given(name).map_or(otherwise, |_| self.text(name))
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).iter().map(|text| text.as_str().expect("text").to_owned()).collect()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.maybe(name).unwrap_or(false)
    }

    /// A number, of 64 bits as text.
    pub(super) fn number<T: FromStr<Err: Debug>>(&self, name: &str) -> Option<T> {
        self.given(name).map(number)
    }

    pub(super) fn numbers(&self, name: &str) -> Vec<i64> {
        self.list(name).iter().map(number).collect()
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        bytes(self.text_or(name, ""))
    }

    pub(super) fn object(&self, name: &str) -> Option<Self> {
        self.given(name).map(Self::of)
    }

    pub(super) fn session(&self, name: &str) -> Session {
        let given = self.object(name).expect("a session");
        Session {
            dcs: given.objects("dcs").map(|dc| dc.data_center()).collect(),
            user: given.object("user").map(|user| User {
                id: user.number("id").unwrap_or(0),
                dc: user.number("dc").unwrap_or(0),
                bot: user.maybe("bot"),
                username: user.maybe_text("username"),
            }),
            state: given.object("state").map(|state| UpdateState {
                pts: state.number("pts").unwrap_or(0),
                qts: state.number("qts").unwrap_or(0),
                date: state.number("date").unwrap_or(0),
                seq: state.number("seq").unwrap_or(0),
                channels: state.channels(),
            }),
            home_dc: given.number("home_dc"),
            test_mode: given.maybe("test_mode"),
        }
    }

    pub(super) fn clear(&self, name: &str) -> Option<Clear> {
        self.object(name).map(|clear| Clear {
            auth_dcs: clear.list("auth_dcs").iter().map(number).collect(),
            all_auth: clear.flag("all_auth"),
            user: clear.flag("user"),
            state: clear.flag("state"),
            channels: clear.flag("channels"),
        })
    }

    pub(super) fn change(&self, name: &str) -> StateChange {
        self.object(name).expect("a change").state_change()
    }

    pub(super) fn changes(&self, name: &str) -> Vec<StateChange> {
        self.objects(name).map(|change| change.state_change()).collect()
    }

    pub(super) fn peers(&self, name: &str) -> Vec<Peer> {
        self.objects(name).map(|peer| peer.peer()).collect()
    }

    pub(super) fn peer_keys(&self, name: &str) -> Vec<PeerKey> {
        self.objects(name)
            .map(|key| match key.0.keys().next().map(String::as_str) {
                Some("id") => PeerKey::Id(key.number("id").expect("a number")),
                Some("username") => PeerKey::Username(key.text("username").into()),
                Some("phone") => PeerKey::Phone(key.text("phone").into()),
                Some("peer_name") => PeerKey::Name(key.text("peer_name").into()),
                unknown => panic!("peers are not found by {unknown:?}"),
            })
            .collect()
    }

    pub(super) fn peer_filter(&self) -> PeerFilter {
        PeerFilter {
            kinds: self.texts("kinds").iter().filter_map(|kind| self::kind(kind)).collect(),
            after_id: self.number("after_id"),
            seen_after: self.number("seen_after"),
        }
    }

    pub(super) fn attributes(&self, name: &str) -> Vec<Attribute> {
        let attributes = self.objects(name).map(|given| Attribute {
            key: given.text("key").to_owned(),
            value: given.bytes("value").into(),
            secret: given.flag("secret"),
        });
        attributes.collect()
    }

    fn data_center(&self) -> DataCenter {
        let auth = match self.given("auth") {
            Some(_) => Auth::Key(AuthKey::try_from(self.bytes("auth").as_slice()).expect("256 bytes")),
            None if self.flag("has_auth") => Auth::Withheld,
            None => Auth::Absent,
        };
        let ipv6 = self.maybe_text("ipv6_addr").map(|text| {
            let (ip, port) = text.rsplit_once(':').expect("ip:port");
            format!("[{ip}]:{port}").parse().expect("an address")
        });
        DataCenter {
            id: self.number("id").unwrap_or(0),
            ipv4_addr: self.number("ipv4_addr"),
            ipv6_addr: ipv6,
            auth,
        }
    }

    fn state_change(&self) -> StateChange {
        StateChange {
            pts: self.number("pts"),
            qts: self.number("qts"),
            date: self.number("date"),
            seq: self.number("seq"),
            channels: self.channels(),
            removed_channels: self.numbers("removed_channels"),
        }
    }

    fn channels(&self) -> Vec<ChannelState> {
        let channel = |given: Self| ChannelState {
            id: given.number("id").unwrap_or(0),
            pts: given.number("pts").unwrap_or(0),
        };
        self.objects("channels").map(channel).collect()
    }

    fn peer(&self) -> Peer {
        let extra = self.object("extra").map(|extra| extra.0).unwrap_or_default();
        Peer {
            id: self.number("id").unwrap_or(0),
            access_hash: self.number("access_hash"),
            kind: kind(self.text_or("kind", "UNSPECIFIED")),
            bot: self.maybe("bot"),
            is_self: self.maybe("is_self"),
            min: self.maybe("min"),
            usernames: self.object("usernames").map(|usernames| usernames.texts("names")),
            phone: self.maybe_text("phone"),
            name: self.maybe_text("name"),
            seen: self.number("seen"),
            extra: extra
                .into_iter()
                .map(|(key, value)| (key, bytes(value.as_str().expect("text"))))
                .collect(),
        }
    }

    fn maybe(&self, name: &str) -> Option<bool> {
        self.given(name).map(|value| value.as_bool().unwrap_or_else(|| panic!("{name} is true or false")))
    }

    fn maybe_text(&self, name: &str) -> Option<String> {
        self.given(name).map(|_| self.text(name).to_owned())
    }

    fn list(&self, name: &str) -> &[Value] {
        self.given(name).map_or(&[], |list| list.as_array().expect("a list"))
    }

    fn objects(&self, name: &str) -> impl Iterator<Item = Self> {
        self.list(name).iter().map(Self::of)
    }

    fn of(value: &Value) -> Self {
        Self(value.as_object().expect("an object").clone())
    }
}

/// What is written as a number, or as text.
fn number<T: FromStr<Err: Debug>>(value: &Value) -> T {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn bytes(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).expect("base64")
}

fn kind(text: &str) -> Option<PeerKind> {
    Some(match text {
        "UNSPECIFIED" => return None,
        "USER" => PeerKind::User,
        "GROUP" => PeerKind::Group,
        "CHANNEL" => PeerKind::Channel,
        "SUPERGROUP" => PeerKind::Supergroup,
        "GIGAGROUP" => PeerKind::Gigagroup,
        "FORUM" => PeerKind::Forum,
        "DIRECT" => PeerKind::Direct,
        "COMMUNITY" => PeerKind::Community,
        "CHANNEL_UNKNOWN" => PeerKind::ChannelUnknown,
        unknown => panic!("no such kind: {unknown}"),
    })
}
