//! The way between a program and the daemon, on which harm can be done.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{UnixListener, UnixStream},
    select,
    sync::watch,
    task::JoinSet,
};

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// Calls reach the daemon, and answers are lost.
    Swallow,
    /// Every connection is cut, and none is made.
    Cut,
    /// Everything passes again. Connections from before are cut: pieces of them are missing.
    Restore,
}

/// A socket, whose connections are passed on to the daemon's. It passes none once this is dropped.
pub(super) struct Network {
    socket: PathBuf,
    state: watch::Sender<State>,
    _connections: JoinSet<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everything passes. Which time it does.
    Open(u32),
    Swallowing,
    Cut,
}

impl Network {
    /// Serves at `socket` what the daemon serves at `daemon`.
    pub(super) fn start(socket: PathBuf, daemon: &Path) -> Self {
        let listener = UnixListener::bind(&socket).expect("a socket of ours");
        let (state, seen) = watch::channel(State::Open(0));
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, daemon.to_owned(), seen));
        Self { socket, state, _connections: connections }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn set(&self, mode: Mode, times: u32) {
        self.state.send_replace(match mode {
            Mode::Swallow => State::Swallowing,
            Mode::Cut => State::Cut,
            Mode::Restore => State::Open(times),
        });
    }
}

async fn accept(listener: UnixListener, daemon: PathBuf, state: watch::Receiver<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (program, _) = listener.accept().await.expect("it listens");
        if *state.borrow() == State::Cut {
            continue;
        }
        let Ok(daemon) = UnixStream::connect(&daemon).await else { continue };
        connections.spawn(pass(program, daemon, state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn pass(program: UnixStream, daemon: UnixStream, mut state: watch::Receiver<State>) {
    let begun = *state.borrow();
    let (mut from_program, mut to_program) = program.into_split();
    let (mut from_daemon, mut to_daemon) = daemon.into_split();
    let seen = state.clone();
    let answers = async {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from_daemon.read(&mut buffer).await {
            // Not on a connection from before either: it is about to be cut, and the program is to hear of that first.
            let passes = *seen.borrow() == begun && matches!(begun, State::Open(_));
            if passes && to_program.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    // What was swallowed is missing in a connection for ever.
    let cut = state.wait_for(|now| *now == State::Cut || matches!(now, State::Open(_)) && *now != begun);
    select! {
        _ = copy(&mut from_program, &mut to_daemon) => {}
        () = answers => {}
        _ = cut => {}
    }
}
