//! Many clients at once, against as many that call and want nothing.

use super::{CONNECTIONS, Holder, crowd, turns};
use crate::{bench::Bench, figure::Figure, load::Target};

const CLIENTS: usize = 64;

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let daemon = bench.daemon().await?;
    let holder = Holder::of(&daemon, vec!["alice".into()], 1).await?;
    let (mut pings, mut changes, mut by_client) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.scale.rounds {
        let ping = Target::Ping { socket: daemon.socket() };
        pings.push(bench.sample(&crowd(bench, ping, CLIENTS, CONNECTIONS)).await?);
        let advance = holder.advance(&daemon);
        changes
            .push(bench.sample(&crowd(bench, Target::Advance(advance.clone()), CLIENTS, CONNECTIONS)).await?);
        by_client.push(bench.sample(&crowd(bench, Target::RustClient(advance), CLIENTS, CONNECTIONS)).await?);
    }
    let ratio = turns::share(&changes, &pings);
    bench.take(Figure::new("ping.64x8", "empty call, 64 clients on 8 connections").median(&pings));
    bench.take(Figure::new("advance.crowd", "Advance, 64 clients on 8 connections").median(&changes));
    bench.take(
        Figure::new("advance.crowd.client", "Advance, 64 clients on 8 connections, through the Rust client")
            .median(&by_client),
    );
    if let Some(ratio) = ratio {
        let what = "Advance, 64 clients on 8 connections: rate to that of empty calls";
        bench.take(Figure::new("advance.crowd.ratio", what).amount(ratio, "x"));
    }
    Ok(())
}
