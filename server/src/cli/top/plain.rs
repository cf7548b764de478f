use std::{
    io,
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use ratatui::text::Line;
use rustix::termios::tcgetwinsize;
use serde_json::{Value, json};
use sessiond_client::SessionName;
use tokio::time::{sleep_until, timeout};

use super::{
    feed::{Feed, Haste},
    header,
    known::{Known, Now, Row},
    order::Order,
    palette::Palette,
    table::Table,
};
use crate::{
    cli::{
        Context,
        failure::Failure,
        info,
        render::{exact_time, holder_object, user_object},
    },
    exit::Exit,
};

/// How long rates are taken over.
const LOOK_FOR: Duration = Duration::from_millis(1050);
/// Columns where there is no terminal.
const WIDTH: usize = 80;
/// How long it may take until everything was told: ten thousand sessions are listed in a few seconds.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// Prints one frame: what is known when everything was told, and how fast it moved for a second from then on.
pub(super) async fn print(context: &Context, prefix: &str, order: &Order) -> anyhow::Result<ExitCode> {
    let mut feed = Feed::open(context, prefix, Haste::AtOnce).await?;
    let mut known = Known::default();
    let still = || Now { elapsed: Duration::ZERO, wall: SystemTime::now() };
    timeout(TOLD_WITHIN, async {
        while !known.is_complete() {
            known.apply(feed.next().await?, still());
        }
        Ok::<_, anyhow::Error>(())
    })
    .await
    .map_err(|_| {
        let seconds = TOLD_WITHIN.as_secs();
        Failure::new(
            Exit::TempFailure,
            format!("the daemon has not told everything in {seconds} s; try it again"),
        )
    })??;
    let begun = Instant::now();
    let now = || Now { elapsed: begun.elapsed(), wall: SystemTime::now() };
    let end = tokio::time::Instant::now() + LOOK_FOR;
    loop {
        tokio::select! {
            update = feed.next() => known.apply(update?, now()),
            () = sleep_until(end) => break,
        }
    }
    let now = now();
    let names = order.of(&known, now);
    if context.output.is_json() {
        print_objects(context, &known, &names, now)?;
    } else {
        let socket = context.client.socket().to_string();
        lines(&known, order, &names, &socket, now)
            .iter()
            .try_for_each(|line| context.output.line(line.to_string().trim_end()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(known: &Known, order: &Order, names: &[SessionName], socket: &str, now: Now) -> Vec<Line<'static>> {
    let width = tcgetwinsize(io::stdout()).map_or(WIDTH, |size| usize::from(size.ws_col).max(1));
    let palette = Palette::Plain;
    let mut lines = header::lines(known, socket, now, width, palette).to_vec();
    lines.push(Line::raw(""));
    lines.extend(Table { known, order, selected: None, now, width, palette }.lines(names));
    lines
}

/// The daemon first, as `sessiond info` has it, and then each session.
fn print_objects(context: &Context, known: &Known, names: &[SessionName], now: Now) -> io::Result<()> {
    if let Some(info) = known.fares.info() {
        let mut object = info::object(info);
        object["commits_per_second"] = json!(known.fares.commits());
        object["changes_per_batch"] = json!(known.fares.batch());
        context.output.line(&object.to_string())?;
    }
    names
        .iter()
        .filter_map(|name| Some((name, known.session(name)?)))
        .try_for_each(|(name, row)| context.output.line(&object(name, row, now).to_string()))
}

fn object(name: &SessionName, row: &Row, now: Now) -> Value {
    json!({
        "name": name.as_str(),
        "revision": row.revision,
        "user": row.user.as_ref().map(user_object),
        "home_dc": row.home_dc,
        "holder": row.holder.as_ref().map(holder_object),
        "waiting": row.waiting,
        "watchers": row.watchers,
        "pts": row.pts,
        "pts_per_second": row.pace.rate(now.second()),
        "changed": row.changed.map(exact_time),
        "channel_count": row.channel_count,
        "damaged": row.damaged,
        "test_mode": row.test_mode,
    })
}
