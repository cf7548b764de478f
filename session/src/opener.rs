#[cfg(not(target_os = "linux"))]
#[path = "opener/elsewhere.rs"]
mod system;
#[cfg(target_os = "linux")]
#[path = "opener/linux.rs"]
mod system;

use std::{fmt, path::Path};

/// A program that has a lock on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opener {
    /// Its process id.
    pub pid: u32,
    /// Its name; empty if the system does not tell.
    pub program: String,
}

/// The programs that have a lock on a file, by ascending pid, this one included. Empty: nobody has, or the system does
/// not tell (it does on Linux, for the processes that can be seen from here).
pub fn openers(path: &Path) -> Vec<Opener> {
    let mut pids = system::lock_holders(path);
    pids.sort_unstable();
    pids.dedup();
    pids.into_iter().map(|pid| Opener { pid, program: system::program(pid) }).collect()
}

/// Who uses a file, in a sentence: "another program" where the system does not tell.
#[derive(Debug)]
pub struct Openers<'a>(pub &'a [Opener]);

impl fmt::Display for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, program } = self;
        match program.as_str() {
            _ if *pid == std::process::id() => write!(f, "this process (pid {pid})"),
            "" => write!(f, "pid {pid}"),
            program => write!(f, "{program} (pid {pid})"),
        }
    }
}

impl fmt::Display for Openers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else {
            return f.write_str("another program");
        };
        write!(f, "{first}")?;
        rest.iter().try_for_each(|opener| write!(f, ", {opener}"))
    }
}
