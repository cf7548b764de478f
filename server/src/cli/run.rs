use std::{
    convert::Infallible,
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    future::pending,
    io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{DirBuilderExt as _, OpenOptionsExt as _},
            net::UnixStream as StdUnixStream,
        },
    },
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use rustix::fs::OFlags;
use sessiond_client::{SOCKET_VARIABLE, Socket};
use tokio::{
    io::AsyncReadExt as _,
    net::UnixStream,
    process::{Child, Command},
    runtime,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::{
    THIS_PROGRAM,
    failure::Failure,
    program::{Program, exit_code},
};
use crate::{
    config::Config,
    exit::Exit,
    listener::{LifeLines, is_served, let_go},
};

/// Where the daemon's log goes, in its directory.
const LOG_FILE: &str = "sessiond.log";

/// How far apart a daemon is started that ends again and again.
const START_EVERY: Duration = Duration::from_secs(1);

/// Run a command, and the daemon as long as it is needed
///
/// Starts a daemon unless one serves the socket, and stops it when the last command ends that was run in this way on that
/// socket, whichever of them started it, and however they end. Should the daemon end before, it is started again, at most once a
/// second; holds outlast that. A daemon that was there before is left alone. The command finds the socket in SESSIOND_SOCKET.
///
/// The daemon's settings come from the environment and the file, as those of `sessiond serve` do; its log is sessiond.log in
/// its directory. Beside the socket stays an empty file, SOCKET.turn, by which commands that come at the same time start one
/// daemon. SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are passed on to the command. It ends with this
/// process, and this one exits with its exit code, or 128 and the signal that ended it.
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Examples:
  sessiond run -- python3 bot.py
  sessiond run --dir ./sessions --socket ./sessiond.sock -- ./worker
  sessiond run -- sessiond import alice.session"#)]
pub(crate) struct Run {
    /// Directory where sessions are kept, if a daemon has to be started. Default: that of `sessiond serve`
    #[arg(long, value_name = "DIR", env = "SESSIOND_DIR")]
    dir: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What a daemon's log begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    Anew,
    /// What the daemon before it has said, which may tell why that ended.
    GoesOn,
}

impl Run {
    pub(super) fn run(self, deadline: Duration, socket: Option<Socket>) -> anyhow::Result<ExitCode> {
        let config = Config::of_directory(self.dir, socket)
            .map_err(|error| Failure::new(error.exit(), format!("{:#}", anyhow::Error::from(error))))?;
        // All on this one thread: a child that is to end with its parent ends with the thread that made it.
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = runtime.block_on(run(&config, &self.command, deadline));
        // Its turn may not have come yet, where another waits for a daemon that does not start.
        runtime.shutdown_background();
        ended
    }
}

async fn run(config: &Config, command: &[OsString], deadline: Duration) -> anyhow::Result<ExitCode> {
    let mut line = timeout(deadline, life_line(config, Log::Anew)).await.unwrap_or_else(|_| {
        let message = format!(
            "no daemon serves {} after {deadline:?}; its log may be {}",
            config.socket.display(),
            log_file(config).display()
        );
        Err(Failure::new(Exit::Unavailable, message).into())
    })?;
    let mut program = Program::start(command, [(SOCKET_VARIABLE, &config.socket)])?;
    let status = tokio::select! {
        status = program.ended() => status?,
        never = keep(config, &mut line) => match never {},
    };
    if let Some(line) = line {
        // A daemon that does not end in time will do so without being waited for.
        let _ = timeout(deadline, let_go(line)).await;
    }
    Ok(exit_code(status))
}

/// Sees to it that there is a daemon again whenever the one at the other end of the line is gone. Dropped in the middle, it
/// leaves none without a line.
async fn keep(config: &Config, line: &mut Option<UnixStream>) -> Infallible {
    while let Some(open) = line {
        // It carries nothing more until it is closed.
        while open.read_u8().await.is_ok() {}
        // Why a daemon does not start, its log says; the line stays closed, and the next attempt is due.
        if let Ok(again) = life_line(config, Log::GoesOn).await {
            *line = again;
        }
        sleep(START_EVERY).await;
    }
    // It is not ours to start.
    pending().await
}

/// A life line of a daemon that runs for commands such as this one. None: another daemon serves the socket.
async fn life_line(config: &Config, log: Log) -> anyhow::Result<Option<UnixStream>> {
    let _turn = turn(&config.socket).await?;
    while let Ok(mut line) = UnixStream::connect(LifeLines::path(&config.socket)).await {
        if is_served(&mut line).await {
            return Ok(Some(line));
        }
        // It was about to end when we came, and now it has.
    }
    if UnixStream::connect(&config.socket).await.is_ok() {
        return Ok(None);
    }
    start(config, log).await.map(Some)
}

/// One at a time looks for a daemon and starts one. Dropped, it is another's turn.
async fn turn(socket: &Path) -> anyhow::Result<File> {
    let mut path = socket.as_os_str().to_owned();
    path.push(".turn");
    let path = PathBuf::from(path);
    if let Some(directory) = path.parent() {
        create(directory)?;
    }
    let file = open(&path)?;
    spawn_blocking(move || file.lock().map(|()| file))
        .await?
        .with_context(|| format!("cannot lock {}", path.display()))
}

/// Starts a daemon, and answers its first life line once it serves.
async fn start(config: &Config, log: Log) -> anyhow::Result<UnixStream> {
    create(&config.dir)?;
    let file = open(&log_file(config))?;
    if log == Log::Anew {
        file.set_len(0)?;
    }
    let (line, end) = StdUnixStream::pair()?;
    line.set_nonblocking(true)?;
    let mut line = UnixStream::from_std(line)?;
    let daemon = serve(config, end.into(), file)
        .map_err(|error| Failure::new(Exit::Os, format!("no process can be started: {error}")))?;
    if is_served(&mut line).await {
        return Ok(line);
    }
    Err(why_it_ended(config, daemon).await?.into())
}

/// The daemon's process, in a group of its own: a terminal's keys are for the command.
fn serve(config: &Config, life_line: OwnedFd, log: File) -> io::Result<Child> {
    Command::new(THIS_PROGRAM)
        .args(["serve", "--life-lines", "--dir"])
        .arg(&config.dir)
        .arg("--socket")
        .arg(&config.socket)
        // A service manager that waits for this process waits for the command.
        .env_remove("NOTIFY_SOCKET")
        .stdin(life_line)
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0)
        .spawn()
}

/// What a daemon has said last that did not start, with its exit code.
async fn why_it_ended(config: &Config, mut daemon: Child) -> io::Result<Failure> {
    let status = daemon.wait().await?;
    let log = log_file(config);
    let text = fs::read_to_string(&log).unwrap_or_default();
    let said = text.lines().last().unwrap_or("it said nothing");
    let said = said.strip_prefix("sessiond: ").unwrap_or(said);
    let exit = status.code().and_then(Exit::of_code).unwrap_or(Exit::Software);
    Ok(Failure::new(exit, format!("the daemon did not start: {said}; its log is {}", log.display())))
}

fn log_file(config: &Config) -> PathBuf {
    config.dir.join(LOG_FILE)
}

/// Makes a directory for this user alone, if it is missing. Whether one that is there will do, the daemon says.
fn create(directory: &Path) -> anyhow::Result<()> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    created.with_context(|| format!("cannot create {}", directory.display()))
}

/// A file for this user alone, to be added to.
fn open(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options.open(path).with_context(|| format!("cannot open {}", path.display()))
}
