use std::{
    ffi::{OsStr, OsString},
    io,
    path::{self, Path},
    pin::pin,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::Signal;
use sessiond_client::{SOCKET_VARIABLE, SessionName, Socket, TLS_VARIABLE, Waiting};
use tokio::time::{Instant, sleep_until};

use super::{
    Context,
    possession::{NAME_VARIABLE, TOKEN_VARIABLE},
    program::{Program, exit_code},
    render::{hold_text, printable},
};

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

impl Hold {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let hold = self.take(context).await?;
        let mut program = self.start(&hold, context)?;
        let status = self.attend(&mut program, &hold, context).await?;
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

    fn start(&self, hold: &sessiond_client::Hold, context: &Context) -> anyhow::Result<Program> {
        // The command may go to another directory.
        let socket = match context.client.socket() {
            Socket::Path(path) => path::absolute(path)?.into_os_string(),
            socket => socket.to_string().into(),
        };
        let tls = context.place.tls.as_ref().map(path::absolute).transpose()?;
        let token = hold.token().expose_hex();
        let variables = [
            (TOKEN_VARIABLE, OsStr::new(token.as_str())),
            (NAME_VARIABLE, OsStr::new(self.name.as_str())),
            (SOCKET_VARIABLE, &socket),
        ];
        let tls = tls.as_ref().map(|directory| (TLS_VARIABLE, directory.as_os_str()));
        Program::start(&self.command, variables.into_iter().chain(tls))
    }

    /// Waits for the command's end, and stops the command if the hold is lost.
    async fn attend(
        &self,
        program: &mut Program,
        hold: &sessiond_client::Hold,
        context: &Context,
    ) -> io::Result<ExitStatus> {
        let mut lost = pin!(hold.lost());
        let mut patience_ends = None;
        loop {
            tokio::select! {
                status = program.ended() => return status,
                reason = &mut lost, if patience_ends.is_none() => {
                    context.output.error(&format!("{}: the hold was lost: {reason}; the command is told to stop", self.name));
                    program.send(Signal::TERM);
                    patience_ends = Some(Instant::now() + STOPS_WITHIN);
                }
                () = at(patience_ends) => {
                    program.send(Signal::KILL);
                    // Killed is killed: there is only its end to wait for.
                    return program.ended().await;
                }
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

fn waiting_text(name: &SessionName, waiting: &Waiting) -> String {
    let place =
        if waiting.position > 1 { format!(", place {} in line", waiting.position) } else { String::new() };
    match &waiting.holder {
        Some(holder) => format!("waiting for {name}: held by {}{place}", hold_text(holder)),
        None => format!("waiting for {name}: free in a moment{place}"),
    }
}
