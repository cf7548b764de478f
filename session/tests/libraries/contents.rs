//! contents.json of tests/formats/, and our own type.

use serde_json::{Map, Value, json};
use sessiond_session::{
    Attribute, Auth, AuthKey, ChannelState, Contents, DataCenter, Peer, PeerKind, Session, UpdateState, User,
    ipv4, ipv6,
};

const KINDS: [(PeerKind, &str); 9] = [
    (PeerKind::User, "user"),
    (PeerKind::Group, "group"),
    (PeerKind::Channel, "channel"),
    (PeerKind::Supergroup, "supergroup"),
    (PeerKind::Gigagroup, "gigagroup"),
    (PeerKind::Forum, "forum"),
    (PeerKind::Direct, "direct"),
    (PeerKind::Community, "community"),
    (PeerKind::ChannelUnknown, "channel_unknown"),
];

pub(crate) fn to_json(contents: &Contents) -> Value {
    let Contents { session, peers, attributes } = contents;
    let Session { dcs, user, state, home_dc, test_mode } = session;
    let session = json!({
        "dcs": dcs.iter().map(dc_to_json).collect::<Vec<_>>(),
        "user": user.as_ref().map(|User { id, dc, bot, username }| {
            known([("id", json!(id.to_string())), ("dc", json!(dc)), ("bot", json!(bot)), ("username", json!(username))])
        }),
        "state": state.as_ref().map(|UpdateState { pts, qts, date, seq, channels }| {
            let channels = channels.iter().map(|ChannelState { id, pts }| json!({ "id": id.to_string(), "pts": pts }));
            json!({ "pts": pts, "qts": qts, "date": date, "seq": seq, "channels": channels.collect::<Vec<_>>() })
        }),
        "home_dc": home_dc,
        "test_mode": test_mode,
    });
    let attributes = attributes.iter().map(
        |Attribute { key, value, secret }| json!({ "key": key, "value": to_hex(value), "secret": secret }),
    );
    json!({
        "session": session,
        "peers": peers.iter().map(|peer| peer_to_json(&peer)).collect::<Vec<_>>(),
        "attributes": attributes.collect::<Vec<_>>(),
    })
}

pub(crate) fn from_json(contents: &Value) -> Contents {
    let session = &contents["session"];
    let number = |value: &Value| i32::try_from(value.as_i64().expect("a number")).expect("it fits");
    let user = session.get("user").filter(|user| !user.is_null()).map(|user| User {
        id: long(&user["id"]),
        dc: number(&user["dc"]),
        bot: user["bot"].as_bool(),
        username: text(&user["username"]),
    });
    let state = session.get("state").filter(|state| !state.is_null()).map(|state| UpdateState {
        pts: number(&state["pts"]),
        qts: number(&state["qts"]),
        date: state["date"].as_i64().expect("a number"),
        seq: number(&state["seq"]),
        channels: list(&state["channels"])
            .map(|channel| ChannelState { id: long(&channel["id"]), pts: number(&channel["pts"]) })
            .collect(),
    });
    let attributes = list(&contents["attributes"]).map(|attribute| Attribute {
        key: text(&attribute["key"]).expect("a key"),
        value: from_hex(&attribute["value"]).into(),
        secret: attribute["secret"].as_bool().expect("a boolean"),
    });
    Contents {
        session: Session {
            dcs: list(&session["dcs"]).map(dc_from_json).collect(),
            user,
            state,
            home_dc: Some(number(&session["home_dc"])),
            test_mode: session["test_mode"].as_bool(),
        },
        peers: list(&contents["peers"]).map(peer_from_json).collect(),
        attributes: attributes.collect(),
    }
}

fn dc_to_json(dc: &DataCenter) -> Value {
    let DataCenter { id, ipv4_addr, ipv6_addr, auth } = dc;
    let key = match auth {
        Auth::Key(key) => json!(to_hex(key.expose())),
        Auth::Absent | Auth::Withheld => Value::Null,
    };
    let ipv6 = ipv6_addr.map(|address| format!("{}:{}", address.ip(), address.port()));
    known([("id", json!(id)), ("ipv4_addr", json!(ipv4_addr)), ("ipv6_addr", json!(ipv6)), ("auth", key)])
}

fn dc_from_json(dc: &Value) -> DataCenter {
    DataCenter {
        id: i32::try_from(dc["id"].as_i64().expect("a number")).expect("it fits"),
        ipv4_addr: text(&dc["ipv4_addr"]).map(|address| ipv4(&address).expect("an address")),
        ipv6_addr: text(&dc["ipv6_addr"]).map(|address| ipv6(&address).expect("an address")),
        auth: Auth::Key(AuthKey::try_from(from_hex(&dc["auth"]).as_slice()).expect("a key")),
    }
}

fn peer_to_json(peer: &Peer) -> Value {
    let Peer { id, access_hash, kind, bot, is_self, min, usernames, phone, name, seen, extra } = peer;
    let kind = kind.map(|kind| KINDS.iter().find(|(each, _)| *each == kind).expect("all are there").1);
    let extra: Map<_, _> = extra.iter().map(|(key, value)| (key.clone(), json!(to_hex(value)))).collect();
    known([
        ("id", json!(id.to_string())),
        ("access_hash", json!(access_hash.map(|hash| hash.to_string()))),
        ("kind", json!(kind)),
        ("bot", json!(bot)),
        ("is_self", json!(is_self)),
        ("min", json!(min)),
        ("usernames", json!(usernames)),
        ("phone", json!(phone)),
        ("name", json!(name)),
        ("seen", json!(seen)),
        ("extra", Value::Object(extra)),
    ])
}

fn peer_from_json(peer: &Value) -> Peer {
    let kind = text(&peer["kind"]);
    let usernames = peer["usernames"].as_array();
    let extra = peer["extra"].as_object().into_iter().flatten();
    Peer {
        id: long(&peer["id"]),
        access_hash: peer.get("access_hash").map(long),
        kind: kind.map(|kind| KINDS.iter().find(|(_, name)| *name == kind).expect("a kind").0),
        bot: peer["bot"].as_bool(),
        is_self: peer["is_self"].as_bool(),
        min: peer["min"].as_bool(),
        usernames: usernames.map(|names| names.iter().map(|name| text(name).expect("a name")).collect()),
        phone: text(&peer["phone"]),
        name: text(&peer["name"]),
        seen: peer["seen"].as_i64(),
        extra: extra.map(|(key, value)| (key.clone(), from_hex(value))).collect(),
    }
}

/// An object of what is known.
fn known<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn long(value: &Value) -> i64 {
    value.as_str().expect("a long number is text").parse().expect("a number")
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("hexadecimal").as_bytes();
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    text.chunks(2).map(byte).collect()
}
