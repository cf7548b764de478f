use std::{io, process::ExitCode};

use anyhow::Context as _;
use serde_json::json;
use sessiond_client::{Loaded, Session, SessionName};
use sessiond_proto::v1;

use super::{
    Context,
    failure::Failure,
    output::{Column, Output},
    render::{NOTHING, hold_text, holder_object, session_object, user_text},
};
use crate::exit::Exit;

/// Channels that are listed for a person, who can ask for all of them with `--json`.
const CHANNELS: usize = 20;

/// Show a session, without its keys
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond show alice
  sessiond show alice --json")]
pub(crate) struct Show {
    /// The session's name
    name: SessionName,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let loaded = context.client.load(&self.name).await.with_context(|| self.name.to_string())?;
        if loaded.session.is_none() && loaded.holder.is_none() {
            let message =
                format!("there is no session {}; `sessiond ls` lists those that there are", self.name);
            return Err(Failure::new(Exit::NoInput, message).into());
        }
        if context.output.is_json() {
            let Loaded { session, revision, holder } = loaded;
            let object = json!({
                "name": self.name.as_str(),
                "revision": revision,
                "session": session.as_ref().map(session_object),
                "holder": holder.as_ref().map(holder_object),
            });
            context.output.line(&object.to_string())?;
        } else {
            show(&self.name, &loaded, context.output)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(name: &SessionName, loaded: &Loaded, output: Output) -> io::Result<()> {
    let field =
        |name: &str, value: &str| output.line(&format!("{} {value}", output.dim(&format!("{name:<9}"))));
    field("name", name.as_str())?;
    field("revision", &loaded.revision.to_string())?;
    match &loaded.holder {
        Some(holder) => field("held by", &hold_text(holder))?,
        None => field("held by", "nobody")?,
    }
    match &loaded.session {
        Some(session) => show_session(session, output, &field),
        None => field("session", "nothing yet"),
    }
}

fn show_session(
    session: &Session,
    output: Output,
    field: &impl Fn(&str, &str) -> io::Result<()>,
) -> io::Result<()> {
    let user = session.user.as_ref().map_or_else(|| "nobody, or not known".to_owned(), user_text);
    field("user", &user)?;
    field("home DC", &session.home_dc_id().to_string())?;
    if session.test_mode == Some(true) {
        field("servers", "Telegram's test servers")?;
    }
    match &session.state {
        Some(state) => {
            let (pts, qts, date, seq) = (state.pts, state.qts, state.date, state.seq);
            field("state", &format!("pts {pts}, qts {qts}, date {date}, seq {seq}"))?;
        }
        None => field("state", "none")?,
    }
    let dcs: Vec<Vec<String>> =
        session.clone().without_keys().dcs.into_iter().map(|dc| dc_row(dc.into())).collect();
    if !dcs.is_empty() {
        output.line("")?;
        output.table(&["DC", "KEY", "IPV4", "IPV6"].map(Column::Text), &dcs)?;
    }
    let channels = session.state.as_ref().map_or(&[][..], |state| &state.channels);
    if !channels.is_empty() {
        output.line("")?;
        let row =
            |channel: &sessiond_client::ChannelState| vec![channel.id.to_string(), channel.pts.to_string()];
        let rows: Vec<Vec<String>> = channels.iter().take(CHANNELS).map(row).collect();
        output.table(&["CHANNEL", "PTS"].map(Column::Number), &rows)?;
    }
    if channels.len() > CHANNELS {
        output.note(&format!("and {} more channels; --json shows them all", channels.len() - CHANNELS));
    }
    Ok(())
}

fn dc_row(dc: v1::DataCenter) -> Vec<String> {
    let v1::DataCenter { id, ipv4_addr, ipv6_addr, auth: _, has_auth } = dc;
    let address = |address: Option<String>| address.unwrap_or_else(|| NOTHING.to_owned());
    let key = if has_auth { "yes" } else { NOTHING };
    vec![id.to_string(), key.to_owned(), address(ipv4_addr), address(ipv6_addr)]
}
