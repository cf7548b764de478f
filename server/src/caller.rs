use std::{io, sync::Arc};

use rustix::process::geteuid;
use tokio::{net::UnixStream, sync::Semaphore};

use crate::process::Process;

/// Most streams open at a time on one connection.
pub(crate) const MAX_STREAMS: usize = 1_024;

/// Who calls, in the kernel's words, taken when it connected. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Its effective user.
    pub(crate) uid: u32,
    /// Its effective group.
    pub(crate) gid: u32,
    /// In the daemon's namespace of pids. 0: it is in another one.
    pub(crate) pid: i32,
    /// The process that connected. None: it is not on this host.
    pub(crate) process: Option<Process>,
    /// The program that it ran when it connected, without control characters. Empty: we may not know.
    pub(crate) executable: Arc<str>,
    /// How many more streams its connection may have open.
    pub(crate) streams: Arc<Semaphore>,
}

impl Caller {
    /// Who is at the other end of a connection.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub(crate) fn of(connection: &UnixStream) -> io::Result<Self> {
        let peer = connection.peer_cred()?;
        let pid = peer.pid().unwrap_or(0);
        let process = Process::of_peer(connection, pid);
        let executable = process.executable().into();
        let streams = Arc::new(Semaphore::new(MAX_STREAMS));
        Ok(Self { uid: peer.uid(), gid: peer.gid(), pid, process: Some(process), executable, streams })
    }

    /// Whether it may use the daemon at all: the daemon's own user may, and root, who can do anything anyway.
    pub(crate) fn is_permitted(&self) -> bool {
        self.uid == 0 || self.uid == geteuid().as_raw()
    }
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use tokio::net::UnixStream;

    use super::Caller;

    #[tokio::test]
    async fn a_caller_is_who_the_kernel_says() {
        let (_client, server) = UnixStream::pair().expect("two sockets");
        let caller = Caller::of(&server).expect("known");
        assert_eq!(caller.uid, rustix::process::geteuid().as_raw());
        assert_eq!(caller.gid, rustix::process::getegid().as_raw());
        assert_eq!(caller.pid.cast_unsigned(), process::id());
        assert_eq!(*caller.executable, *env::current_exe().expect("known").to_string_lossy());
        let process = caller.process.expect("on this host");
        assert!(process.is_alive() && process.id().start_time > 0);
    }

    #[tokio::test]
    async fn only_the_daemons_user_and_root_are_permitted() {
        let (_client, server) = UnixStream::pair().expect("two sockets");
        let caller = Caller::of(&server).expect("known");
        assert!(caller.is_permitted());
        assert!(Caller { uid: 0, ..caller.clone() }.is_permitted());
        assert!(!Caller { uid: caller.uid + 1, ..caller }.is_permitted());
    }
}
