use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Completes when somebody asks the daemon to stop, with the name of the signal that said so. Signals count from this call
/// on, not from the first poll. Needs a runtime.
///
/// # Errors
/// Where the system does not let signals be caught.
pub(crate) fn shutdown_signal() -> io::Result<impl Future<Output = &'static str> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Hears when somebody asks the daemon to read its files again, from this call on. Needs a runtime.
///
/// # Errors
/// Where the system does not let signals be caught.
pub(crate) fn reload_signal() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};
    use tokio::time::timeout;

    use super::shutdown_signal;

    #[tokio::test]
    async fn a_signal_between_start_and_wait_is_heard() {
        for (sent, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
            let asked = shutdown_signal().expect("caught");
            kill_process(getpid(), sent).expect("sent");
            assert_eq!(timeout(Duration::from_secs(20), asked).await, Ok(name));
        }
    }
}
