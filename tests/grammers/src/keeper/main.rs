//! The keeper on sessiond: `keeper NAME`.

use std::error::Error;

use sessiond_client::GrammersSession;

mod keeper;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let name = std::env::args().nth(1).ok_or("a session's name is missing")?;
    let session = GrammersSession::open(name).await?;
    keeper::serve(&session).await?;
    Ok(session.close().await?)
}
