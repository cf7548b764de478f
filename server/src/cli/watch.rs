use std::{process::ExitCode, time::SystemTime};

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use sessiond_client::{
    Change, Commit, LostReason, RestartReason, SessionName, Snapshot, WatchEvent, WatchMode, WatchOptions,
    WatchPosition,
};

use super::{
    Context,
    render::{
        change_object, change_text, exact_time, holder_object, holder_text, session_object, session_text,
    },
};

/// Follow sessions as they change
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond watch alice
  sessiond watch --all --json
  sessiond watch alice --after 1041 --latest")]
pub(crate) struct Watch {
    /// Sessions to follow; they need not exist yet
    #[arg(required_unless_present = "all")]
    names: Vec<SessionName>,
    /// Follow every session
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Go on after this revision, and start with no snapshots
    #[arg(long, value_name = "REVISION")]
    after: Option<i64>,
    /// Leave out what is superseded when this falls behind; to go on after is then no commit's revision, but that of synced
    /// or a bookmark
    #[arg(long)]
    latest: bool,
}

impl Watch {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { names, all: _, after, latest } = self;
        let mut watch = context.client.watch(WatchOptions {
            names,
            after: after.map(|revision| WatchPosition { revision, store_id: String::new() }),
            mode: if latest { WatchMode::Latest } else { WatchMode::EveryChange },
            ..WatchOptions::default()
        });
        while let Some(event) = watch.next().await {
            let event = event?;
            if context.output.is_json() {
                context.output.line(&object(&event).to_string())?;
            } else if let Some(text) = text(&event) {
                context.output.line(&text)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn object(event: &WatchEvent) -> Value {
    match event {
        WatchEvent::Restarted(reason) => {
            json!({ "revision": 0, "restarted": { "reason": restart_name(*reason) } })
        }
        WatchEvent::Snapshot(Snapshot { name, revision, session, holder }) => json!({
            "revision": revision,
            "name": name.as_str(),
            "snapshot": {
                "session": session.as_ref().map(session_object),
                "holder": holder.as_ref().map(holder_object),
            },
        }),
        WatchEvent::Synced { revision, store_id } => {
            json!({ "revision": revision, "synced": { "store_id": store_id } })
        }
        WatchEvent::Bookmark { revision } => json!({ "revision": revision, "bookmark": {} }),
        WatchEvent::Commit(commit) => commit_object(commit),
        _ => json!({}),
    }
}

fn commit_object(commit: &Commit) -> Value {
    let Commit { name, revision, previous_revision, time, change } = commit;
    let mut object = json!({
        "revision": revision,
        "name": name.as_str(),
        "time": time.map(exact_time),
        "previous_revision": previous_revision,
    });
    let (field, value) = match change {
        Change::Advanced(change) => ("change", change_object(change)),
        Change::Saved(session) => ("saved", session_object(session)),
        Change::Deleted => ("deleted", json!({})),
        Change::HoldChanged { holder, reason } => (
            "hold_changed",
            json!({ "holder": holder.as_ref().map(holder_object), "reason": reason.map(lost_name) }),
        ),
        _ => ("unknown", json!({})),
    };
    object[field] = value;
    object
}

fn restart_name(reason: RestartReason) -> &'static str {
    match reason {
        RestartReason::First => "FIRST",
        RestartReason::LogTrimmed => "LOG_TRIMMED",
        RestartReason::OtherStore => "OTHER_STORE",
        RestartReason::Lagged => "LAGGED",
        _ => "UNKNOWN",
    }
}

fn lost_name(reason: LostReason) -> &'static str {
    match reason {
        LostReason::EndedByAdmin => "ENDED_BY_ADMIN",
        LostReason::ResumedElsewhere => "RESUMED_ELSEWHERE",
        _ => "UNSPECIFIED",
    }
}

/// An event for a person. A bookmark tells a person nothing.
fn text(event: &WatchEvent) -> Option<String> {
    let text = match event {
        WatchEvent::Restarted(RestartReason::First) | WatchEvent::Bookmark { .. } => return None,
        WatchEvent::Restarted(reason) => {
            format!("the watch starts over ({}); what follows is all that there is", restart_name(*reason))
        }
        WatchEvent::Synced { revision, .. } => format!("in step, at revision {revision}"),
        WatchEvent::Snapshot(Snapshot { name, revision, session, holder }) => {
            let session = session.as_ref().map_or_else(|| "nothing yet".to_owned(), session_text);
            let holder = holder.as_ref().map(|holder| format!("; held by {}", holder_text(holder)));
            line(None, *revision, name, &format!("is {session}{}", holder.unwrap_or_default()))
        }
        WatchEvent::Commit(commit) => {
            line(commit.time, commit.revision, &commit.name, &commit_text(&commit.change))
        }
        _ => return None,
    };
    Some(text)
}

pub(super) fn commit_text(change: &Change) -> String {
    match change {
        Change::Advanced(change) => change_text(change),
        Change::Saved(session) => format!("saved: {}", session_text(session)),
        Change::Deleted => "deleted".to_owned(),
        Change::HoldChanged { holder: Some(holder), .. } => format!("held by {}", holder_text(holder)),
        Change::HoldChanged { holder: None, reason: Some(reason) } => format!("held by nobody: {reason}"),
        Change::HoldChanged { holder: None, reason: None } => "held by nobody".to_owned(),
        _ => "changed in a way that this version does not know".to_owned(),
    }
}

fn line(time: Option<SystemTime>, revision: i64, name: &SessionName, text: &str) -> String {
    let time = time.and_then(|time| Timestamp::try_from(time).ok());
    let time = time.map(|time| TimeZone::system().to_datetime(time).strftime("%H:%M:%S").to_string());
    format!("{:<8}  {revision:>8}  {name:<12}  {text}", time.unwrap_or_default())
}
