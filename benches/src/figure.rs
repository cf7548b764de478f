use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Digits that a latency is exact to.
const DIGITS: u8 = 3;

/// Why a histogram takes every latency.
const GROWS: &str = "it grows to what it is given";

/// One result: how fast, how late, how large. What does not apply is absent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// Its name, which stays: programs compare by it.
    pub(crate) name: String,
    /// For people.
    pub(crate) what: String,
    /// Operations a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<Amount>,
    /// What has to be known beside it: what another system does not promise, say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

/// Of all that was measured, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
    /// How many were measured.
    pub(crate) count: u64,
}

/// A quantity that is neither.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Amount {
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

/// What a load generator measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Operations that counted, and in how many seconds.
    pub(crate) operations: u64,
    pub(crate) seconds: f64,
    pub(crate) latencies: Latencies,
    /// Operations that were refused, where a refusal is a result.
    #[serde(default)]
    pub(crate) refused: u64,
}

/// Latencies as they travel between processes: nanoseconds, and how often.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Latencies(Vec<(u64, u64)>);

impl Figure {
    pub(crate) fn new(name: impl Into<String>, what: impl Into<String>) -> Self {
        let (name, what) = (name.into(), what.into());
        Self { name, what, rate: None, latency: None, amount: None, note: String::new() }
    }

    /// Of one run, with its rate and its latencies.
    pub(crate) fn sampled(self, sample: &Sample) -> Self {
        let rate = (sample.seconds > 0.0).then(|| sample.operations as f64 / sample.seconds);
        Self { rate, ..self.late(&sample.latencies) }
    }

    /// The median of runs, each value by itself.
    pub(crate) fn median(self, samples: &[Sample]) -> Self {
        let runs: Vec<Self> = samples.iter().map(|sample| self.clone().sampled(sample)).collect();
        let of = |value: &dyn Fn(&Self) -> Option<f64>| median(runs.iter().filter_map(value).collect());
        let late = |value: &dyn Fn(&Latency) -> f64| of(&|run| run.latency.as_ref().map(value));
        let rate = of(&|run| run.rate);
        let latency = late(&|latency| latency.p50).map(|p50| Latency {
            p50,
            p99: late(&|latency| latency.p99).unwrap_or(p50),
            p999: late(&|latency| latency.p999).unwrap_or(p50),
            // The worst is the worst of all runs: a median would hide it.
            max: runs.iter().filter_map(|run| run.latency).map(|latency| latency.max).fold(0.0, f64::max),
            count: runs.iter().filter_map(|run| run.latency).map(|latency| latency.count).sum(),
        });
        Self { rate, latency, ..self }
    }

    pub(crate) fn late(self, latencies: &Latencies) -> Self {
        Self { latency: latencies.summary(), ..self }
    }

    pub(crate) fn rate(self, rate: f64) -> Self {
        Self { rate: Some(rate), ..self }
    }

    pub(crate) fn amount(self, value: f64, unit: &'static str) -> Self {
        Self { amount: Some(Amount { value, unit }), ..self }
    }

    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

impl Sample {
    /// Several generators' at the same time, as one.
    pub(crate) fn together(samples: &[Self]) -> Self {
        // Each counted in a span of its own, of nearly the same length.
        let rate: f64 = samples.iter().map(|sample| sample.operations as f64 / sample.seconds).sum();
        let operations: u64 = samples.iter().map(|sample| sample.operations).sum();
        Self {
            operations,
            seconds: operations as f64 / rate,
            latencies: Latencies(samples.iter().flat_map(|sample| sample.latencies.0.clone()).collect()),
            refused: samples.iter().map(|sample| sample.refused).sum(),
        }
    }
}

impl Latencies {
    /// Of a few, each by itself.
    pub(crate) fn of(times: &[Duration]) -> Self {
        Self(times.iter().map(|time| (nanos(*time), 1)).collect())
    }

    /// Summary of them all. `None`: there are none.
    pub(crate) fn summary(&self) -> Option<Latency> {
        let mut histogram = histogram();
        for (nanos, times) in &self.0 {
            histogram.record_n(*nanos, *times).expect(GROWS);
        }
        let micros = |nanos: u64| nanos as f64 / 1_000.0;
        (!histogram.is_empty()).then(|| Latency {
            p50: micros(histogram.value_at_quantile(0.5)),
            p99: micros(histogram.value_at_quantile(0.99)),
            p999: micros(histogram.value_at_quantile(0.999)),
            max: micros(histogram.max()),
            count: histogram.len(),
        })
    }
}

impl From<Histogram<u64>> for Latencies {
    fn from(histogram: Histogram<u64>) -> Self {
        Self(
            histogram
                .iter_recorded()
                .map(|value| (value.value_iterated_to(), value.count_at_value()))
                .collect(),
        )
    }
}

/// For latencies in nanoseconds, of any size.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("three digits are a precision that there is")
}

/// Takes a latency, in nanoseconds.
pub(crate) fn note(histogram: &mut Histogram<u64>, nanos: u64) {
    histogram.record(nanos).expect(GROWS);
}

/// Nanoseconds of a time.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The middle one, or the mean of the middle two. `None`: there is none.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Figure, Latencies, Sample, median};

    fn sample(operations: u64, micros: &[u64]) -> Sample {
        let times: Vec<_> = micros.iter().map(|micros| Duration::from_micros(*micros)).collect();
        Sample { operations, seconds: 1.0, latencies: Latencies::of(&times), refused: 0 }
    }

    #[test]
    fn a_median_is_the_middle_one() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_figure_of_runs_has_the_medians_and_the_worst() {
        let runs = [sample(10, &[100]), sample(30, &[300]), sample(20, &[200])];
        let figure = Figure::new("a", "a").median(&runs);
        assert_eq!(figure.rate, Some(20.0));
        let latency = figure.latency.expect("there are some");
        assert!((199.0..=201.0).contains(&latency.p50), "{latency:?}");
        assert!((299.0..=301.0).contains(&latency.max), "{latency:?}");
        assert_eq!(latency.count, 3);
    }

    #[test]
    fn what_ran_together_adds_up() {
        let both = Sample::together(&[sample(10, &[1]), sample(30, &[2])]);
        assert_eq!(both.operations, 40);
        assert!((both.seconds - 1.0).abs() < 1e-9);
        assert_eq!(both.latencies.summary().expect("there are some").count, 2);
    }
}
