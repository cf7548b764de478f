//! The session of gotd/td, version 1 (`session/session.go`): JSON with the home data center's id, key and salt, and what
//! Telegram said of all data centers. Nothing in it tells whose session it is.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{
    ExportError, Format, FormatError, Imported, Wanting,
    account::Account,
    dc_table, place,
    place::{Addresses, Dcs, Place, Username},
    strings::Base64,
};
use crate::{Attribute, Auth, AuthKey, Contents, DataCenter, MAX_DCS, Session};

/// The only version that gotd takes; another is as good as no session to it.
const VERSION: i64 = 1;

/// What Telegram said of data centers, as gotd has it in JSON, and the salt of the connection.
const CONFIG: &str = "gotd.config";
const SALT: &str = "gotd.salt";

/// The most bytes of an attribute's value.
const MAX_VALUE: usize = 64 << 10;

const PLACE: Place = Place {
    dcs: Dcs::EveryAddress,
    addresses: Addresses::Both,
    test_mode: true,
    user: false,
    bot: false,
    username: Username::Nowhere,
    counters: false,
    channels: false,
    peers: place::NO_PEERS,
    attribute: |attribute| matches!(attribute.key.as_str(), CONFIG | SALT),
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File<'a> {
    version: Option<i64>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[derive(Default)]
struct Data<'a> {
    #[serde(borrow)]
    config: Option<&'a RawValue>,
    #[serde(rename = "DC")]
    dc: i64,
    #[serde(borrow)]
    addr: Cow<'a, str>,
    #[serde(borrow)]
    auth_key: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "AuthKeyID")]
    auth_key_id: Option<Cow<'a, str>>,
    salt: i64,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    date: i64,
    test_mode: bool,
    #[serde(rename = "ThisDC")]
    this_dc: i32,
    #[serde(rename = "DCOptions")]
    options: Option<Vec<DcOption>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct DcOption {
    media_only: bool,
    #[serde(rename = "TCPObfuscatedOnly")]
    obfuscated_only: bool,
    #[serde(rename = "CDN")]
    cdn: bool,
    #[serde(rename = "ID")]
    id: i32,
    #[serde(rename = "IPAddress")]
    ip_address: String,
    port: u16,
}

/// Whether bytes have the shape.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    let name = b"\"AuthKey\"";
    bytes.trim_ascii_start().starts_with(b"{") && bytes.windows(name.len()).any(|window| window == name)
}

/// What is in a file.
pub(super) fn read(bytes: &[u8]) -> Result<Imported, FormatError> {
    let File { version, data } = serde_json::from_slice(bytes).map_err(|error| not_json(bytes, &error))?;
    match version {
        Some(VERSION) => {}
        Some(other) => {
            let problem =
                format!("is {other}, and gotd takes only version {VERSION}: with this it would log in anew");
            return Err(field("Version", problem));
        }
        None => return Err(field("Version", "is missing")),
    }
    let data = data.ok_or_else(|| field("Data", "is missing"))?;
    let key = key(&data)?;
    let mut left_behind = Vec::new();
    let mut attributes = Vec::new();
    let config = config(data.config, &mut attributes, &mut left_behind)?;
    let home = match (data.dc, config.this_dc) {
        // gotd takes the data center of its options then, which is 2.
        (0, 0) => 2,
        (0, this) => this,
        (dc, _) => i32::try_from(dc).unwrap_or(0),
    };
    if home <= 0 {
        return Err(field("Data.DC", "is no data center"));
    }
    let is_told = config.date != 0 || config.this_dc != 0 || config.test_mode;
    let mut dcs = addresses(&config);
    let dc = dcs.entry(home).or_insert_with(|| DataCenter { id: home, ..DataCenter::default() });
    dc.auth = Auth::Key(key);
    if dc.ipv4_addr.is_none() && dc.ipv6_addr.is_none() {
        set_address(dc, data.addr.parse().ok());
    }
    dc_table::fill(dc, config.test_mode);
    if dcs.len() > MAX_DCS {
        return Err(field(
            "Data.Config",
            format!("has {} data centers, at most {MAX_DCS} are kept", dcs.len()),
        ));
    }
    if data.salt != 0 {
        attributes.push(Attribute::number(SALT, data.salt));
    }
    let test_mode = is_told.then_some(config.test_mode);
    let dcs = dcs.into_values().collect();
    let session = Session { dcs, home_dc: Some(home), test_mode, ..Session::default() };
    let contents = Contents { session, attributes, ..Contents::default() };
    Ok(Imported { left_behind, ..Imported::new(Format::Gotd, contents) })
}

/// A file of a session whose home has a key.
pub(super) fn write(contents: &Contents, wanting: &Wanting) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    let account = Account::of(contents, wanting, Format::Gotd);
    let key = account.need_key()?;
    let kept = contents.attribute(CONFIG).filter(|config| still_holds(config, contents, account.test));
    let config = match kept {
        Some(config) => config.to_vec(),
        None => config_of(&contents.session, account.dc, account.test).into_bytes(),
    };
    let mut json = Zeroizing::new(Vec::with_capacity(config.len() + 1024));
    json.extend(br#"{"Version":1,"Data":{"Config":"#);
    json.extend(config);
    json.extend(format!(r#","DC":{},"Addr":"","AuthKey":""#, account.dc).as_bytes());
    json.extend(Base64::Standard.encode(key.expose()).as_bytes());
    json.extend(br#"","AuthKeyID":""#);
    json.extend(Base64::Standard.encode(&key.id()).as_bytes());
    json.extend(format!(r#"","Salt":{}}}}}"#, contents.number(SALT).unwrap_or(0)).as_bytes());
    Ok(json)
}

/// What has no place in such a file.
pub(super) fn dropped(contents: &Contents) -> Vec<String> {
    place::losses(contents, &PLACE)
}

fn field(name: &str, problem: impl Into<String>) -> FormatError {
    FormatError::Value { column: name.into(), problem: problem.into() }
}

/// Says where the JSON is wrong, without what stands there.
fn not_json(bytes: &[u8], error: &serde_json::Error) -> FormatError {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    let offset = lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1);
    FormatError::Byte { offset, problem: "is not what the JSON of a gotd session has there".into() }
}

/// The key, with whose SHA-1 its id has to agree: gotd calls it corrupted otherwise.
fn key(data: &Data<'_>) -> Result<AuthKey, FormatError> {
    let decoded = |name: &str, text: &Option<Cow<'_, str>>| {
        let text = text.as_deref().unwrap_or_default();
        Base64::Standard.decode(text, 0).map_err(|error| field(name, format!("is no base64: {error}")))
    };
    let raw = decoded("Data.AuthKey", &data.auth_key)?;
    let key = AuthKey::try_from(raw.as_slice())
        .map_err(|error| field("Data.AuthKey", format!("is wrong: {error}")))?;
    if *decoded("Data.AuthKeyID", &data.auth_key_id)? != key.id() {
        return Err(field("Data.AuthKeyID", "is not that of Data.AuthKey: one of them is damaged"));
    }
    Ok(key)
}

fn config(
    raw: Option<&RawValue>,
    attributes: &mut Vec<Attribute>,
    left_behind: &mut Vec<String>,
) -> Result<Config, FormatError> {
    let Some(text) = raw.map(RawValue::get).filter(|text| *text != "null") else {
        return Ok(Config::default());
    };
    if text.len() > MAX_VALUE {
        let bytes = text.len();
        left_behind.push(format!(
            "what Telegram said of data centers: it has {bytes} bytes, at most {MAX_VALUE} are kept"
        ));
        return Ok(Config::default());
    }
    let config: Config = serde_json::from_str(text)
        .map_err(|error| field("Data.Config", format!("is wrong: {}", not_json(text.as_bytes(), &error))))?;
    if config.this_dc < 0 {
        return Err(field("Data.Config.ThisDC", "is negative"));
    }
    let value = Zeroizing::new(text.as_bytes().to_vec());
    attributes.push(Attribute { key: CONFIG.into(), value, secret: false });
    Ok(config)
}

/// Whether what Telegram said once has all addresses that no library knows by itself.
fn still_holds(config: &[u8], contents: &Contents, test: bool) -> bool {
    let Ok(config) = serde_json::from_slice::<Config>(config) else { return false };
    let there = addresses(&config);
    let is_there = |dc: &DataCenter| {
        let known = there.get(&dc.id).map(|there| place::own_addresses(there, test)).unwrap_or_default();
        place::own_addresses(dc, test).iter().all(|own| known.contains(own))
    };
    config.test_mode == test && contents.session.dcs.iter().all(is_there)
}

/// The first address of each family of each data center that is one for everything.
fn addresses(config: &Config) -> BTreeMap<i32, DataCenter> {
    let mut dcs: BTreeMap<i32, DataCenter> = BTreeMap::new();
    for option in config.options.iter().flatten() {
        let address = option.ip_address.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, option.port));
        if option.id > 0 && !option.media_only && !option.obfuscated_only && !option.cdn && address.is_some()
        {
            let dc =
                dcs.entry(option.id).or_insert_with(|| DataCenter { id: option.id, ..DataCenter::default() });
            set_address(dc, address);
        }
    }
    dcs
}

fn set_address(dc: &mut DataCenter, address: Option<SocketAddr>) {
    match address {
        Some(SocketAddr::V4(address)) => _ = dc.ipv4_addr.get_or_insert(address),
        Some(SocketAddr::V6(address)) => {
            _ = dc.ipv6_addr.get_or_insert(SocketAddrV6::new(*address.ip(), address.port(), 0, 0));
        }
        None => {}
    }
}

/// What gotd would have been told, as far as the session knows it.
fn config_of(session: &Session, home: i32, test: bool) -> String {
    let option = |id: i32, ip: IpAddr, port: u16| {
        let ipv6 = ip.is_ipv6();
        let flags = u32::from(ipv6);
        format!(
            r#"{{"Flags":{flags},"Ipv6":{ipv6},"MediaOnly":false,"TCPObfuscatedOnly":false,"CDN":false,"Static":false,"ThisPortOnly":false,"ID":{id},"IPAddress":"{ip}","Port":{port},"Secret":null}}"#
        )
    };
    let options = session.dcs.iter().flat_map(|dc| {
        let ipv4 =
            dc.ipv4_addr.map(|address: SocketAddrV4| option(dc.id, (*address.ip()).into(), address.port()));
        let ipv6 = dc.ipv6_addr.map(|address| option(dc.id, (*address.ip()).into(), address.port()));
        [ipv4, ipv6].into_iter().flatten()
    });
    let options: Vec<_> = options.collect();
    let options = if options.is_empty() { "null".into() } else { format!("[{}]", options.join(",")) };
    format!(
        r#"{{"BlockedMode":false,"ForceTryIpv6":false,"Date":0,"Expires":0,"TestMode":{test},"ThisDC":{home},"DCOptions":{options},"DCTxtDomainName":"","TmpSessions":0,"WebfileDCID":0}}"#
    )
}

#[cfg(test)]
mod tests;
