//! Advance against the number of clients, of connections and of sessions.

use super::{CONNECTIONS, Holder, crowd, names};
use crate::{bench::Bench, figure::Figure, load::Target};

/// Sessions where there are many: as many as clients in the middle of the sweep.
const SESSIONS: usize = 64;

/// What is swept beside the clients: connections.
const ON: [usize; 2] = [1, CONNECTIONS];

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let daemon = bench.daemon().await?;
    for &clients in bench.scale.clients {
        for connections in ON.into_iter().filter(|connections| *connections <= clients) {
            let job = crowd(bench, Target::Ping { socket: daemon.socket() }, clients, connections);
            let runs = bench.runs(&job).await?;
            let name = format!("sweep.ping.{clients}x{connections}");
            let what = format!("empty call, {} on {}", people(clients), links(connections));
            bench.take(Figure::new(name, what).median(&runs));
        }
    }
    for (key, what, sessions) in [("one", "one session", 1), ("many", "64 sessions", SESSIONS)] {
        let holder = Holder::of(&daemon, names(key, sessions), 1).await?;
        for &clients in bench.scale.clients {
            for connections in ON.into_iter().filter(|connections| *connections <= clients) {
                let job = crowd(bench, Target::Advance(holder.advance(&daemon)), clients, connections);
                let runs = bench.runs(&job).await?;
                let name = format!("sweep.advance.{key}.{clients}x{connections}");
                let what = format!("Advance, {what}, {} on {}", people(clients), links(connections));
                bench.take(Figure::new(name, what).median(&runs));
            }
        }
    }
    Ok(())
}

fn people(clients: usize) -> String {
    if clients == 1 { "1 client".into() } else { format!("{clients} clients") }
}

fn links(connections: usize) -> String {
    if connections == 1 { "1 connection".into() } else { format!("{connections} connections") }
}
