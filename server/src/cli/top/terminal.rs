use std::io::{self, IsTerminal as _};

use crossterm::event::{Event, EventStream, KeyEvent};
use futures_util::StreamExt as _;
use ratatui::{DefaultTerminal, backend::Backend as _, buffer::Buffer};
use rustix::process::{Signal, getpid, kill_process};

/// The terminal, for as long as this view has all of it. On drop, and before a panic is told, it is as it was.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: DefaultTerminal,
    events: Option<EventStream>,
}

/// What somebody did at the terminal.
#[derive(Debug)]
pub(super) enum Input {
    /// Pressed a key.
    Key(KeyEvent),
    /// Gave it another size.
    Resized,
}

impl Screen {
    /// Takes the terminal. To be called once: it sees to it that a panic gives it back.
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self { terminal: ratatui::try_init()?, events: Some(EventStream::new()) })
    }

    /// Whether there is a terminal to take.
    pub(super) fn is_there() -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Draws, and writes what has changed.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame.buffer_mut())).map(|_| ())
    }

    /// What somebody does next. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Input> {
        let Some(events) = &mut self.events else { return std::future::pending().await };
        loop {
            match events.next().await {
                Some(Ok(Event::Key(key))) => return Ok(Input::Key(key)),
                Some(Ok(Event::Resize(..))) => return Ok(Input::Resized),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Gives the terminal back, stops this process as Ctrl-Z does, and takes it again when it goes on.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        // Nobody may read keys that are the shell's.
        self.events = None;
        ratatui::try_restore()?;
        kill_process(getpid(), Signal::TSTP)?;
        self.terminal = ratatui::try_init()?;
        // Not the terminal's own, which would ask where the cursor is, and wait for the answer among the keys.
        self.terminal.backend_mut().clear()?;
        self.events = Some(EventStream::new());
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.events = None;
        // Where that fails there is no terminal any more.
        let _ = ratatui::try_restore();
    }
}
