use std::net::{Ipv6Addr, SocketAddrV4, SocketAddrV6};

/// A text that is not an address of a data center.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an {family} address with a port, as in {example:?}")]
pub struct InvalidAddress {
    text: String,
    family: &'static str,
    example: &'static str,
}

/// Reads `ip:port` with an IPv4 address.
///
/// # Errors
/// The text is something else.
pub fn ipv4(text: &str) -> Result<SocketAddrV4, InvalidAddress> {
    text.parse().map_err(|_| InvalidAddress {
        text: text.to_owned(),
        family: "IPv4",
        example: "149.154.167.51:443",
    })
}

/// Reads an IPv6 address with a port: `[ip]:port`, or `ip:port` without brackets as Telethon writes it, where the port
/// is what follows the last colon.
///
/// # Errors
/// The text is something else.
pub fn ipv6(text: &str) -> Result<SocketAddrV6, InvalidAddress> {
    parse_ipv6(text).ok_or_else(|| InvalidAddress {
        text: text.to_owned(),
        family: "IPv6",
        example: "2001:67c:4e8:f002::a:443",
    })
}

/// Writes an IPv6 address as Telethon does: `ip:port` without brackets.
pub(crate) fn ipv6_text(address: &SocketAddrV6) -> String {
    format!("{}:{}", address.ip(), address.port())
}

fn parse_ipv6(text: &str) -> Option<SocketAddrV6> {
    let (ip, port) = text.rsplit_once(':')?;
    let ip = match ip.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None => ip,
    };
    let ip: Ipv6Addr = ip.parse().ok()?;
    let port: u16 = port.parse().ok()?;
    Some(SocketAddrV6::new(ip, port, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::{ipv4, ipv6, ipv6_text};

    #[test]
    fn an_ipv6_address_is_read_with_and_without_brackets_and_written_without() {
        let telethon = "2001:67c:4e8:f002::a:443";
        for text in [telethon, "[2001:67c:4e8:f002::a]:443", "2001:067c:04e8:f002:0000:0000:0000:000a:443"] {
            assert_eq!(ipv6(text).map(|address| ipv6_text(&address)).as_deref(), Ok(telethon), "{text}");
        }
    }

    #[test]
    fn an_address_needs_a_port_and_its_own_family() {
        for text in
            ["", "149.154.167.51", "None:None", "149.154.167.51:", "149.154.167.51:65536", "example.org:443"]
        {
            assert!(ipv4(text).is_err(), "{text}");
        }
        for text in ["", "::1", "[::1]", "[::1:443", "149.154.167.51:443"] {
            assert!(ipv6(text).is_err(), "{text}");
        }
    }
}
