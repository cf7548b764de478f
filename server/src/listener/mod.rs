//! Where clients connect: the sockets, their files, and how many may come.

mod connection;
mod gathering;
mod handed_over;
mod life_lines;
mod limit;
mod mending;
mod socket;
mod socket_file;
mod tcp;
mod tls;
mod transport;

use std::{
    io,
    net::{SocketAddr as TcpAddress, TcpListener},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener as StdUnixListener},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, stream};
use tokio::{net::UnixListener, time::sleep};

use self::{
    limit::ConnectionLimit, socket::Socket, socket_file::SocketFile, tcp::TcpSocket, transport::Transport,
};
use crate::{
    caller::{Caller, Local, Origin},
    exit::Exit,
    hardening,
    policy::Policy,
};

pub(crate) use self::{
    connection::Connection,
    handed_over::HandedOver,
    life_lines::{LifeLines, is_served, let_go},
    socket_file::Door,
    tcp::Protection,
    tls::TlsError,
};

/// How long nothing is accepted after the system could not give a connection, for lack of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// The sockets that clients connect to. From [`Listeners::bind`] on the kernel takes connections in; they wait until they are
/// accepted. Dropped, nobody can connect any more, and the socket's file is gone.
#[derive(Debug)]
pub(crate) struct Listeners {
    listeners: Vec<Listener>,
    tcp: Vec<TcpSocket>,
    limit: ConnectionLimit,
    /// None: the socket was handed over.
    door: Option<Door>,
    policy: Policy,
}

/// A socket that cannot be listened to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Somebody listens there.
    #[error(
        "another daemon serves {socket}: use that one, or choose another socket with --socket or --abstract-socket"
    )]
    InUse {
        /// Path or name.
        socket: String,
    },
    /// The kernel has no room for such a path.
    #[error("the socket's path {} is {excess} bytes too long: choose another with --socket", path.display())]
    PathTooLong {
        /// Which.
        path: PathBuf,
        /// By how much.
        excess: usize,
    },
    /// Something else is there.
    #[error("{} is not a socket: remove it, or choose another socket with --socket", path.display())]
    NotASocket {
        /// Where.
        path: PathBuf,
    },
    /// Clients would not know whom they talk to.
    #[error(
        "other users could put a socket of their own into {0}: `chmod go-w {0}`, or choose another socket with --socket",
        directory.display()
    )]
    UnsafeDirectory {
        /// Which.
        directory: PathBuf,
    },
    /// What goes over the network would be for everybody.
    #[error(
        "TCP at {address} needs TLS: give the directory with the certificate with --tls (`sessiond certs` makes one)"
    )]
    Unprotected {
        /// Where.
        address: TcpAddress,
    },
    /// The same, and it was asked for.
    #[error(
        "other hosts can reach {address}: without TLS only a loopback address is served, such as 127.0.0.1; or give \
         --tls in place of --insecure-plaintext-tcp"
    )]
    PlaintextBeyondHost {
        /// Where.
        address: TcpAddress,
    },
    /// A service manager hands over what is no socket for streams.
    #[error(
        "descriptor {descriptor}, which was handed over, is no Unix or TCP socket for streams: see ListenStream= in the socket unit"
    )]
    HandedOver {
        /// Which.
        descriptor: usize,
    },
    /// The identity for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refused.
    #[error("cannot listen at {}", socket.display())]
    Io {
        /// Where.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

#[derive(Debug)]
struct Listener {
    /// None: the socket is abstract, or was handed over. Dropped first: as long as the socket is open, no other file gets its inode.
    _file: Option<SocketFile>,
    socket: UnixListener,
}

impl Listeners {
    /// Listens at a path, and at a name in the abstract namespace too. Needs a runtime. How many connections there may be goes
    /// by how many files the process may have open now; who is let in, by the policy.
    ///
    /// # Errors
    /// Where one of the sockets is not to be had; then none is left behind.
    pub(crate) fn bind(
        path: &Path,
        abstract_name: Option<&str>,
        policy: Policy,
    ) -> Result<Self, ListenError> {
        if policy.is_for_others() {
            socket_file::make_passable_directory(path)?;
        }
        let (socket, file) = SocketFile::bind(path)?;
        let door = file.door();
        door.open_as_wide_as(&policy);
        let io = |source| ListenError::Io { socket: path.to_owned(), source };
        let mut listeners = vec![Listener { _file: Some(file), socket: to_tokio(socket).map_err(io)? }];
        if let Some(name) = abstract_name {
            listeners.push(Listener { _file: None, socket: bind_abstract(name)? });
        }
        let limit = ConnectionLimit::for_open_files(hardening::open_files());
        Ok(Self { listeners, tcp: Vec::new(), limit, door: Some(door), policy })
    }

    /// The same, with sockets that were handed over in place of one at a path.
    ///
    /// # Errors
    /// Where the abstract socket is not to be had, and where the system refuses.
    pub(crate) fn take_over(
        sockets: Vec<StdUnixListener>,
        abstract_name: Option<&str>,
        policy: Policy,
    ) -> Result<Self, ListenError> {
        let io = |source| ListenError::Io { socket: "a socket that was handed over".into(), source };
        let taken = sockets.into_iter().map(|socket| to_tokio(socket).map_err(io));
        let bound = abstract_name.map(bind_abstract);
        let listeners = taken.chain(bound).map(|socket| Ok(Listener { _file: None, socket: socket? }));
        let listeners = listeners.collect::<Result<_, ListenError>>()?;
        let limit = ConnectionLimit::for_open_files(hardening::open_files());
        Ok(Self { listeners, tcp: Vec::new(), limit, door: None, policy })
    }

    /// Listens at an address of TCP too.
    ///
    /// # Errors
    /// Without protection; where there is none by choice, and other hosts could reach it; where the identity for TLS cannot be
    /// used; and where the address is not to be had.
    pub(crate) fn bind_tcp(
        &mut self,
        address: TcpAddress,
        protection: Option<&Protection>,
    ) -> Result<(), ListenError> {
        self.tcp.push(TcpSocket::bind(address, protection)?);
        Ok(())
    }

    /// The same at a TCP socket that was handed over.
    ///
    /// # Errors
    /// As those of [`Listeners::bind_tcp`].
    pub(crate) fn take_over_tcp(
        &mut self,
        socket: TcpListener,
        protection: Option<&Protection>,
    ) -> Result<(), ListenError> {
        self.tcp.push(TcpSocket::serve(socket, protection)?);
        Ok(())
    }

    /// The way to the socket's file, which may be opened to others later. None: it was handed over, and is not ours.
    pub(crate) fn door(&self) -> Option<Door> {
        self.door.clone()
    }

    /// Every connection, with who is at its end. The stream never ends and never fails; what a client or a lack of
    /// descriptors spoils is logged. Beyond the limit connections wait until one is closed. Dropped, the sockets are closed.
    ///
    /// Those of callers that the policy has no rule for are in it too, a few at a time, so that a service can tell them why they
    /// are refused: see [`Policy::admits`].
    pub(crate) fn incoming(self) -> impl Stream<Item = io::Result<Connection>> + Send {
        let Self { listeners, tcp, limit, policy, door: _ } = self;
        let local =
            listeners.into_iter().map(|listener| listener.incoming(limit.clone(), policy.clone()).boxed());
        let remote = tcp.into_iter().map(|socket| socket.incoming(limit.clone(), policy.clone()).boxed());
        stream::select_all(local.chain(remote)).map(Ok)
    }
}

impl Listener {
    fn incoming(self, limit: ConnectionLimit, policy: Policy) -> impl Stream<Item = Connection> + Send {
        stream::unfold((self, limit, policy), |(listener, limit, policy)| async {
            let connection = listener.accept(&limit, &policy).await;
            Some((connection, (listener, limit, policy)))
        })
    }

    async fn accept(&self, limit: &ConnectionLimit, policy: &Policy) -> Connection {
        loop {
            let place = limit.place().await;
            let accepted = self.socket.accept().await.and_then(|(stream, _)| {
                let caller = Caller::of(&stream)?;
                Ok((Socket::new(stream)?, caller))
            });
            match accepted {
                Ok((socket, mut caller)) => match limit.admit(policy, &mut caller, place) {
                    Some(places) => {
                        if let Origin::Local(Local { uid, gid, groups, pid, executable, .. }) = &caller.origin
                        {
                            tracing::debug!(uid, gid, ?groups, pid, %executable, "connected");
                        }
                        return Connection::new(Transport::Unix(socket), caller, places);
                    }
                    None => {
                        tracing::warn!(principal = %caller.principal(), pid = caller.pid(), "refused a stranger");
                    }
                },
                Err(error) => note_not_accepted(&error).await,
            }
        }
    }
}

impl ListenError {
    /// The code to exit with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::InUse { .. } => Exit::TempFailure,
            Self::PathTooLong { .. } => Exit::Config,
            Self::NotASocket { .. } => Exit::CannotCreate,
            Self::UnsafeDirectory { .. } => Exit::Permission,
            Self::Unprotected { .. } | Self::PlaintextBeyondHost { .. } => Exit::Usage,
            Self::HandedOver { .. } => Exit::Config,
            Self::Tls(error) => error.exit(),
            Self::Io { source, .. } => match Exit::of_io(source) {
                Exit::Permission => Exit::Permission,
                _ => Exit::CannotCreate,
            },
        }
    }
}

/// Says why a connection was not accepted, and waits where the next would not be either.
async fn note_not_accepted(error: &io::Error) {
    if error.kind() == io::ErrorKind::ConnectionAborted {
        tracing::debug!(%error, "a client went before it was accepted");
    } else {
        tracing::warn!(%error, "no connection could be accepted");
        sleep(PAUSE).await;
    }
}

fn bind_abstract(name: &str) -> Result<UnixListener, ListenError> {
    let socket = format!("unix-abstract:{name}");
    let address = SocketAddr::from_abstract_name(name);
    let listener = address.and_then(|address| StdUnixListener::bind_addr(&address)).and_then(to_tokio);
    listener.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { socket },
        _ => ListenError::Io { socket: socket.into(), source },
    })
}

fn to_tokio(listener: StdUnixListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

#[cfg(test)]
mod tests {
    use std::{
        os::linux::net::SocketAddrExt as _,
        os::unix::net::{SocketAddr, UnixStream as StdUnixStream},
        process,
    };

    use futures_util::{FutureExt as _, StreamExt as _};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::UnixStream,
    };
    use tonic::transport::server::Connected as _;

    use super::{ListenError, Listeners, Policy};
    use crate::principal::Principal;

    fn abstract_name(of: &str) -> String {
        format!("sessiond-test-{of}-{}", process::id())
    }

    #[tokio::test]
    async fn a_connection_carries_bytes_both_ways_and_knows_its_caller() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("sessiond.sock");
        let mut incoming = Box::pin(
            Listeners::bind(&socket, None, Policy::open(None).expect("no file")).expect("bound").incoming(),
        );
        let mut client = UnixStream::connect(&socket).await.expect("connected");
        let mut connection = incoming.next().await.expect("it never ends").expect("it never fails");
        assert_eq!(connection.connect_info().pid().cast_unsigned(), process::id());

        client.write_all(b"ping").await.expect("written");
        let mut buffer = [0; 4];
        connection.read_exact(&mut buffer).await.expect("read");
        connection.write_all(&buffer).await.expect("written");
        connection.flush().await.expect("written");
        client.read_exact(&mut buffer).await.expect("read");
        assert_eq!(&buffer, b"ping");
    }

    #[tokio::test]
    async fn an_abstract_socket_is_served_beside_the_path() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("sessiond.sock");
        let name = abstract_name("beside");
        let mut incoming = Box::pin(
            Listeners::bind(&socket, Some(&name), Policy::open(None).expect("no file"))
                .expect("bound")
                .incoming(),
        );
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let _first = StdUnixStream::connect_addr(&address).expect("connected");
        let _second = StdUnixStream::connect(&socket).expect("connected");
        for _ in 0..2 {
            let connection = incoming.next().await.expect("it never ends").expect("it never fails");
            assert_eq!(connection.connect_info().principal(), Principal::own());
        }
    }

    #[tokio::test]
    async fn where_one_socket_is_not_to_be_had_none_is_left_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let [socket, other] = ["sessiond.sock", "other.sock"].map(|name| directory.path().join(name));
        let name = abstract_name("taken");
        let first =
            Listeners::bind(&socket, Some(&name), Policy::open(None).expect("no file")).expect("bound");
        let error = Listeners::bind(&other, Some(&name), Policy::open(None).expect("no file"))
            .expect_err("the name is taken");
        assert!(matches!(&error, ListenError::InUse { socket } if socket.ends_with(&name)), "{error}");
        assert!(!other.exists());
        drop(first);
        Listeners::bind(&other, Some(&name), Policy::open(None).expect("no file")).expect("free again");
    }

    #[tokio::test]
    async fn a_stopped_listener_leaves_no_socket_and_keeps_its_connections() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("sessiond.sock");
        let mut incoming = Box::pin(
            Listeners::bind(&socket, None, Policy::open(None).expect("no file")).expect("bound").incoming(),
        );
        let mut client = UnixStream::connect(&socket).await.expect("connected");
        let mut connection = incoming.next().await.expect("it never ends").expect("it never fails");
        assert!(incoming.next().now_or_never().is_none());

        drop(incoming);

        assert!(!socket.exists());
        connection.write_all(b"x").await.expect("written");
        connection.flush().await.expect("written");
        assert_eq!(client.read_u8().await.expect("read"), b'x');
    }
}
