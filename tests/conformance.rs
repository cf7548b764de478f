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
use sessiond_proto::v1::{LostReason, Reason, RestartReason};

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

#[test]
fn every_reason_of_the_schema_is_in_a_scenario() {
    let reasons = names(Reason::as_str_name)
        .chain(names(LostReason::as_str_name))
        .chain(names(RestartReason::as_str_name));
    let told = Scenario::reasons();
    let is_told = |name: &&str| {
        let (_, reason) = name.split_once("REASON_").expect("they are named so");
        told.contains(reason)
    };
    let missing: Vec<_> = reasons.filter(|name| !is_told(name)).collect();
    assert!(missing.is_empty(), "no scenario has {missing:?}");
}

/// The names of an enum's values, but for the first, which is never sent.
fn names<E: TryFrom<i32>>(name: fn(&E) -> &'static str) -> impl Iterator<Item = &'static str> {
    (1..).map_while(|number| E::try_from(number).ok()).map(move |value| name(&value))
}
