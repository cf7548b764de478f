//! How the daemon is set up: read once, from flags, the environment and a file, into a [`Config`] that is valid.
//!
//! A flag comes before the environment, that before the file, and that before the default.

mod abstract_name;
mod environment;
mod place;
mod seal;
mod settings;
mod span;

use std::{env, ffi::OsString, io, net::SocketAddr, os::fd::RawFd, path, path::PathBuf, time::Duration};

use sessiond_client::Socket;

use self::{environment::Environment, seal::Seal, settings::Settings, span::Span};
use crate::{
    exit::Exit,
    logging::{LogFilter, LogFormat},
    seal::KeySource,
    toml_file::Fault,
};

pub(crate) use self::{
    abstract_name::AbstractName,
    environment::without_empty_variables,
    place::{GLOBAL_OPTIONS, Place},
};

/// How long a session rests between two holders unless the user says otherwise.
const HAND_OVER_DELAY: Duration = Duration::from_secs(1);

/// How long a hold waits for its client to come back unless the user says otherwise.
const RESUME_WINDOW: Duration = Duration::from_secs(10);

/// Everything that `sessiond serve` is told. Paths are absolute.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where sessions are kept.
    pub(crate) dir: PathBuf,
    /// The Unix socket to serve on.
    pub(crate) socket: PathBuf,
    /// The abstract socket to serve on as well.
    pub(crate) abstract_socket: Option<AbstractName>,
    /// The TCP address to serve on as well.
    pub(crate) listen: Option<SocketAddr>,
    /// The directory with the identity for TLS.
    pub(crate) tls: Option<PathBuf>,
    /// Serve TCP without TLS. Never together with `tls`.
    pub(crate) insecure_plaintext_tcp: bool,
    /// Where sessions live.
    pub(crate) engine: EngineKind,
    /// Where the master key is.
    pub(crate) seal: KeySource,
    /// How long a session rests between the death of its holder and the next grant: 0 to 1 min.
    pub(crate) hand_over_delay: Duration,
    /// How long a hold waits for its client to come back: 0.1 s to 10 min.
    pub(crate) resume_window: Duration,
    /// The rules of who may do what. None: the user that runs the daemon, and root.
    pub(crate) policy: Option<PathBuf>,
    /// What is logged.
    pub(crate) log: LogFilter,
    /// How it is logged.
    pub(crate) log_format: LogFormat,
    /// The descriptor where somebody waits to read that the daemon serves: 3 or more.
    pub(crate) ready_fd: Option<RawFd>,
    /// The socket of a service manager that waits for the same (sd_notify(3)).
    pub(crate) notify_socket: Option<OsString>,
    /// Make a new store from the sessions' own files.
    pub(crate) rebuild: bool,
    /// Stop once the last command has ended that was run with this daemon.
    pub(crate) life_lines: bool,
}

/// Where sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EngineKind {
    /// In files of the data directory
    Sqlite,
    /// In memory only
    Memory,
}

/// Serve sessions to the programs of this host.
///
/// Every option can also be set in the environment or in a file: a flag comes before the environment, that before the
/// file, and that before the default. The file is TOML, and its keys are the flags' names without the dashes before them:
/// resume-window = "30s". The socket is set with --socket, and the identity for TCP with --tls.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  sessiond serve
  sessiond serve --dir /srv/sessions --socket /run/sessions.sock
  SESSIOND_LOG=debug sessiond serve --engine memory --hand-over-delay 250ms")]
pub(crate) struct ServeArgs {
    /// File with settings. Default: $XDG_CONFIG_HOME/sessiond/sessiond.toml, else ~/.config/sessiond/sessiond.toml; as
    /// root /etc/sessiond/sessiond.toml; if it is there
    #[arg(long, value_name = "FILE", env = "SESSIOND_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,

    /// Write READY=1 and a newline to this open file descriptor (a pipe or a file) and close it, once sessions are served.
    /// 3 or more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(RawFd).range(3..))]
    ready_fd: Option<RawFd>,

    /// Make a new store from the sessions' own files, after the store was found damaged. What those files do not have is
    /// lost: what was not yet written, and the keys of sealed sessions
    #[arg(long)]
    rebuild: bool,

    /// Serve as long as there are life lines: the first is the standard input. It is how `sessiond run` starts a daemon
    #[arg(long, hide = true)]
    life_lines: bool,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error("the configuration file {}", file.display())]
    UnreadableFile {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file says something that means nothing.
    #[error("{}:{fault}", file.display())]
    InvalidFile {
        /// Which.
        file: PathBuf,
        /// What, and where.
        fault: Fault,
    },
    /// There is no default directory.
    #[error("no home directory to keep sessions in: choose a directory with --dir or SESSIOND_DIR")]
    NoHome,
    /// A credential was asked for, and there are none.
    #[error(
        "--seal credential takes sessiond-master-key from $CREDENTIALS_DIRECTORY, which is not set: a service manager sets it"
    )]
    NoCredentials,
    /// A variable of the environment that is not what it should be.
    #[error("SESSIOND_SEAL: {0}")]
    InvalidSeal(seal::InvalidSeal),
    /// A path that is none.
    #[error("{option} is not a path")]
    InvalidPath {
        /// The option that has it.
        option: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A socket that is no path.
    #[error(
        "the daemon's own socket is a path: set --socket to one, the abstract name with --abstract-socket, and an address \
         of TCP with --listen"
    )]
    NoPath,
    /// Two that exclude each other.
    #[error("TCP is served either by TLS or without: give --tls or --insecure-plaintext-tcp, not both")]
    TlsAndPlaintext,
}

impl ServeArgs {
    /// The configuration that the flags, the environment and the file make together. `place` is what every command is told.
    ///
    /// # Errors
    /// Where the file cannot be read or says what means nothing, and where something has no default.
    pub(crate) fn into_config(self, place: Place) -> Result<Config, Error> {
        self.resolve(place, Environment::read())
    }

    fn resolve(mut self, place: Place, environment: Environment) -> Result<Config, Error> {
        (self.settings.socket, self.settings.tls) = (place.socket, place.tls);
        let file = match (self.config, environment.default_file()) {
            (Some(file), _) => Settings::read(&file)?,
            (None, Some(file)) => Settings::read_if_there(&file)?,
            (None, None) => Settings::default(),
        };
        let settings = self.settings.or(file);
        let dir = settings.dir.or_else(|| environment.default_dir()).ok_or(Error::NoHome)?;
        let socket = match settings.socket {
            None => sessiond_client::default_socket(),
            Some(Socket::Path(path)) => path,
            Some(Socket::Abstract(_) | Socket::Url(_)) => return Err(Error::NoPath),
        };
        let insecure_plaintext_tcp = settings.insecure_plaintext_tcp.unwrap_or(false);
        if insecure_plaintext_tcp && settings.tls.is_some() {
            return Err(Error::TlsAndPlaintext);
        }
        let seal = key_source(settings.seal, &environment)?;
        Ok(Config {
            dir: absolute("--dir", dir)?,
            socket: absolute("--socket", socket)?,
            abstract_socket: settings.abstract_socket,
            listen: settings.listen,
            tls: settings.tls.map(|dir| absolute("--tls", dir)).transpose()?,
            insecure_plaintext_tcp,
            engine: settings.engine.unwrap_or(EngineKind::Sqlite),
            seal,
            hand_over_delay: settings.hand_over_delay.map_or(HAND_OVER_DELAY, Span::duration),
            resume_window: settings.resume_window.map_or(RESUME_WINDOW, Span::duration),
            policy: settings.policy.map(|file| absolute("--policy", file)).transpose()?,
            log: settings.log.unwrap_or_default(),
            log_format: settings.log_format.unwrap_or_default(),
            ready_fd: self.ready_fd,
            notify_socket: environment.notify_socket,
            rebuild: self.rebuild,
            life_lines: self.life_lines,
        })
    }
}

impl Config {
    /// What `sessiond serve` would be told by this `--dir` and this `--socket`, or without them, by SESSIOND_SEAL, and by the
    /// file.
    ///
    /// # Errors
    /// As those of [`ServeArgs::into_config`].
    pub(crate) fn of_directory(dir: Option<PathBuf>, socket: Option<Socket>) -> Result<Self, Error> {
        let seal = env::var("SESSIOND_SEAL").ok().filter(|seal| !seal.is_empty());
        let seal = seal.map(|seal| seal.parse()).transpose().map_err(Error::InvalidSeal)?;
        let settings = Settings { dir, seal, ..Settings::default() };
        ServeArgs { settings, ..ServeArgs::default() }.into_config(Place::of_socket(socket))
    }
}

impl Error {
    /// The code to exit with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::UnreadableFile { .. } => Exit::NoInput,
            Self::InvalidFile { .. } | Self::NoHome | Self::NoCredentials => Exit::Config,
            Self::InvalidPath { .. } | Self::InvalidSeal(_) | Self::NoPath | Self::TlsAndPlaintext => {
                Exit::Usage
            }
        }
    }
}

#[cfg(test)]
impl Config {
    /// The defaults, with everything in one directory.
    pub(crate) fn in_directory(directory: &path::Path) -> Self {
        let seal = Some(Seal::File(directory.join("key")));
        let settings = Settings { dir: Some(directory.join("data")), seal, ..Settings::default() };
        ServeArgs { settings, ..ServeArgs::default() }
            .resolve(Place::of_socket(Some(directory.join("sessiond.sock").into())), Environment::default())
            .expect("both paths are given")
    }
}

fn key_source(seal: Option<Seal>, environment: &Environment) -> Result<KeySource, Error> {
    Ok(match seal {
        Some(Seal::None) => KeySource::None,
        Some(Seal::File(path)) => KeySource::File(absolute("--seal", path)?),
        Some(Seal::Credential) => {
            KeySource::Credential(environment.credential().ok_or(Error::NoCredentials)?)
        }
        None => match (environment.credential(), environment.configuration()) {
            (Some(credential), _) if credential.exists() => KeySource::Credential(credential),
            (_, Some(directory)) => KeySource::Configuration(directory),
            (_, None) => KeySource::Nowhere,
        },
    })
}

fn absolute(option: &'static str, path: PathBuf) -> Result<PathBuf, Error> {
    path::absolute(path).map_err(|source| Error::InvalidPath { option, source })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, time::Duration};

    use clap::Parser;
    use sessiond_client::Socket;

    use super::{Config, EngineKind, Environment, Error, KeySource, Place, ServeArgs};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn parse(flags: &[&str]) -> Result<ServeArgs, clap::Error> {
        Command::try_parse_from(["serve"].iter().chain(flags)).map(|command| command.serve)
    }

    fn resolve(flags: &[&str], socket: Option<&str>) -> Result<Config, Error> {
        let environment = Environment { home: Some("/nonexistent".into()), ..Environment::default() };
        parse(flags).expect("valid flags").resolve(Place::of_socket(socket.map(Socket::from)), environment)
    }

    #[test]
    fn without_a_word_the_defaults_hold() {
        let config = resolve(&[], None).expect("every setting has a default");
        assert_eq!(config.dir, Path::new("/nonexistent/.local/state/sessiond"));
        assert_eq!(config.socket, sessiond_client::default_socket());
        assert_eq!(config.engine, EngineKind::Sqlite);
        assert_eq!(config.hand_over_delay, Duration::from_secs(1));
        assert_eq!(config.resume_window, Duration::from_secs(10));
        assert!(config.abstract_socket.is_none() && config.ready_fd.is_none() && !config.rebuild);
    }

    #[test]
    fn a_flag_comes_before_the_file_and_that_before_the_default() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("some.toml");
        fs::write(&file, "dir = '/from/file'\nsocket = '/file.sock'\nresume-window = '20s'")
            .expect("written");
        let file = file.to_str().expect("UTF-8");

        let config = resolve(&["--config", file, "--dir", "/from/flag"], None).expect("valid");
        assert_eq!(config.dir, Path::new("/from/flag"));
        assert_eq!(config.socket, Path::new("/file.sock"));
        assert_eq!(config.resume_window, Duration::from_secs(20));

        let config =
            resolve(&["--config", file, "--resume-window=1m"], Some("unix:/flag.sock")).expect("valid");
        assert_eq!(config.socket, Path::new("/flag.sock"));
        assert_eq!(config.resume_window, Duration::from_mins(1));
    }

    #[test]
    fn the_master_key_is_a_credential_if_there_is_one_else_a_file_of_the_configuration() {
        let directory = tempfile::tempdir().expect("a directory");
        let user = Environment { home: Some("/home/a".into()), ..Environment::default() };
        let service = Environment { credentials: Some(directory.path().into()), ..user.clone() };
        let source = |flags: &[&str], environment: &Environment| {
            parse(flags)
                .expect("valid flags")
                .resolve(Place::default(), environment.clone())
                .map(|config| config.seal)
        };
        let configuration = KeySource::Configuration("/home/a/.config/sessiond".into());
        assert_eq!(source(&[], &user).expect("valid"), configuration);
        assert_eq!(source(&[], &service).expect("valid"), configuration);
        let credential = directory.path().join("sessiond-master-key");
        fs::write(&credential, "").expect("written");
        assert_eq!(source(&[], &service).expect("valid"), KeySource::Credential(credential));
        assert_eq!(source(&["--seal=none"], &service).expect("valid"), KeySource::None);
        assert_eq!(source(&["--seal=file:/k"], &service).expect("valid"), KeySource::File("/k".into()));
        assert!(matches!(source(&["--seal=credential"], &user), Err(Error::NoCredentials)));
        assert!(parse(&["--seal", "file:"]).is_err());
    }

    #[test]
    fn a_file_that_was_asked_for_has_to_be_there() {
        let error = resolve(&["--config", "/nonexistent/x.toml"], None).expect_err("missing");
        assert_eq!(error.to_string(), "the configuration file /nonexistent/x.toml");
    }

    #[test]
    fn relative_paths_are_of_the_directory_that_the_daemon_was_started_in() {
        let config = resolve(&["--dir", "data"], Some("x.sock")).expect("valid");
        assert_eq!(config.dir, std::env::current_dir().expect("one").join("data"));
        assert!(config.socket.is_absolute());
    }

    #[test]
    fn an_abstract_socket_is_beside_a_path_never_instead() {
        assert!(matches!(resolve(&[], Some("unix-abstract:x")), Err(Error::NoPath)));
        let config = resolve(&["--abstract-socket", "x"], Some("/x.sock")).expect("valid");
        assert_eq!(config.abstract_socket.expect("given").as_str(), "x");
    }

    #[test]
    fn tcp_is_served_by_tls_or_without_never_both() {
        let tls = |dir: &str| Place { socket: None, tls: Some(dir.into()) };
        let serve = |flags: &[&str], place| {
            let environment = Environment { home: Some("/nonexistent".into()), ..Environment::default() };
            parse(flags).expect("valid flags").resolve(place, environment)
        };
        let config = serve(&["--listen", "[::1]:7443"], tls("/tls")).expect("valid");
        assert_eq!(config.listen, Some("[::1]:7443".parse().expect("valid")));
        assert!(config.tls.is_some() && !config.insecure_plaintext_tcp);
        let plaintext = ["--listen=127.0.0.1:7443", "--insecure-plaintext-tcp"];
        assert!(serve(&plaintext, Place::default()).expect("valid").insecure_plaintext_tcp);
        assert!(matches!(serve(&plaintext, tls("/tls")), Err(Error::TlsAndPlaintext)));
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_the_range() {
        for (flags, expected) in [
            (["--hand-over-delay", "61s"], "61s is not between 0ns and 60s"),
            (["--resume-window", "50ms"], "50ms is not between 100ms and 600s"),
            (["--ready-fd", "2"], "2 is not in 3.."),
            (["--engine", "etcd"], "possible values: sqlite, memory"),
            (["--listen", "localhost"], "invalid socket address syntax"),
            (["--log-format", "xml"], "possible values: text, json"),
        ] {
            let error = parse(&flags).expect_err("out of range").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
