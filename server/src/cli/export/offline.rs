//! A session of a daemon that is stopped, read from its directory under the lock that the daemon would have.

use std::{path::PathBuf, process, sync::Arc, time::SystemTime};

use sessiond_client::SessionName;
use sessiond_session::Contents;

use crate::{
    audit::{Event, Record},
    cli::failure::Failure,
    config::{Config, EngineKind},
    daemon,
    engine::{Bearer, Engine, Error, HoldStatus, Holder, LostReason, Op, SqliteEngine, TokenHash, Write},
    exit::Exit,
    principal::Principal,
    transfer,
};

/// How many files the engine may have open: half of them are sessions' own, and one is needed.
const OPEN_FILES: u64 = 64;

/// Everything that is kept of a session, and its revision. `None`: there is no such session.
pub(super) async fn read(
    dir: Option<PathBuf>,
    name: &SessionName,
) -> anyhow::Result<Option<(Contents, i64)>> {
    let config = Config::of_directory(dir, None)
        .map_err(|error| Failure::new(error.exit(), format!("{:#}", anyhow::Error::from(error))))?;
    let config = Config { engine: EngineKind::Sqlite, ..config };
    if !SqliteEngine::is_in(&config.dir) {
        let message =
            format!("{} has no sessions of a daemon: choose its directory with --dir", config.dir.display());
        return Err(Failure::new(Exit::NoInput, message).into());
    }
    let (engine, directory) = daemon::open_engine(&config, OPEN_FILES).await.map_err(|error| {
        let exit = error.exit();
        let next_step = if exit == Exit::TempFailure { "; stop it, or ask it without --offline" } else { "" };
        Failure::new(exit, format!("{:#}{next_step}", anyhow::Error::from(error)))
    })?;
    let audit = daemon::open_audit(directory.as_ref())
        .await
        .map_err(|error| Failure::new(error.exit(), format!("{:#}", anyhow::Error::from(error))))?;
    let read = read_held(&*engine, name).await;
    engine.close().await;
    let read = read?;
    if let Some((_, revision)) = &read {
        let record = Record::by_this_process(Event::Exported).session(name).at(*revision).note("offline");
        audit.record(&record).map_err(|error| refusal(name, &error))?;
    }
    audit.close().await;
    Ok(read)
}

/// Holds the session as long as it is read: its keys are for nobody else, here too.
async fn read_held(engine: &dyn Engine, name: &SessionName) -> Result<Option<(Contents, i64)>, Failure> {
    let refused = |error| refusal(name, &error);
    if engine.load(name, None).await.map_err(refused)?.session.is_none() {
        return Ok(None);
    }
    end_hold_of_the_dead(engine, name).await?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::new(Exit::Os, format!("no random numbers: {error}")))?;
    let (token, principal) = (TokenHash::of(&secret), Principal::own());
    // Of no boot: should this process die, the next daemon does not wait for it.
    let holder = Holder {
        label: "sessiond export".into(),
        pid: process::id().cast_signed(),
        since: SystemTime::now(),
        ..Holder::of(principal.clone())
    };
    let grant = Op::Grant { holder: Arc::new(holder), token };
    engine.grant(Write::own(name.clone(), grant)).await.map_err(refused)?;
    let bearer = Bearer { token, principal };
    let read = transfer::contents(engine, name, &bearer).await;
    let release = Write { bearer: Some(bearer), ..Write::own(name.clone(), Op::Release) };
    // Where that fails, the next daemon does it, since the holder is gone by then.
    let _ = engine.commit(release).await;
    read.map_err(refused)
}

/// Ends a hold that outlived its holder, since there was no daemon to see it. One whose holder lives goes on: it may be using
/// the keys, and waits for the daemon to come back.
async fn end_hold_of_the_dead(engine: &dyn Engine, name: &SessionName) -> Result<(), Failure> {
    let Some(hold) = engine.hold(name) else { return Ok(()) };
    match hold.status {
        HoldStatus::Released | HoldStatus::Over => Ok(()),
        HoldStatus::Held | HoldStatus::Ended if hold.holder.process().is_some() => {
            let message =
                format!("{name} is held by {}, which is alive: stop it first", hold.holder.describe());
            Err(Failure::new(Exit::TempFailure, message))
        }
        HoldStatus::Ended => Ok(()),
        HoldStatus::Held => {
            let end = Op::End { fence: Some(hold.fence), reason: LostReason::Gone };
            let ended = engine.commit(Write::own(name.clone(), end)).await;
            ended.map(drop).map_err(|error| refusal(name, &error))
        }
    }
}

fn refusal(name: &SessionName, error: &Error) -> Failure {
    let exit = match error {
        Error::Held(_) | Error::FileInUse(_) => Exit::TempFailure,
        Error::ForeignFile(_) | Error::Damaged(_) => Exit::Data,
        Error::StorageFull | Error::StorageFailed => Exit::Io,
        _ => Exit::Software,
    };
    Failure::new(exit, format!("{name}: {error}"))
}
