use std::{io, net::SocketAddr, sync::Arc};

use tokio::{net::UnixStream, sync::Semaphore};

use crate::{
    allowance::{Allowance, ROOM},
    principal::Principal,
    process::Process,
};

/// Most streams open at a time on one connection.
pub(crate) const MAX_STREAMS: usize = 1_024;

/// Who calls, taken when it connected. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Where from, and who that is.
    pub(crate) origin: Origin,
    /// How many more streams its connection may have open.
    pub(crate) streams: Arc<Semaphore>,
    /// Room for the large messages that it is sending.
    pub(crate) room: Arc<Semaphore>,
    /// What it may have on all of its connections. `None`: everything, or it was not let in yet.
    pub(crate) allowance: Option<Arc<Allowance>>,
}

/// How a caller came, and what is known of it by that.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// By a Unix socket: a process of this host.
    Local(Local),
    /// Over the network.
    Remote(Remote),
}

/// A process, in the kernel's words.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    /// Its effective user.
    pub(crate) uid: u32,
    /// Its effective group.
    pub(crate) gid: u32,
    /// Its other groups. Empty: it has none, or the kernel does not tell.
    pub(crate) groups: Arc<[u32]>,
    /// In the daemon's namespace of pids. 0: it is in another one.
    pub(crate) pid: i32,
    /// The process that connected.
    pub(crate) process: Process,
    /// The program that it ran when it connected, without control characters. Empty: we may not know.
    pub(crate) executable: Arc<str>,
    /// Whether that program is the file that the daemon sees at that path. It is not where the file was replaced since, and
    /// where the process sees other files than the daemon, as in a container: any user may choose what those are.
    pub(crate) is_at_its_path: bool,
}

/// Somebody on the other end of a network.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// The name in its certificate, which was checked, without control characters. None: it showed none, since the daemon was
    /// told to do without.
    pub(crate) certificate: Option<Arc<str>>,
    /// From where.
    pub(crate) address: SocketAddr,
}

impl Caller {
    /// Who is at the other end of a Unix socket.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub(crate) fn of(connection: &UnixStream) -> io::Result<Self> {
        let peer = connection.peer_cred()?;
        let pid = peer.pid().unwrap_or(0);
        let process = Process::of_peer(connection, pid);
        let executable = process.executable();
        let groups = process.groups().into();
        Ok(Self::new(Origin::Local(Local {
            uid: peer.uid(),
            gid: peer.gid(),
            groups,
            pid,
            process,
            executable: executable.path.into(),
            is_at_its_path: executable.is_at_its_path,
        })))
    }

    /// Who came over the network.
    pub(crate) fn remote(certificate: Option<Arc<str>>, address: SocketAddr) -> Self {
        Self::new(Origin::Remote(Remote { certificate, address }))
    }

    fn new(origin: Origin) -> Self {
        let (streams, room) = (Semaphore::new(MAX_STREAMS), Semaphore::new(ROOM));
        Self { origin, streams: streams.into(), room: room.into(), allowance: None }
    }

    /// Whose it is.
    pub(crate) fn principal(&self) -> Principal {
        match &self.origin {
            Origin::Local(local) => Principal::Uid(local.uid),
            Origin::Remote(Remote { certificate: Some(name), address: _ }) => {
                Principal::Remote(Arc::clone(name))
            }
            Origin::Remote(Remote { certificate: None, address }) => {
                Principal::Remote(address.ip().to_string().into())
            }
        }
    }

    /// The process that connected. None: it is not on this host.
    pub(crate) fn process(&self) -> Option<&Process> {
        match &self.origin {
            Origin::Local(local) => Some(&local.process),
            Origin::Remote(_) => None,
        }
    }

    /// Its pid, in the daemon's namespace of pids. 0: it has none there.
    pub(crate) fn pid(&self) -> i32 {
        match &self.origin {
            Origin::Local(local) => local.pid,
            Origin::Remote(_) => 0,
        }
    }

    /// The program that it ran when it connected. Empty: not known.
    pub(crate) fn executable(&self) -> &str {
        match &self.origin {
            Origin::Local(local) => &local.executable,
            Origin::Remote(_) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use rustix::process::{getegid, getgroups};
    use tokio::net::UnixStream;

    use super::{Caller, Local, Origin};
    use crate::principal::Principal;

    #[tokio::test]
    async fn a_caller_is_who_the_kernel_says() {
        let (_client, server) = UnixStream::pair().expect("two sockets");
        let caller = Caller::of(&server).expect("known");
        assert_eq!(caller.principal(), Principal::own());
        assert_eq!(caller.pid().cast_unsigned(), process::id());
        assert_eq!(*caller.executable(), *env::current_exe().expect("known").to_string_lossy());
        let Origin::Local(Local { gid, groups, process, is_at_its_path, .. }) = caller.origin else {
            panic!("it is on this host")
        };
        assert_eq!(gid, getegid().as_raw());
        let own: Vec<_> = getgroups().expect("known").into_iter().map(|group| group.as_raw()).collect();
        assert_eq!(*groups, *own);
        assert!(process.is_alive() && process.id().start_time > 0 && is_at_its_path);
    }

    #[test]
    fn who_shows_a_certificate_is_known_by_its_name_and_who_shows_none_by_its_address() {
        let address = "192.0.2.1:1234".parse().expect("an address");
        let named = Caller::remote(Some("worker".into()), address);
        assert_eq!(named.principal(), Principal::Remote("worker".into()));
        assert_eq!(Caller::remote(None, address).principal(), Principal::Remote("192.0.2.1".into()));
        assert!(named.process().is_none() && named.pid() == 0 && named.executable().is_empty());
    }
}
