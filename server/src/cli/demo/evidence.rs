use super::fact::Fact;
use crate::cli::render::grouped;

/// What the demo's processes have told: the workers' ledgers of what was acknowledged to them, and what the watcher saw.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    holds: Vec<Held>,
    sightings: Vec<Sighting>,
    /// The session's revision and pts when the watch began.
    start: Option<(i64, i32)>,
    /// What should not have happened, as it came.
    unexpected: Vec<String>,
}

/// A hold in the ledger of the worker that had it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    pid: i32,
    fence: i64,
    /// The session's pts as it was granted.
    pts: i32,
    acknowledged: Vec<Acknowledged>,
}

/// The daemon's word that this change, and every one before it, is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Acknowledged {
    pts: i32,
    revision: i64,
}

/// A commit as the watcher saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sighting {
    revision: i64,
    previous: i64,
    what: Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Pts(i32),
    HeldBy(i32),
    Free,
}

/// A promise, and whether it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// The promise.
    pub(super) promise: &'static str,
    /// What was found: on `Ok` how much of it, on `Err` the first place where it was broken.
    pub(super) finding: Result<String, String>,
}

/// A session's file as it was found after the daemon had stopped.
#[derive(Debug, Clone)]
pub(super) struct FileFound {
    /// What SQLite's integrity_check says: `ok`, or what is wrong.
    pub(super) integrity: String,
    /// The pts in it.
    pub(super) pts: i32,
}

impl Evidence {
    /// Takes what the process of this pid told.
    pub(super) fn take(&mut self, pid: i32, fact: Fact) {
        match fact {
            Fact::Waiting { .. } | Fact::Released | Fact::Synced => {}
            Fact::Granted { fence, pts } => {
                self.holds.push(Held { pid, fence, pts, acknowledged: Vec::new() });
            }
            Fact::Acknowledged { pts, revision } => {
                let acknowledged = Acknowledged { pts, revision };
                match self.holds.iter_mut().rev().find(|hold| hold.pid == pid) {
                    Some(hold) => hold.acknowledged.push(acknowledged),
                    None => self.unexpected.push(format!("{pid} wrote pts {pts} without a hold")),
                }
            }
            Fact::Snapshot { revision, pts } if self.start.is_none() => self.start = Some((revision, pts)),
            Fact::Snapshot { .. } => self.unexpected.push("the watch began a second time".to_owned()),
            Fact::Changed { revision, previous, pts } => self.saw(revision, previous, Seen::Pts(pts)),
            Fact::Held { revision, previous, pid } => self.saw(revision, previous, Seen::HeldBy(pid)),
            Fact::Free { revision, previous } => self.saw(revision, previous, Seen::Free),
            Fact::Unexpected { event } => self.unexpected.push(event),
        }
    }

    /// Changes that were acknowledged to the workers.
    pub(super) fn acknowledged(&self) -> i64 {
        let last = |hold: &Held| hold.acknowledged.last().map_or(0, |last| i64::from(last.pts - hold.pts));
        self.holds.iter().map(last).sum()
    }

    /// The newest pts that was acknowledged to anyone, or the one that the watch began with.
    pub(super) fn acknowledged_pts(&self) -> i32 {
        let acknowledged = self.holds.iter().filter_map(|hold| hold.acknowledged.last()).map(|last| last.pts);
        acknowledged.chain(self.start.map(|(_, pts)| pts)).max().unwrap_or(0)
    }

    /// Events that the watcher saw.
    pub(super) fn events(&self) -> usize {
        self.sightings.len()
    }

    /// Whether nobody holds the session, as far as the watcher has seen.
    pub(super) fn is_free(&self) -> bool {
        let ends = |sighting: &&Sighting| !matches!(sighting.what, Seen::Pts(_));
        self.sightings.iter().rev().find(ends).is_none_or(|sighting| sighting.what == Seen::Free)
    }

    /// The session's pts as the watcher saw it last.
    pub(super) fn seen_pts(&self) -> i32 {
        let seen = self.sightings.iter().rev().find_map(|sighting| match sighting.what {
            Seen::Pts(pts) => Some(pts),
            Seen::HeldBy(_) | Seen::Free => None,
        });
        seen.or(self.start.map(|(_, pts)| pts)).unwrap_or(0)
    }

    /// What is to be said of the four promises.
    pub(super) fn checks(&self, file: &FileFound) -> [Check; 4] {
        [
            Check { promise: "no acknowledged change is lost", finding: self.nothing_lost(file) },
            Check { promise: "no event is missing or repeated", finding: self.in_order() },
            Check { promise: "never two holders", finding: self.one_holder() },
            Check { promise: "the session's file is whole", finding: self.whole(file) },
        ]
    }

    fn saw(&mut self, revision: i64, previous: i64, what: Seen) {
        self.sightings.push(Sighting { revision, previous, what });
    }

    /// Every change that was acknowledged is in the log, is what the next holder starts from, and is in the file.
    fn nothing_lost(&self, file: &FileFound) -> Result<String, String> {
        let mut newest = 0;
        for hold in &self.holds {
            if hold.pts < newest {
                return Err(format!(
                    "pts {newest} was acknowledged, and process {} was granted pts {}",
                    hold.pid, hold.pts
                ));
            }
            for acknowledged in &hold.acknowledged {
                let Acknowledged { pts, revision } = *acknowledged;
                if self.at(revision) != Some(Seen::Pts(pts)) {
                    return Err(format!(
                        "pts {pts} was acknowledged as revision {revision}, and nobody saw it"
                    ));
                }
                newest = newest.max(pts);
            }
        }
        if file.pts < newest {
            return Err(format!("pts {newest} was acknowledged, and the file has {}", file.pts));
        }
        Ok(format!("{} acknowledged, all there", grouped(self.acknowledged())))
    }

    /// Each event says which was the one before, and it was that. The workers count by one, and so do the events.
    fn in_order(&self) -> Result<String, String> {
        if let Some(unexpected) = self.unexpected.first() {
            return Err(unexpected.clone());
        }
        let Some((mut data, mut pts)) = self.start else {
            return Err("the watch never began".to_owned());
        };
        let mut newest = data;
        for &Sighting { revision, previous, what } in &self.sightings {
            if revision <= newest {
                return Err(format!("revision {revision} came after {newest}"));
            }
            if previous != data {
                return Err(format!("revision {revision} follows {previous}, and {data} was seen before it"));
            }
            newest = revision;
            if let Seen::Pts(next) = what {
                if next != pts + 1 {
                    return Err(format!("pts {next} came after {pts}"));
                }
                (data, pts) = (revision, next);
            }
        }
        let events = grouped(i64::try_from(self.events()).unwrap_or(i64::MAX));
        Ok(format!("{events} events, in order, each once"))
    }

    /// As the watcher saw it, a hold begins only when none is, and nothing changes without one. As the workers know it, each
    /// fence is higher than the one before, and nothing was acknowledged to a hold after the next had begun.
    fn one_holder(&self) -> Result<String, String> {
        let mut holder = None;
        let mut grants = Vec::new();
        for &Sighting { revision, previous: _, what } in &self.sightings {
            match (what, holder) {
                (Seen::HeldBy(pid), Some(other)) => {
                    return Err(format!("revision {revision}: granted to {pid} while {other} held it"));
                }
                (Seen::HeldBy(pid), None) => {
                    grants.push((revision, pid));
                    holder = Some(pid);
                }
                (Seen::Free, _) => holder = None,
                (Seen::Pts(pts), None) => {
                    return Err(format!("revision {revision}: pts {pts} was written while nobody held it"));
                }
                (Seen::Pts(_), Some(_)) => {}
            }
        }
        let ledger: Vec<(i64, i32)> = self.holds.iter().map(|hold| (hold.fence, hold.pid)).collect();
        if ledger != grants {
            return Err(format!("the workers know of holds {ledger:?}, and the watcher saw {grants:?}"));
        }
        for pair in self.holds.windows(2) {
            let late = pair[0].acknowledged.iter().find(|last| last.revision >= pair[1].fence);
            if let Some(late) = late {
                return Err(format!(
                    "revision {} was acknowledged to {} after its hold",
                    late.revision, pair[0].pid
                ));
            }
        }
        Ok(format!("{} holds, one after the other", self.holds.len()))
    }

    fn whole(&self, file: &FileFound) -> Result<String, String> {
        if file.integrity != "ok" {
            return Err(format!("integrity_check: {}", file.integrity));
        }
        let seen = self.seen_pts();
        if file.pts != seen {
            return Err(format!("it has pts {}, and the last that was seen is {seen}", file.pts));
        }
        Ok(format!("integrity_check: ok, pts {}", grouped(seen.into())))
    }

    /// What was seen at this revision.
    fn at(&self, revision: i64) -> Option<Seen> {
        let found = self.sightings.binary_search_by_key(&revision, |sighting| sighting.revision);
        found.ok().map(|at| self.sightings[at].what)
    }
}

#[cfg(test)]
mod tests;
