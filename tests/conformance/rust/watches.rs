//! Watching sessions.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sessiond_client::{WatchEvent, WatchMode, WatchOptions, WatchPosition};
use tokio::sync::Mutex as AsyncMutex;

use super::{Answer, Arguments, Program, shown};

impl Program {
    pub(super) fn watch(&self, arguments: &Arguments) -> Answer {
        let options = WatchOptions {
            name_prefix: arguments.text_or("name_prefix", "").to_owned(),
            after: arguments.object("after").map(|after| WatchPosition {
                revision: after.number("revision").expect("a revision"),
                store_id: after.text_or("store_id", "").to_owned(),
            }),
            mode: match arguments.text_or("mode", "EVERY_CHANGE") {
                "EVERY_CHANGE" => WatchMode::EveryChange,
                "LATEST" => WatchMode::Latest,
                mode => panic!("no such mode: {mode}"),
            },
            bookmark_interval: arguments.number("bookmark_interval_ms").map(Duration::from_millis),
            ..WatchOptions::names(arguments.texts("names"))?
        };
        let watch = self.client(arguments).watch(options);
        self.watches.put(arguments.text("as"), Arc::new(AsyncMutex::new(watch)));
        Ok(json!({}))
    }

    pub(super) async fn events(&self, arguments: &Arguments) -> Answer {
        let watch = self.watches.named(arguments.text("watch"));
        let mut watch = watch.lock().await;
        let count: usize = arguments.number("count").expect("a count");
        let mut events = Vec::new();
        while events.len() < count {
            match watch.next().await.expect("it goes on until an error")? {
                WatchEvent::Bookmark { .. } if !arguments.flag("bookmarks") => {}
                event => events.push(shown::event(&event)),
            }
        }
        Ok(json!({ "events": events }))
    }

    pub(super) async fn restarted(&self, arguments: &Arguments) -> Answer {
        let watch = self.watches.named(arguments.text("watch"));
        let mut watch = watch.lock().await;
        loop {
            if let WatchEvent::Restarted(reason) = watch.next().await.expect("it goes on until an error")? {
                return Ok(json!({ "reason": shown::restarted(reason) }));
            }
        }
    }

    pub(super) async fn position(&self, arguments: &Arguments) -> Value {
        let watch = self.watches.named(arguments.text("watch"));
        let watch = watch.lock().await;
        watch.position().map_or_else(
            || json!({}),
            |position| json!({ "revision": shown::long(position.revision), "store_id": position.store_id }),
        )
    }

    pub(super) fn close(&self, arguments: &Arguments) -> Value {
        self.watches.take(arguments.text("watch"));
        json!({})
    }
}
