//! Holding sessions, reading them and writing them.

use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sessiond_client::{SessionSummary, Token, Write};
use tokio::sync::Mutex as AsyncMutex;

use super::{Answer, Arguments, Held, Program, say, shown};

impl Program {
    pub(super) async fn hold(&self, arguments: &Arguments) -> Answer {
        let mut request = self.client(arguments).hold(arguments.text("name"));
        if arguments.flag("wait") {
            request = request.wait();
        }
        if arguments.given("label").is_some() {
            request = request.label(arguments.text("label"));
        }
        let id = arguments.id();
        let hold = request
            .on_waiting(move |waiting| {
                say(&json!({ "id": id, "event": { "waiting": shown::waiting(waiting) } }));
            })
            .await?;
        let answer = shown::object([
            ("fence", Some(shown::long(hold.fence()))),
            ("revision", Some(shown::long(hold.revision()))),
            ("session", hold.session().map(shown::session)),
        ]);
        let session = (*hold).clone();
        self.holds.put(arguments.text("as"), Arc::new(Held { session, hold: Mutex::new(Some(hold)) }));
        Ok(answer)
    }

    pub(super) fn token(&self, arguments: &Arguments) -> Value {
        let hex = self.held(arguments).session.token().expose_hex();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        json!({ "token": shown::bytes(&bytes) })
    }

    pub(super) fn with_token(&self, arguments: &Arguments) -> Answer {
        let token = Token::try_from(arguments.bytes("token").as_slice()).expect("a token");
        let session = self.client(arguments).with_token(arguments.text("name"), token)?;
        self.holds.put(arguments.text("as"), Arc::new(Held { session, hold: Mutex::new(None) }));
        Ok(json!({}))
    }

    pub(super) async fn release(&self, arguments: &Arguments) -> Answer {
        let hold = self.held(arguments).hold.lock().expect("whole").take();
        hold.expect("it is released once").release().await?;
        Ok(json!({}))
    }

    /// Lets go of the hold, without a word to the daemon.
    pub(super) fn forget(&self, arguments: &Arguments) -> Value {
        self.holds.take(arguments.text("hold"));
        json!({})
    }

    pub(super) async fn load(&self, arguments: &Arguments) -> Answer {
        let loaded = match arguments.given("hold") {
            Some(_) => self.held(arguments).session.load().await?,
            None => self.client(arguments).load(arguments.text("name")).await?,
        };
        Ok(shown::object([
            ("session", loaded.session.as_ref().map(shown::session)),
            ("revision", Some(shown::long(loaded.revision))),
            ("holder", loaded.holder.as_ref().map(shown::holder)),
        ]))
    }

    pub(super) async fn save(&self, arguments: &Arguments) -> Answer {
        let held = &self.held(arguments).session;
        let session = arguments.session("session");
        let write = match arguments.text_or("mode", "REPLACE") {
            "REPLACE" => held.save(&session),
            "MERGE" => match arguments.clear("clear") {
                Some(clear) => held.merge_after_clear(&session, clear),
                None => held.merge(&session),
            },
            mode => panic!("no such mode: {mode}"),
        };
        written(arguments, write).await
    }

    pub(super) async fn advance(&self, arguments: &Arguments) -> Answer {
        written(arguments, self.held(arguments).session.advance(arguments.change("change"))).await
    }

    pub(super) async fn delete(&self, arguments: &Arguments) -> Answer {
        written(arguments, self.held(arguments).session.delete()).await
    }

    pub(super) fn stream(&self, arguments: &Arguments) -> Value {
        let stream = self.held(arguments).session.advance_stream();
        self.streams.put(arguments.text("as"), Arc::new(AsyncMutex::new(Some(stream))));
        json!({})
    }

    pub(super) async fn push(&self, arguments: &Arguments) -> Answer {
        let stream = self.streams.named(arguments.text("stream"));
        let mut stream = stream.lock().await;
        let stream = stream.as_mut().expect("it is not finished");
        let mut sequence = 0;
        for change in arguments.changes("changes") {
            sequence = stream.push(change).await?;
        }
        Ok(json!({ "sequence": shown::long(sequence) }))
    }

    pub(super) async fn durable(&self, arguments: &Arguments) -> Answer {
        let stream = self.streams.named(arguments.text("stream"));
        let mut stream = stream.lock().await;
        let sequence = arguments.number("sequence").expect("a sequence");
        let reached = stream.as_mut().expect("it is not finished").durable(sequence).await?;
        Ok(json!({ "sequence": shown::long(reached.sequence), "revision": shown::long(reached.revision) }))
    }

    pub(super) async fn finish(&self, arguments: &Arguments) -> Answer {
        let stream = self.streams.named(arguments.text("stream"));
        let stream = stream.lock().await.take().expect("it is finished once");
        Ok(shown::object([("revision", stream.finish().await?.map(shown::long))]))
    }

    pub(super) async fn list(&self, arguments: &Arguments) -> Answer {
        let listing = self.client(arguments).list(arguments.text_or("name_prefix", ""));
        let sessions: Vec<SessionSummary> = listing.try_collect().await?;
        Ok(json!({ "sessions": sessions.iter().map(shown::summary).collect::<Vec<_>>() }))
    }

    pub(super) async fn info(&self, arguments: &Arguments) -> Answer {
        let info = self.client(arguments).info().await?;
        Ok(json!({ "engine": info.engine, "store_id": info.store_id, "features": info.features }))
    }

    /// What people see of a hold, of its session and of its token.
    pub(super) fn show(&self, arguments: &Arguments) -> Value {
        let held = self.held(arguments);
        let hold = held.hold.lock().expect("whole");
        let session = hold.as_ref().and_then(|hold| hold.session());
        json!({ "text": format!("{hold:?} {session:?} {:?}", held.session.token()) })
    }
}

/// Sends a write as the arguments ask for it.
async fn written(arguments: &Arguments, mut write: Write) -> Answer {
    if let Some(revision) = arguments.number("expected_revision") {
        write = write.if_revision(revision);
    }
    if arguments.given("request_id").is_some() {
        write = write.request_id(arguments.text("request_id"));
    }
    Ok(json!({ "revision": shown::long(write.await?) }))
}
