use std::{error::Error, sync::Arc};

use grammers_client::{Client, SenderPool, sender::UpdatesConfiguration};
use sessiond_client::GrammersSession;

const API_ID: i32 = 12345;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Instead of SqliteSession::open("alice.session").
    let session = Arc::new(GrammersSession::open("alice").await?);
    let SenderPool { runner, handle, updates } = SenderPool::new(Arc::clone(&session), API_ID);
    let client = Client::new(handle.clone());
    let running = tokio::spawn(runner.run());
    let connections = running.abort_handle();
    session.on_lost(move |_| connections.abort());

    let mut stream = client.stream_updates(updates, UpdatesConfiguration { catch_up: true }).await?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            update = stream.next() => match update {
                Ok(update) => {
                    println!("{update:?}");
                    stream.sync_update_state().await?;
                }
                Err(error) => {
                    eprintln!("stopping: {error}");
                    break;
                }
            }
        }
    }

    handle.quit();
    running.await.ok();
    session.close().await?;
    Ok(())
}
