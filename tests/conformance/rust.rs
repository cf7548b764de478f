//! The driver of the Rust client: this program, started once more, that does what the runner tells it (README.md) with the
//! public interface of `sessiond-client` alone.

mod arguments;
mod beside;
mod sessions;
mod shown;
mod speed;
mod watches;

use std::{
    collections::HashMap,
    env, fmt,
    io::{self, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use sessiond_client::{AdvanceStream, Client, Error, HeldSession, Hold, Watch};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::Mutex as AsyncMutex,
};

use self::arguments::Arguments;

/// Set where this program is to be a driver.
pub(super) const PLAY: &str = "SESSIOND_TEST_PLAY_PROGRAM";

/// What a call is answered: a value, or the refusal of the client.
type Answer = Result<Value, Error>;

/// Everything that the runner has given a name to.
struct Program {
    client: Client,
    clients: Named<Client>,
    holds: Named<Arc<Held>>,
    streams: Named<Arc<AsyncMutex<Option<AdvanceStream>>>>,
    watches: Named<Arc<AsyncMutex<Watch>>>,
}

/// A session that this program holds, or that it was given the token of.
struct Held {
    session: HeldSession,
    hold: Mutex<Option<Hold>>,
}

/// Things by the names that the runner gave them.
struct Named<T>(Mutex<HashMap<String, T>>);

/// Not a test of its own: what a program of a scenario is in Rust.
#[tokio::test]
async fn plays_a_program() {
    if env::var_os(PLAY).is_none() {
        return;
    }
    // The test runner's own line stands on this one, without an end.
    say(&json!({}));
    let client = Client::builder().label("driver").connect().await.expect("valid settings");
    let program = Arc::new(Program {
        client,
        clients: Named::default(),
        holds: Named::default(),
        streams: Named::default(),
        watches: Named::default(),
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("UTF-8") {
        let arguments = Arguments::parse(&line);
        let program = Arc::clone(&program);
        tokio::spawn(async move {
            let id = arguments.id();
            match program.play(&arguments).await {
                Ok(answer) => say(&json!({ "id": id, "ok": answer })),
                Err(error) => say(&json!({ "id": id, "error": shown::refusal(&error) })),
            }
        });
    }
}

impl Program {
    async fn play(&self, arguments: &Arguments) -> Answer {
        match arguments.text("call") {
            "connect" => self.connect(arguments).await,
            "hold" => self.hold(arguments).await,
            "token" => Ok(self.token(arguments)),
            "with_token" => self.with_token(arguments),
            "lost" => Ok(json!({ "lost": shown::lost(self.held(arguments).session.lost().await) })),
            "release" => self.release(arguments).await,
            "drop" => Ok(self.forget(arguments)),
            "load" => self.load(arguments).await,
            "save" => self.save(arguments).await,
            "advance" => self.advance(arguments).await,
            "delete" => self.delete(arguments).await,
            "stream" => Ok(self.stream(arguments)),
            "push" => self.push(arguments).await,
            "durable" => self.durable(arguments).await,
            "finish" => self.finish(arguments).await,
            "watch" => self.watch(arguments),
            "events" => self.events(arguments).await,
            "restarted" => self.restarted(arguments).await,
            "position" => Ok(self.position(arguments).await),
            "close" => Ok(self.close(arguments)),
            "list" => self.list(arguments).await,
            "info" => self.info(arguments).await,
            "end_hold" => self.client(arguments).end_hold(arguments.text("name")).await.map(|()| json!({})),
            "put_peers" => self.put_peers(arguments).await,
            "get_peers" => self.get_peers(arguments).await,
            "list_peers" => self.list_peers(arguments).await,
            "delete_peers" => self.delete_peers(arguments).await,
            "put_attributes" => self.put_attributes(arguments).await,
            "get_attributes" => self.get_attributes(arguments).await,
            "list_attributes" => self.list_attributes(arguments).await,
            "delete_attributes" => self.delete_attributes(arguments).await,
            "show" => Ok(self.show(arguments)),
            "measure" => self.measure(arguments).await,
            unknown => panic!("no such call: {unknown}"),
        }
    }

    async fn connect(&self, arguments: &Arguments) -> Answer {
        let mut builder = Client::builder().label(arguments.text_or("label", "driver"));
        if let Some(deadline) = arguments.number::<u64>("deadline_ms") {
            builder = builder.deadline(Duration::from_millis(deadline));
        }
        self.clients.put(arguments.text("as"), builder.connect().await?);
        Ok(json!({}))
    }

    fn client(&self, arguments: &Arguments) -> Client {
        match arguments.given("client") {
            Some(_) => self.clients.named(arguments.text("client")),
            None => self.client.clone(),
        }
    }

    fn held(&self, arguments: &Arguments) -> Arc<Held> {
        self.holds.named(arguments.text("hold"))
    }
}

impl<T: Clone> Named<T> {
    fn put(&self, name: &str, thing: T) {
        self.0.lock().expect("whole").insert(name.to_owned(), thing);
    }

    fn named(&self, name: &str) -> T {
        self.0.lock().expect("whole").get(name).unwrap_or_else(|| panic!("nothing is called {name}")).clone()
    }

    fn take(&self, name: &str) -> T {
        self.0.lock().expect("whole").remove(name).unwrap_or_else(|| panic!("nothing is called {name}"))
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Writes a line for the runner.
fn say(line: &impl fmt::Display) {
    let mut stdout = io::stdout().lock();
    // Where nobody reads any more, the scenario is over.
    let _ = write!(stdout, "\n{line}\n").and_then(|()| stdout.flush());
}
