use std::io::{self, StdoutLock, Write as _};

use serde::{Deserialize, Serialize};

/// What a process of the demo has seen or done, told on its standard output, one object a line. A worker says that something
/// was acknowledged only after it was: killed in between, it has said too little and never too much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fact {
    /// A worker stands in line.
    Waiting {
        /// 1 is the next to be granted.
        position: i32,
    },
    /// A worker was granted the session.
    Granted {
        /// Revision of the grant.
        fence: i64,
        /// The session's pts as the worker was told it.
        pts: i32,
    },
    /// The daemon told a worker that its change to this pts, and every one before it, is durable.
    Acknowledged {
        /// The pts.
        pts: i32,
        /// Revision of that change.
        revision: i64,
    },
    /// A worker let the session go.
    Released,
    /// The watcher was told how the session is.
    Snapshot {
        /// The session's revision.
        revision: i64,
        /// Its pts.
        pts: i32,
    },
    /// The watcher was told that commits follow.
    Synced,
    /// The watcher saw a change of the pts.
    Changed {
        /// Revision of the change.
        revision: i64,
        /// The session's revision before it.
        previous: i64,
        /// The new pts.
        pts: i32,
    },
    /// The watcher saw a hold begin.
    Held {
        /// Revision of the grant.
        revision: i64,
        /// The session's revision.
        previous: i64,
        /// Process that holds the session.
        pid: i32,
    },
    /// The watcher saw a hold end.
    Free {
        /// Revision of the end.
        revision: i64,
        /// The session's revision.
        previous: i64,
    },
    /// The watcher saw what nobody did.
    Unexpected {
        /// What it was.
        event: String,
    },
}

/// Where a process of the demo tells its facts.
#[derive(Debug)]
pub(super) struct Teller {
    out: io::BufWriter<StdoutLock<'static>>,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self { out: io::BufWriter::new(io::stdout().lock()) }
    }

    /// Tells a fact, at the next [`flush`](Self::flush) at the latest.
    pub(super) fn tell(&mut self, fact: &Fact) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, fact)?;
        self.out.write_all(b"\n")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::Fact;

    #[test]
    fn a_fact_is_a_line_that_reads_as_it_was_told() {
        for fact in [Fact::Released, Fact::Changed { revision: 5, previous: 4, pts: 1001 }] {
            let line = serde_json::to_string(&fact).expect("a line");
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(serde_json::from_str::<Fact>(&line).expect("it reads"), fact);
        }
    }
}
