use std::{
    io,
    os::fd::AsFd as _,
    os::unix::net::UnixStream as StdUnixStream,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    time::sleep,
};

use super::{ListenError, PAUSE, socket_file::SocketFile, to_tokio};

/// What a life line carries, once: sessions are served, as long as it is open.
const SERVED: u8 = b'+';

/// The life lines of the commands that a daemon runs for, where `sessiond run` has started it.
///
/// A life line is a connection that a command's runner keeps open as long as the command runs; the kernel closes it, however
/// that ends. The first is the daemon's standard input, the others come to a socket beside its own. Once the last is closed,
/// no more are taken, and who comes yet is told that by the end of his connection, as are all others, when the daemon is gone
/// and another may take its place: not before this value is dropped.
#[derive(Debug)]
pub(crate) struct LifeLines {
    _file: SocketFile,
    listener: UnixListener,
    first: Option<UnixStream>,
    /// Dropped after the file is gone: its runner learns by that when the daemon has ended.
    last: Option<UnixStream>,
}

impl LifeLines {
    /// Where they come to, by the daemon's own socket.
    pub(crate) fn path(socket: &Path) -> PathBuf {
        let mut path = socket.as_os_str().to_owned();
        path.push(".run");
        path.into()
    }

    /// Takes the standard input for the first, and listens for others. Needs a runtime.
    ///
    /// # Errors
    /// As those of [`Listeners::bind`](super::Listeners::bind), and where the standard input is no socket.
    pub(crate) fn bind(socket: &Path) -> Result<Self, ListenError> {
        let io = |source| ListenError::Io { socket: "standard input".into(), source };
        let first = io::stdin().as_fd().try_clone_to_owned().and_then(|line| {
            let line = StdUnixStream::from(line);
            line.set_nonblocking(true)?;
            UnixStream::from_std(line)
        });
        let first = Some(first.map_err(io)?);
        let (listener, file) = SocketFile::bind(&Self::path(socket))?;
        Ok(Self { _file: file, listener: to_tokio(listener).map_err(io)?, first, last: None })
    }

    /// Says along each of them that sessions are served, and completes when all are closed.
    pub(crate) async fn closed(&mut self) {
        let mut open: FuturesUnordered<_> = self.first.take().map(attend).into_iter().collect();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((line, _)) => open.push(attend(line)),
                    Err(error) => {
                        tracing::warn!(%error, "a command that was run could not be taken in");
                        sleep(PAUSE).await;
                    }
                },
                Some(mut line) = open.next() => {
                    if open.is_empty() {
                        self.last = Some(line);
                        return;
                    }
                    // The daemon goes on: its runner need not wait. An error says that it does not.
                    let _ = line.shutdown().await;
                }
            }
        }
    }
}

/// Whether the daemon at the other end of a life line serves: true once it does, false where it has ended or is about to.
pub(crate) async fn is_served(line: &mut UnixStream) -> bool {
    line.read_u8().await.is_ok_and(|said| said == SERVED)
}

/// Closes a life line, and waits until its daemon has taken note: if it was the last, until the daemon is gone.
pub(crate) async fn let_go(mut line: UnixStream) {
    // Errors say that it is gone already.
    let _ = line.shutdown().await;
    while line.read_u8().await.is_ok() {}
}

/// Says that sessions are served, and waits until the other end is closed.
async fn attend(mut line: UnixStream) -> UnixStream {
    if line.write_all(&[SERVED]).await.is_ok() {
        while line.read_u8().await.is_ok() {}
    }
    line
}
