//! Other systems, in turns with the daemon: the same number of clients, on the same disk.

use super::{CONNECTIONS, Holder, crowd};
use crate::{
    bench::Bench,
    figure::Figure,
    load::Target,
    peers::{EtcdNode, RedisServer},
};

/// What the others do not promise.
const ETCD: &str = "syncs each put, has revisions and watches; knows no holder whose death the kernel tells (leases run out), \
                    fences only where the program compares revisions itself, and keeps no session file";
const REDIS: &str = "syncs each write with `appendfsync always`; no fence, no revision, and who was not connected misses what was published";

pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let etcd = EtcdNode::start(bench.scratch()?).await?;
    if etcd.is_none() {
        bench.skip("etcd: it is not installed; on Debian: apt-get install etcd-server");
    }
    let redis = RedisServer::start(bench.scratch()?).await?;
    if redis.is_none() {
        bench.skip("Redis: it is not installed; on Debian: apt-get install redis-server");
    }
    let daemon = bench.daemon().await?;
    let holder = Holder::of(&daemon, vec!["alice".into()], 1).await?;
    let advance = Target::Advance(holder.advance(&daemon));
    let etcd_put = etcd.as_ref().map(|node| Target::Etcd { address: node.address() });
    let redis_set = redis.as_ref().map(|server| Target::Redis { socket: server.socket() });
    let systems = [
        ("sessiond", "sessiond Advance", "", Some(advance)),
        ("etcd", "etcd put, one node", ETCD, etcd_put),
        ("redis", "Redis SET and PUBLISH", REDIS, redis_set),
    ];
    for &clients in bench.scale.clients {
        let mut samples = [const { Vec::new() }; 3];
        for _ in 0..bench.scale.runs {
            for ((.., target), samples) in systems.iter().zip(&mut samples) {
                if let Some(target) = target.clone() {
                    samples
                        .push(bench.sample(&crowd(bench, target, clients, clients.min(CONNECTIONS))).await?);
                }
            }
        }
        for ((key, what, note, target), samples) in systems.iter().zip(&samples) {
            if target.is_some() {
                let who = if clients == 1 { "1 client".into() } else { format!("{clients} clients") };
                let figure = Figure::new(format!("peers.{key}.{clients}"), format!("{what}, {who}"));
                bench.take(figure.median(samples).note(*note));
            }
        }
    }
    if let Some(etcd) = etcd {
        etcd.stop().await?;
    }
    match redis {
        Some(redis) => redis.stop().await,
        None => Ok(()),
    }
}
