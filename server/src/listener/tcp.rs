use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use rustix::net::sockopt;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    ListenError, connection::Connection, limit::ConnectionLimit, note_not_accepted, tls, transport::Transport,
};
use crate::{caller::Caller, policy::Policy};

/// How long a client has to show who it is.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// After how long without a word the other host is asked whether it is there, how often, and how many times: a host that is
/// gone is noticed after half a minute. Its kernel answers, so that a process that is stopped is there, as on a Unix socket.
const ASK_AFTER: Duration = Duration::from_secs(15);
const ASK_AGAIN: Duration = Duration::from_secs(5);
const ASK_TIMES: u32 = 3;

/// How long what was sent may stay without the other host's acknowledgement, in milliseconds: as long.
const ACKNOWLEDGED_WITHIN: u32 = 30_000;

/// What protects what goes over TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Protection {
    /// TLS, with the identity in this directory.
    Tls(PathBuf),
    /// Nothing: whoever is on this host may read along and call.
    Nothing,
}

/// A TCP socket that clients connect to.
#[derive(Debug)]
pub(super) struct TcpSocket {
    listener: TcpListener,
    /// None: it is plaintext.
    tls: Option<Arc<ServerConfig>>,
}

/// A client that has connected and has not shown yet who it is.
struct Arrival {
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    limit: ConnectionLimit,
    policy: Policy,
    place: OwnedSemaphorePermit,
}

impl TcpSocket {
    /// Listens at an address. Needs a runtime.
    ///
    /// # Errors
    /// Without protection; where there is none by choice, and other hosts could reach the socket; where the identity for TLS
    /// cannot be used; and where the address is not to be had.
    pub(super) fn bind(address: SocketAddr, protection: Option<&Protection>) -> Result<Self, ListenError> {
        let tls = tls(address, protection)?;
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse { socket: address.to_string() },
            _ => ListenError::Io { socket: address.to_string().into(), source },
        };
        Self::new(std::net::TcpListener::bind(address).map_err(io)?, tls).map_err(io)
    }

    /// Serves on a socket that listens already.
    ///
    /// # Errors
    /// As those of [`TcpSocket::bind`].
    pub(super) fn serve(
        listener: std::net::TcpListener,
        protection: Option<&Protection>,
    ) -> Result<Self, ListenError> {
        let io = |source| ListenError::Io { socket: "a TCP socket that was handed over".into(), source };
        let tls = tls(listener.local_addr().map_err(io)?, protection)?;
        Self::new(listener, tls).map_err(io)
    }

    fn new(listener: std::net::TcpListener, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        tracing::info!(address = %listener.local_addr()?, tls = tls.is_some(), "listening on TCP");
        Ok(Self { listener, tls })
    }

    /// Every connection whose client has shown who it is. Handshakes are on tasks of their own, a share of the connections at
    /// a time: a client that takes its time keeps nobody waiting who calls on another socket.
    pub(super) fn incoming(
        self,
        limit: ConnectionLimit,
        policy: Policy,
    ) -> impl Stream<Item = Connection> + Send {
        let handshakes = limit.handshakes();
        stream::unfold((self, limit, policy), |(socket, limit, policy)| async {
            let arrival = socket.accept(&limit, &policy).await;
            Some((arrival, (socket, limit, policy)))
        })
        .map(|arrival| tokio::spawn(arrival.connection()))
        .buffer_unordered(handshakes)
        .filter_map(async |connection| connection.ok().flatten())
    }

    async fn accept(&self, limit: &ConnectionLimit, policy: &Policy) -> Arrival {
        loop {
            let place = limit.place().await;
            let accepted = self.listener.accept().await;
            match accepted.and_then(|(stream, address)| attend(&stream).map(|()| (stream, address))) {
                Ok((stream, address)) => {
                    let (tls, limit, policy) = (self.tls.clone(), limit.clone(), policy.clone());
                    return Arrival { stream, address, tls, limit, policy, place };
                }
                Err(error) => note_not_accepted(&error).await,
            }
        }
    }
}

impl Arrival {
    /// Its connection, once it has shown who it is. None: it has not, or may not come in.
    async fn connection(self) -> Option<Connection> {
        let Self { stream, address, tls, limit, policy, place } = self;
        let shown = async {
            match tls {
                Some(tls) => encrypted(tls, stream).await,
                None => Ok((Transport::Plaintext(stream), None)),
            }
        };
        let shown =
            timeout(HANDSHAKE_WITHIN, shown).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let (transport, certificate) = shown
            .inspect_err(|error| tracing::info!(%address, %error, "a client did not show who it is"))
            .ok()?;
        let mut caller = Caller::remote(certificate, address);
        let Some(places) = limit.admit(&policy, &mut caller, place) else {
            tracing::warn!(principal = %caller.principal(), %address, "refused a stranger");
            return None;
        };
        tracing::debug!(principal = %caller.principal(), %address, "connected");
        Some(Connection::new(transport, caller, places))
    }
}

/// How what comes to an address is protected. None: not at all, and no other host can reach it.
fn tls(
    address: SocketAddr,
    protection: Option<&Protection>,
) -> Result<Option<Arc<ServerConfig>>, ListenError> {
    match protection {
        Some(Protection::Tls(dir)) => Ok(Some(tls::config(dir)?)),
        Some(Protection::Nothing) if address.ip().to_canonical().is_loopback() => Ok(None),
        Some(Protection::Nothing) => Err(ListenError::PlaintextBeyondHost { address }),
        None => Err(ListenError::Unprotected { address }),
    }
}

/// Makes the handshake. Answers the name in the client's certificate too.
async fn encrypted(tls: Arc<ServerConfig>, stream: TcpStream) -> io::Result<(Transport, Option<Arc<str>>)> {
    let stream = TlsAcceptor::from(tls).accept(stream).await?;
    let (_, connection) = stream.get_ref();
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    let name = certificate.and_then(tls::name).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "its certificate has no DNS name and no URI")
    })?;
    Ok((Transport::Tls(Box::new(stream)), Some(name)))
}

/// Sends what is written at once, and notices where the other host is gone.
fn attend(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, ASK_AFTER)?;
    sockopt::set_tcp_keepintvl(stream, ASK_AGAIN)?;
    sockopt::set_tcp_keepcnt(stream, ASK_TIMES)?;
    sockopt::set_tcp_user_timeout(stream, ACKNOWLEDGED_WITHIN)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt;
    use tokio::net::{TcpListener, TcpStream};

    use super::{Protection, TcpSocket, attend};
    use crate::listener::ListenError;

    #[tokio::test]
    async fn a_host_that_is_gone_is_noticed_after_half_a_minute() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let _client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("taken in");
        let (stream, _) = listener.accept().await.expect("accepted");
        attend(&stream).expect("a socket");
        assert!(stream.nodelay().expect("told") && sockopt::socket_keepalive(&stream).expect("told"));
        let asked =
            sockopt::tcp_keepintvl(&stream).expect("told") * sockopt::tcp_keepcnt(&stream).expect("told");
        assert_eq!((sockopt::tcp_keepidle(&stream).expect("told") + asked).as_secs(), 30);
        assert_eq!(sockopt::tcp_user_timeout(&stream).expect("told"), 30_000);
    }

    #[test]
    fn without_tls_no_address_is_listened_to_that_other_hosts_can_reach() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
            let address = address.parse().expect("an address");
            let refused = TcpSocket::bind(address, Some(&Protection::Nothing));
            assert!(
                matches!(refused, Err(ListenError::PlaintextBeyondHost { .. })),
                "{address}: {refused:?}"
            );
            let refused = TcpSocket::bind(address, None);
            assert!(matches!(refused, Err(ListenError::Unprotected { .. })), "{address}: {refused:?}");
        }
    }
}
