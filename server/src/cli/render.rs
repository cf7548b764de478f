//! Sessions and those who hold them, as text for people and as JSON with the schema's field names. No key in either.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Value, json};
use sessiond_client::{Holder, Session, SessionName, StateChange, User};
use sessiond_proto::v1;

/// Channels that a line of text names one by one.
const CHANNELS_IN_TEXT: usize = 3;

/// What stands for nothing in a table.
pub(super) const NOTHING: &str = "-";

/// A session, with `has_auth` in place of the keys.
pub(super) fn session_object(session: &Session) -> Value {
    let v1::Session { version, dcs, user, state, home_dc, test_mode } = session.clone().without_keys().into();
    let dcs: Vec<Value> = dcs
        .into_iter()
        .map(|v1::DataCenter { id, ipv4_addr, ipv6_addr, auth: _, has_auth }| {
            json!({ "id": id, "ipv4_addr": ipv4_addr, "ipv6_addr": ipv6_addr, "has_auth": has_auth })
        })
        .collect();
    let user = user.map(
        |v1::User { id, dc, bot, username }| json!({ "id": id, "dc": dc, "bot": bot, "username": username }),
    );
    let state = state.map(|v1::UpdateState { pts, qts, date, seq, channels }| {
        json!({ "pts": pts, "qts": qts, "date": date, "seq": seq, "channels": channel_objects(&channels) })
    });
    json!({
        "version": version, "dcs": dcs, "user": user, "state": state, "home_dc": home_dc, "test_mode": test_mode,
    })
}

pub(super) fn change_object(change: &StateChange) -> Value {
    let v1::StateChange { pts, qts, date, seq, channels, removed_channels } = change.clone().into();
    json!({
        "pts": pts, "qts": qts, "date": date, "seq": seq, "channels": channel_objects(&channels),
        "removed_channels": removed_channels,
    })
}

pub(super) fn user_object(user: &User) -> Value {
    let User { id, dc, bot, username } = user;
    json!({ "id": id, "dc": dc, "bot": bot, "username": username })
}

pub(super) fn holder_object(holder: &Holder) -> Value {
    let Holder { label, pid, uid, executable, since, host } = holder;
    json!({
        "label": label, "pid": pid, "uid": uid, "executable": executable, "since": since.map(exact_time), "host": host,
    })
}

/// A session's revision after a write.
pub(super) fn revision_object(name: &SessionName, revision: i64) -> Value {
    json!({ "name": name.as_str(), "revision": revision })
}

/// A time in RFC 3339.
pub(super) fn exact_time(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time).ok().map(|time| time.to_string())
}

/// How long ago a time is, or `-` where there is none.
pub(super) fn ago(time: Option<SystemTime>) -> String {
    time.map_or_else(|| NOTHING.to_owned(), |time| format!("{} ago", age(time)))
}

/// Who holds a session, and for how long.
pub(super) fn hold_text(holder: &Holder) -> String {
    let age = holder.since.map(|since| format!(" for {}", age(since))).unwrap_or_default();
    format!("{}{age}", holder_text(holder))
}

/// Who holds a session, in a few words.
pub(super) fn holder_text(holder: &Holder) -> String {
    let label = if holder.label.is_empty() { &holder.executable } else { &holder.label };
    let pid = holder.pid.map(|pid| format!("pid {pid}"));
    match (printable(label), pid) {
        (label, Some(pid)) if label.is_empty() => pid,
        (label, Some(pid)) => format!("{label} ({pid})"),
        (label, None) if label.is_empty() => "a client that is not known".to_owned(),
        (label, None) => label,
    }
}

/// Who is logged in, in a few words.
pub(super) fn user_text(user: &User) -> String {
    let mut text = user.id.to_string();
    if let Some(username) = &user.username {
        text += &format!(" @{}", printable(username));
    }
    if user.bot == Some(true) {
        text += " (bot)";
    }
    text
}

/// What is in a session, in one line.
pub(super) fn session_text(session: &Session) -> String {
    let user = session
        .user
        .as_ref()
        .map_or_else(|| "nobody logged in".to_owned(), |user| format!("user {}", user_text(user)));
    let keys: Vec<String> =
        session.dcs.iter().filter(|dc| dc.auth.is_present()).map(|dc| dc.id.to_string()).collect();
    let keys = if keys.is_empty() { "no keys".to_owned() } else { format!("keys of DC {}", keys.join(", ")) };
    let state = match &session.state {
        Some(state) => format!("pts {}, channels: {}", state.pts, state.channels.len()),
        None => "no update state".to_owned(),
    };
    format!("{user}, home DC {}, {keys}, {state}", session.home_dc_id())
}

/// What a change sets, in one line.
pub(super) fn change_text(change: &StateChange) -> String {
    let StateChange { pts, qts, date, seq, channels, removed_channels } = change;
    let counters = [
        ("pts", pts.map(i64::from)),
        ("qts", qts.map(i64::from)),
        ("date", *date),
        ("seq", seq.map(i64::from)),
    ];
    let mut parts: Vec<String> =
        counters.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?))).collect();
    let set = channels.iter().map(|channel| format!("channel {} pts {}", channel.id, channel.pts));
    let removed = removed_channels.iter().map(|id| format!("channel {id} forgotten"));
    parts.extend(set.chain(removed).take(CHANNELS_IN_TEXT));
    let more = (channels.len() + removed_channels.len()).saturating_sub(CHANNELS_IN_TEXT);
    if more > 0 {
        parts.push(format!("{more} more channels"));
    }
    parts.join(", ")
}

/// Columns that a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    ratatui::text::Span::raw(text).width()
}

/// A text of someone else's that cannot steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Whether a character is one that is obeyed, and not shown: control characters, ends of lines and paragraphs, and those that
/// turn the direction of what stands around them.
fn steers(character: char) -> bool {
    let turns = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control()
}

/// A number with a comma between thousands.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How long something took, in two or three digits.
pub(super) fn duration_text(duration: Duration) -> String {
    let micros = duration.as_micros();
    let seconds = duration.as_secs_f64();
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..10_000 => format!("{:.1} ms", seconds * 1_000.0),
        10_000..1_000_000 => format!("{:.0} ms", seconds * 1_000.0),
        _ => format!("{seconds:.1} s"),
    }
}

/// The last few values as bars, the highest of them full.
pub(super) fn sparkline(values: impl Iterator<Item = u64> + Clone) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.clone().max().unwrap_or(0).max(1);
    // Whatever is not nothing is seen.
    let height = |value: u64| (value * 8).div_ceil(most).min(8);
    values.map(|value| BARS[usize::try_from(height(value)).unwrap_or(8)]).collect()
}

fn age(time: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(time).unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn channel_objects(channels: &[v1::ChannelState]) -> Vec<Value> {
    channels.iter().map(|v1::ChannelState { id, pts }| json!({ "id": id, "pts": pts })).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sessiond_client::{Auth, AuthKey, ChannelState, DataCenter, Session, StateChange};

    use super::{change_text, duration_text, grouped, printable, session_object, session_text, sparkline};

    #[test]
    fn a_key_is_in_neither_form_of_a_session() {
        let auth = Auth::Key(AuthKey::try_from([171; 256].as_slice()).expect("256 bytes"));
        let dcs = vec![DataCenter { id: 4, auth, ..DataCenter::default() }];
        let session = Session { dcs, ..Session::default() };
        let object = session_object(&session).to_string();
        assert!(object.contains(r#""has_auth":true"#) && !object.contains("171"), "{object}");
        let text = session_text(&session);
        assert!(text.contains("keys of DC 4") && !text.contains("171"), "{text}");
    }

    #[test]
    fn a_long_change_is_a_short_line() {
        let channels = (1..=10).map(|id| ChannelState { id, pts: 5 }).collect();
        let change = StateChange { pts: Some(7), channels, ..StateChange::default() };
        assert_eq!(
            change_text(&change),
            "pts 7, channel 1 pts 5, channel 2 pts 5, channel 3 pts 5, 7 more channels"
        );
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!([0, 999, 1_000, -1_234_567].map(grouped), ["0", "999", "1,000", "-1,234,567"]);
        let text =
            [310, 1_250, 262_400, 1_500_000].map(|micros| duration_text(Duration::from_micros(micros)));
        assert_eq!(text, ["310 us", "1.2 ms", "262 ms", "1.5 s"]);
        assert_eq!(sparkline([0, 1, 500, 1000].into_iter()), " ▁▄█");
        assert_eq!(sparkline([0, 0].into_iter()), "  ");
    }

    #[test]
    fn someone_elses_text_cannot_steer_a_terminal() {
        assert_eq!(printable("a\x1b[2J\n"), "a\u{fffd}[2J\u{fffd}");
    }
}
