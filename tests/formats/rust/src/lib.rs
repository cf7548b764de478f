//! contents.json, as far as grammers has to do with it. tests/formats/README.md says what is in it.

use std::{env, error::Error, fs, io};

use serde::{Deserialize, Serialize};

/// Why a driver gave up.
pub type Fault = Box<dyn Error>;

/// What goes in and comes out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Contents {
    pub session: Session,
    #[serde(default)]
    pub peers: Vec<Peer>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Session {
    pub dcs: Vec<DataCenter>,
    pub home_dc: i32,
    pub user: Option<User>,
    pub state: Option<State>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct DataCenter {
    pub id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4_addr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_addr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    pub dc: i32,
    pub bot: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    pub pts: i32,
    pub qts: i32,
    pub date: i32,
    pub seq: i32,
    pub channels: Vec<Channel>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Channel {
    pub id: String,
    pub pts: i32,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Peer {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_self: Option<bool>,
}

/// What the driver was asked to do.
pub enum Task {
    Write(Contents),
    Read,
}

/// The arguments `[LIBRARY] write|read FORMAT PATH`: what is before the action, the action, and the path.
pub fn arguments() -> Result<(Option<String>, Task, String), Fault> {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let path = arguments.pop().ok_or("no path")?;
    arguments.pop().ok_or("no format")?;
    let task = match arguments.pop().as_deref() {
        Some("write") => Task::Write(serde_json::from_reader(io::stdin())?),
        Some("read") => Task::Read,
        _ => return Err("neither write nor read".into()),
    };
    Ok((arguments.pop(), task, path))
}

pub fn say(contents: &Contents) -> Result<(), Fault> {
    Ok(serde_json::to_writer(io::stdout(), contents)?)
}

/// The key in hexadecimal.
pub fn to_hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key that is written in hexadecimal.
pub fn from_hex(text: &str) -> Result<[u8; 256], Fault> {
    let pairs = text.as_bytes().chunks(2);
    let bytes: Result<Vec<u8>, Fault> =
        pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect();
    bytes?.try_into().map_err(|_| "a key has 256 bytes".into())
}

/// An IPv6 address and its port, which contents.json has without brackets.
pub fn socket_v6(text: &str) -> Result<std::net::SocketAddrV6, Fault> {
    let (host, port) = text.rsplit_once(':').ok_or("no port")?;
    Ok(format!("[{host}]:{port}").parse()?)
}

pub fn text_v6(address: &std::net::SocketAddrV6) -> String {
    format!("{}:{}", address.ip(), address.port())
}

/// Writes a file that must not be there yet.
pub fn create(path: &str, bytes: &[u8]) -> Result<(), Fault> {
    Ok(fs::write(path, bytes)?)
}
