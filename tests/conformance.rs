//! Every client does as the scenarios say, alone and with programs in other languages: conformance/README.md.
//!
//! Rust's always; where `SESSIOND_TEST_CLIENTS` names the folder that `make clients` fills, those of the other languages too,
//! and then a missing one is a failure. `SESSIOND_TEST_SCENARIO` plays only those whose names have that in them.

mod bindings;
mod cast;
mod driver;
mod file;
mod network;
mod play;
mod rust;
mod scenario;
mod scripted;
mod secret;
mod stage;
mod table;

use std::{env, sync::Arc};

use futures_util::{StreamExt as _, stream};

use self::{cast::casts, play::play, scenario::Scenario, table::Table};
pub(crate) use self::{
    cast::{Language, languages},
    driver::{Answer, Driver, Said},
};

/// Scenarios that are played at the same time. Most of the time each waits for a process to start.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_does_as_the_scenarios_say() {
    let only = env::var("SESSIOND_TEST_SCENARIO").unwrap_or_default();
    let languages = languages();
    let scenarios =
        Scenario::all().into_iter().enumerate().filter(|(_, scenario)| scenario.name.contains(&only));
    let plays = scenarios.flat_map(|(number, scenario)| {
        let casts = casts(&languages, scenario.programs.len(), number);
        casts.into_iter().map(move |cast| (Arc::clone(&scenario), cast))
    });
    let plays: Vec<_> = plays.collect();
    let mut table = Table::of(&languages, &plays);
    let mut played = stream::iter(plays)
        .map(async |(scenario, cast)| {
            let played = play(&scenario, &cast).await;
            (scenario, cast, played)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((scenario, cast, played)) = played.next().await {
        table.note(&scenario, &cast, played);
    }
    table.publish();
    table.assert_whole();
}
