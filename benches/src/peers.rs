//! Other systems that a program might keep its state in: started for one measurement on this machine, in a folder of their
//! own, and stopped after it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    path::PathBuf,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    net::{TcpStream, UnixStream},
    time::{interval, timeout},
};

use crate::process::Process;

/// Longest that one is waited for until it takes connections.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How often it is tried.
const TRY_EVERY: Duration = Duration::from_millis(10);

/// The name of Redis's socket.
const REDIS_SOCKET: &str = "redis.sock";

/// One etcd node. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct EtcdNode {
    process: Process,
    address: SocketAddrV4,
    _folder: TempDir,
}

/// A Redis server that syncs every write. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct RedisServer {
    process: Process,
    /// In which its socket is: a socket's path has to be short, and need not be on the disk that is measured.
    run: TempDir,
    _folder: TempDir,
}

impl EtcdNode {
    /// Starts a node in this new folder. `None`: etcd is not installed.
    pub(crate) async fn start(folder: TempDir) -> anyhow::Result<Option<Self>> {
        if !is_installed("etcd").await? {
            return Ok(None);
        }
        let (address, peers) = (free_port()?, free_port()?);
        let mut command = Process::quiet("etcd");
        command.arg("--name=bench").arg("--data-dir").arg(folder.path().join("data"));
        command.arg(format!("--listen-client-urls=http://{address}"));
        command.arg(format!("--advertise-client-urls=http://{address}"));
        command.arg(format!("--listen-peer-urls=http://{peers}"));
        command.arg(format!("--initial-advertise-peer-urls=http://{peers}"));
        command.arg(format!("--initial-cluster=bench=http://{peers}"));
        let node = Self { process: Process::start("etcd", command)?, address, _folder: folder };
        connected(|| TcpStream::connect(address)).await?;
        Ok(Some(node))
    }

    /// Where its clients find it.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await.map(drop)
    }
}

impl RedisServer {
    /// Starts a server in this new folder. `None`: Redis is not installed.
    pub(crate) async fn start(folder: TempDir) -> anyhow::Result<Option<Self>> {
        if !is_installed("redis-server").await? {
            return Ok(None);
        }
        let run = tempfile::tempdir()?;
        let mut command = Process::quiet("redis-server");
        command.args(["--port", "0", "--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        command.arg("--unixsocket").arg(run.path().join(REDIS_SOCKET)).arg("--dir").arg(folder.path());
        let server = Self { process: Process::start("Redis", command)?, run, _folder: folder };
        connected(|| UnixStream::connect(server.socket())).await?;
        Ok(Some(server))
    }

    /// Where its clients find it.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run.path().join(REDIS_SOCKET)
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await.map(drop)
    }
}

/// Whether there is such a program, which says its version when it is asked.
async fn is_installed(program: &str) -> anyhow::Result<bool> {
    match Process::quiet(program).arg("--version").status().await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A port of the loopback interface that nobody has now.
fn free_port() -> io::Result<SocketAddrV4> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// Waits until a connection can be made.
async fn connected<T, F>(mut connect: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = io::Result<T>>,
{
    let mut tries = interval(TRY_EVERY);
    let connecting = async {
        loop {
            tries.tick().await;
            if connect().await.is_ok() {
                return;
            }
        }
    };
    Ok(timeout(READY_WITHIN, connecting).await?)
}
