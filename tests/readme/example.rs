use sessiond_client::{Change, Client, StateChange, WatchEvent, WatchOptions};

pub(crate) async fn example() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect().await?;

    // One at a time holds: it gets the keys, and may write.
    let hold = client.hold("example").wait().label("worker").await?;
    println!("held: {:?}", hold.session().and_then(|session| session.user.as_ref()));

    // Everyone may watch, in order and without a gap.
    let mut watch = client.watch(WatchOptions::names(["example"])?);
    while let Some(event) = watch.next().await {
        match event? {
            WatchEvent::Synced { .. } => {
                hold.advance(StateChange { pts: Some(5_001), ..StateChange::default() }).await?;
            }
            WatchEvent::Commit(commit) => {
                if let Change::Advanced(change) = commit.change {
                    println!("{}: pts {:?}", commit.name, change.pts);
                    break;
                }
            }
            _ => {}
        }
    }
    hold.release().await?;
    Ok(())
}
