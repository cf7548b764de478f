use super::{Core, Writer};
use crate::engine::{
    journal::{Journal, WriteError},
    locks::{self, lock, try_lock},
};

/// Most names whose last holds are forgotten at a time.
const FORGET: usize = 1_024;

impl<J: Journal> Core<J> {
    /// What is done while nobody writes: trims the log, and forgets what it no longer has to know.
    pub(in crate::engine::committer) fn tidy(&self) {
        let mut writer = try_lock(&self.writer).unwrap_or_else(|| {
            self.wake_a_worker();
            lock(&self.writer)
        });
        if writer.closed {
            return;
        }
        if writer.in_doubt {
            // An error is logged there, and the next write tries again.
            let _ = self.read_again(&mut writer);
            return;
        }
        match writer.journal.tidy(&self.sessions().0) {
            Ok(trimmed) => writer.trimmed = trimmed,
            Err(WriteError::Full) => {}
            Err(WriteError::Unknown(cause)) => return writer.doubt(&*cause),
        }
        let trimmed = writer.trimmed;
        writer.requests.trim(trimmed);
        self.forget_leftovers(&mut writer);
        *lock(&self.log_extent) = writer.journal.log_extent();
    }

    /// Sees to it that requests are read while a lone write waits for a disk that stands still: the thread that carries it
    /// may be the one that would have read them, and those that sleep only do so once they were woken.
    fn wake_a_worker(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async {});
        }
    }

    fn forget_leftovers(&self, writer: &mut Writer<J>) {
        let mut names = writer.leftovers.take(writer.trimmed, FORGET);
        names.retain(|name| self.state().entry(name).is_some_and(|entry| entry.is_leftover()));
        if names.is_empty() {
            return;
        }
        match writer.journal.forget_holds(&names) {
            Ok(()) => {
                let mut state = locks::write(&self.state);
                names.iter().for_each(|name| state.drop_hold(name));
            }
            Err(WriteError::Full) => {
                names.iter().for_each(|name| writer.leftovers.note(name, writer.trimmed));
            }
            Err(WriteError::Unknown(cause)) => writer.doubt(&*cause),
        }
    }
}
