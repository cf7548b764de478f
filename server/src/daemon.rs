//! The daemon: everything opened in order, served, and closed in the opposite order.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use sessiond_proto::v1;
use tokio::{signal::unix::Signal, task::spawn_blocking, time::timeout};
use tonic::transport::Server;
use tower::util::{MapRequestLayer, MapResponseLayer};
use tracing::{error, info, warn};

use crate::{
    audit::{self, Audit, Event, Record},
    caller::MAX_STREAMS,
    config::{AbstractName, Config, EngineKind},
    directory::{DataDirectory, DirectoryError},
    engine::{Engine, MemoryEngine, OpenError, SqliteEngine},
    exit::Exit,
    hardening,
    holds::{Holds, Timing},
    listener::{Door, HandedOver, LifeLines, ListenError, Listeners, Protection},
    logging,
    policy::{self, Policy},
    readiness::{Readiness, ReadinessError},
    service::{self, Daemon},
    shutdown, signal,
    transfer::Transfers,
    watch::Snapshots,
};

/// How long open streams and calls have to end, once the daemon stops. The engine has its own time after that.
const DRAIN_WITHIN: Duration = Duration::from_millis(1_500);

/// Of eight descriptors that the daemon may have, so many are for session files, each one while it is held or written. Two are
/// for connections (`listener::limit`), and one is for the store and all else.
const SESSION_FILES: u64 = 5;

/// Most requests under way at a time on one connection: beside the streams that it may have open, as many calls.
const MAX_REQUESTS: u32 = 2 * MAX_STREAMS as u32;

/// How many bytes a client may send ahead on one stream, and on one connection: as much as on all of its streams, so that
/// none waits for another.
///
/// The connection's has to be large for one more reason. Small messages in frames of their own, as grpcio sends those of an
/// AdvanceStream, are counted against half of it, each for 256 bytes less its size, until they are read; beyond that h2 ends
/// the connection, and with it every hold on it (`too_many_data_frames`, h2 0.4.20 `src/proto/streams/counts.rs`). So it is
/// enough for over twenty streams that are full of the smallest messages.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = MAX_STREAMS as u32 * STREAM_WINDOW;

/// Why the daemon does not start, or ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the log cannot be written")]
    Logging(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Policy(#[from] policy::Error),
    #[error(transparent)]
    Readiness(#[from] ReadinessError),
    #[error("signals cannot be caught")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the schema's descriptors cannot be served")]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error("the sockets cannot be served any more")]
    Serve(#[from] tonic::transport::Error),
}

/// Runs the daemon until a signal asks it to stop, or until nobody needs it any more that it was started for.
pub(crate) async fn run(config: Config, handed_over: HandedOver) -> Result<(), Error> {
    logging::init(&config.log, config.log_format).map_err(|error| Error::Logging(error.into()))?;
    let mut readiness = Readiness::open(&config)?;
    hardening::lock_memory();
    let open_files = hardening::raise_open_files();
    let policy = Policy::open(config.policy.clone())?;
    let signal = signal::shutdown_signal().map_err(Error::Signals)?;
    // Without a policy there is nothing to read again, and a terminal that is closed ends the daemon.
    let reload = config.policy.is_some().then(signal::reload_signal).transpose().map_err(Error::Signals)?;
    let started = SystemTime::now();
    // Dropped last: who waits for the end of the daemon may start another then.
    let mut life_lines = config.life_lines.then(|| LifeLines::bind(&config.socket)).transpose()?;
    let (engine, directory) = open_engine(&config, open_files).await?;
    let audit = open_audit(directory.as_ref()).await?;
    audit.note(&Record::of(Event::Started).note(env!("CARGO_PKG_VERSION")));
    let listeners = listen(&config, handed_over, policy.clone())?;
    if let Some(reload) = reload {
        tokio::spawn(read_again(policy.clone(), audit.clone(), listeners.door(), reload));
    }
    let (stopper, shutdown) = shutdown::channel();
    let timing = Timing { hand_over_delay: config.hand_over_delay, resume_window: config.resume_window };
    let holds = Holds::new(Arc::clone(&engine), audit.clone(), timing, shutdown.clone());
    holds.restore();
    let snapshots = Snapshots::default();
    tokio::spawn(snapshots.clone().tend(shutdown.clone()));
    tokio::spawn(audit.clone().tend(shutdown.clone()));
    let daemon = Daemon {
        engine: Arc::clone(&engine),
        holds,
        snapshots,
        transfers: Transfers::default(),
        policy,
        audit: audit.clone(),
        shutdown: shutdown.clone(),
        started,
    };

    let mut stopping = shutdown.clone();
    let serving = serve(listeners, daemon, async move { stopping.requested().await });
    tokio::pin!(serving);
    info!(socket = %config.socket.display(), "serving");
    readiness.ready();
    let served = tokio::select! {
        served = &mut serving => served,
        reason = stop_reason(signal, life_lines.as_mut()) => {
            info!(reason, "stopping");
            readiness.stopping();
            stopper.stop();
            // A client that is stopped or that does not read keeps its stream open for ever.
            timeout(DRAIN_WITHIN, &mut serving).await.unwrap_or_else(|_| {
                warn!("clients did not close their streams in time");
                Ok(())
            })
        }
    };
    stopper.stop();
    engine.close().await;
    audit.note(&Record::of(Event::Stopped));
    audit.close().await;
    info!("stopped");
    served
}

/// Reads the policy again whenever it is asked to. A bad one changes nothing.
async fn read_again(policy: Policy, audit: Audit, door: Option<Door>, mut asked: Signal) {
    while asked.recv().await.is_some() {
        match policy.read_again() {
            Ok(rules) => {
                if let Some(door) = &door {
                    door.open_as_wide_as(&policy);
                }
                audit.note(&Record::of(Event::PolicyChanged).note(rules_text(rules)));
                info!(rules, "the policy was read again");
            }
            Err(error) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                error!(error, "the policy cannot be read again, and stays as it was");
            }
        }
    }
}

fn rules_text(rules: Option<usize>) -> String {
    rules.map_or_else(|| "no rules".to_owned(), |rules| format!("rules: {rules}"))
}

/// The sockets of the configuration, or those that were handed over in their place.
fn listen(config: &Config, handed_over: HandedOver, policy: Policy) -> Result<Listeners, ListenError> {
    let HandedOver { unix, tcp } = handed_over;
    let abstract_name = config.abstract_socket.as_ref().map(AbstractName::as_str);
    let mut listeners = if unix.is_empty() {
        Listeners::bind(&config.socket, abstract_name, policy)?
    } else {
        Listeners::take_over(unix, abstract_name, policy)?
    };
    let plaintext = config.insecure_plaintext_tcp.then_some(Protection::Nothing);
    let protection = config.tls.clone().map(Protection::Tls).or(plaintext);
    if let Some(address) = config.listen.filter(|_| tcp.is_empty()) {
        listeners.bind_tcp(address, protection.as_ref())?;
    }
    for socket in tcp {
        listeners.take_over_tcp(socket, protection.as_ref())?;
    }
    Ok(listeners)
}

/// Waits for a reason to stop, and names it.
async fn stop_reason(
    signal: impl Future<Output = &'static str>,
    life_lines: Option<&mut LifeLines>,
) -> &'static str {
    let Some(life_lines) = life_lines else { return signal.await };
    tokio::select! {
        signal = signal => signal,
        () = life_lines.closed() => "the last command has ended that was run with it",
    }
}

/// The engine, and the directory that stays locked as long as it is used.
pub(crate) async fn open_engine(
    config: &Config,
    open_files: u64,
) -> Result<(Arc<dyn Engine>, Option<DataDirectory>), Error> {
    if config.engine == EngineKind::Memory {
        return Ok((Arc::new(MemoryEngine::open().map_err(Error::Thread)?), None));
    }
    let directory = DataDirectory::open(&config.dir)?;
    let (path, keys, rebuild): (PathBuf, _, bool) =
        (directory.path().to_owned(), config.seal.clone(), config.rebuild);
    let file_budget = usize::try_from(open_files / 8 * SESSION_FILES).unwrap_or(usize::MAX);
    let opening = spawn_blocking(move || {
        if rebuild {
            SqliteEngine::open_or_rebuild(&path, &keys, file_budget)
        } else {
            SqliteEngine::open(&path, &keys, file_budget)
        }
    });
    let engine = opening.await.expect("opening does not panic, and is never cancelled")?;
    Ok((Arc::new(engine), Some(directory)))
}

/// The record of who uses what, in the directory where that is.
pub(crate) async fn open_audit(directory: Option<&DataDirectory>) -> Result<Audit, audit::OpenError> {
    let Some(directory) = directory else {
        info!("there is no audit record: sessions are in memory only");
        return Ok(Audit::none());
    };
    let path = directory.path().to_owned();
    let opening = spawn_blocking(move || Audit::open(&path));
    opening.await.expect("opening does not panic, and is never cancelled")
}

async fn serve(listeners: Listeners, daemon: Daemon, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(v1::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // What the details of errors are.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    health.set_serving::<v1::session_service_server::SessionServiceServer<Daemon>>().await;
    health.set_serving::<v1::peer_service_server::PeerServiceServer<Daemon>>().await;
    health.set_serving::<v1::attribute_service_server::AttributeServiceServer<Daemon>>().await;
    health.set_serving::<v1::admin_service_server::AdminServiceServer<Daemon>>().await;
    let stop = async {
        stop.await;
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        health.set_not_serving::<v1::session_service_server::SessionServiceServer<Daemon>>().await;
        health.set_not_serving::<v1::peer_service_server::PeerServiceServer<Daemon>>().await;
        health.set_not_serving::<v1::attribute_service_server::AttributeServiceServer<Daemon>>().await;
        health.set_not_serving::<v1::admin_service_server::AdminServiceServer<Daemon>>().await;
    };
    Server::builder()
        .max_concurrent_streams(MAX_REQUESTS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .layer(MapResponseLayer::new(service::in_our_words))
        .layer(MapRequestLayer::new(service::bounded))
        .add_service(service::gated(health_service, &daemon))
        .add_service(service::gated(reflection().build_v1()?, &daemon))
        .add_service(service::gated(reflection().build_v1alpha()?, &daemon))
        .add_service(service::session_service(daemon.clone()))
        .add_service(service::peer_service(daemon.clone()))
        .add_service(service::attribute_service(daemon.clone()))
        .add_service(service::admin_service(daemon))
        .serve_with_incoming_shutdown(listeners.incoming(), stop)
        .await?;
    Ok(())
}

impl Error {
    /// The code to exit with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Readiness(_) => Exit::Usage,
            Self::Policy(error) => error.exit(),
            Self::Logging(_) | Self::Reflection(_) => Exit::Software,

            Self::Signals(_) | Self::Thread(_) => Exit::Os,
            Self::Directory(error) => error.exit(),
            Self::Open(OpenError::Key(error)) => error.exit(),
            Self::Open(OpenError::Damaged { .. } | OpenError::Newer { .. }) => Exit::Data,
            Self::Open(OpenError::InUse { .. }) => Exit::TempFailure,
            Self::Open(OpenError::OldSqlite(_)) => Exit::Software,
            Self::Open(OpenError::Io { .. }) | Self::Serve(_) => Exit::Io,
            Self::Audit(error) => error.exit(),
            Self::Listen(error) => error.exit(),
        }
    }
}
