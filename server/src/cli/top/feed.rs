use std::{sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use sessiond_client::{
    Client, Error, ServerInfo, SessionName, SessionSummary, Watch, WatchEvent, WatchMode, WatchOptions,
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use super::super::{Context, client_of};

/// How often the daemon is asked how it fares, and for a page of its sessions: often enough to be watched, and no work for
/// it to speak of.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long a question waits for a daemon before it counts as away.
const ASK_WITHIN: Duration = Duration::from_secs(1);
/// Sessions that are asked for at a time: one page of the daemon's, so that ten thousand take ten turns.
const PAGE: usize = 1000;
/// Turns of a long listing follow each other faster, so that it is not too old when it ends.
const NEXT_PAGE: Duration = Duration::from_millis(250);
/// Answers that were not looked at yet. Nobody asks while they wait.
const ANSWERS: usize = 4;

/// Something new.
#[derive(Debug, Clone)]
pub(super) enum Update {
    /// An event of a session.
    Watched(WatchEvent),
    /// An event of the session that is looked at in detail.
    Detail(WatchEvent),
    /// Some sessions as the daemon lists them.
    Listed(Vec<SessionSummary>),
    /// Every session was listed.
    ListedAll,
    /// How the daemon fares.
    Info(Box<ServerInfo>),
    /// No daemon answers.
    Away,
}

/// What the daemon tells: by two watches, and by answers to questions that are asked now and then.
#[derive(Debug)]
pub(super) struct Feed {
    client: Client,
    watch: Watch,
    detail: Option<Watch>,
    /// Told when the watch is in step: a listing before that would not know of it.
    in_step: Arc<Notify>,
    answers: mpsc::Receiver<Update>,
    asking: JoinHandle<()>,
}

/// How a long listing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// Page by page, with rests in between.
    Slowly,
    /// At once: somebody waits for it.
    AtOnce,
}

impl Feed {
    /// Follows the sessions whose names begin with `prefix`.
    pub(super) async fn open(context: &Context, prefix: &str, haste: Haste) -> Result<Self, Error> {
        let client = &context.client;
        let watch = client.watch(WatchOptions {
            name_prefix: prefix.to_owned(),
            // What is superseded before it is seen is not missed here.
            mode: WatchMode::Latest,
            ..WatchOptions::default()
        });
        let impatient = client_of(&context.place, ASK_WITHIN).await?;
        let (sender, answers) = mpsc::channel(ANSWERS);
        let in_step = Arc::new(Notify::new());
        let listing = Listing { prefix: prefix.to_owned(), haste, in_step: Arc::clone(&in_step) };
        let asking = tokio::spawn(ask(impatient, listing, sender));
        Ok(Self { client: client.clone(), watch, detail: None, in_step, answers, asking })
    }

    /// Follows a session in detail, or none.
    pub(super) fn follow(&mut self, name: Option<SessionName>) {
        self.detail = name.map(|name| {
            let names = vec![name];
            self.client.watch(WatchOptions { names, mode: WatchMode::Latest, ..WatchOptions::default() })
        });
    }

    /// The next thing that is new. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The watch has ended, or never began because no daemon answered.
    pub(super) async fn next(&mut self) -> Result<Update, Error> {
        let detail = async {
            match &mut self.detail {
                Some(watch) => watch.next().await,
                None => std::future::pending().await,
            }
        };
        let ended = || Error::Unexpected("the watch has ended without a reason".to_owned());
        tokio::select! {
            event = self.watch.next() => {
                let event = event.unwrap_or_else(|| Err(ended()))?;
                if matches!(event, WatchEvent::Synced { .. }) {
                    self.in_step.notify_one();
                }
                Ok(Update::Watched(event))
            }
            event = detail => event.unwrap_or_else(|| Err(ended())).map(Update::Detail),
            Some(answer) = self.answers.recv() => Ok(answer),
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// Asks how the daemon fares, and lists its sessions page by page, again and again, until nobody wants to know.
async fn ask(client: Client, listing: Listing, answers: mpsc::Sender<Update>) {
    let fares = async {
        let mut turns = interval(ASK_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let answer = client.info().await.map_or(Update::Away, |info| Update::Info(Box::new(info)));
            if answers.send(answer).await.is_err() {
                return;
            }
        }
    };
    let sessions = async {
        listing.in_step.notified().await;
        // What fails is asked again; that the daemon is away is the other question's to say.
        while listing.once(&client, &answers).await != Err(Ended) {
            sleep(ASK_EVERY).await;
        }
    };
    tokio::join!(fares, sessions);
}

/// What is listed, and how.
#[derive(Debug)]
struct Listing {
    prefix: String,
    haste: Haste,
    in_step: Arc<Notify>,
}

/// Nobody wants to know any more.
#[derive(Debug, PartialEq, Eq)]
struct Ended;

impl Listing {
    async fn once(&self, client: &Client, answers: &mpsc::Sender<Update>) -> Result<(), Ended> {
        let mut sessions = client.list(&self.prefix);
        let mut page = Vec::new();
        loop {
            match sessions.try_next().await {
                Ok(Some(session)) => page.push(session),
                Ok(None) => break,
                Err(_) => return Ok(()),
            }
            if page.len() == PAGE {
                answers.send(Update::Listed(std::mem::take(&mut page))).await.map_err(|_| Ended)?;
                if self.haste == Haste::Slowly {
                    sleep(NEXT_PAGE).await;
                }
            }
        }
        answers.send(Update::Listed(page)).await.map_err(|_| Ended)?;
        answers.send(Update::ListedAll).await.map_err(|_| Ended)
    }
}
