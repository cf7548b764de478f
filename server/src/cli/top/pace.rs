/// Seconds that are remembered.
pub(super) const SECONDS: usize = 40;
/// Seconds that a rate is the mean of: long enough to be read, short enough to be of now.
const MEAN_OF: u64 = 3;

/// How much of something there was in each of the last seconds. Seconds are counted from the start of the view, and nothing
/// has to be done in one in which nothing happens.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// By second, modulo their number.
    counts: [u32; SECONDS],
    /// The newest second that has a count.
    newest: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { counts: [0; SECONDS], newest: 0 }
    }
}

impl Pace {
    /// Adds what there was in a second. One that is older than the newest counts as the newest.
    pub(super) fn add(&mut self, second: u64, count: u32) {
        while self.newest < second {
            // What was there is a whole round old.
            let next =
                if second - self.newest > SECONDS as u64 { second - SECONDS as u64 } else { self.newest + 1 };
            self.newest = next;
            self.counts[slot(next)] = 0;
        }
        let count_now = &mut self.counts[slot(self.newest)];
        *count_now = count_now.saturating_add(count);
    }

    /// What there was a second, as the mean of the last few before this one.
    pub(super) fn rate(&self, second: u64) -> u64 {
        let seconds = second.clamp(1, MEAN_OF);
        let sum: u64 = (1..=seconds).filter_map(|ago| Some(self.count(second.checked_sub(ago)?))).sum();
        sum.div_ceil(seconds)
    }

    /// The counts of so many seconds before this one, the oldest first.
    pub(super) fn last(&self, seconds: usize, second: u64) -> impl Iterator<Item = u64> + Clone {
        let seconds = seconds.min(SECONDS - 1) as u64;
        (1..=seconds).rev().map(move |ago| second.checked_sub(ago).map_or(0, |second| self.count(second)))
    }

    fn count(&self, second: u64) -> u64 {
        let known = second <= self.newest && self.newest - second < SECONDS as u64;
        if known { self.counts[slot(second)].into() } else { 0 }
    }
}

fn slot(second: u64) -> usize {
    usize::try_from(second % SECONDS as u64).expect("less than the number of slots")
}

#[cfg(test)]
mod tests {
    use super::{Pace, SECONDS};

    #[test]
    fn a_rate_is_the_mean_of_the_last_whole_seconds() {
        let mut pace = Pace::default();
        pace.add(0, 5);
        assert_eq!((pace.rate(0), pace.rate(1), pace.rate(2)), (0, 5, 3));
        for second in 1..10 {
            pace.add(second, 100);
        }
        pace.add(10, 9_999);
        assert_eq!(pace.rate(10), 100, "this second is not over");
        assert_eq!(pace.rate(11), (100 + 100 + 9_999_u64).div_ceil(3));
        assert_eq!(pace.rate(14), 0);
    }

    #[test]
    fn a_long_rest_leaves_nothing_of_what_was() {
        let mut pace = Pace::default();
        (0..100).for_each(|second| pace.add(second, 7));
        assert_eq!(pace.last(SECONDS, 100).sum::<u64>(), 7 * (SECONDS as u64 - 1));
        assert_eq!(pace.last(3, 101).collect::<Vec<_>>(), [7, 7, 0]);
        pace.add(1_000_000, 1);
        assert_eq!(pace.last(SECONDS, 1_000_001).sum::<u64>(), 1);
        assert_eq!(pace.rate(5_000_000), 0);
    }

    #[test]
    fn bars_are_in_the_order_of_time() {
        let mut pace = Pace::default();
        (0..4).for_each(|second| pace.add(second, u32::try_from(second).expect("small")));
        assert_eq!(pace.last(5, 4).collect::<Vec<_>>(), [0, 0, 1, 2, 3]);
    }
}
