//! What is measured in turns with its floor, so that both see the same machine.

use crate::figure::{Sample, median};

/// How much slower something is than its floor, by the p50 of each round. Of two answers the worse: the median of the rounds'
/// ratios, and the ratio of the best rounds. Others' work on the machine can only make a floor look higher than it is, and
/// must not make a bar met. `None`: there were no rounds.
pub(super) fn slower(rounds: &[Sample], floors: &[&[Sample]]) -> Option<f64> {
    let p50 = |sample: &Sample| sample.latencies.summary().map(|latency| latency.p50);
    let p50s = |samples: &[Sample]| samples.iter().filter_map(p50).collect::<Vec<_>>();
    let floors: Vec<_> = floors.iter().map(|floor| p50s(floor)).collect();
    let (times, least) = (p50s(rounds), |times: &[f64]| times.iter().copied().reduce(f64::min));
    let floor_of = |round: usize| floors.iter().map(|floor| floor.get(round).copied()).sum::<Option<f64>>();
    let ratios = times.iter().enumerate().filter_map(|(round, time)| Some(time / floor_of(round)?));
    let best = least(&times)? / floors.iter().map(|floor| least(floor)).sum::<Option<f64>>()?;
    Some(median(ratios.collect())?.max(best))
}

/// What part of the floor's rate something reaches; of two answers the worse, as with [`slower`].
pub(super) fn share(rounds: &[Sample], floor: &[Sample]) -> Option<f64> {
    let rate = |sample: &Sample| sample.operations as f64 / sample.seconds;
    let most = |samples: &[Sample]| samples.iter().map(rate).reduce(f64::max);
    let ratios = rounds.iter().zip(floor).map(|(round, floor)| rate(round) / rate(floor));
    let worse = median(ratios.collect())?.min(most(rounds)? / most(floor)?);
    // Where nothing was counted, as in a run of moments, there is nothing to compare.
    worse.is_finite().then_some(worse)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{share, slower};
    use crate::figure::{Latencies, Sample};

    fn rounds(micros: &[u64]) -> Vec<Sample> {
        let round = |micros: &u64| Sample {
            operations: 1_000_000 / micros,
            seconds: 1.0,
            latencies: Latencies::of(&[Duration::from_micros(*micros)]),
            refused: 0,
        };
        micros.iter().map(round).collect()
    }

    #[track_caller]
    fn is_near(ratio: Option<f64>, expected: f64) {
        let ratio = ratio.expect("there were rounds");
        assert!((ratio - expected).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn a_time_is_compared_with_the_sum_of_its_floors() {
        is_near(slower(&rounds(&[300, 300]), &[&rounds(&[100, 100]), &rounds(&[50, 50])]), 2.0);
    }

    #[test]
    fn a_floor_that_others_have_raised_does_not_flatter() {
        is_near(slower(&rounds(&[200, 200, 200]), &[&rounds(&[100, 800, 800])]), 2.0);
        is_near(share(&rounds(&[200, 200, 200]), &rounds(&[100, 800, 800])), 0.5);
    }

    #[test]
    fn without_rounds_there_is_no_ratio() {
        assert_eq!(slower(&[], &[&[]]), None);
        assert_eq!(share(&[], &[]), None);
    }
}
