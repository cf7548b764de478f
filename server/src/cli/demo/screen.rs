use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use rustix::termios::tcgetwinsize;
use serde_json::{Value, json};

use super::{
    evidence::{Check, Evidence},
    figures::Figures,
    trial::{Stands, Worker},
};
use crate::cli::{
    output::Output,
    render::{duration_text, grouped, sparkline},
};

/// Frames between two rates, which would not stand still to be read otherwise.
const RATE_FRAMES: usize = 5;
/// Rates that are shown as bars.
const RATES: usize = 20;

/// What the demo shows: what happens, line by line, and on a terminal below that how everybody stands right now.
#[derive(Debug)]
pub(super) struct Screen {
    output: Output,
    begun: Instant,
    /// Whether lines can be drawn again.
    live: bool,
    /// What stands at the bottom and is drawn again.
    bottom: Vec<Line>,
    frames: usize,
    rates: Vec<u64>,
    counted: (Instant, usize),
}

/// A line that is drawn again.
#[derive(Debug, Default)]
struct Line {
    text: String,
    stands_out: bool,
}

impl Screen {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            begun: Instant::now(),
            live: !output.is_json() && io::stdout().is_terminal(),
            bottom: Vec::new(),
            frames: 0,
            rates: Vec::new(),
            counted: (Instant::now(), 0),
        }
    }

    /// What this is about to be.
    pub(super) fn opening(&mut self, kills: u32) -> io::Result<()> {
        if self.output.is_json() {
            return Ok(());
        }
        self.line(&format!(
            "Three workers want one session; whoever holds it is killed, {kills} times, by kill -9.\n\
             All of it is real but the session: its keys are made up, and it goes in the end.\n"
        ))
    }

    pub(super) fn imported(&mut self, text: &str) -> io::Result<()> {
        self.happened(|| json!({ "event": "imported" }), || text.to_owned())
    }

    pub(super) fn granted(
        &mut self,
        label: &str,
        pid: i32,
        pts: i32,
        after: Option<Duration>,
    ) -> io::Result<()> {
        let output = self.output;
        self.happened(
            || {
                let after = after.map(|after| after.as_secs_f64());
                json!({ "event": "granted", "label": label, "pid": pid, "pts": pts, "after_kill": after })
            },
            || {
                let after = after.map(|after| format!(", {} after the kill", duration_text(after)));
                let holds = output.good(&format!("{label} holds"));
                format!("{holds} (pid {pid}), from pts {}{}", grouped(pts.into()), after.unwrap_or_default())
            },
        )
    }

    pub(super) fn killed(&mut self, label: &str, pid: i32, pts: i32) -> io::Result<()> {
        let output = self.output;
        self.happened(
            || json!({ "event": "killed", "label": label, "pid": pid, "pts": pts }),
            || {
                let killed = output.bad(&format!("{label} is killed"));
                format!("{killed} (pid {pid}), pts {} was acknowledged", grouped(pts.into()))
            },
        )
    }

    /// Draws how everybody stands, where lines can be drawn again.
    pub(super) fn draw(&mut self, workers: &[Worker], evidence: &Evidence) -> io::Result<()> {
        if !self.live {
            return Ok(());
        }
        self.frames += 1;
        if self.frames.is_multiple_of(RATE_FRAMES) {
            self.count(evidence.events());
        }
        let mut bottom = vec![Line::default()];
        bottom.extend(workers.iter().map(standing));
        let rate = grouped(self.rates.last().copied().unwrap_or(0).cast_signed());
        let events = grouped(i64::try_from(evidence.events()).unwrap_or(i64::MAX));
        let bars = sparkline(self.rates.iter().copied());
        let text = format!("  watcher   saw {events:>9} events, {rate:>6} a second  {bars}");
        bottom.push(Line { text, stands_out: false });
        self.show(None, bottom)
    }

    /// Takes away what is drawn again and again.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.show(None, Vec::new())
    }

    /// What was found, and in figures.
    pub(super) fn verdict(&mut self, checks: &[Check], figures: &Figures) -> io::Result<()> {
        if self.output.is_json() {
            for Check { promise, finding } in checks {
                let (kept, finding) = (finding.is_ok(), finding.as_ref().unwrap_or_else(|broken| broken));
                let check = json!({ "check": promise, "kept": kept, "finding": finding });
                self.output.line(&check.to_string())?;
            }
            return self.output.line(&json!({ "figures": figures.object() }).to_string());
        }
        self.line("")?;
        for Check { promise, finding } in checks {
            let (mark, finding) = match finding {
                Ok(found) => (self.output.good("kept  "), found),
                Err(broken) => (self.output.bad("BROKEN"), broken),
            };
            self.line(&format!("  {mark}  {promise:<32}  {}", self.output.dim(finding)))?;
        }
        self.line("")?;
        figures.rows().iter().try_for_each(|(name, value, remark)| {
            self.line(format!("  {name:<22} {value:>12}  {}", self.output.dim(remark)).trim_end())
        })
    }

    fn happened(&mut self, object: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> io::Result<()> {
        let time = self.begun.elapsed().as_secs_f64();
        if self.output.is_json() {
            let mut event = json!({ "time": (time * 1e3).round() / 1e3 });
            if let (Some(event), Value::Object(object)) = (event.as_object_mut(), object()) {
                event.extend(object);
            }
            return self.output.line(&event.to_string());
        }
        self.line(&format!("{}  {}", self.output.dim(&format!("{time:>5.1} s")), text()))
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        let bottom = std::mem::take(&mut self.bottom);
        let lines = bottom.len();
        self.draw_over(lines, Some(line), &bottom)?;
        self.bottom = bottom;
        Ok(())
    }

    fn show(&mut self, line: Option<&str>, bottom: Vec<Line>) -> io::Result<()> {
        self.draw_over(self.bottom.len(), line, &bottom)?;
        self.bottom = bottom;
        Ok(())
    }

    /// Draws a line and the bottom in place of the bottom that was.
    fn draw_over(&self, lines: usize, line: Option<&str>, bottom: &[Line]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if lines > 0 {
            // Up to its first line, and everything from there on is cleared.
            write!(out, "\x1b[{lines}A\x1b[J")?;
        }
        if let Some(line) = line {
            writeln!(out, "{line}")?;
        }
        let width = tcgetwinsize(&out).map_or(80, |size| usize::from(size.ws_col).max(1));
        for line in bottom {
            // A line that breaks would be two to go up.
            let text: String = line.text.chars().take(width - 1).collect();
            writeln!(out, "{}", if line.stands_out { self.output.good(&text) } else { text })?;
        }
        out.flush()
    }

    fn count(&mut self, events: usize) {
        let (since, before) = std::mem::replace(&mut self.counted, (Instant::now(), events));
        let fresh = u32::try_from(events.saturating_sub(before)).unwrap_or(u32::MAX);
        let rate = f64::from(fresh) / since.elapsed().as_secs_f64().max(0.001);
        self.rates.push(Duration::try_from_secs_f64(rate).unwrap_or_default().as_secs());
        if self.rates.len() > RATES {
            self.rates.remove(0);
        }
    }
}

fn standing(worker: &Worker) -> Line {
    let stands = match worker.stands {
        Stands::Coming => "is started".to_owned(),
        Stands::Waiting(1) => "waits        next in line".to_owned(),
        Stands::Waiting(place) => format!("waits        place {place} in line"),
        Stands::Holding(_, None) => "holds it".to_owned(),
        Stands::Holding(_, Some(pts)) => format!("holds it     pts {:>12}", grouped(pts.into())),
        Stands::Gone => "is gone".to_owned(),
    };
    Line {
        text: format!("  {}  pid {:<8} {stands}", worker.label, worker.pid),
        stands_out: matches!(worker.stands, Stands::Holding(..)),
    }
}
