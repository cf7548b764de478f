use std::{
    collections::VecDeque,
    env,
    ffi::OsStr,
    fmt::Write as _,
    io::{self, BufRead as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use sessiond_proto::{reason, v1};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::UnixStream,
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    task::JoinHandle,
};
use tonic::{
    Status,
    transport::{Endpoint, Uri},
};
use tower::service_fn;
use v1::hold_response::Event;

use super::{Client, DEADLINE, Daemon, pts, within};

/// Names the socket that [`plays_a_client`] connects to.
const SOCKET: &str = "SESSIOND_TEST_ACTOR_SOCKET";

/// What a line begins with that is meant for the test, and not one of the test runner's.
const PREFIX: &str = "actor: ";

/// Lines that may wait between the two threads of an actor.
const LINES: usize = 16;

/// A client in another process, which can be killed and stopped: this program, started once more. It does what it is told.
/// Dropping it kills it, and the child that it may have.
pub(crate) struct Actor {
    process: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    events: VecDeque<String>,
    answers: VecDeque<String>,
    child: Option<Pid>,
}

/// The hold of an actor.
#[derive(Debug, Clone)]
pub(crate) struct ActorHold {
    pub(crate) token: Vec<u8>,
    pub(crate) fence: i64,
}

impl Actor {
    /// Starts a client of a daemon. It connects when it is first told something.
    pub(crate) fn start(daemon: &Daemon) -> Self {
        Self::start_as(geteuid().as_raw(), daemon.socket())
    }

    /// Starts a client that runs as this user, of the daemon at a path, or at a name of the abstract namespace after `@`.
    pub(crate) fn start_as(user: u32, socket: impl AsRef<OsStr>) -> Self {
        // Also when the file has been built anew in the meantime.
        let mut command = Command::new("/proc/self/exe");
        command.args(["harness::actor::plays_a_client", "--exact", "--nocapture"]);
        command.uid(user).env(SOCKET, socket).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("started");
        let stdin = process.stdin.take().expect("it was piped");
        let stdout = BufReader::new(process.stdout.take().expect("it was piped")).lines();
        Self { process, stdin, stdout, events: VecDeque::new(), answers: VecDeque::new(), child: None }
    }

    /// Holds a session that nobody holds.
    pub(crate) async fn hold(&mut self, name: &str) -> ActorHold {
        self.tell(&format!("hold {name} -")).await;
        self.granted().await
    }

    /// Gets in line for a session. In line for sure only after the first event.
    pub(crate) async fn wait_for(&mut self, name: &str) {
        self.tell(&format!("wait {name} -")).await;
    }

    /// Goes on with a hold on a new stream.
    pub(crate) async fn resume(&mut self, name: &str, token: &[u8]) {
        self.tell(&format!("hold {name} {}", hex(token))).await;
    }

    /// The hold that it is granted, after its places in the line.
    pub(crate) async fn granted(&mut self) -> ActorHold {
        loop {
            let event = self.event().await;
            let words: Vec<_> = event.split(' ').collect();
            match words[..] {
                ["waiting", ..] => {}
                ["granted", token, fence] => {
                    return ActorHold { token: bytes(token), fence: fence.parse().expect("a number") };
                }
                _ => panic!("not granted: {event}"),
            }
        }
    }

    /// Sets the pts. Answers the revision, or the reason of the refusal.
    pub(crate) async fn advance(&mut self, name: &str, token: &[u8], pts: i32) -> Result<i64, String> {
        self.begin_to_advance(name, token, pts).await;
        let answer = self.answer().await;
        answer.parse().map_err(|_| answer)
    }

    /// Loads with a token. Answers how many keys it was told, or the reason of the refusal.
    pub(crate) async fn keys(&mut self, name: &str, token: &[u8]) -> Result<usize, String> {
        let answer = self.ask(&format!("keys {name} {}", hex(token))).await;
        answer.parse().map_err(|_| answer)
    }

    /// Drops the hold's stream, and lives on.
    pub(crate) async fn close_stream(&mut self) {
        assert_eq!(self.ask("close").await, "closed");
    }

    /// Makes a new connection with the next command.
    pub(crate) async fn reconnect(&mut self) {
        assert_eq!(self.ask("reconnect").await, "reconnected");
    }

    /// Says what to write, without waiting for the answer.
    pub(crate) async fn begin_to_advance(&mut self, name: &str, token: &[u8], pts: i32) {
        self.tell(&format!("advance {name} {} {pts}", hex(token))).await;
    }

    /// Starts a child that keeps the connection open.
    pub(crate) async fn fork(&mut self) {
        let pid: i32 = self.ask("fork").await.parse().expect("a pid");
        self.child = Pid::from_raw(pid);
    }

    /// What happens to its hold next: `waiting POSITION LABEL`, `granted TOKEN FENCE`, `lost REASON`, `end`, or the
    /// reason of a refusal.
    pub(crate) async fn event(&mut self) -> String {
        while self.events.is_empty() {
            self.read_line().await;
        }
        self.events.pop_front().expect("there is one")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Stops it where it is, as a debugger or a suspended machine does.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it, and waits for its end.
    pub(crate) async fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        within(self.process.wait()).await.expect("its end is seen")
    }

    async fn tell(&mut self, command: &str) {
        self.stdin.write_all(format!("{command}\n").as_bytes()).await.expect("it runs");
    }

    async fn ask(&mut self, command: &str) -> String {
        self.tell(command).await;
        self.answer().await
    }

    /// The answer to a command that was told.
    pub(crate) async fn answer(&mut self) -> String {
        while self.answers.is_empty() {
            self.read_line().await;
        }
        self.answers.pop_front().expect("there is one")
    }

    async fn read_line(&mut self) {
        let line = within(self.stdout.next_line()).await.expect("readable").expect("the actor plays on");
        // The test runner's own line may stand before it, without an end.
        let Some((_, said)) = line.split_once(PREFIX) else { return };
        match said.split_once(' ') {
            Some(("event", event)) => self.events.push_back(event.into()),
            Some(("answer", answer)) => self.answers.push_back(answer.into()),
            _ => panic!("neither event nor answer: {line}"),
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).expect("a pid"), signal).expect("it runs");
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        if let Some(child) = self.child {
            // Where it has ended already, all is well.
            let _ = kill_process(child, Signal::KILL);
        }
    }
}

/// The other process.
struct Role {
    socket: PathBuf,
    client: Client,
    /// The connection's descriptor, once more.
    connection: Arc<Mutex<Option<OwnedFd>>>,
    stream: Option<JoinHandle<()>>,
}

/// Not a test of its own: what an [`Actor`] does.
#[tokio::test]
async fn plays_a_client() {
    let Some(socket) = env::var_os(SOCKET) else { return };
    let (sender, mut commands) = mpsc::channel(LINES);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut role = Role::new(Path::new(&socket));
    while let Some(command) = commands.recv().await {
        role.play(&command).await;
    }
}

impl Role {
    fn new(socket: &Path) -> Self {
        let connection = Arc::default();
        let client = client(socket, &connection);
        Self { socket: socket.to_owned(), client, connection, stream: None }
    }

    async fn play(&mut self, command: &str) {
        let words: Vec<_> = command.split(' ').collect();
        match words[..] {
            ["hold", name, token] => self.hold(name, token, false),
            ["wait", name, token] => self.hold(name, token, true),
            ["advance", name, token, counter] => {
                let change = Some(pts(counter.parse().expect("a number")));
                let request = v1::AdvanceRequest {
                    name: name.into(),
                    token: bytes(token),
                    change,
                    ..Default::default()
                };
                say("answer", &answer(self.client.advance(request).await));
            }
            ["keys", name, token] => {
                let loaded = self.client.try_load(name, &bytes(token)).await;
                let dcs = |loaded: v1::LoadResponse| loaded.session.unwrap_or_default().dcs;
                let keys = loaded.map(|loaded| dcs(loaded).iter().filter(|dc| dc.auth.is_some()).count());
                say("answer", &answer(keys));
            }
            ["close"] => {
                self.stream.take().expect("there is a stream").abort();
                say("answer", "closed");
            }
            ["reconnect"] => {
                self.client = client(&self.socket, &self.connection);
                say("answer", "reconnected");
            }
            ["fork"] => {
                let connection = self.connection.lock().expect("whole").take().expect("connected");
                let mut child = std::process::Command::new("sleep");
                child.arg("120").stdin(connection).stdout(Stdio::null()).stderr(Stdio::null());
                say("answer", &child.spawn().expect("started").id().to_string());
            }
            _ => panic!("no such command: {command}"),
        }
    }

    fn hold(&mut self, name: &str, token: &str, wait: bool) {
        let request = v1::HoldRequest { name: name.into(), label: "actor".into(), wait, token: bytes(token) };
        let client = self.client.clone();
        self.stream = Some(tokio::spawn(async move {
            let mut stream = match client.ask_to_hold(request).await {
                Ok(stream) => stream,
                Err(status) => return say("event", &refusal(&status)),
            };
            loop {
                match stream.next_ever().await {
                    Ok(Some(event)) => say("event", &describe(event)),
                    Ok(None) => return say("event", "end"),
                    Err(status) => return say("event", &refusal(&status)),
                }
            }
        }));
    }
}

fn client(socket: &Path, connection: &Arc<Mutex<Option<OwnedFd>>>) -> Client {
    // The kernel knows the names of the abstract namespace by a NUL byte.
    let socket = socket.to_str().expect("UTF-8").replacen('@', "\0", 1);
    let connection = Arc::clone(connection);
    let connect = service_fn(move |_: Uri| {
        let (socket, connection) = (socket.clone(), Arc::clone(&connection));
        async move {
            let stream = UnixStream::connect(&socket).await?;
            let descriptor = rustix::io::fcntl_dupfd_cloexec(&stream, 3)?;
            *connection.lock().expect("whole") = Some(descriptor);
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_static("http://localhost").timeout(DEADLINE);
    Client::over(endpoint.connect_with_connector_lazy(connect))
}

fn describe(event: Event) -> String {
    match event {
        Event::Waiting(v1::Waiting { holder, position }) => {
            format!("waiting {position} {}", holder.map_or_else(String::new, |holder| holder.label))
        }
        Event::Granted(v1::Granted { token, fence, .. }) => format!("granted {} {fence}", hex(&token)),
        Event::Lost(lost) => format!("lost {}", lost.reason().as_str_name()),
    }
}

fn answer(result: Result<impl ToString, Status>) -> String {
    result.map_or_else(|status| refusal(&status), |answer| answer.to_string())
}

fn refusal(status: &Status) -> String {
    reason(status).map_or_else(|| format!("{:?}", status.code()), |reason| reason.name().to_owned())
}

fn say(what: &str, text: &str) {
    let mut stdout = io::stdout().lock();
    // Where nobody reads any more, the test is over.
    let _ = writeln!(stdout, "{PREFIX}{what} {text}").and_then(|()| stdout.flush());
}

/// Nothing is written as a dash.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let hex = hex.trim_start_matches('-');
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (0..hex.len()).step_by(2).map(pair).collect()
}
