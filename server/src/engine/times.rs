use std::time::Duration;

/// How many are kept.
const KEPT: usize = 1_024;

/// The latest commit times, for the figures.
#[derive(Debug, Default)]
pub(super) struct Times {
    kept: Vec<Duration>,
    next: usize,
}

impl Times {
    pub(super) fn note(&mut self, time: Duration) {
        if self.kept.len() < KEPT {
            self.kept.push(time);
        } else {
            self.kept[self.next] = time;
            self.next = (self.next + 1) % KEPT;
        }
    }

    /// Median and 99th percentile. Zero: there were none yet.
    pub(super) fn median_and_p99(&self) -> (Duration, Duration) {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default();
        (at(50), at(99))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{KEPT, Times};

    #[test]
    fn the_latest_times_count() {
        let mut times = Times::default();
        assert_eq!(times.median_and_p99(), (Duration::ZERO, Duration::ZERO));
        (0..KEPT).for_each(|_| times.note(Duration::from_secs(1)));
        (0..KEPT).for_each(|_| times.note(Duration::from_micros(1)));
        assert_eq!(times.median_and_p99(), (Duration::from_micros(1), Duration::from_micros(1)));
    }
}
