use std::{collections::VecDeque, time::Duration};

use sessiond_client::{Figures, ServerInfo};

use super::known::Now;

/// Times that the daemon's figures are remembered.
const SAMPLES: usize = 60;
/// Samples that a rate is taken over.
const RATE_OVER: usize = 3;

/// How the daemon fares: its figures, again and again.
#[derive(Debug, Default)]
pub(super) struct Fares {
    info: Option<ServerInfo>,
    /// The newest last.
    samples: VecDeque<Sample>,
}

/// What the daemon has counted up to a moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    commits: i64,
    batches: i64,
}

impl Fares {
    /// Takes the daemon's figures. One that has started again counts from zero.
    pub(super) fn heard(&mut self, info: ServerInfo, now: Now) {
        let Figures { started, commits, batches, .. } = info.figures;
        if self.info.as_ref().is_some_and(|before| before.figures.started != started) {
            self.samples.clear();
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at: now.elapsed, commits, batches });
        self.info = Some(info);
    }

    /// What it told last.
    pub(super) fn info(&self) -> Option<&ServerInfo> {
        self.info.as_ref()
    }

    pub(super) fn is_known(&self) -> bool {
        self.info.is_some()
    }

    /// Commits a second, just now.
    pub(super) fn commits(&self) -> f64 {
        let newest = self.samples.len().saturating_sub(1);
        self.rate(newest.saturating_sub(RATE_OVER), newest)
    }

    /// Changes that shared a sync of the disk, just now.
    pub(super) fn batch(&self) -> Option<f64> {
        let newest = self.samples.back()?;
        let before = self.samples.get(self.samples.len().saturating_sub(1 + RATE_OVER))?;
        let (commits, batches) = (newest.commits - before.commits, newest.batches - before.batches);
        (batches > 0).then(|| float(commits) / float(batches))
    }

    /// Commits a second between the last so many samples, the oldest first.
    pub(super) fn last(&self, samples: usize) -> impl Iterator<Item = u64> + Clone {
        let newest = self.samples.len();
        let first = newest.saturating_sub(samples).max(1);
        (first..newest)
            .map(|at| Duration::try_from_secs_f64(self.rate(at - 1, at)).map_or(0, |rate| rate.as_secs()))
    }

    /// Commits a second from one sample to another.
    fn rate(&self, from: usize, to: usize) -> f64 {
        let (Some(from), Some(to)) = (self.samples.get(from), self.samples.get(to)) else { return 0.0 };
        let seconds = to.at.saturating_sub(from.at).as_secs_f64();
        if seconds > 0.0 { float(to.commits - from.commits) / seconds } else { 0.0 }
    }
}

/// A count for a rate, which needs no more digits than this has.
fn float(count: i64) -> f64 {
    f64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use sessiond_client::{Figures, ServerInfo};

    use super::{Fares, Now};

    fn heard(fares: &mut Fares, second: u64, started: u64, commits: i64, batches: i64) {
        let at = Duration::from_secs;
        let started = Some(SystemTime::UNIX_EPOCH + at(started));
        let figures = Figures { started, commits, batches, ..Figures::default() };
        let [version, engine, store_id] = [(); 3].map(|()| String::new());
        let info = ServerInfo { version, engine, store_id, features: Vec::new(), figures };
        fares.heard(info, Now { elapsed: at(second), wall: SystemTime::UNIX_EPOCH });
    }

    #[test]
    fn a_rate_is_what_was_counted_in_between() {
        let mut fares = Fares::default();
        assert_eq!((fares.commits(), fares.batch()), (0.0, None));
        heard(&mut fares, 0, 7, 1_000, 100);
        assert_eq!((fares.commits(), fares.batch()), (0.0, None));
        heard(&mut fares, 2, 7, 1_500, 150);
        assert_eq!((fares.commits(), fares.batch()), (250.0, Some(10.0)));
        heard(&mut fares, 3, 7, 1_800, 160);
        assert_eq!(fares.last(10).collect::<Vec<_>>(), [250, 300]);
    }

    #[test]
    fn a_daemon_that_started_again_counts_from_zero() {
        let mut fares = Fares::default();
        heard(&mut fares, 0, 7, 1_000, 100);
        heard(&mut fares, 1, 7, 2_000, 200);
        heard(&mut fares, 2, 9, 10, 1);
        assert_eq!((fares.commits(), fares.last(10).count()), (0.0, 0));
        heard(&mut fares, 3, 9, 30, 2);
        assert_eq!(fares.commits(), 20.0);
    }
}
