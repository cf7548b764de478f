use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::{
        fd::RawFd,
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use crate::config::Config;

/// Who waits for the daemon to serve: a descriptor that somebody reads (`--ready-fd`), a service manager (sd_notify(3)), or
/// nobody.
#[derive(Debug)]
pub(crate) struct Readiness {
    ready_fd: Option<(RawFd, File)>,
    notify: Option<SocketAddr>,
}

/// Somebody who cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadinessError {
    /// The descriptor is not open for writing.
    #[error("--ready-fd {fd} is not an open pipe or file")]
    Descriptor {
        /// Which.
        fd: RawFd,
        /// Why not.
        source: io::Error,
    },
    /// The service manager's address is none.
    #[error("NOTIFY_SOCKET is not a socket's address")]
    Address(#[source] io::Error),
}

impl Readiness {
    /// Makes sure that those who wait can be told.
    ///
    /// # Errors
    /// Where they cannot: they would wait for ever.
    pub(crate) fn open(config: &Config) -> Result<Self, ReadinessError> {
        let ready_fd = config.ready_fd.map(|fd| {
            duplicate(fd).map(|file| (fd, file)).map_err(|source| ReadinessError::Descriptor { fd, source })
        });
        let notify = config.notify_socket.as_ref().map(|address| {
            match address.as_bytes() {
                [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
                _ => SocketAddr::from_pathname(address),
            }
            .map_err(ReadinessError::Address)
        });
        Ok(Self { ready_fd: ready_fd.transpose()?, notify: notify.transpose()? })
    }

    /// Says that sessions are served. Whoever does not listen any more misses it.
    pub(crate) fn ready(&mut self) {
        if let Some((fd, mut file)) = self.ready_fd.take() {
            log_failure(file.write_all(b"READY=1\n"));
            // The reader sees the end of it only when the descriptor that we were started with is closed too.
            log_failure(nix::unistd::close(fd).map_err(io::Error::from));
        }
        self.notify("READY=1");
    }

    /// Says that the daemon is about to end.
    pub(crate) fn stopping(&self) {
        self.notify("STOPPING=1");
    }

    fn notify(&self, state: &str) {
        if let Some(address) = &self.notify {
            let sent =
                UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(state.as_bytes(), address));
            log_failure(sent);
        }
    }
}

/// A descriptor of our own that leads where this one does. Of another process it could be had only by way of its pidfd, and
/// of this one it can too; opening it anew instead fails for a pipe that another user made, such as a supervisor.
fn duplicate(fd: RawFd) -> io::Result<File> {
    let duplicated = pidfd_open(getpid(), PidfdFlags::empty())
        .and_then(|this| pidfd_getfd(this, fd, PidfdGetfdFlags::empty()))
        .map(File::from);
    // A sandbox, or a kernel before Linux 5.6, may not have it.
    duplicated.or_else(|_| OpenOptions::new().append(true).open(format!("/proc/self/fd/{fd}")))
}

fn log_failure<T>(result: io::Result<T>) {
    if let Err(error) = result {
        tracing::warn!(%error, "who waits for the daemon could not be told");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Read as _},
        os::{
            fd::IntoRawFd as _,
            linux::net::SocketAddrExt as _,
            unix::net::{SocketAddr, UnixDatagram},
        },
        path::Path,
    };

    use super::{Readiness, ReadinessError};
    use crate::config::Config;

    fn config() -> Config {
        Config::in_directory(Path::new("/nonexistent"))
    }

    #[test]
    fn who_reads_the_descriptor_is_told_once_and_sees_it_closed() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let config = Config { ready_fd: Some(writer.into_raw_fd()), ..config() };
        let mut readiness = Readiness::open(&config).expect("open");
        readiness.ready();
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("read to its end");
        assert_eq!(text, "READY=1\n");
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_refused_at_start() {
        let config = Config { ready_fd: Some(1_000_000), ..config() };
        assert!(matches!(Readiness::open(&config), Err(ReadinessError::Descriptor { fd: 1_000_000, .. })));
    }

    #[test]
    fn a_service_manager_is_told_start_and_stop() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let name = format!("sessiond-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        for (manager, notify_socket) in [
            (UnixDatagram::bind(&path), path.into_os_string()),
            (UnixDatagram::bind_addr(&address), format!("@{name}").into()),
        ] {
            let manager = manager.expect("bound");
            let config = Config { notify_socket: Some(notify_socket), ..config() };
            let mut readiness = Readiness::open(&config).expect("open");
            readiness.ready();
            readiness.stopping();
            for expected in ["READY=1", "STOPPING=1"] {
                let mut buffer = [0; 32];
                let length = manager.recv(&mut buffer).expect("told");
                assert_eq!(&buffer[..length], expected.as_bytes());
            }
        }
    }
}
