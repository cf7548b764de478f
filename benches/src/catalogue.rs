use std::{future::Future, pin::Pin};

use crate::{bench::Bench, measure};

/// One thing that can be measured.
#[derive(Debug)]
pub(crate) struct Measurement {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: for<'a> fn(&'a mut Bench) -> Running<'a>,
}

/// A measurement that goes on; its figures are the bench's.
type Running<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// A list of measurements, each an async function of a module: `name: function, "what it measures"`.
macro_rules! measurements {
    ($($name:literal: $run:path, $what:literal;)*) => {
        &[$(Measurement { name: $name, what: $what, run: |bench| Box::pin($run(bench)) },)*]
    };
}

/// All that there is, in the order in which it is measured.
pub(crate) const MEASUREMENTS: &[Measurement] = measurements! {
    "disk": measure::disk::run, "what the disk costs without a daemon: fdatasync, and commits of SQLite";
    "lone": measure::lone::run, "one client's Advance, and in turns with it the floors of its two halves";
    "crowd": measure::crowd::run, "64 clients' Advance on 8 connections, and in turns with it calls that do nothing";
    "sweep": measure::sweep::run, "Advance against clients, connections and sessions";
    "stream": measure::stream::run, "AdvanceStream, and a stream that nothing is done with";
    "session": measure::session::run, "whole sessions: saved, loaded, and loaded first after a start";
    "sealing": measure::sealing::run, "what the encryption of keys costs, in turns with a daemon that does without";
    "watch": measure::watch::run, "from a change to those who watch";
    "kill": measure::kill::run, "from kill -9 of a holder to the grant of the next";
    "crash": measure::crash::run, "from a start after kill -9 under load to ready, and whether anything is lost";
    "stalls": measure::stalls::run, "Advance on a schedule, while files are written and the log is trimmed";
    "growth": measure::growth::run, "Advance against channels in the session, and against watchers of others";
    "shared": measure::shared::run, "8 processes that write one session, through the Rust client, the Python client, and into Telethon's own file";
    "clients": measure::clients::run, "Advance through the clients of other languages, and in turns with it calls that do nothing";
    "import": measure::import::run, "`sessiond import`: files of all formats, and a session with many peers";
    "peers": measure::peers::run, "etcd and Redis, in turns with the daemon";
    "many": measure::many::run, "100 sessions against 100,000, and 10,000 that are held";
};

/// Those that were asked for; all, if none was.
///
/// # Errors
/// There is none by one of the names.
pub(crate) fn selected(names: &[String]) -> anyhow::Result<Vec<&'static Measurement>> {
    let known = |name: &String| MEASUREMENTS.iter().any(|measurement| measurement.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        anyhow::bail!("there is no measurement {unknown}; `--list` says what there is");
    }
    let asked_for =
        |measurement: &&Measurement| names.is_empty() || names.iter().any(|name| name == measurement.name);
    Ok(MEASUREMENTS.iter().filter(asked_for).collect())
}
