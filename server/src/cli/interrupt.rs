use std::{io, process::ExitCode};

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// Somebody wants this process to end, and it has something to put in order before it does: a terminal, a directory.
#[derive(Debug)]
pub(super) struct Interrupts {
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Interrupts {
    /// Signals count from this call on. Needs a runtime.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hang_up.recv() => Signal::HUP,
            _ = self.interrupt.recv() => Signal::INT,
        }
    }
}

/// As the shell has it of a process that a signal has ended.
pub(super) fn exit_code(signal: Signal) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal.as_raw()).expect("signals are numbered below 128"))
}
