//! What the system lets a process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets the processes that are started from now on have so many files open, if that is permitted. Answers how many they may.
pub(crate) fn open_files(wanted: usize) -> usize {
    let wanted = wanted as u64;
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.is_none_or(|maximum| maximum >= wanted);
    let maximum = if enough { limit.maximum } else { Some(wanted) };
    // Only root may raise it further; others measure fewer.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(wanted);
    usize::try_from(limit).unwrap_or(usize::MAX)
}
