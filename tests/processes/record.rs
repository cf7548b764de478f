//! What the processes were told, and whether it fits together.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;

/// What all processes were told.
#[derive(Default)]
pub(super) struct Record {
    ledger: Mutex<Ledger>,
    killed: AtomicUsize,
}

#[derive(Default)]
struct Ledger {
    /// Who uses a session now, by its name: from when a process was told that it holds it until it is told to let go.
    holders: HashMap<String, usize>,
    /// The highest fence of each session.
    fences: HashMap<String, i64>,
    acknowledged: Vec<Acknowledged>,
    /// The highest pts that was acknowledged of each session.
    highest: HashMap<String, i32>,
}

/// A state that a process was told is durable.
struct Acknowledged {
    name: String,
    pts: i32,
    revision: i64,
    fence: i64,
}

/// What one process's watch has told, over all of the process's lives.
#[derive(Default)]
pub(super) struct View {
    /// Where it goes on. `None`: it was never synced.
    pub(super) position: Option<(i64, String)>,
    /// Everything after this revision was told.
    since: i64,
    /// The revision of each session.
    known: HashMap<String, i64>,
    /// The states, by their revisions.
    states: HashMap<i64, (String, i32)>,
    /// Grants and ends of holds, by session and revision. Whether it was a grant.
    holds: HashMap<String, BTreeMap<i64, bool>>,
}

impl Record {
    /// A process was told that it holds a session, and that this is its pts.
    pub(super) fn granted(&self, process: usize, name: &str, fence: i64, pts: i32) -> Result<(), String> {
        let mut ledger = self.ledger();
        if let Some(other) = ledger.holders.insert(name.to_owned(), process) {
            return Err(format!("{name} is granted, and process {other} holds it"));
        }
        let before = ledger.fences.insert(name.to_owned(), fence).unwrap_or(0);
        if fence <= before {
            return Err(format!("{name} is granted with fence {fence}, after {before}"));
        }
        let highest = ledger.highest.get(name).copied().unwrap_or(0);
        if pts < highest {
            return Err(format!("{name} is granted with pts {pts}, and {highest} was acknowledged"));
        }
        Ok(())
    }

    /// A process is about to let go of whatever it holds.
    pub(super) fn let_go(&self, process: usize) {
        self.ledger().holders.retain(|_, holder| *holder != process);
    }

    pub(super) fn advanced(&self, name: &str, fence: i64, pts: i32, revision: i64) {
        let mut ledger = self.ledger();
        ledger.highest.insert(name.to_owned(), pts);
        ledger.acknowledged.push(Acknowledged { name: name.to_owned(), pts, revision, fence });
    }

    pub(super) fn note_kill(&self) {
        self.killed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn killed(&self) -> usize {
        self.killed.load(Ordering::Relaxed)
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.ledger().acknowledged.len()
    }

    /// Compares what was acknowledged with what a watch told: every state, each under the hold that wrote it.
    pub(super) fn check(&self, view: &View) -> Result<(), String> {
        let ledger = self.ledger();
        for Acknowledged { name, pts, revision, fence } in &ledger.acknowledged {
            if *revision <= view.since {
                continue;
            }
            if view.states.get(revision) != Some(&(name.clone(), *pts)) {
                return Err(format!("it was not told of pts {pts} of {name}, at {revision}"));
            }
            let holds = view.holds.get(name);
            let last = holds.and_then(|holds| holds.range(..revision).next_back());
            if last.is_some_and(|(granted, is_grant)| !is_grant || granted != fence) {
                return Err(format!(
                    "{revision} of {name} was written with fence {fence}, and {last:?} was last"
                ));
            }
        }
        Ok(())
    }

    /// How many of a session's acknowledged states are missing in what is there at the end: every process adds one.
    pub(super) fn lost(&self, name: &str, pts: i32, revision: i64) -> Result<usize, String> {
        let ledger = self.ledger();
        let acknowledged: Vec<_> = ledger.acknowledged.iter().filter(|state| state.name == name).collect();
        let newest = acknowledged.iter().map(|state| state.revision).max().unwrap_or(0);
        let highest = acknowledged.iter().map(|state| state.pts).max().unwrap_or(0);
        if pts < highest || revision < newest {
            return Err(format!(
                "{name} has pts {pts} at {revision}; {highest} and {newest} were acknowledged"
            ));
        }
        Ok(acknowledged.len().saturating_sub(usize::try_from(pts).unwrap_or(0)))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("whole")
    }
}

impl View {
    /// Takes what the watch tells next, and compares it with what it told before.
    pub(super) fn take(&mut self, event: &Value) -> Result<(), String> {
        let text = |field: &str| event[field].as_str().unwrap_or_default();
        let number = |field: &str| text(field).parse::<i64>().unwrap_or(0);
        let revision = number("revision");
        match text("event") {
            "restarted" if self.position.is_none() => *self = Self::default(),
            "restarted" => return Err(format!("it starts over: {event}")),
            "snapshot" => {
                self.known.insert(text("name").to_owned(), revision);
            }
            "synced" => {
                self.since = revision;
                self.position = Some((revision, text("store_id").to_owned()));
            }
            "bookmark" => self.reach(revision, 0)?,
            kind => {
                self.reach(revision, 1)?;
                let known = self.known.entry(text("name").to_owned()).or_default();
                if number("previous_revision") != *known {
                    return Err(format!("{known} was before this: {event}"));
                }
                if kind == "hold_changed" {
                    let holds = self.holds.entry(text("name").to_owned()).or_default();
                    holds.insert(revision, event.get("holder").is_some());
                } else {
                    *known = revision;
                    let pts = event["change"]["pts"].as_i64().and_then(|pts| pts.try_into().ok());
                    self.states.insert(revision, (text("name").to_owned(), pts.unwrap_or(0)));
                }
            }
        }
        Ok(())
    }

    /// Moves on to a revision that is at least so much higher.
    fn reach(&mut self, revision: i64, by: i64) -> Result<(), String> {
        let (reached, _) = self.position.as_mut().ok_or("a commit before synced")?;
        if revision < *reached + by {
            return Err(format!("{revision} was told after {reached}"));
        }
        *reached = revision;
        Ok(())
    }
}
