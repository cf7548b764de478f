//! A program with a session of grammers that does what it is told, line by line. Each line is answered by one. What the session
//! is in makes no difference: tests/formats/rust has the same on grammers' own file.

use std::{
    error::Error,
    io::stdin,
    time::{Duration, Instant},
};

use grammers_session::{
    Session,
    types::{PeerAuth, PeerId, PeerInfo, UpdateState},
};

/// Begins with a line that is the first byte of the key which a client connects with, or 0.
pub(crate) async fn serve<S: Session>(session: &S) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S::Error: Error + Send + Sync + 'static,
{
    println!("{}", key(session)?);
    // Nothing else is to be done meanwhile.
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["login", key] => log_in(session, key.parse()?).await?,
            ["see", from, to] => see(session, from.parse()?, to.parse()?).await,
            ["meet", from, to] => meet(session, from.parse()?, to.parse()?).await?,
            ["pts"] => session.updates_state().await?.pts.to_string(),
            ["known", from, to] => known(session, from.parse()?, to.parse()?).await?,
            _ => return Err(format!("what is `{line}`?").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

fn key<S: Session>(session: &S) -> Result<u8, S::Error> {
    let home = session.dc_option(session.home_dc_id()?)?;
    Ok(home.and_then(|home| home.auth_key).map_or(0, |key| key[0]))
}

/// Somebody logs in.
async fn log_in<S: Session>(session: &S, key: u8) -> Result<String, S::Error> {
    if let Some(mut home) = session.dc_option(session.home_dc_id()?)? {
        home.auth_key = Some([key; 256]);
        session.set_dc_option(&home).await?;
    }
    let auth = Some(PeerAuth::from_hash(9));
    session.cache_peer(PeerInfo::User { id: 5001, auth, bot: Some(true), is_self: Some(true) }).await?;
    Ok("logged in".into())
}

/// Sets counters one after the other, as after so many updates. How long each took at the median, in microseconds; how many
/// could not be set; and why.
async fn see<S: Session<Error: Error>>(session: &S, from: i32, to: i32) -> String {
    let (mut took, mut refused, mut why) = (Vec::new(), 0, String::new());
    for pts in from..=to {
        let began = Instant::now();
        if let Err(error) =
            session.set_update_state(UpdateState::Primary { pts, date: 1_700_000_000, seq: 1 }).await
        {
            (refused, why) = (refused + 1, error.to_string());
        }
        took.push(began.elapsed());
    }
    format!("{} {refused} {why}", median(took))
}

/// Meets the users of these ids. How long each took at the median, in microseconds.
async fn meet<S: Session>(session: &S, from: i64, to: i64) -> Result<String, S::Error> {
    let mut took = Vec::new();
    for id in from..=to {
        let began = Instant::now();
        let auth = Some(PeerAuth::from_hash(id));
        session.cache_peer(PeerInfo::User { id, auth, bot: None, is_self: None }).await?;
        took.push(began.elapsed());
    }
    Ok(median(took).to_string())
}

/// How long it took at the median to look each of these up, in microseconds, and how many are known.
async fn known<S: Session>(session: &S, from: i64, to: i64) -> Result<String, S::Error> {
    let (mut took, mut known) = (Vec::new(), 0);
    for id in from..=to {
        let began = Instant::now();
        known += usize::from(session.peer(PeerId::user_unchecked(id)).await?.is_some());
        took.push(began.elapsed());
    }
    Ok(format!("{} {known}", median(took)))
}

fn median(mut took: Vec<Duration>) -> u128 {
    took.sort_unstable();
    took.get(took.len() / 2).map_or(0, Duration::as_micros)
}
