//! Stopping: one place says so, and every long wait hears it.

use tokio::sync::watch;

/// Says that the daemon stops. Dropping it says so too.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<bool>);

/// Hears that the daemon stops.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

/// A stopper, and who hears it.
pub(crate) fn channel() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Shutdown(receiver))
}

impl Stopper {
    /// Every stream and every waiting call is to end now.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Waits until the daemon stops. Cancel safe.
    pub(crate) async fn requested(&mut self) {
        // An error says that the stopper is gone, which is the same.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}
