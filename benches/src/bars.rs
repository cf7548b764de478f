//! The bars that sessiond is to reach, and where it stands.

use serde::Serialize;

use crate::figure::{Figure, Latency};

/// One bar. What was not measured in this run is not judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Bar {
    pub(crate) what: &'static str,
    pub(crate) bar: &'static str,
    pub(crate) measured: String,
    /// What was measured beside it in the same run.
    pub(crate) floor: String,
    pub(crate) met: bool,
}

/// Numbers of clients at which one etcd node is the measure.
const ETCD: [(usize, &str); 4] = [
    (1, "against one etcd node, 1 client"),
    (8, "against one etcd node, 8 clients"),
    (64, "against one etcd node, 64 clients"),
    (256, "against one etcd node, 256 clients"),
];

/// The clients of other languages.
const CLIENTS: [(&str, &str); 4] = [
    ("python", "Advance from Python: p50"),
    ("python-aio", "Advance from Python, asyncio: p50"),
    ("typescript", "Advance from TypeScript: p50"),
    ("go", "Advance from Go: p50"),
];

/// What is imported: the figure, what it is, and the seconds that it may take, in words and as a number.
const IMPORTS: [(&str, &str, &str, f64); 2] = [
    ("import.files.1000", "1,000 files of mixed formats imported in one command", "in 30 s", 30.0),
    ("import.peers.100000", "a session with 100,000 peers imported", "in 5 s", 5.0),
];

/// What encryption may make slower: the call, and what it is.
const SEALING: [(&str, &str); 2] =
    [("save", "Save of a new key, sealed: p50"), ("advance", "Advance of a sealed session: p50")];

/// What was measured, by name.
#[derive(Debug, Clone, Copy)]
struct Measured<'a>(&'a [Figure]);

/// All bars that these figures can be held against.
pub(crate) fn bars(figures: &[Figure], sessions: usize) -> Vec<Bar> {
    let measured = Measured(figures);
    [lone(measured), crowd(measured), stream(measured), few_watchers(measured), many_watchers(measured)]
        .into_iter()
        .chain([kill(measured, "kill.idle", "kill -9 of a holder to the next grant")])
        .chain([kill(measured, "kill.loaded", "the same under load")])
        .chain([crash(measured)])
        .chain(SEALING.into_iter().map(|(call, what)| sealing(measured, call, what)))
        .chain(many(measured, sessions))
        .chain(shared(measured))
        .chain(CLIENTS.into_iter().map(|(name, what)| client(measured, name, what)))
        .chain(IMPORTS.into_iter().map(|import| imported(measured, import)))
        .chain(ETCD.into_iter().map(|(clients, what)| etcd(measured, clients, what)))
        .flatten()
        .collect()
}

fn lone(measured: Measured<'_>) -> Option<Bar> {
    let ratio = measured.amount("advance.lone.ratio")?;
    let p50 = |name| measured.latency(name).map(|latency| latency.p50);
    let (ping, commit) = (p50("ping.paced")?, p50("disk.paced")?);
    Some(Bar {
        what: "durable Advance, 1 client: p50",
        bar: "at most 1.25 x (paced call + paced commit)",
        measured: format!("{:.0} us", p50("advance.lone")?),
        floor: format!("{ping:.0} + {commit:.0} us: {ratio:.2} x"),
        met: ratio <= 1.25,
    })
}

fn crowd(measured: Measured<'_>) -> Option<Bar> {
    let ratio = measured.amount("advance.crowd.ratio")?;
    let (rate, ping) = (measured.rate("advance.crowd")?, measured.rate("ping.64x8")?);
    Some(Bar {
        what: "durable Advance, 64 clients on 8 connections",
        bar: "at least 30,000/s and half the rate of empty calls",
        measured: format!("{rate:.0}/s"),
        floor: format!("{ping:.0}/s: {ratio:.2} x"),
        met: rate >= 30_000.0 && ratio >= 0.5,
    })
}

fn stream(measured: Measured<'_>) -> Option<Bar> {
    let (rate, empty) = (measured.rate("stream.advance.1")?, measured.rate("stream.empty.1")?);
    Some(Bar {
        what: "AdvanceStream, 1 connection",
        bar: "at least 1,000,000 durable changes/s",
        measured: format!("{rate:.0}/s"),
        floor: format!("{empty:.0}/s: {:.2} x", rate / empty),
        met: rate >= 1_000_000.0,
    })
}

fn few_watchers(measured: Measured<'_>) -> Option<Bar> {
    let (seen, durable) = (measured.latency("watch.100.seen")?, measured.latency("watch.100.durable")?);
    Some(Bar {
        what: "commit to 100 watchers at 10,000 changes/s",
        bar: "p99 at most 5 ms",
        measured: millis(&seen),
        floor: format!("acknowledged after {}", millis(&durable)),
        met: seen.p99 <= 5_000.0,
    })
}

fn many_watchers(measured: Measured<'_>) -> Option<Bar> {
    let (last, durable) = (measured.latency("watch.1000.last")?, measured.latency("watch.1000.durable")?);
    Some(Bar {
        what: "the last of 1,000 watchers at 500 changes/s",
        bar: "p99 at most 15 ms",
        measured: millis(&last),
        floor: format!("acknowledged after {}", millis(&durable)),
        met: last.p99 <= 15_000.0,
    })
}

fn kill(measured: Measured<'_>, name: &str, what: &'static str) -> Option<Bar> {
    let latency = measured.latency(name)?;
    Some(Bar {
        what,
        bar: "p99 at most 10 ms",
        measured: millis(&latency),
        floor: String::new(),
        met: latency.p99 <= 10_000.0,
    })
}

fn crash(measured: Measured<'_>) -> Option<Bar> {
    let latency = measured.latency("crash.ready")?;
    Some(Bar {
        what: "start to ready after kill -9 under load",
        bar: "at most 1 s, nothing acknowledged lost",
        measured: format!("at most {:.0} ms, nothing lost", latency.max / 1_000.0),
        floor: String::new(),
        met: latency.max <= 1_000_000.0,
    })
}

/// Rate, errors and the worst latency of processes that share a session.
fn shared(measured: Measured<'_>) -> Vec<Option<Bar>> {
    let theirs = "shared.telethon.8";
    let rate = |ours, what, bar, least: f64| {
        let (ours, theirs) = (measured.rate(ours)?, measured.rate(theirs)?);
        Some(Bar {
            what,
            bar,
            measured: format!("{ours:.0}/s, no error"),
            floor: format!("{theirs:.0}/s: {:.1} x", ours / theirs),
            met: ours >= least * theirs,
        })
    };
    let worst = |ours, what| {
        let (ours, theirs) = (measured.latency(ours)?.max, measured.latency(theirs)?.max);
        Some(Bar {
            what,
            bar: "at least 20 x lower",
            measured: format!("{:.1} ms", ours / 1_000.0),
            floor: format!("{:.1} ms: {:.1} x", theirs / 1_000.0, theirs / ours),
            met: theirs >= 20.0 * ours,
        })
    };
    let (rust, python) = ("shared.sessiond.8", "shared.python.8");
    vec![
        rate(
            rust,
            "8 processes write one session, against Telethon's own file: rate",
            "at least 10 x, and no lock error",
            10.0,
        ),
        worst(rust, "the same: worst latency"),
        rate(
            python,
            "8 processes of Python do: rate through the Python client",
            "at least 2 x, and no lock error",
            2.0,
        ),
        worst(python, "the same: worst latency"),
    ]
}

fn client(measured: Measured<'_>, name: &str, what: &'static str) -> Option<Bar> {
    let p50 = |of: &str| measured.amount(&format!("clients.{name}.{of}"));
    let (advance, empty, commit) = (p50("advance")?, p50("empty")?, measured.amount("clients.commit")?);
    Some(Bar {
        what,
        bar: "at most 1.5 x the language's empty call, and a commit",
        measured: format!("{advance:.0} us"),
        floor: format!("1.5 x {empty:.0} + {commit:.0} us"),
        met: advance <= 1.5 * empty + commit,
    })
}

fn sealing(measured: Measured<'_>, call: &str, what: &'static str) -> Option<Bar> {
    let p50 = |name: String| measured.latency(&name).map(|latency| latency.p50);
    let ratio = measured.amount(&format!("sealing.{call}.ratio"))?;
    Some(Bar {
        what,
        bar: "at most 1.05 x that without",
        measured: format!("{:.0} us", p50(format!("sealing.{call}"))?),
        floor: format!("{:.0} us: {ratio:.2} x", p50(format!("sealing.{call}.open"))?),
        met: ratio <= 1.05,
    })
}

fn imported(
    measured: Measured<'_>,
    (name, what, bar, most): (&str, &'static str, &'static str, f64),
) -> Option<Bar> {
    let seconds = measured.amount(name)?;
    let measured = format!("{seconds:.2} s");
    Some(Bar { what, bar, measured, floor: String::new(), met: seconds <= most })
}

fn etcd(measured: Measured<'_>, clients: usize, what: &'static str) -> Option<Bar> {
    let rate = |system: &str| measured.rate(&format!("peers.{system}.{clients}"));
    let (ours, theirs) = (rate("sessiond")?, rate("etcd")?);
    Some(Bar {
        what,
        bar: "at least 1.5 x the rate",
        measured: format!("{ours:.0}/s"),
        floor: format!("{theirs:.0}/s: {:.1} x", ours / theirs),
        met: ours >= 1.5 * theirs,
    })
}

fn many(measured: Measured<'_>, sessions: usize) -> Vec<Option<Bar>> {
    // With fewer it would say nothing.
    if sessions < 100_000 {
        return Vec::new();
    }
    let bar = |what, bar, name, floor, unit, most| {
        let value = measured.amount(name)?;
        let floor =
            measured.amount(floor).map(|floor| format!("{floor:.1} {unit} with 100")).unwrap_or_default();
        Some(Bar { what, bar, measured: format!("{value:.2} {unit}"), floor, met: value <= most })
    };
    vec![
        bar("100,000 sessions: ready", "in 1 s", "many.ready.many", "many.ready.few", "ms", 1_000.0),
        bar(
            "100,000 sessions: memory",
            "at most 100 MB",
            "many.memory.at.100000",
            "many.memory.at.100",
            "MB",
            100.0,
        ),
        bar(
            "100,000 sessions: p50 of Advance",
            "at most 1.2 x that of 100",
            "many.advance.ratio",
            "",
            "x",
            1.2,
        ),
    ]
}

fn millis(latency: &Latency) -> String {
    format!("p99 {:.2} ms", latency.p99 / 1_000.0)
}

impl Measured<'_> {
    fn figure(&self, name: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| figure.name == name)
    }

    fn rate(&self, name: &str) -> Option<f64> {
        self.figure(name)?.rate
    }

    fn latency(&self, name: &str) -> Option<Latency> {
        self.figure(name)?.latency
    }

    fn amount(&self, name: &str) -> Option<f64> {
        self.figure(name)?.amount.map(|amount| amount.value)
    }
}

#[cfg(test)]
mod tests {
    use super::bars;
    use crate::figure::Figure;

    #[test]
    fn what_was_not_measured_is_not_judged() {
        assert_eq!(bars(&[], 100_000), []);
    }

    #[test]
    fn a_bar_is_met_or_not() {
        let figures = |rate| {
            [Figure::new("stream.advance.1", "").rate(rate), Figure::new("stream.empty.1", "").rate(2e6)]
        };
        assert!(bars(&figures(1_000_000.0), 0)[0].met);
        assert!(!bars(&figures(999_999.0), 0)[0].met);
    }
}
