//! `sessiond top`: a live view of a daemon and its sessions.
//!
//! [`Feed`] brings what the daemon tells, [`Known`] is what is known by it, [`View`] what is looked at, and [`Frame`] draws
//! the three. Only the first of them does anything but compute.

mod detail;
mod fares;
mod feed;
mod frame;
mod header;
mod known;
mod order;
mod pace;
mod palette;
mod plain;
#[cfg(test)]
mod sample;
mod table;
mod terminal;
mod view;

use std::{
    io,
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use tokio::time::{MissedTickBehavior, interval};

use self::{
    detail::Detail,
    feed::{Feed, Haste, Update},
    frame::Frame,
    known::{Known, Now},
    order::{Order, SortBy},
    palette::Palette,
    terminal::{Input, Screen},
    view::{Page, Step, View},
};
use super::{
    Context,
    failure::Failure,
    interrupt::{Interrupts, exit_code},
};
use crate::exit::Exit;

/// How often the screen is drawn while things change. Slower than a flicker, faster than a wait.
const FRAME: Duration = Duration::from_millis(250);

/// Look at a daemon and its sessions, live
///
/// Who holds which session and who waits, how fast their counters move, and how the daemon fares. It needs no more rights
/// than `sessiond watch`, and goes on by itself after the daemon was away. `?` tells what the keys do.
///
/// With --once or --json it prints one frame, after a second in which it sees how fast things move, and ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond top
  sessiond top bot. --sort rate
  sessiond top --once | head
  sessiond top --json")]
pub(crate) struct Top {
    /// Only names that begin with this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// Print one frame with all sessions, as plain text, and end
    #[arg(long)]
    once: bool,
    /// What the table is sorted by at first
    #[arg(long, value_name = "COLUMN", value_enum, default_value_t)]
    sort: SortBy,
}

/// Everything behind the screen.
struct Live {
    socket: String,
    feed: Feed,
    known: Known,
    detail: Detail,
    view: View,
    palette: Palette,
    begun: Instant,
}

impl Top {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { prefix, once, sort } = self;
        let order = Order { sort_by: sort, ..Order::default() };
        if once || context.output.is_json() {
            return plain::print(context, &prefix, &order).await;
        }
        if !Screen::is_there() {
            let message =
                "this is no terminal: `sessiond top --once` prints one frame, and --json its figures";
            return Err(Failure::new(Exit::Usage, message).into());
        }
        // So that it is said here if there is no daemon, and not on a screen with nothing in it.
        context.client.info().await?;
        let live = Live {
            socket: context.client.socket().to_string(),
            feed: Feed::open(context, &prefix, Haste::Slowly).await?,
            known: Known::default(),
            detail: Detail::default(),
            view: View::new(order),
            palette: Palette::of(context.output.has_color()),
            begun: Instant::now(),
        };
        live.run().await
    }
}

impl Live {
    async fn run(mut self) -> anyhow::Result<ExitCode> {
        let mut interrupts = Interrupts::catch()?;
        let mut screen = Screen::take()?;
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut drawn = None;
        loop {
            tokio::select! {
                update = self.feed.next() => {
                    self.apply(update?);
                    drawn = None;
                }
                input = screen.next() => {
                    if let Input::Key(key) = input? && self.press(key, &mut screen)? {
                        return Ok(ExitCode::SUCCESS);
                    }
                    self.draw(&mut screen)?;
                }
                _ = frames.tick() => {
                    // Where nothing has changed, the seconds have.
                    let second = self.now().second();
                    if drawn != Some(second) {
                        self.draw(&mut screen)?;
                        drawn = Some(second);
                    }
                }
                signal = interrupts.next() => return Ok(exit_code(signal)),
            }
        }
    }

    fn apply(&mut self, update: Update) {
        let now = self.now();
        match update {
            Update::Detail(event) => self.detail.apply(event),
            update => self.known.apply(update, now),
        }
    }

    /// Does what a key says. Whether it says to end.
    fn press(&mut self, key: crossterm::event::KeyEvent, screen: &mut Screen) -> io::Result<bool> {
        match self.view.press(key) {
            Step::Draw => {}
            Step::Quit => return Ok(true),
            Step::Suspend => screen.suspend()?,
            Step::Open(_) | Step::Close => {
                let name = match &self.view.page {
                    Page::Detail(name) => Some(name.clone()),
                    _ => None,
                };
                self.detail = Detail::default();
                self.known.detailed.clone_from(&name);
                self.feed.follow(name);
            }
        }
        Ok(false)
    }

    fn draw(&mut self, screen: &mut Screen) -> io::Result<()> {
        let now = self.now();
        let Self { socket, feed: _, known, detail, view, palette, begun: _ } = self;
        let frame = Frame { known, detail, socket, now, palette: *palette };
        screen.draw(|buffer| frame.draw(view, buffer))
    }

    fn now(&self) -> Now {
        Now { elapsed: self.begun.elapsed(), wall: SystemTime::now() }
    }
}
