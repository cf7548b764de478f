use std::process::ExitCode;

use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sessiond_client::SessionSummary;

use super::{
    Context,
    output::Column,
    render::{NOTHING, ago, exact_time, holder_object, holder_text, user_object, user_text},
};

/// What a row has, in its order.
const COLUMNS: [Column; 8] = [
    Column::Text("NAME"),
    Column::Text("USER"),
    Column::Text("KEYS"),
    Column::Number("PTS"),
    Column::Number("CHANNELS"),
    Column::Text("CHANGED"),
    Column::Text("HELD BY"),
    Column::Text(""),
];

/// List the sessions
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Examples:
  sessiond ls
  sessiond ls bot.
  sessiond ls --json | jq -r "select(.holder == null).name""#)]
pub(crate) struct Ls {
    /// Only names that begin with this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
}

impl Ls {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let mut sessions = context.client.list(&self.prefix);
        if context.output.is_json() {
            while let Some(session) = sessions.try_next().await? {
                context.output.line(&object(&session).to_string())?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let sessions: Vec<SessionSummary> = sessions.try_collect().await?;
        if sessions.is_empty() {
            context.output.note("no sessions; `sessiond import FILE` brings one in");
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<Vec<String>> = sessions.iter().map(row).collect();
        context.output.table(&COLUMNS, &rows)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn row(session: &SessionSummary) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let dcs: Vec<String> = session.dcs_with_auth.iter().map(ToString::to_string).collect();
    vec![
        session.name.to_string(),
        or_nothing(session.user.as_ref().map(user_text)),
        or_nothing(Some(dcs.join(",")).filter(|dcs| !dcs.is_empty())),
        or_nothing(session.pts.map(|pts| pts.to_string())),
        session.channel_count.to_string(),
        ago(session.changed),
        or_nothing(session.holder.as_ref().map(holder_text)),
        remarks(session),
    ]
}

fn remarks(session: &SessionSummary) -> String {
    let waiting = (session.waiting > 0).then(|| format!("{} waiting", session.waiting));
    let damaged = session.damaged.then(|| "damaged".to_owned());
    let test = (session.test_mode == Some(true)).then(|| "test servers".to_owned());
    [damaged, waiting, test].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn object(session: &SessionSummary) -> Value {
    let SessionSummary {
        name,
        revision,
        user,
        changed,
        holder,
        pts,
        channel_count,
        dcs_with_auth,
        waiting,
        watchers,
        damaged,
        test_mode,
    } = session;
    json!({
        "name": name.as_str(),
        "revision": revision,
        "user": user.as_ref().map(user_object),
        "changed": changed.map(exact_time),
        "holder": holder.as_ref().map(holder_object),
        "pts": pts,
        "channel_count": channel_count,
        "dcs_with_auth": dcs_with_auth,
        "waiting": waiting,
        "watchers": watchers,
        "damaged": damaged,
        "test_mode": test_mode,
    })
}
