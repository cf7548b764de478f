use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::within;

/// How often a test looks whether something has happened that nobody tells of.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks again and again until there is something.
///
/// # Panics
/// Where there is nothing within the [`DEADLINE`](super::DEADLINE).
#[track_caller]
pub(crate) fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> impl Future<Output = T> {
    within(async move {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if let Some(found) = look() {
                return found;
            }
        }
    })
}
