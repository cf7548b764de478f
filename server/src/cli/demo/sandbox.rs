use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use sessiond_client::{
    Auth, AuthKey, Client, DataCenter, Session, SessionName, Storage as _, UpdateState, User,
};
use sessiond_session::{
    LockedFile, SqliteSession,
    formats::{self, Reading},
};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use zeroize::Zeroizing;

use super::evidence::FileFound;
use crate::cli::THIS_PROGRAM;

/// How long a session rests between the death of its holder and the next grant. Shorter than the default: nobody is
/// connected to Telegram here, and it would be most of the demo.
pub(super) const HAND_OVER_DELAY: Duration = Duration::from_millis(250);
/// Longest that anything in here may take. Far longer than it does.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// The pts that the session comes with.
const PTS: i32 = 1_195_809;
/// Lines of the daemon's log that are shown where something goes wrong.
const LOG_LINES: usize = 5;

/// A directory that is made for the demo and goes with it, and a daemon that serves from there. Every process in it ends
/// with this one.
#[derive(Debug)]
pub(super) struct Sandbox {
    home: TempDir,
    name: SessionName,
    daemon: Option<Child>,
}

impl Sandbox {
    pub(super) fn make() -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("sessiond-demo-").tempdir()?;
        // So that no setting of the user's own daemon counts here.
        File::create(home.path().join("sessiond.toml"))?;
        Ok(Self { home, name: "demo".parse()?, daemon: None })
    }

    /// The session's name.
    pub(super) fn name(&self) -> &SessionName {
        &self.name
    }

    /// Starts the daemon, and waits until it serves.
    pub(super) async fn serve(&mut self) -> anyhow::Result<()> {
        let log = File::create(self.log_file())?;
        let delay = format!("--hand-over-delay={}ms", HAND_OVER_DELAY.as_millis());
        let mut command = self.command(["serve", "--engine=sqlite", &delay]);
        command.arg("--config").arg(self.home.path().join("sessiond.toml"));
        command.arg("--seal").arg(format!("file:{}", self.home.path().join("key").display()));
        command.arg("--dir").arg(self.directory()).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn()?);
        let client = Client::builder().socket(self.socket()).deadline(PATIENCE).connect().await?;
        client.info().await?;
        Ok(())
    }

    /// Makes a session's file with keys from nowhere, and brings it in as a user would. What the command printed.
    pub(super) async fn import(&self) -> anyhow::Result<String> {
        let file = SqliteSession::open(self.home.path().join(format!("{}.session", self.name))).await?;
        file.save(&made_up_session()?).await?;
        let path = file.path().to_owned();
        file.close().await?;
        let mut command = self.command([OsStr::new("import"), path.as_os_str()]);
        let output = timeout(PATIENCE, command.stderr(Stdio::piped()).output())
            .await
            .context("the import does not end")??;
        if !output.status.success() {
            bail!("the import has failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A command of this program, that works with the daemon in here and ends when this process does.
    pub(super) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(THIS_PROGRAM);
        command.args(["exec-held", "--parent", &std::process::id().to_string(), "--", THIS_PROGRAM]);
        command.args(args).arg("--socket").arg(self.socket());
        command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Stops the daemon as a supervisor does, and waits for its end.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        send(&daemon, Signal::TERM);
        let status = timeout(PATIENCE, daemon.wait()).await.context("the daemon does not stop")??;
        if !status.success() {
            bail!("the daemon has ended with {status}");
        }
        Ok(())
    }

    /// Looks at the session's own file, that nobody may have open any more.
    pub(super) fn file_found(&self) -> anyhow::Result<FileFound> {
        let path = self.directory().join(format!("{}.session", self.name));
        let file = LockedFile::open(&path)?;
        let integrity = file.integrity()?;
        file.close()?;
        let found = formats::read_path(&path, &Reading::default())?.into_iter().next();
        let state =
            found.and_then(|found| found.contents.session.state).context("the file has no counters")?;
        Ok(FileFound { integrity, pts: state.pts })
    }

    /// The last that the daemon has logged, for a person.
    pub(super) fn last_of_log(&self) -> String {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Ends what still runs, and removes the directory.
    pub(super) async fn clear(mut self) -> io::Result<()> {
        if let Some(daemon) = &mut self.daemon {
            daemon.kill().await?;
        }
        self.home.close()
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("sessiond.sock")
    }

    fn directory(&self) -> PathBuf {
        self.home.path().join("sessions")
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("log")
    }
}

/// Sends a signal to a child by its pid. One that has ended is not told.
pub(super) fn send(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        // It is ours and was not waited for, so there is a process of this pid, if only a dead one.
        let _ = kill_process(pid, signal);
    }
}

/// A session of somebody who does not exist, with keys that open nothing.
fn made_up_session() -> anyhow::Result<Session> {
    let mut key = Zeroizing::new([0; AuthKey::LEN]);
    getrandom::fill(key.as_mut_slice()).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let dc = DataCenter {
        id: 2,
        ipv4_addr: Some(SocketAddrV4::new(Ipv4Addr::new(149, 154, 167, 51), 443)),
        ipv6_addr: None,
        auth: Auth::Key(AuthKey::try_from(key.as_slice())?),
    };
    let user = User { id: 777_000_777, dc: 2, bot: Some(false), username: Some("nobody".to_owned()) };
    let state = UpdateState { pts: PTS, qts: 0, date: 1_700_000_000, seq: 7, channels: Vec::new() };
    Ok(Session { dcs: vec![dc], user: Some(user), state: Some(state), home_dc: None, test_mode: None })
}
