//! What a scenario is played on: its daemon, and the ways to it.

use std::{collections::HashMap, fs, path::PathBuf, time::Duration};

use futures_util::{StreamExt as _, stream};
use rusqlite::Connection;
use sessiond_proto::v1::{self, watch_response::Event};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::{
    file::FileStep,
    network::{Mode, Network},
    scenario::{DaemonStep, Engine, Scenario, Settings},
    scripted::Scripted,
};
use crate::harness::{Daemon, Held, pts, within};

/// How often to look whether something has come to be that nothing tells of.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long it may take until something is logged: most of it is the time after which a watch is taken to have stopped reading.
const LOGGED_WITHIN: Duration = Duration::from_secs(60);

/// Sessions that are made at the same time.
const MADE_AT_ONCE: usize = 64;

/// A daemon, and a way to it for every program.
pub(super) struct Stage {
    home: TempDir,
    daemon: Server,
    networks: HashMap<String, Network>,
    restores: u32,
    /// The program that has a session's file locked.
    locked: Option<Connection>,
    /// Holds that go on here.
    elsewhere: Vec<Held>,
}

enum Server {
    Real(Box<Daemon>),
    Scripted { _daemon: Scripted },
}

impl Stage {
    pub(super) async fn set(scenario: &Scenario) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let daemon = match &scenario.answers {
            Some(answers) => Server::Scripted {
                _daemon: Scripted::start(&home.path().join("daemon.sock"), answers.clone()),
            },
            None => Server::Real(Box::new(start(&scenario.daemon).await)),
        };
        let mut stage =
            Self { home, daemon, networks: HashMap::new(), restores: 0, locked: None, elsewhere: Vec::new() };
        if scenario.network {
            for program in &scenario.programs {
                let socket = stage.home.path().join(format!("{program}.sock"));
                let network = Network::start(socket, &stage.daemon_socket());
                stage.networks.insert(program.clone(), network);
            }
        }
        stage
    }

    /// Where a program finds the daemon.
    pub(super) fn socket(&self, program: &str) -> PathBuf {
        self.networks.get(program).map_or_else(|| self.daemon_socket(), |network| network.socket().to_owned())
    }

    /// Where a program's standard error goes.
    pub(super) fn stderr(&self, program: &str) -> PathBuf {
        self.home.path().join(format!("{program}.stderr"))
    }

    pub(super) async fn daemon(&mut self, step: DaemonStep) -> Result<(), String> {
        let daemon = self.real()?;
        match step {
            DaemonStep::Restart => daemon.restart().await,
            DaemonStep::Kill => daemon.kill().await,
            DaemonStep::Stop => drop(daemon.stop().await),
            DaemonStep::Start => daemon.start_again().await,
            DaemonStep::Forget => fs::remove_dir_all(daemon.dir()).expect("it is stopped"),
            DaemonStep::Rest => rest(daemon).await,
        }
        Ok(())
    }

    /// Waits until the daemon has logged this.
    pub(super) async fn logged(&mut self, text: &str) -> Result<(), String> {
        let daemon = self.real()?;
        let logged = async {
            while !daemon.log().contains(text) {
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(LOGGED_WITHIN, logged).await.map_err(|_| "it has not logged that".to_owned())
    }

    /// Does something to the connections of a program, or of all.
    pub(super) fn network(&mut self, mode: Mode, program: Option<&str>) -> Result<(), String> {
        self.restores += 1;
        let networks =
            self.networks.iter().filter(|(name, _)| program.is_none_or(|program| program == *name));
        let mut touched = 0;
        for (_, network) in networks {
            network.set(mode, self.restores);
            touched += 1;
        }
        if touched == 0 { Err("the scenario has no such network".into()) } else { Ok(()) }
    }

    pub(super) async fn file(&mut self, step: FileStep, name: &str) -> Result<(), String> {
        let file = self.real()?.dir().join(format!("{name}.session"));
        step.perform(&file, &mut self.locked).await;
        Ok(())
    }

    /// Goes on with a hold, as a process of nobody's.
    pub(super) async fn go_on_elsewhere(&mut self, name: &str, token: &[u8]) -> Result<(), String> {
        let client = self.real()?.client().await;
        let held = client.resume(name, token).await.map_err(|status| status.to_string())?;
        self.elsewhere.push(held);
        Ok(())
    }

    fn real(&mut self) -> Result<&mut Daemon, String> {
        match &mut self.daemon {
            Server::Real(daemon) => Ok(daemon),
            Server::Scripted { .. } => Err("the daemon is the runner's own".into()),
        }
    }

    fn daemon_socket(&self) -> PathBuf {
        match &self.daemon {
            Server::Real(daemon) => daemon.socket(),
            Server::Scripted { .. } => self.home.path().join("daemon.sock"),
        }
    }
}

async fn start(settings: &Settings) -> Daemon {
    let mut builder = Daemon::builder();
    if let Some(Engine::Memory) = settings.engine {
        builder = builder.engine("memory");
    }
    if let Some(delay) = settings.hand_over_delay_ms {
        builder = builder.hand_over_delay(Duration::from_millis(delay));
    }
    if let Some(window) = settings.resume_window_ms {
        builder = builder.resume_window(Duration::from_millis(window));
    }
    for arg in &settings.args {
        builder = builder.arg(arg);
    }
    let daemon = builder.start().await;
    fill(&daemon, settings).await;
    daemon
}

/// Stops a daemon, ages its log by more than it is kept, and starts it again; done when the beginning of the log is gone.
async fn rest(daemon: &mut Daemon) {
    daemon.stop().await;
    let store = Connection::open(daemon.dir().join("sessiond.db")).expect("it is there");
    store.execute("update log set time = 0", ()).expect("the daemon is stopped");
    drop(store);
    daemon.start_again().await;
    let client = daemon.client().await;
    let trimmed = async {
        loop {
            let request = v1::WatchRequest { after_revision: Some(1), ..Default::default() };
            if let Some(Event::Restarted(_)) = client.watch(request).await.next().await.event {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    };
    within(trimmed).await;
}

async fn fill(daemon: &Daemon, &Settings { sessions, channels, .. }: &Settings) {
    if sessions == 0 {
        return;
    }
    let channels: Vec<_> = (1..=channels).map(|id| v1::ChannelState { id, pts: 1 }).collect();
    let change = v1::StateChange { channels, ..pts(1) };
    let client = daemon.client().await;
    let names = (0..sessions).map(|number| format!("many-{}", 1000 + number));
    let made = stream::iter(names).for_each_concurrent(MADE_AT_ONCE, async |name| {
        let held = client.hold(&name).await;
        held.advance(change.clone()).await;
        held.release().await;
    });
    made.await;
}
