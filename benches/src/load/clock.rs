//! Times that several processes can compare.

use std::{
    io,
    num::NonZeroU64,
    time::{Duration, SystemTime},
};

use rustix::{
    thread::set_current_timer_slack,
    time::{ClockId, clock_gettime},
};

/// Nanoseconds of the monotonic clock, which is the same for all processes of a machine.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or_default()
}

/// Nanoseconds since a moment of wall time, which the same machine stamped. 0 where the clock was set back in between.
pub(crate) fn since(moment: SystemTime) -> u64 {
    let passed = SystemTime::now().duration_since(moment).unwrap_or_default();
    u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes this thread's sleeps as exact as the kernel can: by default they may be 50 us longer than asked for.
pub(crate) fn sleep_exactly() -> io::Result<()> {
    Ok(set_current_timer_slack(Some(NonZeroU64::MIN))?)
}

/// Does nothing for a while, so that the processor and its caches idle as they do for a lone client.
#[expect(clippy::disallowed_methods, reason = "the pause itself is what is wanted; nothing is waited for")]
pub(crate) fn idle(pause: Duration) {
    std::thread::sleep(pause);
}
