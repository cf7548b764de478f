//! The measurements, each a family of figures.

pub(crate) mod clients;
pub(crate) mod crash;
pub(crate) mod crowd;
pub(crate) mod disk;
pub(crate) mod growth;
mod holder;
pub(crate) mod import;
pub(crate) mod kill;
pub(crate) mod lone;
pub(crate) mod many;
pub(crate) mod peers;
pub(crate) mod sealing;
pub(crate) mod session;
pub(crate) mod shared;
pub(crate) mod stalls;
pub(crate) mod stream;
pub(crate) mod sweep;
mod turns;
pub(crate) mod watch;

use std::time::Duration;

use self::holder::Holder;
use crate::{
    bench::Bench,
    load::{Crowd, Job, Span, Target},
};

/// The connections that a crowd shares, where it is not said otherwise: as many as programs that each have one.
pub(crate) const CONNECTIONS: usize = 8;

/// A closed loop of so many clients, as long as the scale says.
fn crowd(bench: &Bench, target: Target, clients: usize, connections: usize) -> Job {
    Job::Closed(Crowd { target, clients, connections, span: span(bench), pause: None })
}

/// One client, with idleness before each call.
fn paced(bench: &Bench, target: Target, pause: Duration) -> Job {
    Job::Closed(Crowd { target, clients: 1, connections: 1, span: span(bench), pause: Some(pause) })
}

fn span(bench: &Bench) -> Span {
    Span { warm_up: bench.scale.warm_up, length: bench.scale.span }
}

/// Names of so many sessions.
fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}
