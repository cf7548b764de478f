use std::time::Duration;

use serde_json::{Value, json};

use super::{evidence::Evidence, sandbox::HAND_OVER_DELAY};
use crate::cli::render::{duration_text, grouped};

/// What the demo comes to, in figures.
#[derive(Debug)]
pub(super) struct Figures {
    acknowledged: i64,
    events: i64,
    /// Times from a kill to the next grant, the shortest first.
    hand_overs: Vec<Duration>,
    took: Duration,
}

impl Figures {
    pub(super) fn of(evidence: &Evidence, mut hand_overs: Vec<Duration>, took: Duration) -> Self {
        hand_overs.sort();
        let events = i64::try_from(evidence.events()).unwrap_or(i64::MAX);
        Self { acknowledged: evidence.acknowledged(), events, hand_overs, took }
    }

    /// Each figure's name, value and remark.
    pub(super) fn rows(&self) -> Vec<(&'static str, String, String)> {
        let per_second = |count: i64| {
            let millis = i64::try_from(self.took.as_millis()).unwrap_or(i64::MAX).max(1);
            format!("{} a second", grouped(count * 1_000 / millis))
        };
        let time = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), duration_text);
        let delay = format!("{} of it the hand-over delay", duration_text(HAND_OVER_DELAY));
        vec![
            ("changes acknowledged", grouped(self.acknowledged), per_second(self.acknowledged)),
            ("events seen", grouped(self.events), String::new()),
            ("holders killed", self.hand_overs.len().to_string(), String::new()),
            ("kill to next grant", time(self.median()), format!("median; {delay}")),
            ("", time(self.hand_overs.last().copied()), "the longest".to_owned()),
        ]
    }

    /// The same for programs; times in seconds.
    pub(super) fn object(&self) -> Value {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        json!({
            "acknowledged": self.acknowledged,
            "events": self.events,
            "kills": self.hand_overs.len(),
            "hand_over_delay": HAND_OVER_DELAY.as_secs_f64(),
            "kill_to_grant_median": seconds(self.median()),
            "kill_to_grant_max": seconds(self.hand_overs.last().copied()),
            "seconds": self.took.as_secs_f64(),
        })
    }

    fn median(&self) -> Option<Duration> {
        self.hand_overs.get(self.hand_overs.len() / 2).copied()
    }
}
