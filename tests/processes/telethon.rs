//! The same load on Telethon's own session files.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rusqlite::Connection;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::timeout,
};

use super::{Outcome, PROCESSES, SESSIONS, life};
use crate::harness::Random;

/// Telethon's environment, as `make venvs` makes it.
const PYTHON: &str = "telethon-1.45.0/bin/python";

#[derive(Default)]
struct Told {
    killed: usize,
    lock_errors: usize,
    acknowledged: HashMap<String, usize>,
}

pub(super) async fn share(venvs: &Path, span: Duration) -> Outcome {
    let python = venvs.join(PYTHON);
    let folder = tempfile::tempdir().expect("a directory");
    let told = Arc::new(Mutex::new(Told::default()));
    let until = Instant::now() + span;
    let processes = (0..PROCESSES).map(|_| work(&python, folder.path(), until, &told));
    join_all(processes).await;
    let told = told.lock().expect("whole");
    let lost = SESSIONS.iter().map(|name| {
        let there = state(&folder.path().join(format!("{name}.session"))).unwrap_or(0);
        told.acknowledged.get(*name).copied().unwrap_or(0).saturating_sub(there)
    });
    Outcome {
        what: "Telethon 1.45's own files".into(),
        killed: told.killed,
        acknowledged: told.acknowledged.values().sum(),
        lock_errors: told.lock_errors,
        lost: lost.sum(),
    }
}

/// Starts a process, kills it, and starts it again, until the time is over.
async fn work(python: &PathBuf, folder: &Path, until: Instant, told: &Mutex<Told>) {
    let mut random = Random::new();
    while Instant::now() < until {
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/telethon/share.py"));
        command.arg(folder).args(SESSIONS).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("started");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let left = until.saturating_duration_since(Instant::now());
        let heard = async {
            while let Ok(Some(line)) = lines.next_line().await {
                note(told, &line);
            }
        };
        let over = timeout(life(&mut random).min(left), heard).await;
        assert!(over.is_err(), "it works until it is killed");
        process.kill().await.expect("killed");
        // What it said before.
        while let Ok(Some(line)) = lines.next_line().await {
            note(told, &line);
        }
        told.lock().expect("whole").killed += usize::from(Instant::now() < until);
    }
}

fn note(told: &Mutex<Told>, line: &str) {
    let mut told = told.lock().expect("whole");
    match line.split_once(' ') {
        Some(("saved", name)) => *told.acknowledged.entry(name.to_owned()).or_default() += 1,
        _ => told.lock_errors += 1,
    }
}

/// The pts that a file has.
fn state(file: &Path) -> rusqlite::Result<usize> {
    let file = Connection::open(file)?;
    let pts: u32 = file.query_row("select pts from update_state where id = 0", (), |row| row.get(0))?;
    Ok(usize::try_from(pts).expect("32 bits fit"))
}
