//! A scenario, as its file has it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{file::FileStep, network::Mode, scripted::Answers};

/// What programs do, and what they must see.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// The file's name, without its ending.
    #[serde(skip)]
    pub(super) name: String,
    #[expect(dead_code, reason = "it is for whoever reads the file")]
    rule: String,
    pub(super) programs: Vec<String>,
    /// Whether the runner can do harm to the programs' connections.
    #[serde(default)]
    pub(super) network: bool,
    #[serde(default)]
    pub(super) daemon: Settings,
    /// Where these are given, a daemon of the runner's own answers so.
    pub(super) answers: Option<Answers>,
    /// What names stand for from the beginning.
    #[serde(default)]
    pub(super) values: Map<String, Value>,
    pub(super) steps: Vec<Step>,
}

/// How the daemon is started.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    pub(super) engine: Option<Engine>,
    pub(super) hand_over_delay_ms: Option<u64>,
    pub(super) resume_window_ms: Option<u64>,
    /// More arguments of `serve`.
    pub(super) args: Vec<String>,
    /// So many sessions are there already: many-1000 and so on, of pts 1.
    pub(super) sessions: usize,
    /// So many channels each of them has.
    pub(super) channels: i64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Engine {
    Sqlite,
    Memory,
}

/// What happens next.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Step {
    /// As it is written, for the report of a failure.
    pub(super) text: String,
    pub(super) what: What,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum What {
    /// A program makes a call.
    Call {
        #[serde(rename = "in")]
        program: String,
        call: String,
        later: Option<String>,
        #[serde(flatten)]
        expected: Expected,
        #[serde(flatten)]
        arguments: Map<String, Value>,
    },
    /// The answer to a call that was begun and not waited for.
    Finish {
        finish: String,
        #[serde(flatten)]
        expected: Expected,
    },
    /// The next event of such a call.
    Event {
        of: String,
        event: Value,
    },
    /// Each revision is higher than the next.
    Newer {
        newer: Vec<Value>,
    },
    /// Something that was shown has none of these in it.
    Silent {
        silent: Value,
        of: Vec<Value>,
    },
    /// A process of nobody's goes on with a hold, by its token.
    Elsewhere {
        elsewhere: String,
        token: Value,
    },
    Daemon {
        daemon: DaemonStep,
    },
    /// The daemon logs this, or has done so.
    Logged {
        logged: String,
    },
    Kill {
        kill: String,
    },
    Start {
        start: String,
    },
    Network {
        network: Mode,
        /// Whose connections. `None`: everybody's.
        to: Option<String>,
    },
    File {
        file: FileStep,
        name: String,
    },
}

/// What a call must be answered. Neither: anything but an error.
#[derive(Debug, Deserialize)]
pub(super) struct Expected {
    pub(super) expect: Option<Value>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DaemonStep {
    /// Stopped as a supervisor does, and started again.
    Restart,
    Kill,
    Stop,
    Start,
    /// Its store is gone, and a new one made: while it is stopped.
    Forget,
    /// It is stopped for longer than its log goes back.
    Rest,
}

impl TryFrom<Value> for Step {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let text = value.to_string();
        match What::deserialize(value) {
            Ok(what) => Ok(Self { text, what }),
            Err(error) => Err(format!("no such step: {text}: {error}")),
        }
    }
}

impl Scenario {
    /// All that there are, by name.
    pub(super) fn all() -> Vec<Arc<Self>> {
        Self::files().iter().map(|file| Arc::new(Self::read(file))).collect()
    }

    /// Every reason that any of them has, of whatever it is one.
    pub(super) fn reasons() -> BTreeSet<String> {
        let mut reasons = BTreeSet::new();
        for file in Self::files() {
            let text = fs::read_to_string(file).expect("readable");
            collect_reasons(&serde_json::from_str(&text).expect("JSON"), &mut reasons);
        }
        reasons
    }

    fn files() -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/scenarios");
        let entries = fs::read_dir(&folder).expect("the folder of the scenarios");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        files.sort();
        files
    }

    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("readable");
        let read = serde_json::from_str(&text);
        let scenario: Self = read.unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let name = file.file_stem().expect("it has a name").to_string_lossy().into_owned();
        Self { name, ..scenario }
    }
}

fn collect_reasons(value: &Value, reasons: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let named = ["reason", "lost"].into_iter().filter_map(|name| fields.get(name)?.as_str());
            reasons.extend(named.map(str::to_owned));
            fields.values().for_each(|value| collect_reasons(value, reasons));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_reasons(item, reasons)),
        _ => {}
    }
}
