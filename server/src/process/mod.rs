//! Processes, told apart from later ones that get the same pid.

mod pidfd;
mod proc;

use std::{fmt, future, os::fd::AsFd, sync::Arc};

use nix::{
    errno::Errno,
    sys::socket::{getsockopt, sockopt::PeerPidfd},
};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

pub(crate) use self::proc::Executable;
use self::{
    pidfd::Pidfd,
    proc::{HERE, Stat, stat},
};

/// A process, and never another that gets its pid. Cloning is cheap.
///
/// Where the kernel gives no handle of it (before Linux 5.3, in another namespace of pids, out of descriptors), it counts
/// as alive as long as nothing shows that it is dead.
#[derive(Clone)]
pub(crate) struct Process(Arc<Known>);

/// What tells one process of a machine from all others, written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// In the daemon's namespace of pids. 0: it is in another one.
    pub(crate) pid: i32,
    /// In clock ticks since boot. 0: not known.
    pub(crate) start_time: u64,
    /// Boot and namespace that both are of: the kernel's boot id, `/`, the inode of the namespace.
    pub(crate) boot_id: String,
}

#[derive(Debug)]
struct Known {
    id: ProcessId,
    life: Life,
}

/// How to know whether a process is alive.
#[derive(Debug)]
enum Life {
    /// The kernel tells.
    Watched(Pidfd),
    /// By its start time in `/proc`.
    LookedUp,
    /// It was dead when it was looked for.
    Over,
    /// In no way.
    Unknowable,
}

impl Process {
    /// The process that was written down as these, from before a restart of the daemon perhaps. None: it is dead,
    /// whoever has its pid now.
    pub(crate) fn find(pid: i32, start_time: u64, boot_id: &str) -> Option<Self> {
        let id = ProcessId { pid, start_time, boot_id: boot_id.to_owned() };
        let life = id.life()?;
        Some(Self(Arc::new(Known { id, life })))
    }

    /// A process of another host: nobody tells us when it ends.
    pub(crate) fn elsewhere() -> Self {
        let id = ProcessId { pid: 0, start_time: 0, boot_id: String::new() };
        Self(Arc::new(Known { id, life: Life::Unknowable }))
    }

    /// The process that connected a Unix socket to ours, which has this pid (0: in another namespace).
    pub(crate) fn of_peer(socket: &impl AsFd, pid: i32) -> Self {
        let life = match getsockopt(socket, PeerPidfd) {
            Ok(pidfd) => Life::Watched(pidfd.into()),
            // Before Linux 6.5, or it is gone. Another process may have got the pid since it connected; nothing can tell.
            Err(_) => Life::of_pid(pid).unwrap_or(Life::Over),
        };
        let start_time = match (stat(pid), &life) {
            // Read while it was alive, so it is its own.
            (Some(Stat::Started(time)), Life::Watched(pidfd)) if pidfd.is_alive() => time,
            (Some(Stat::Started(time)), Life::LookedUp) => time,
            _ => 0,
        };
        Self(Arc::new(Known { id: ProcessId { pid, start_time, boot_id: HERE.clone() }, life }))
    }

    /// What to write down, to find it again.
    pub(crate) fn id(&self) -> &ProcessId {
        &self.0.id
    }

    /// Whether it has not ended, as far as can be known. Stopped is alive; a zombie is not.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    /// Completes when it has ended. Never, if the kernel gives no handle of it. Any number may wait, and stop waiting.
    pub(crate) async fn exited(&self) {
        match &self.0.life {
            Life::Watched(pidfd) => pidfd.exited().await,
            Life::Over => {}
            Life::LookedUp | Life::Unknowable => future::pending().await,
        }
    }

    /// The program that it runs.
    pub(crate) fn executable(&self) -> Executable {
        let executable = proc::executable(self.0.id.pid);
        // Read while it was alive, so it is its own.
        if self.is_alive() { executable } else { Executable::default() }
    }

    /// Its groups beside the effective one. Empty: it has none, or we may not know.
    pub(crate) fn groups(&self) -> Vec<u32> {
        let groups = proc::groups(self.0.id.pid);
        // Read while it was alive, so they are its own.
        if self.is_alive() { groups } else { Vec::new() }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("pid", &self.0.id.pid).finish_non_exhaustive()
    }
}

impl Known {
    fn is_alive(&self) -> bool {
        match &self.life {
            Life::Watched(pidfd) => pidfd.is_alive(),
            Life::LookedUp => stat(self.id.pid) == Some(Stat::Started(self.id.start_time)),
            Life::Over => false,
            Life::Unknowable => true,
        }
    }
}

impl ProcessId {
    /// How to know whether it is alive. None: it is dead.
    fn life(&self) -> Option<Life> {
        let boot = |boot_id: &str| boot_id.split('/').next().map(ToOwned::to_owned);
        if boot(&self.boot_id) != boot(&HERE) {
            return None;
        }
        if self.boot_id != *HERE || self.pid <= 0 {
            return Some(Life::Unknowable);
        }
        let life = Life::of_pid(self.pid)?;
        match (stat(self.pid), &life) {
            (Some(Stat::Zombie), _) => None,
            // It may have ended before its start time was read, and that may be another's.
            (Some(_), Life::Watched(pidfd)) if !pidfd.is_alive() => None,
            (Some(Stat::Started(time)), _) if time == self.start_time => Some(life),
            (Some(Stat::Started(_)), _) if self.start_time != 0 => None,
            _ => Some(Life::Unknowable),
        }
    }
}

impl Life {
    /// How to know whether the process is alive that has a pid now. None: none has.
    fn of_pid(pid: i32) -> Option<Self> {
        let Some(pid) = Pid::from_raw(pid) else { return Some(Self::Unknowable) };
        match Pidfd::open(pid) {
            Ok(pidfd) => Some(Self::Watched(pidfd)),
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => None,
            Err(_) => stat(pid.as_raw_pid()).map(|_| Self::LookedUp),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        env,
        io::{self, Write as _},
        os::{fd::OwnedFd, unix::net::UnixStream},
        process::{Child, Command, Stdio},
        thread,
        time::Duration,
    };

    use futures_util::FutureExt as _;
    use rustix::process::{Pid, Signal, kill_process};
    use tokio::{io::AsyncReadExt as _, net::UnixListener, time::timeout};

    use super::{HERE, Process, Stat, stat};
    use crate::caller::Caller;

    /// Longest that a test waits for what has to happen.
    const DEADLINE: Duration = Duration::from_secs(20);

    /// Names the socket that [`plays_a_client_with_a_child`] connects to.
    const PLAY: &str = "SESSIOND_TEST_PLAY_CLIENT";

    /// A process that ends with the test.
    struct Sleeper(Child);

    impl Sleeper {
        fn start() -> Self {
            Self(Command::new("sleep").arg("60").spawn().expect("started"))
        }

        fn pid(&self) -> i32 {
            self.0.id().cast_signed()
        }

        fn start_time(&self) -> u64 {
            let Some(Stat::Started(time)) = stat(self.pid()) else { panic!("it runs") };
            time
        }

        fn find(&self) -> Process {
            Process::find(self.pid(), self.start_time(), &HERE).expect("it runs")
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.0.kill().expect("killed");
            self.0.wait().expect("ended");
        }
    }

    /// Another process: started again by the next test, it connects and gives the connection to a child of its own.
    #[test]
    fn plays_a_client_with_a_child() {
        let Some(socket) = env::var_os(PLAY) else { return };
        let mut connection = UnixStream::connect(socket).expect("somebody listens");
        let inherited = OwnedFd::from(connection.try_clone().expect("a descriptor"));
        let child = Command::new("sleep").arg("60").stdin(inherited).stdout(Stdio::null()).spawn();
        connection.write_all(&child.expect("started").id().to_be_bytes()).expect("written");
        loop {
            thread::park();
        }
    }

    #[tokio::test]
    async fn a_killed_client_is_dead_at_once_though_its_child_keeps_the_connection() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("socket");
        let listener = UnixListener::bind(&socket).expect("bound");
        let mut client = Command::new(env::current_exe().expect("known"))
            .args(["process::tests::plays_a_client_with_a_child", "--exact", "--nocapture"])
            .env(PLAY, &socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("started");
        let (mut connection, _) =
            timeout(DEADLINE, listener.accept()).await.expect("in time").expect("accepted");
        let process = Caller::of(&connection).expect("known").process().cloned().expect("on this host");
        let grandchild = timeout(DEADLINE, connection.read_i32()).await.expect("in time").expect("told");
        assert!(process.is_alive());
        assert!(process.exited().now_or_never().is_none());

        client.kill().expect("killed");

        timeout(DEADLINE, process.exited()).await.expect("its end is seen");
        assert!(!process.is_alive());
        let still_open = connection.try_read(&mut [0]).expect_err("not closed");
        assert_eq!(still_open.kind(), io::ErrorKind::WouldBlock);
        client.wait().expect("ended");
        kill_process(Pid::from_raw(grandchild).expect("a pid"), Signal::KILL).expect("killed");
    }

    #[tokio::test]
    async fn everyone_who_waits_for_a_process_learns_of_its_end() {
        let mut child = Sleeper::start();
        let process = child.find();
        assert!(process.exited().now_or_never().is_none());

        child.0.kill().expect("killed");

        let (first, second) = (process.clone(), process);
        let both = async { tokio::join!(first.exited(), second.exited()) };
        timeout(DEADLINE, both).await.expect("its end is seen");
        timeout(DEADLINE, first.exited()).await.expect("later too");
    }

    #[tokio::test]
    async fn a_stopped_process_is_alive() {
        let child = Sleeper::start();
        let process = child.find();
        kill_process(Pid::from_child(&child.0), Signal::STOP).expect("stopped");
        assert!(process.is_alive());
        assert!(process.exited().now_or_never().is_none());
        assert!(Process::find(child.pid(), child.start_time(), &HERE).is_some());
    }

    #[test]
    fn who_has_the_pid_of_a_dead_process_is_not_taken_for_it() {
        let child = Sleeper::start();
        assert!(Process::find(child.pid(), child.start_time(), &HERE).is_some());
        assert!(Process::find(child.pid(), child.start_time() - 1, &HERE).is_none());
    }

    #[test]
    fn a_zombie_and_a_process_that_is_gone_are_dead() {
        let mut child = Sleeper::start();
        let (pid, start_time) = (child.pid(), child.start_time());
        let process = child.find();
        child.0.kill().expect("killed");
        // waitid(2) with WNOWAIT: wait for its end, and leave the zombie.
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(Pid::from_child(&child.0)), options)
            .expect("ended");
        assert!(!process.is_alive());
        assert!(Process::find(pid, start_time, &HERE).is_none());
        drop(child);
        assert!(Process::find(pid, start_time, &HERE).is_none());
    }

    #[test]
    fn no_process_survives_a_boot() {
        let child = Sleeper::start();
        let namespace = HERE.split_once('/').expect("two parts").1;
        let earlier = format!("00000000-0000-4000-8000-000000000000/{namespace}");
        assert!(Process::find(child.pid(), child.start_time(), &earlier).is_none());
    }

    #[test]
    fn a_process_that_cannot_be_known_counts_as_alive() {
        let boot = HERE.split_once('/').expect("two parts").0;
        let elsewhere = format!("{boot}/1");
        for (pid, boot_id) in [(0, &*HERE), (1, &elsewhere), (i32::MAX, &elsewhere)] {
            let process = Process::find(pid, 1, boot_id).expect("not known to be dead");
            assert!(process.is_alive());
            assert!(process.exited().now_or_never().is_none());
        }
        let child = Sleeper::start();
        assert!(Process::find(child.pid(), 0, &HERE).is_some_and(|process| process.is_alive()));
    }
}
