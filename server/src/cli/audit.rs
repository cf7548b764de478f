use std::{path::PathBuf, process::ExitCode};

use jiff::{Timestamp, ZonedDateTime};
use serde_json::{Value, json};
use sessiond_client::SessionName;

use super::{
    failure::Failure,
    output::Output,
    render::{NOTHING, printable},
};
use crate::{
    audit::{self, Fault, LineHash, Summary},
    config::Config,
    exit::Exit,
};

/// Look at the record of who was given which session, and what they did with it
///
/// It is read where it lies, in the daemon's directory, whether the daemon runs or not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond audit show alice
  sessiond audit verify")]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Verify(Verify),
}

/// Print what is recorded, the oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond audit show
  sessiond audit show alice --since 2h
  sessiond audit show --json | jq -r 'select(.event == \"refused\")'")]
struct Show {
    /// Only of this session
    name: Option<SessionName>,

    /// Only from this time on: a time, such as 2026-11-24T12:00:00Z, or how long ago, such as 30m, 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,

    #[command(flatten)]
    place: Place,
}

/// Check that nothing was changed, removed, put in or moved
///
/// Whoever can write the record can write all of it anew, or cut off its end. Keep the newest hash where they cannot write,
/// and give it back with --expect.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond audit verify
  sessiond audit verify --expect 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")]
struct Verify {
    /// Check that a line with this hash is still there: one that `audit verify` printed, or that is in the daemon's log
    #[arg(long, value_name = "HASH")]
    expect: Option<LineHash>,

    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The daemon's directory. Default: as `sessiond serve` has it
    #[arg(long, value_name = "DIR", env = "SESSIOND_DIR")]
    dir: Option<PathBuf>,
}

impl Audit {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Show(command) => command.run(output),
            Command::Verify(command) => command.run(output),
        }
    }
}

impl Show {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let Self { name, since, place } = self;
        let dir = place.dir()?;
        let (mut shown, mut strange) = (0, 0);
        let files = audit::read(&dir, |line| -> anyhow::Result<()> {
            let Ok(record) = serde_json::from_slice::<Value>(line) else {
                strange += 1;
                return Ok(());
            };
            if is_meant(&record, name.as_ref(), since) {
                if shown == 0 && !output.is_json() {
                    output.line(&output.dim(&columns("TIME", "EVENT", "SESSION", "BY", "")))?;
                }
                shown += 1;
                let line =
                    if output.is_json() { String::from_utf8_lossy(line).into() } else { text(&record) };
                output.line(&line)?;
            }
            Ok(())
        })?;
        place_has_record(files, &dir)?;
        if strange > 0 {
            output.note(&format!("lines that are no records: {strange}; see `sessiond audit verify`"));
        } else if shown == 0 {
            output.note("nothing of that is recorded");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let dir = self.place.dir()?;
        match audit::verify(&dir, self.expect)? {
            Ok(summary) => {
                place_has_record(summary.files, &dir)?;
                output.result(|| object(&summary), || summary_text(&summary))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(fault) => Err(Failure::new(Exit::Data, printable(&sentence(&fault))).into()),
        }
    }
}

impl Place {
    fn dir(&self) -> Result<PathBuf, Failure> {
        let config = Config::of_directory(self.dir.clone(), None);
        let config = config
            .map_err(|error| Failure::new(error.exit(), format!("{:#}", anyhow::Error::from(error))))?;
        Ok(config.dir)
    }
}

fn place_has_record(files: usize, dir: &std::path::Path) -> Result<(), Failure> {
    if files > 0 {
        return Ok(());
    }
    let message = format!("{} has no audit record: choose the daemon's directory with --dir", dir.display());
    Err(Failure::new(Exit::NoInput, message))
}

fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let wrong = || {
        format!(
            "{text:?} is neither a time, such as 2026-11-24T12:00:00Z, nor how long ago, such as 30m, 2h or 7d"
        )
    };
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let time = ZonedDateTime::now().checked_sub(span.abs()).map_err(|_| wrong())?;
    Ok(time.timestamp())
}

fn is_meant(record: &Value, name: Option<&SessionName>, since: Option<Timestamp>) -> bool {
    let of_name = name.is_none_or(|name| record["session"] == name.as_str());
    let time = record["time"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    of_name && since.is_none_or(|since| time.is_some_and(|time| time >= since))
}

/// One record on one line.
fn text(record: &Value) -> String {
    let word = |key: &str| record[key].as_str().unwrap_or(NOTHING);
    // To the second: the rest is in the JSON.
    let time = word("time").split('.').next().unwrap_or(NOTHING);
    printable(&columns(time, word("event"), word("session"), &who(record), &details(record)))
}

fn columns(time: &str, event: &str, session: &str, by: &str, details: &str) -> String {
    format!("{time:<19}  {event:<15}  {session:<15}  {by:<24}  {details}").trim_end().to_owned()
}

fn who(record: &Value) -> String {
    let caller = &record["caller"];
    let label = record["label"].as_str();
    if let Some(address) = caller["address"].as_str() {
        return format!("{} ({address})", caller["certificate"].as_str().or(label).unwrap_or(NOTHING));
    }
    let Some(pid) = caller["pid"].as_i64() else { return label.unwrap_or("sessiond").to_owned() };
    let program = caller["executable"].as_str().and_then(|path| path.rsplit('/').next());
    format!("{} (pid {pid}, uid {})", label.or(program).unwrap_or(NOTHING), caller["uid"])
}

fn details(record: &Value) -> String {
    let number = |key: &str, before: &str| record[key].as_i64().map(|number| format!("{before} {number}"));
    let text = |key: &str| record[key].as_str().map(str::to_owned);
    let keys = record["keys"].as_array().map(|keys| {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        format!("keys of DC {}", keys.join(", "))
    });
    let outcome = text("outcome").map(|outcome| format!("outcome {outcome}"));
    let parts = [
        text("call"),
        text("reason"),
        number("revision", "revision"),
        keys,
        text("format"),
        outcome,
        number("count", "count"),
        text("note"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn object(summary: &Summary) -> Value {
    let Summary { files, records, first, last, newest, torn } = summary;
    json!({
        "files": files, "records": records, "first": first, "last": last, "newest": newest.to_string(), "torn": torn,
    })
}

fn summary_text(summary: &Summary) -> String {
    let Summary { files: _, records, first, last, newest, torn } = summary;
    let torn = match torn {
        0 => String::new(),
        bytes => format!(
            "\nthe last {bytes} bytes are a line that was torn; the daemon's next start cuts them off"
        ),
    };
    format!("whole: {records} records, {first} to {last}\nnewest hash: {newest}{torn}")
}

fn sentence(fault: &Fault) -> String {
    format!("the audit record is not as the daemon wrote it: {fault}")
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use super::{since, text};

    #[test]
    fn a_beginning_is_a_time_or_how_long_ago() {
        assert_eq!(since("2026-11-24T12:00:00Z"), Ok("2026-11-24T12:00:00Z".parse().expect("a time")));
        for (span, hours) in [("2h", 2), ("7d", 168), ("120m", 2)] {
            let ago = Timestamp::now().duration_since(since(span).expect(span));
            assert!(
                (ago - SignedDuration::from_hours(hours)).abs() < SignedDuration::from_hours(2),
                "{span}"
            );
        }
        assert!(since("yesterday").is_err());
    }

    #[test]
    fn a_record_is_a_line_for_people() {
        let record = json!({
            "number": 7, "time": "2026-11-24T12:00:00.000001Z", "event": "keys_handed_out", "call": "Hold",
            "session": "alice", "revision": 9, "keys": [2, 4], "label": "work\u{1b}er",
            "caller": {"uid": 1000, "gid": 1000, "pid": 42, "executable": "/usr/bin/python3"}, "previous": "",
        });
        assert_eq!(
            text(&record),
            "2026-11-24T12:00:00  keys_handed_out  alice            work\u{fffd}er (pid 42, uid 1000)  \
             Hold, revision 9, keys of DC 2, 4"
        );
        let record = json!({"time": "x", "event": "started", "note": "0.1.0"});
        assert_eq!(
            text(&record),
            "x                    started          -                sessiond                  0.1.0"
        );
    }
}
