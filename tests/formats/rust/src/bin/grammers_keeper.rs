//! The keeper of tests/grammers on grammers' own file: `grammers_keeper FILE`.

use std::error::Error;

use grammers_session::storages::SqliteSession;

#[path = "../../../../grammers/src/keeper/keeper.rs"]
mod keeper;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let file = std::env::args().nth(1).ok_or("a file is missing")?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async { keeper::serve(&SqliteSession::open(file).await?).await })
}
