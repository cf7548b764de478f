use std::net::{IpAddr, SocketAddrV4, SocketAddrV6};

use crate::{
    DataCenter,
    formats::{
        FormatError,
        bytes::{Bytes, put_tl_bytes},
        error::shown,
    },
};

const IPV6: u8 = 1;
const MEDIA: u8 = 2;
const TEST: u8 = 4;

/// The version that is written. In version 1 nothing told test servers.
const VERSION: u8 = 2;

/// What mtcute knows of a data center (`utils/dcs.ts`): a version, the id, flags, the address as text and the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::formats) struct DcOption {
    pub(in crate::formats) id: u8,
    pub(in crate::formats) ip: String,
    pub(in crate::formats) port: i32,
    /// Whether it serves files alone.
    pub(in crate::formats) media: bool,
    pub(in crate::formats) test: bool,
}

impl DcOption {
    pub(in crate::formats) fn new(id: u8, (ip, port): (IpAddr, u16), test: bool) -> Self {
        Self { id, ip: ip.to_string(), port: port.into(), media: false, test }
    }

    /// Reads one. `None`: of a version that mtcute takes for none.
    pub(in crate::formats) fn read(raw: &[u8]) -> Result<Option<Self>, FormatError> {
        let mut bytes = Bytes::new(raw);
        let version = bytes.u8()?;
        if version == 0 || version > VERSION {
            return Ok(None);
        }
        let before = bytes;
        let id = match bytes.u8()? {
            0 => return Err(before.wrong("is 0, which is no data center")),
            id => id,
        };
        let flags = bytes.u8()?;
        let ip = bytes.tl_text()?.to_owned();
        let port = bytes.i32_le()?;
        let test = version == VERSION && flags & TEST != 0;
        Ok(Some(Self { id, ip, port, media: flags & MEDIA != 0, test }))
    }

    pub(in crate::formats) fn to_bytes(&self) -> Vec<u8> {
        let ipv6 = if self.ip.contains(':') { IPV6 } else { 0 };
        let media = if self.media { MEDIA } else { 0 };
        let test = if self.test { TEST } else { 0 };
        let mut raw = vec![VERSION, self.id, ipv6 | media | test];
        put_tl_bytes(&mut raw, self.ip.as_bytes());
        raw.extend(self.port.to_le_bytes());
        raw
    }

    /// The data center, and what of it is not kept.
    pub(in crate::formats) fn data_center(&self) -> (DataCenter, Option<String>) {
        let mut dc = DataCenter { id: self.id.into(), ..DataCenter::default() };
        match (self.ip.parse(), u16::try_from(self.port)) {
            (Ok(IpAddr::V4(ip)), Ok(port)) => dc.ipv4_addr = Some(SocketAddrV4::new(ip, port)),
            (Ok(IpAddr::V6(ip)), Ok(port)) => dc.ipv6_addr = Some(SocketAddrV6::new(ip, port, 0, 0)),
            _ => {
                let (ip, port) = (shown(&self.ip), self.port);
                let sentence =
                    format!("the address of data center {}: \"{ip}\", port {port}, is none", self.id);
                return (dc, Some(sentence));
            }
        }
        (dc, None)
    }
}
