use std::{net::TcpListener, os::unix::net::UnixListener};

use listenfd::ListenFd;

use super::ListenError;

/// The first descriptor that a service manager hands over (sd_listen_fds(3)).
const FIRST: usize = 3;

/// Sockets that a service manager opened before it started the daemon. A Unix socket stands for the one at `--socket`, a TCP
/// socket for `--listen`; their files are the service manager's.
#[derive(Debug, Default)]
pub(crate) struct HandedOver {
    pub(crate) unix: Vec<UnixListener>,
    pub(crate) tcp: Vec<TcpListener>,
}

impl HandedOver {
    /// Takes what was handed over to this process, and the variables that say so out of its environment. To be called once,
    /// while there is no other thread.
    ///
    /// # Errors
    /// Where something else was handed over.
    pub(crate) fn take() -> Result<Self, ListenError> {
        let mut sockets = ListenFd::from_env();
        let mut taken = Self::default();
        for at in 0..sockets.len() {
            if let Ok(Some(socket)) = sockets.take_unix_listener(at) {
                taken.unix.push(socket);
            } else if let Ok(Some(socket)) = sockets.take_tcp_listener(at) {
                taken.tcp.push(socket);
            } else {
                return Err(ListenError::HandedOver { descriptor: FIRST + at });
            }
        }
        Ok(taken)
    }
}
