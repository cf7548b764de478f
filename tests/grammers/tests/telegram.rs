use std::net::SocketAddrV4;

use grammers_client::session::types::DcOption;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use crate::within;

/// What stands for a data center: it accepts, and answers nothing.
pub(crate) struct Telegram {
    listener: TcpListener,
}

/// A client's connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Which key it speaks with.
    pub(crate) key_id: [u8; 8],
}

impl Telegram {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a port") }
    }

    /// This data center, with a key.
    pub(crate) fn dc(&self, id: i32, key: u8) -> DcOption {
        let address = self.listener.local_addr().expect("bound").to_string();
        let ipv4: SocketAddrV4 = address.parse().expect("IPv4");
        DcOption {
            id,
            ipv4,
            ipv6: "[2001:db8::1]:443".parse().expect("an address"),
            auth_key: Some([key; 256]),
        }
    }

    /// The next who connects. grammers' transport puts a length and a number before the id of the key
    /// (<https://core.telegram.org/mtproto/mtproto-transports#full>).
    pub(crate) async fn accept(&self) -> Connection {
        let (mut stream, _) = within(self.listener.accept()).await.expect("a connection");
        let mut frame = [0; 16];
        within(stream.read_exact(&mut frame)).await.expect("a message");
        Connection { stream, key_id: *frame.last_chunk().expect("16 bytes") }
    }
}

impl Connection {
    /// Waits until the client has closed it.
    pub(crate) async fn is_closed(&mut self) {
        let mut rest = Vec::new();
        // Whether it was closed or reset does not matter.
        let _ = within(self.stream.read_to_end(&mut rest)).await;
    }
}
