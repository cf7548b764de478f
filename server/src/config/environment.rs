use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::Command;

/// What the daemon takes from its environment beside the settings themselves: where a user's directories are, and who
/// waits for it to be ready.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    pub(super) root: bool,
    pub(super) home: Option<OsString>,
    pub(super) state_home: Option<OsString>,
    pub(super) config_home: Option<OsString>,
    pub(super) notify_socket: Option<OsString>,
    pub(super) credentials: Option<OsString>,
}

impl Environment {
    pub(super) fn read() -> Self {
        Self {
            root: rustix::process::geteuid().is_root(),
            home: env::var_os("HOME"),
            state_home: env::var_os("XDG_STATE_HOME"),
            config_home: env::var_os("XDG_CONFIG_HOME"),
            notify_socket: env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            credentials: env::var_os("CREDENTIALS_DIRECTORY"),
        }
    }

    /// Where sessions are kept unless the user says otherwise. None: there is no home directory to put it in.
    pub(super) fn default_dir(&self) -> Option<PathBuf> {
        if self.root {
            return Some("/var/lib/sessiond".into());
        }
        Some(self.base(self.state_home.as_ref(), ".local/state")?.join("sessiond"))
    }

    /// Where the configuration file is unless the user says otherwise.
    pub(super) fn default_file(&self) -> Option<PathBuf> {
        self.configuration().map(|directory| directory.join("sessiond.toml"))
    }

    /// Where what is set up is: the configuration file, and master keys.
    pub(super) fn configuration(&self) -> Option<PathBuf> {
        if self.root {
            return Some("/etc/sessiond".into());
        }
        Some(self.base(self.config_home.as_ref(), ".config")?.join("sessiond"))
    }

    /// Where a service manager puts the master key, if it puts credentials anywhere (systemd.exec(5)).
    pub(super) fn credential(&self) -> Option<PathBuf> {
        let directory = self.credentials.as_ref().map(Path::new).filter(|path| path.is_absolute())?;
        Some(directory.join("sessiond-master-key"))
    }

    /// A base directory of the XDG specification, which says to ignore a relative one.
    fn base(&self, named: Option<&OsString>, in_home: &str) -> Option<PathBuf> {
        let absolute = |path: &&OsString| Path::new(path).is_absolute();
        let home = self.home.as_ref().filter(absolute);
        named.filter(absolute).map(PathBuf::from).or_else(|| Some(Path::new(home?).join(in_home)))
    }
}

/// The command line, blind to variables that are empty: they count as not set.
pub(crate) fn without_empty_variables(command: Command) -> Command {
    command
        .mut_args(|arg| {
            let empty = arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
            if empty { arg.env(None) } else { arg }
        })
        .mut_subcommands(without_empty_variables)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Environment;

    #[test]
    fn root_has_the_systems_directories_and_a_user_their_own() {
        let path = |text: &str| Some(PathBuf::from(text));
        let user = Environment { home: Some("/home/a".into()), ..Environment::default() };
        assert_eq!(user.default_dir(), path("/home/a/.local/state/sessiond"));
        assert_eq!(user.default_file(), path("/home/a/.config/sessiond/sessiond.toml"));

        let xdg = Environment { state_home: Some("/s".into()), config_home: Some("relative".into()), ..user };
        assert_eq!(xdg.default_dir(), path("/s/sessiond"));
        assert_eq!(xdg.default_file(), path("/home/a/.config/sessiond/sessiond.toml"));

        let root = Environment { root: true, ..xdg };
        assert_eq!(root.default_dir(), path("/var/lib/sessiond"));
        assert_eq!(root.default_file(), path("/etc/sessiond/sessiond.toml"));

        assert_eq!(Environment::default().default_dir(), None);
    }
}
