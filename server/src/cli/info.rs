use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};
use sessiond_client::{Figures, ServerInfo};

use super::{
    Context,
    render::{NOTHING, ago, duration_text, exact_time},
};

/// Show what daemon it is, and how it fares
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond info
  sessiond info --json | jq .figures.commit_p99")]
pub(crate) struct Info {}

impl Info {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let info = context.client.info().await?;
        if context.output.is_json() {
            context.output.line(&object(&info).to_string())?;
            return Ok(ExitCode::SUCCESS);
        }
        for (name, value) in fields(&info, &context.client.socket().to_string()) {
            context.output.line(&format!("{} {value}", context.output.dim(&format!("{name:<9}"))))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn fields(info: &ServerInfo, socket: &str) -> [(&'static str, String); 10] {
    let ServerInfo { version, engine, store_id, features: _, figures } = info;
    let per_batch = figures.commits.checked_div(figures.batches).unwrap_or(0);
    [
        ("version", version.clone()),
        ("socket", socket.to_owned()),
        ("engine", engine.clone()),
        ("store", store_id.clone()),
        ("started", ago(figures.started)),
        (
            "sessions",
            format!("{}, {} of them held, {} waiting", figures.sessions, figures.held, figures.waiting),
        ),
        ("watchers", figures.watchers.to_string()),
        (
            "revision",
            format!("{}, log from {}, {} KiB", figures.revision, figures.log_after, figures.log_bytes / 1024),
        ),
        ("commits", format!("{} in {} batches, {per_batch} each", figures.commits, figures.batches)),
        ("commit", format!("p50 {}, p99 {}", time(figures.commit_p50), time(figures.commit_p99))),
    ]
}

fn time(duration: Option<Duration>) -> String {
    duration.map_or_else(|| NOTHING.to_owned(), duration_text)
}

pub(super) fn object(info: &ServerInfo) -> Value {
    let ServerInfo { version, engine, store_id, features, figures } = info;
    let Figures {
        started,
        revision,
        log_after,
        log_bytes,
        sessions,
        held,
        waiting,
        watchers,
        commits,
        batches,
        commit_p50,
        commit_p99,
    } = figures;
    let seconds = |duration: &Option<Duration>| duration.map(|duration| duration.as_secs_f64());
    json!({
        "version": version,
        "engine": engine,
        "store_id": store_id,
        "features": features,
        "figures": {
            "started": started.map(exact_time),
            "revision": revision,
            "log_after": log_after,
            "log_bytes": log_bytes,
            "sessions": sessions,
            "held": held,
            "waiting": waiting,
            "watchers": watchers,
            "commits": commits,
            "batches": batches,
            "commit_p50": seconds(commit_p50),
            "commit_p99": seconds(commit_p99),
        },
    })
}
