use std::{sync::Arc, time::Duration};

use sessiond_session::StateChange;

use crate::{
    engine::{Bearer, Engine as _, Error, Holder, Op, Outcome, SqliteEngine, TokenHash, Write},
    principal::Principal,
    seal::KeySource,
};

const TOKEN: &[u8] = b"token";

async fn grant(engine: &SqliteEngine, name: &str) -> Result<Outcome, Error> {
    let since = std::time::SystemTime::UNIX_EPOCH;
    let (label, executable, boot_id) = Default::default();
    let holder = Arc::new(Holder {
        label,
        pid: 1,
        principal: Principal::Uid(1),
        executable,
        since,
        start_time: 0,
        boot_id,
    });
    let op = Op::Grant { holder, token: TokenHash::of(TOKEN) };
    engine.grant(Write::own(name.parse().expect("valid"), op)).await
}

async fn write(engine: &SqliteEngine, name: &str, op: Op) {
    let bearer = Some(Bearer { token: TokenHash::of(TOKEN), principal: Principal::Uid(1) });
    let write = Write { bearer, ..Write::own(name.parse().expect("valid"), op) };
    engine.commit(write).await.expect("it is held");
}

fn advance() -> Op {
    Op::Advance(vec![StateChange { pts: Some(1), ..StateChange::default() }])
}

#[tokio::test(flavor = "multi_thread")]
async fn only_files_that_are_open_count_against_the_budget() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = SqliteEngine::open(directory.path(), &KeySource::None, 2).expect("the store opens");
    for number in 0..6 {
        let name = format!("session-{number}");
        let granted = tokio::time::timeout(Duration::from_secs(60), async {
            // Those before it are closed a moment after their release.
            while let Err(Error::Limit(_)) = grant(&engine, &name).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        granted.await.expect("those that nobody holds are closed");
        write(&engine, &name, advance()).await;
        write(&engine, &name, Op::Release).await;
    }
    engine.close().await;
}
