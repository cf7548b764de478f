use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// When a closed loop counts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Span {
    /// How long it goes on before.
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
}

/// A span that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    from: Instant,
    to: Instant,
}

impl Span {
    pub(super) fn begin(self) -> Running {
        let from = Instant::now() + self.warm_up;
        Running { from, to: from + self.length }
    }
}

impl Running {
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.to
    }

    /// Whether what was done by then counts.
    pub(super) fn counts(&self, done: Instant) -> bool {
        self.from <= done && done < self.to
    }

    pub(super) fn seconds(&self) -> f64 {
        (self.to - self.from).as_secs_f64()
    }
}
