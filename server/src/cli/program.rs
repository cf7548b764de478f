use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::process::ExitStatusExt as _,
    process::{ExitCode, ExitStatus},
};

use rustix::{
    process::{Pid, Signal, getpgrp, kill_process},
    termios::tcgetpgrp,
};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

use super::{THIS_PROGRAM, failure::Failure};
use crate::exit::Exit;

/// A command of the user's that runs in this process's place: it has its terminal, gets its signals, and ends with it.
pub(super) struct Program {
    child: Child,
    signals: Signals,
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

impl Program {
    /// Starts it by way of [`ExecHeld`](super::exec_held::ExecHeld). To be called on the main thread: the command ends with
    /// the thread that started it. Where there is no such command, that is what it tells and exits with.
    pub(super) fn start<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        command: &[OsString],
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> anyhow::Result<Self> {
        let signals = Signals::catch()?;
        let parent = std::process::id().to_string();
        let child = Command::new(THIS_PROGRAM)
            .args(["exec-held", "--parent", &parent, "--"])
            .args(command)
            .envs(variables)
            .spawn()
            .map_err(|error| Failure::new(Exit::Os, format!("no process can be started: {error}")))?;
        Ok(Self { child, signals })
    }

    /// Waits for its end, and passes signals on until then. Dropping the future loses nothing.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        loop {
            tokio::select! {
                status = self.child.wait() => return status,
                signal = self.signals.next() => self.send(signal),
            }
        }
    }

    /// Sends it a signal, if it has not ended.
    pub(super) fn send(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            // It fails only where the child has ended, and then there is nobody to tell.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Signals {
    fn catch() -> io::Result<Self> {
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

/// As the shell has it: a command's exit code, or 128 and the signal that ended it.
pub(super) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(Exit::Software.into(), ExitCode::from)
}

/// Whether this process and its command are in the group that the terminal's keys are for.
fn in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}
