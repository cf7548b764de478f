use std::{env, fmt, process, str::FromStr};

use jiff::Timestamp;
use rustix::process::{getegid, geteuid};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sessiond_proto::{Reason, SessionName};
use sessiond_session::{Auth, Session};
use sha2::{Digest as _, Sha256};

use crate::{
    caller::{Caller, Local, Origin, Remote},
    engine::{Error, Hold, Revision},
};

/// Longest path of an executable and name of a certificate in a record, in bytes: what is longer ends with an ellipsis.
const MAX_PATH: usize = 1_024;

/// Most of a torn line that is told in the record of its mending, in bytes.
const MAX_TORN: usize = 512;

/// No line is longer, in bytes: 128 of a name, 512 of a label, twice [`MAX_PATH`] where everything in it is escaped, and what
/// there is around them.
pub(super) const MAX_LINE: u64 = 4 << 10;

/// What happened, to which session, by whose hand. There is no key, token, phone number or username in it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record {
    event: Event,
    /// The method of the schema that was called. None: the daemon acts by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<Revision>,
    /// Data centers whose keys were handed out or came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<i32>>,
    /// What an import or export was, by the format's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    /// Of a refusal, as clients are told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// How many there were of what is not recorded one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Who>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// The daemon began to serve, or stopped.
    Started,
    Stopped,
    /// A line that a kill or a power cut had torn was cut off.
    Mended,
    /// So many records could not be written.
    Missed,
    HoldGranted,
    /// On another stream, perhaps of another process.
    HoldResumed,
    HoldReleased,
    /// By an operator.
    HoldEnded,
    /// Its client is gone.
    HoldLost,
    KeysHandedOut,
    Saved,
    Deleted,
    Imported,
    Exported,
    /// The session's own file was written anew, or taken in.
    MirrorSettled,
    PolicyChanged,
    /// Sealing was switched for a session, or there is another master key.
    SealChanged,
    /// A call, for want of rights.
    Refused,
    /// So many more refusals than are recorded one by one.
    RefusalsLeftOut,
}

/// What came of it, where that is not plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It may have happened: the caller did not wait for the end, or the disk failed.
    Unknown,
}

/// Who calls.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Who {
    Local { uid: u32, gid: u32, pid: i32, executable: String },
    Remote { certificate: Option<String>, address: String },
}

/// SHA-256 of a line, without its end: what the next line has as `previous`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineHash([u8; 32]);

/// Not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits")]
pub(crate) struct InvalidHash;

/// What of a line makes it a link of the chain.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Link {
    /// Counted from 1, through all files.
    pub(super) number: u64,
    pub(super) previous: LineHash,
}

#[derive(Serialize)]
struct Line<'a> {
    number: u64,
    time: String,
    #[serde(flatten)]
    record: &'a Record,
    previous: LineHash,
}

impl Record {
    /// Of something that nobody but the daemon does.
    pub(crate) fn of(event: Event) -> Self {
        Self {
            event,
            call: None,
            session: None,
            revision: None,
            keys: None,
            format: None,
            reason: None,
            outcome: None,
            count: None,
            note: None,
            label: None,
            caller: None,
        }
    }

    /// Of what somebody does.
    pub(crate) fn by(caller: &Caller, event: Event) -> Self {
        Self { caller: Some(caller.into()), ..Self::of(event) }
    }

    /// Of what somebody does by a method of the schema.
    pub(crate) fn of_call(event: Event, call: &'static str, caller: &Caller) -> Self {
        Self { call: Some(call), ..Self::by(caller, event) }
    }

    /// Of what a command does without a daemon.
    pub(crate) fn by_this_process(event: Event) -> Self {
        let executable = env::current_exe().unwrap_or_default();
        let who = Who::Local {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            pid: process::id().cast_signed(),
            executable: shortened(&executable.to_string_lossy()),
        };
        Self { caller: Some(who), ..Self::of(event) }
    }

    /// Of a call that was refused, if it was for want of rights.
    pub(super) fn refusal(&self, error: &Error) -> Option<Self> {
        let reason = match error {
            Error::Fenced => Reason::Fenced,
            Error::NotPermitted => Reason::NotPermitted,
            Error::Held(_) => Reason::HeldByAnother,
            _ => return None,
        };
        let Self { call, session, caller, .. } = self.clone();
        let refusal = Self { call, session, caller, ..Self::of(Event::Refused) };
        Some(refusal.because(reason))
    }

    pub(crate) fn session(self, name: &SessionName) -> Self {
        Self { session: Some(name.to_string()), ..self }
    }

    pub(crate) fn at(self, revision: Revision) -> Self {
        Self { revision: Some(revision), ..self }
    }

    /// By which the holder has itself known.
    pub(crate) fn label(self, label: &str) -> Self {
        Self { label: Some(label.to_owned()).filter(|label| !label.is_empty()), ..self }
    }

    /// Of which hold, and its label.
    pub(crate) fn of_hold(self, hold: Option<&Hold>) -> Self {
        match hold {
            Some(hold) => self.at(hold.fence).label(&hold.holder.label),
            None => self,
        }
    }

    /// The keys that a session has, by their data centers.
    pub(crate) fn keys_of(self, session: &Session) -> Self {
        let with_key = session.dcs.iter().filter(|dc| matches!(dc.auth, Auth::Key(_)));
        let keys: Vec<i32> = with_key.map(|dc| dc.id).collect();
        Self { keys: Some(keys).filter(|keys| !keys.is_empty()), ..self }
    }

    /// Whether there is a key in what it tells of.
    pub(crate) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    pub(crate) fn format(self, format: &'static str) -> Self {
        Self { format: Some(format), ..self }
    }

    /// What else there is to say, in few words: never of a secret.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    pub(crate) fn because(self, reason: Reason) -> Self {
        Self { reason: Some(reason.name()), ..self }
    }

    pub(super) fn of_unknown_outcome(self) -> Self {
        Self { outcome: Some(Outcome::Unknown), ..self }
    }

    pub(super) fn count(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }

    /// Of what was cut off.
    pub(super) fn mended(torn: &[u8]) -> Self {
        let told = String::from_utf8_lossy(&torn[..torn.len().min(MAX_TORN)]).into_owned();
        let bytes = torn.len() as u64;
        Self { count: Some(bytes), note: Some(told), ..Self::of(Event::Mended) }
    }

    /// The line that it is, without its end.
    pub(super) fn line(&self, number: u64, time: Timestamp, previous: LineHash) -> Vec<u8> {
        let line = Line { number, time: format!("{time:.6}"), record: self, previous };
        serde_json::to_vec(&line).expect("its keys are texts, and nothing in it refuses")
    }
}

impl From<&Caller> for Who {
    fn from(caller: &Caller) -> Self {
        match &caller.origin {
            Origin::Local(Local { uid, gid, groups: _, pid, process: _, executable, is_at_its_path: _ }) => {
                Self::Local { uid: *uid, gid: *gid, pid: *pid, executable: shortened(executable) }
            }
            Origin::Remote(Remote { certificate, address }) => {
                let certificate = certificate.as_deref().map(shortened);
                Self::Remote { certificate, address: address.to_string() }
            }
        }
    }
}

impl LineHash {
    /// What the first line of all has as `previous`.
    pub(crate) const NONE: Self = Self([0; 32]);

    pub(crate) fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for LineHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidHash);
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| InvalidHash)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for LineHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LineHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Link {
    /// `None`: the line is no record.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

fn shortened(path: &str) -> String {
    if path.len() <= MAX_PATH {
        return path.to_owned();
    }
    let end = (0..=MAX_PATH).rev().find(|end| path.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &path[..end])
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;

    use super::{Event, InvalidHash, LineHash, Link, MAX_LINE, MAX_PATH, Record, Who};

    #[test]
    fn a_line_is_one_object_with_exact_time_and_its_place_in_the_chain() {
        let time: Timestamp = "2026-11-24T12:00:00.0000015Z".parse().expect("a time");
        let record = Record::of(Event::Saved).session(&"alice".parse().expect("a name")).at(7);
        let line = record.line(3, time, LineHash::of(b"x"));
        let hash = LineHash::of(b"x");
        let expected = format!(
            r#"{{"number":3,"time":"2026-11-24T12:00:00.000001Z","event":"saved","session":"alice","revision":7,"previous":"{hash}"}}"#
        );
        assert_eq!(String::from_utf8(line.clone()).expect("text"), expected);
        let link = Link::of(&line).expect("a record");
        assert_eq!((link.number, link.previous), (3, hash));
    }

    #[test]
    fn the_longest_record_has_room_in_a_line() {
        let who = Who::Local {
            uid: u32::MAX,
            gid: u32::MAX,
            pid: i32::MIN,
            executable: super::shortened(&"\"".repeat(9_999)),
        };
        let record = Record {
            call: Some("AdvanceStream"),
            caller: Some(who),
            ..Record::of(Event::KeysHandedOut)
                .session(&"n".repeat(128).parse().expect("a name"))
                .label(&"\u{10ffff}".repeat(128))
                .at(i64::MIN)
        };
        let line = record.line(u64::MAX, Timestamp::MAX, LineHash::NONE);
        assert!((line.len() as u64) < MAX_LINE, "{}", line.len());
        assert!(line.len() > 2 * MAX_PATH);
        let torn = Record::mended(&[7; 100_000]).line(u64::MAX, Timestamp::MAX, LineHash::NONE);
        assert!((torn.len() as u64) < MAX_LINE, "{}", torn.len());
        Link::of(&torn).expect("a record");
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = LineHash::of(b"line");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!("abc".parse::<LineHash>(), Err(InvalidHash));
        assert_eq!("é".repeat(32).parse::<LineHash>(), Err(InvalidHash));
        assert_eq!(LineHash::NONE.to_string(), "0".repeat(64));
    }

    #[test]
    fn what_a_line_leaves_out_is_not_in_it() {
        let line = Record::of(Event::Started).line(1, Timestamp::UNIX_EPOCH, LineHash::NONE);
        let line: Value = serde_json::from_slice(&line).expect("JSON");
        let keys: Vec<&str> = line.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["number", "time", "event", "previous"]);
    }
}
