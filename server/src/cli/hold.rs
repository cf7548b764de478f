use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::process::ExitStatusExt as _,
    path::{self, Path},
    pin::pin,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::Context as _;
use rustix::{
    process::{Pid, Signal, getpgrp, kill_process},
    termios::tcgetpgrp,
};
use sessiond_client::{SOCKET_VARIABLE, SessionName, Socket, Waiting};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep_until},
};

use super::{
    Context, THIS_PROGRAM,
    failure::Failure,
    possession::{NAME_VARIABLE, TOKEN_VARIABLE},
    render::{hold_text, printable},
};
use crate::exit::Exit;

/// How long a command may go on after its hold was lost and it was told to stop. Less than the resume window, after which
/// another gets the session whether or not this one has let go.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// Longest label that the daemon takes.
const LABEL_CHARS: usize = 128;

/// Hold a session while a command runs
///
/// The command finds the hold's token, the session's name and the daemon's socket in SESSIOND_TOKEN, SESSIOND_NAME and
/// SESSIOND_SOCKET. If the hold is lost it gets SIGTERM, and SIGKILL 5 s later. SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1
/// and SIGUSR2 are passed on to it. It ends with this process, and this one exits with its exit code, or 128 and the signal
/// that ended it.
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Examples:
  sessiond hold alice -- ./worker
  sessiond hold alice --wait --label nightly -- python3 sync.py
  sessiond hold alice -- sh -c 'sessiond advance "$SESSIOND_NAME" --pts 5000'"#)]
pub(crate) struct Hold {
    /// The session's name
    name: SessionName,
    /// Wait in line while another holds it
    #[arg(long)]
    wait: bool,
    /// What to be called where others ask who holds it. Default: the command's name
    #[arg(long)]
    label: Option<String>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Signals that are passed on to the command.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    user_defined_1: tokio::signal::unix::Signal,
    user_defined_2: tokio::signal::unix::Signal,
}

impl Hold {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let hold = self.take(context).await?;
        let mut signals = Signals::new()?;
        let mut child = self.start(&hold, context.client.socket())?;
        let status = self.attend(&mut child, &hold, &mut signals, context).await?;
        if let Err(error) = hold.release().await
            && !matches!(error, sessiond_client::Error::Lost { .. })
        {
            context.output.error(&format!("{}: the daemon was not told of the end: {error}", self.name));
        }
        Ok(exit_code(status))
    }

    async fn take(&self, context: &Context) -> anyhow::Result<sessiond_client::Hold> {
        let (output, name) = (context.output, self.name.clone());
        let request = context.client.hold(&self.name).label(self.label());
        let request = request.on_waiting(move |waiting| output.note(&waiting_text(&name, waiting)));
        let hold = if self.wait { request.wait().await } else { request.await };
        hold.with_context(|| self.name.to_string())
    }

    fn label(&self) -> String {
        self.label.clone().unwrap_or_else(|| {
            let program = Path::new(&self.command[0]).file_name().unwrap_or_default().to_string_lossy();
            printable(&program).chars().take(LABEL_CHARS).collect()
        })
    }

    /// Starts the command by way of [`ExecHeld`](super::exec_held::ExecHeld). To be called on the main thread: the command
    /// ends with the thread that started it.
    fn start(&self, hold: &sessiond_client::Hold, socket: &Socket) -> anyhow::Result<Child> {
        let parent = std::process::id().to_string();
        let socket = match socket {
            // The command may go to another directory.
            Socket::Path(path) => Socket::Path(path::absolute(path)?),
            Socket::Abstract(_) => socket.clone(),
        };
        Command::new(THIS_PROGRAM)
            .args(["exec-held", "--parent", &parent, "--"])
            .args(&self.command)
            .env(TOKEN_VARIABLE, hold.token().expose_hex().as_str())
            .env(NAME_VARIABLE, self.name.as_str())
            .env(SOCKET_VARIABLE, socket.to_string())
            .spawn()
            .map_err(|error| Failure::new(Exit::Os, format!("no process can be started: {error}")).into())
    }

    /// Waits for the command's end. Until then it passes signals on, and stops the command if the hold is lost.
    async fn attend(
        &self,
        child: &mut Child,
        hold: &sessiond_client::Hold,
        signals: &mut Signals,
        context: &Context,
    ) -> io::Result<ExitStatus> {
        let mut lost = pin!(hold.lost());
        let mut patience_ends = None;
        loop {
            tokio::select! {
                status = child.wait() => return status,
                signal = signals.next() => send(child, signal),
                reason = &mut lost, if patience_ends.is_none() => {
                    context.output.error(&format!("{}: the hold was lost: {reason}; the command is told to stop", self.name));
                    send(child, Signal::TERM);
                    patience_ends = Some(Instant::now() + STOPS_WITHIN);
                }
                () = at(patience_ends) => {
                    send(child, Signal::KILL);
                    // Killed is killed: there is only its end to wait for.
                    return child.wait().await;
                }
            }
        }
    }
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            user_defined_1: signal(SignalKind::user_defined1())?,
            user_defined_2: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next signal for the command. What the terminal sends, it sends to the command as well.
    async fn next(&mut self) -> Signal {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Signal::TERM,
                _ = self.hang_up.recv() => return Signal::HUP,
                _ = self.user_defined_1.recv() => return Signal::USR1,
                _ = self.user_defined_2.recv() => return Signal::USR2,
                _ = self.interrupt.recv() => if !in_foreground() { return Signal::INT },
                _ = self.quit.recv() => if !in_foreground() { return Signal::QUIT },
            }
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Whether this process and its command are in the group that the terminal's keys are for.
fn in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}

fn send(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(pid) = pid {
        // It fails only where the child has ended, and then there is nobody to tell.
        let _ = kill_process(pid, signal);
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(Exit::Software.into(), ExitCode::from)
}

fn waiting_text(name: &SessionName, waiting: &Waiting) -> String {
    let place =
        if waiting.position > 1 { format!(", place {} in line", waiting.position) } else { String::new() };
    match &waiting.holder {
        Some(holder) => format!("waiting for {name}: held by {}{place}", hold_text(holder)),
        None => format!("waiting for {name}: free in a moment{place}"),
    }
}
