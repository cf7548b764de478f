use std::{io, process::ExitCode};

use serde_json::json;
use sessiond_client::{DataCenter, Session};
use sessiond_session::formats::Imported;

use super::{
    failure,
    findings::{key_ids, object, refused_object, remarks},
    output::{Column, Output},
    render::{NOTHING, printable, user_text},
    source::{Found, Origin, Reader, Source},
};

/// What a row of many has, in its order.
const COLUMNS: [Column; 8] = [
    Column::Text("FILE"),
    Column::Text("FORMAT"),
    Column::Text("USER"),
    Column::Text("KEYS"),
    Column::Number("PTS"),
    Column::Number("CHANNELS"),
    Column::Number("PEERS"),
    Column::Number("ATTRIBUTES"),
];

/// What a data center's row has, in its order.
const DC_COLUMNS: [Column; 4] =
    [Column::Text("DC"), Column::Text("KEY"), Column::Text("IPV4"), Column::Text("IPV6")];

/// Show what a session file or string is and holds
///
/// It needs no daemon and changes nothing. Of keys their ids are shown, which are no secret; of peers, how many there are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond inspect alice.session
  sessiond inspect sessions/
  sessiond inspect - < string.txt
  sessiond inspect ~/.local/share/TelegramDesktop/tdata --json")]
pub(crate) struct Inspect {
    #[command(flatten)]
    source: Source,
}

impl Inspect {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let Self { source } = self;
        let reader = source.reader();
        match source.found()? {
            Found::One(origin) => {
                let found = reader.read(&origin)?;
                for (at, found) in found.iter().enumerate() {
                    if output.is_json() {
                        output.line(&object_of(&origin, found))?;
                    } else {
                        if at > 0 {
                            output.line("")?;
                        }
                        show(&origin, found, output)?;
                    }
                }
                Ok(ExitCode::SUCCESS)
            }
            Found::Each(origins) => each(&origins, &reader, output),
        }
    }
}

/// Shows all that can be read, then why the rest cannot.
fn each(origins: &[Origin], reader: &Reader, output: Output) -> anyhow::Result<ExitCode> {
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    for origin in origins {
        match reader.read(origin) {
            Ok(found) if output.is_json() => {
                found.iter().try_for_each(|found| output.line(&object_of(origin, found)))?;
            }
            Ok(found) => rows.extend(found.iter().map(|found| row(origin, found))),
            Err(error) => {
                if output.is_json() {
                    output.line(&refused_object(origin, &failure::sentence(&error)).to_string())?;
                }
                refused.push(error);
            }
        }
    }
    if !rows.is_empty() {
        output.table(&COLUMNS, &rows)?;
    }
    let Some(first) = refused.first() else { return Ok(ExitCode::SUCCESS) };
    let exit = failure::exit(first);
    for error in &refused {
        output.error(&failure::sentence(error));
    }
    Ok(exit.into())
}

fn object_of(origin: &Origin, found: &Imported) -> String {
    let mut object = object(found);
    object.insert("source".to_owned(), json!(origin.to_string()));
    serde_json::Value::Object(object).to_string()
}

fn row(origin: &Origin, found: &Imported) -> Vec<String> {
    let session = &found.contents.session;
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let keys: Vec<String> = key_ids(session).iter().map(|(dc, _)| dc.to_string()).collect();
    let file = match origin {
        Origin::Path(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        Origin::Stdin => origin.to_string(),
    };
    let account = found.account.as_ref().map(|account| format!(" ({account})")).unwrap_or_default();
    vec![
        printable(&format!("{file}{account}")),
        found.format.name().to_owned(),
        or_nothing(session.user.as_ref().map(user_text)),
        or_nothing(Some(keys.join(",")).filter(|keys| !keys.is_empty())),
        or_nothing(session.state.as_ref().map(|state| state.pts.to_string())),
        session.state.as_ref().map_or(0, |state| state.channels.len()).to_string(),
        found.contents.peers.len().to_string(),
        found.contents.attributes.len().to_string(),
    ]
}

fn show(origin: &Origin, found: &Imported, output: Output) -> io::Result<()> {
    let field =
        |name: &str, value: &str| output.line(&format!("{} {value}", output.dim(&format!("{name:<10}"))));
    let (session, name) = (&found.contents.session, found.format.name());
    field("source", &origin.to_string())?;
    field("format", &format!("{} ({name})", found.schema()))?;
    if let Some(account) = &found.account {
        field("account", account)?;
    }
    field("user", &session.user.as_ref().map_or_else(|| "nobody, or not known".to_owned(), user_text))?;
    field("home DC", &session.home_dc_id().to_string())?;
    if session.test_mode == Some(true) {
        field("servers", "Telegram's test servers")?;
    }
    match &session.state {
        Some(state) => {
            let (pts, qts, date, seq) = (state.pts, state.qts, state.date, state.seq);
            field("state", &format!("pts {pts}, qts {qts}, date {date}, seq {seq}"))?;
            field("channels", &state.channels.len().to_string())?;
        }
        None => field("state", "none")?,
    }
    field("peers", &found.contents.peers.len().to_string())?;
    field("attributes", &found.contents.attributes.len().to_string())?;
    remarks(found).iter().try_for_each(|remark| output.line(remark))?;
    let rows = dc_rows(session);
    if !rows.is_empty() {
        output.line("")?;
        output.table(&DC_COLUMNS, &rows)?;
    }
    Ok(())
}

fn dc_rows(session: &Session) -> Vec<Vec<String>> {
    let ids = key_ids(session);
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let row = |dc: &DataCenter| {
        let id = ids.iter().find(|(id, _)| *id == dc.id).map(|(_, key)| key.clone());
        let ipv4 = dc.ipv4_addr.map(|address| address.to_string());
        let ipv6 = dc.ipv6_addr.map(|address| address.to_string());
        vec![dc.id.to_string(), or_nothing(id), or_nothing(ipv4), or_nothing(ipv6)]
    };
    session.dcs.iter().map(row).collect()
}
