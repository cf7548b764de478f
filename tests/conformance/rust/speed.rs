//! How long this language's calls take.

use std::{env, time::Instant};

use serde_json::json;
use sessiond_client::StateChange;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{Answer, Arguments, Program};

impl Program {
    /// The median of so many calls, one after the other: of changes that are made durable, or of calls that do nothing.
    pub(super) async fn measure(&self, arguments: &Arguments) -> Answer {
        let count = arguments.number("count").expect("a count");
        let mut micros = Vec::new();
        match arguments.text("what") {
            "advance" => {
                let held = &self.held(arguments).session;
                for pts in 1..=count {
                    let begun = Instant::now();
                    held.advance(StateChange { pts: Some(pts), ..StateChange::default() }).await?;
                    micros.push(begun.elapsed().as_secs_f64() * 1e6);
                }
            }
            "empty" => {
                let mut health = HealthClient::new(channel());
                for _ in 0..count {
                    let begun = Instant::now();
                    health.check(HealthCheckRequest::default()).await.expect("it serves");
                    micros.push(begun.elapsed().as_secs_f64() * 1e6);
                }
            }
            what => panic!("nothing to measure: {what}"),
        }
        micros.sort_by(f64::total_cmp);
        Ok(json!({ "p50_us": micros[micros.len() / 2] }))
    }
}

fn channel() -> Channel {
    let socket = env::var("SESSIOND_SOCKET").expect("the runner sets it");
    Endpoint::from_shared(format!("unix://{socket}")).expect("a path").connect_lazy()
}
