//! What the daemon's process is, for its whole life.

use std::io;

use rustix::{
    fs::Mode,
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask},
    thread::set_no_new_privs,
};

/// A protection that the system refused.
#[derive(Debug, thiserror::Error)]
#[error("core dumps, tracing and the gaining of privileges, which would show keys, cannot be switched off")]
pub(crate) struct HardeningError(#[from] io::Error);

/// Files are made for the daemon's user alone; neither a core dump nor a debugger shows its memory; no program that it would
/// start gains privileges. (That a closed connection sends no SIGPIPE is Rust's default.) To be called while there is no
/// other thread.
///
/// From then on `/proc/PID` of the daemon belongs to root.
///
/// # Errors
/// Where the system refuses any of it: the daemon must not get keys then.
pub(crate) fn harden() -> Result<(), HardeningError> {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(io::Error::from)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from)?;
    set_no_new_privs(true).map_err(io::Error::from)?;
    Ok(())
}

/// Keeps the process's memory out of swap, page by page as it comes to be used, where whoever started it has lifted the limit
/// on that. With a limit the daemon would fail at it, and not at a disk or a request; then it is only said.
///
/// Memory that is locked cannot be given back: the process stays as large as it ever was.
pub(crate) fn lock_memory() {
    let limit = getrlimit(Resource::Memlock).current;
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let locked = limit.is_none() && mlockall(flags).is_ok();
    if locked {
        tracing::info!("memory is locked: no key is written to swap");
    } else {
        tracing::info!(
            limit,
            "memory is not locked: keys may be written to swap, if there is one that is not encrypted"
        );
    }
}

/// Lets the process have as many files open as it may. Answers how many that is.
pub(crate) fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Beyond the hard limit nothing is tried, so that a failure is not expected, and would leave the limit that there is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    open_files()
}

/// How many files the process may have open.
pub(crate) fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        env, fs, io,
        os::{fd::IntoRawFd as _, unix::fs::PermissionsExt as _},
        path::Path,
        process::Command,
    };

    use rustix::{
        process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit},
        thread::no_new_privs,
    };
    use tokio::net::UnixStream;

    use super::{harden, open_files, raise_open_files};
    use crate::{caller::Caller, config::Config, readiness::Readiness};

    /// Names the directory that [`plays_a_hardened_process`] may use.
    const PLAY: &str = "SESSIOND_TEST_PLAY_HARDENED";

    /// A process of its own, because hardening cannot be undone.
    #[tokio::test]
    async fn plays_a_hardened_process() {
        let Some(directory) = env::var_os(PLAY) else { return };
        let directory = Path::new(&directory);
        harden().expect("not refused");

        let core = getrlimit(Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        assert_eq!(no_new_privs(), Ok(true));
        let file = directory.join("file");
        fs::write(&file, "").expect("written");
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(Some(raise_open_files()), getrlimit(Resource::Nofile).maximum);

        // What is read in /proc is still there.
        let (_client, server) = UnixStream::pair().expect("two sockets");
        assert!(!Caller::of(&server).expect("known").executable().is_empty());
        let (_reader, writer) = io::pipe().expect("a pipe");
        let config = Config { ready_fd: Some(writer.into_raw_fd()), ..Config::in_directory(directory) };
        Readiness::open(&config).expect("open");
    }

    #[test]
    fn a_hardened_process_shows_its_memory_to_nobody_and_still_works() {
        let directory = tempfile::tempdir().expect("a directory");
        let status = Command::new(env::current_exe().expect("known"))
            .args(["hardening::tests::plays_a_hardened_process", "--exact"])
            .env(PLAY, directory.path())
            .status()
            .expect("started");
        assert!(status.success());
        assert!(directory.path().join("file").exists());
    }

    #[test]
    fn raising_the_limit_of_files_never_lowers_it() {
        let before = open_files();
        assert!(raise_open_files() >= before);
    }
}
