//! The floors of every durable write, without any daemon.

use std::time::Duration;

use super::span;
use crate::{
    bench::Bench,
    figure::{Figure, Sample},
    load::{Disk, Job, Work},
};

/// Rows of a group commit.
const GROUP: usize = 64;

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    for (name, what, work, operations) in [
        ("disk.sync", "fdatasync of 4 KiB appended", Work::Sync, 1),
        ("disk.commit", "SQLite commit of one row (WAL, FULL)", Work::Commit { rows: 1 }, 1),
        ("disk.commit64", "SQLite commits of 64 rows, rate of rows", Work::Commit { rows: GROUP }, GROUP),
    ] {
        let mut runs = Vec::new();
        for _ in 0..bench.scale.runs {
            let sample = sample(bench, work, None).await?;
            runs.push(Sample { operations: sample.operations * operations as u64, ..sample });
        }
        bench.take(Figure::new(name, what).median(&runs));
    }
    Ok(())
}

/// One run, in a folder of its own.
pub(super) async fn sample(bench: &Bench, work: Work, pause: Option<Duration>) -> anyhow::Result<Sample> {
    let folder = bench.scratch()?;
    let disk = Disk { folder: folder.path().to_owned(), work, span: span(bench), pause };
    bench.sample(&Job::Disk(disk)).await
}
