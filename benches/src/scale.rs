use std::time::Duration;

/// How much is measured. A figure of a closed loop is the median of its runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) name: &'static str,
    /// Runs of a closed loop.
    pub(crate) runs: usize,
    /// Rounds in which what is compared is run in turns: a machine that others use is not the same from one second to the
    /// next, and in turns all see the same one.
    pub(crate) rounds: usize,
    /// How long each run counts.
    pub(crate) span: Duration,
    /// How long it goes before it counts: connections are made, and caches and the write-ahead log are warm.
    pub(crate) warm_up: Duration,
    /// How long an open loop goes: long enough for a figure of one in a thousand.
    pub(crate) open_span: Duration,
    /// Numbers of clients in a sweep.
    pub(crate) clients: &'static [usize],
    /// Changes of one AdvanceStream run.
    pub(crate) stream_changes: u32,
    /// Calls of one run of a client in another language.
    pub(crate) client_calls: usize,
    /// Files that one command imports, and peers of the session that another does.
    pub(crate) imported_files: usize,
    pub(crate) imported_peers: usize,
    /// Holders that are killed.
    pub(crate) kills: usize,
    /// Times that the daemon is killed under load.
    pub(crate) crashes: usize,
    /// Sessions that are known, where there are many, and how many of them are held at once.
    pub(crate) sessions: usize,
    pub(crate) held: usize,
    /// Whether the log is filled up to where it is trimmed, which takes a while.
    pub(crate) fill_the_log: bool,
}

impl Scale {
    /// What docs/performance.md is made of.
    pub(crate) fn full() -> Self {
        Self {
            name: "full",
            runs: 3,
            rounds: 5,
            span: Duration::from_secs(2),
            warm_up: Duration::from_millis(300),
            open_span: Duration::from_secs(10),
            clients: &[1, 8, 64, 256],
            stream_changes: 2_000_000,
            client_calls: 2_000,
            imported_files: 1_000,
            imported_peers: 100_000,
            kills: 50,
            crashes: 5,
            sessions: 100_000,
            held: 10_000,
            fill_the_log: true,
        }
    }

    /// To see what a change did.
    pub(crate) fn quick() -> Self {
        Self {
            name: "quick",
            runs: 1,
            rounds: 3,
            span: Duration::from_millis(700),
            warm_up: Duration::from_millis(200),
            open_span: Duration::from_secs(2),
            clients: &[1, 64],
            stream_changes: 600_000,
            client_calls: 500,
            imported_files: 1_000,
            imported_peers: 100_000,
            kills: 20,
            crashes: 2,
            sessions: 10_000,
            held: 1_000,
            fill_the_log: true,
        }
    }

    /// To see that it runs.
    pub(crate) fn smoke() -> Self {
        Self {
            name: "smoke",
            runs: 1,
            rounds: 1,
            span: Duration::from_millis(50),
            warm_up: Duration::from_millis(10),
            open_span: Duration::from_millis(100),
            clients: &[1, 8],
            stream_changes: 2_000,
            client_calls: 5,
            imported_files: 20,
            imported_peers: 100,
            kills: 2,
            crashes: 1,
            sessions: 50,
            held: 20,
            fill_the_log: false,
        }
    }
}
