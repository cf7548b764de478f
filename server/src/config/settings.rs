use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer};
use sessiond_client::Socket;

use super::{AbstractName, EngineKind, Error, Seal, Span};
use crate::{
    logging::{LogFilter, LogFormat},
    toml_file,
};

/// What may be set in three places. A flag comes before the environment (which clap reads), that before the file, and
/// that before the default. The file is TOML; its keys are the flags' names.
#[derive(Debug, Default, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Settings {
    /// Directory where sessions are kept. It is made if it is missing, and nobody else may enter it. Default:
    /// $XDG_STATE_HOME/sessiond, else ~/.local/state/sessiond; as root /var/lib/sessiond
    #[arg(long, value_name = "DIR", env = "SESSIOND_DIR")]
    pub(super) dir: Option<PathBuf>,

    /// Every command has this flag, not only `serve`: it comes from there.
    #[arg(skip)]
    #[serde(deserialize_with = "socket")]
    pub(super) socket: Option<Socket>,

    /// Serve on a socket in the abstract namespace too, for containers that share a network namespace but no volume. Only
    /// processes of the same user are served. 1 to 107 bytes. Default: none
    #[arg(long, value_name = "NAME", env = "SESSIOND_ABSTRACT_SOCKET")]
    pub(super) abstract_socket: Option<AbstractName>,

    /// Every command has this flag too.
    #[arg(skip)]
    pub(super) tls: Option<PathBuf>,

    /// Serve over TCP too, by TLS 1.3, to clients with a certificate of the authority in --tls that the policy knows. An
    /// address of this host and a port, such as 0.0.0.0:7443 or `[::1]:7443`. Default: none
    #[arg(long, value_name = "ADDRESS", env = "SESSIOND_LISTEN")]
    pub(super) listen: Option<SocketAddr>,

    /// Serve over TCP without TLS: whoever is on this host may read keys along, and call. Only with a --listen that no other
    /// host can reach. Default: false
    #[arg(long, value_name = "BOOL", env = "SESSIOND_INSECURE_PLAINTEXT_TCP", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) insecure_plaintext_tcp: Option<bool>,

    /// Where sessions live: in files of --dir, or in memory only, forgotten when the daemon stops. Default: sqlite
    #[arg(long, value_name = "ENGINE", env = "SESSIOND_ENGINE")]
    pub(super) engine: Option<EngineKind>,

    /// Where the master key is with which secrets are encrypted on the disk: none (they are not), file:PATH (made if it is
    /// missing at the first start), or credential, which is $CREDENTIALS_DIRECTORY/sessiond-master-key. Default: the
    /// credential if there is one, else a file that the first start makes in $XDG_CONFIG_HOME/sessiond/keys, else
    /// ~/.config/sessiond/keys; as root /etc/sessiond/keys
    #[arg(long, value_name = "KEY", env = "SESSIOND_SEAL")]
    pub(super) seal: Option<Seal>,

    /// How long a session rests between the death of its holder and the next grant, so that Telegram sees the old
    /// connection end first. 0 to 1m, such as 250ms, 1.5s or 1m; a bare number is seconds. Default: 1s
    #[arg(long, value_name = "TIME", env = "SESSIOND_HAND_OVER_DELAY")]
    pub(super) hand_over_delay: Option<Span<0, 60_000>>,

    /// How long a hold waits for its client to come back when its stream broke but its process lives. 100ms to 10m; a
    /// bare number is seconds. Default: 10s
    #[arg(long, value_name = "TIME", env = "SESSIOND_RESUME_WINDOW")]
    pub(super) resume_window: Option<Span<100, 600_000>>,

    /// File with the rules of who may do what: docs/policy.md. It is read again on SIGHUP. Without one, the user that runs the
    /// daemon and root may do everything, and nobody else anything. Default: none
    #[arg(long, value_name = "FILE", env = "SESSIOND_POLICY")]
    pub(super) policy: Option<PathBuf>,

    /// What is logged, to stderr: error, warn, info, debug, trace or off, also by module and span, as in
    /// info,sessiond_server=debug. The libraries that carry gRPC are at info unless they are named: h2=debug. Keys are never
    /// logged. Default: info
    #[arg(long, value_name = "FILTER", env = "SESSIOND_LOG")]
    pub(super) log: Option<LogFilter>,

    /// How it is logged: lines for people, or one JSON object a line. Default: text
    #[arg(long, value_name = "FORMAT", env = "SESSIOND_LOG_FORMAT")]
    pub(super) log_format: Option<LogFormat>,
}

impl Settings {
    /// What a file says.
    pub(super) fn read(file: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(file)
            .map_err(|source| Error::UnreadableFile { file: file.to_owned(), source })?;
        Self::parse(&text, file)
    }

    /// What a file says that need not be there.
    pub(super) fn read_if_there(file: &Path) -> Result<Self, Error> {
        match Self::read(file) {
            Err(Error::UnreadableFile { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            settings => settings,
        }
    }

    /// These settings, and where they say nothing, the others.
    pub(super) fn or(self, others: Self) -> Self {
        let Self {
            dir,
            socket,
            abstract_socket,
            tls,
            listen,
            insecure_plaintext_tcp,
            engine,
            seal,
            hand_over_delay,
            resume_window,
            policy,
            log,
            log_format,
        } = self;
        Self {
            dir: dir.or(others.dir),
            socket: socket.or(others.socket),
            abstract_socket: abstract_socket.or(others.abstract_socket),
            tls: tls.or(others.tls),
            listen: listen.or(others.listen),
            insecure_plaintext_tcp: insecure_plaintext_tcp.or(others.insecure_plaintext_tcp),
            engine: engine.or(others.engine),
            seal: seal.or(others.seal),
            hand_over_delay: hand_over_delay.or(others.hand_over_delay),
            resume_window: resume_window.or(others.resume_window),
            policy: policy.or(others.policy),
            log: log.or(others.log),
            log_format: log_format.or(others.log_format),
        }
    }

    fn parse(text: &str, file: &Path) -> Result<Self, Error> {
        toml_file::parse(text).map_err(|fault| Error::InvalidFile { file: file.to_owned(), fault })
    }
}

fn socket<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Socket>, D::Error> {
    Ok(Some(Socket::from(String::deserialize(deserializer)?)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{EngineKind, Error, Settings};

    const EVERY_KEY: &str = "\
        dir = '/srv/sessions'\n\
        socket = 'unix:/run/x.sock'\n\
        abstract-socket = 'x'\n\
        tls = '/etc/sessiond/tls'\n\
        listen = '127.0.0.1:7443'\n\
        insecure-plaintext-tcp = false\n\
        engine = 'memory'\n\
        seal = 'file:/keys/master'\n\
        hand-over-delay = 0\n\
        resume-window = '1m'\n\
        policy = '/etc/sessiond/policy.toml'\n\
        log = 'debug'\n\
        log-format = 'json'\n";

    fn parse(text: &str) -> Result<Settings, Error> {
        Settings::parse(text, Path::new("sessiond.toml"))
    }

    #[test]
    fn a_file_sets_what_the_flags_set() {
        let settings = parse(EVERY_KEY).expect("every key is known");
        assert_eq!(settings.dir.as_deref(), Some(Path::new("/srv/sessions")));
        assert_eq!(settings.socket, Some(Path::new("/run/x.sock").into()));
        assert_eq!(settings.tls.as_deref(), Some(Path::new("/etc/sessiond/tls")));
        assert_eq!(settings.listen, Some("127.0.0.1:7443".parse().expect("valid")));
        assert_eq!(settings.insecure_plaintext_tcp, Some(false));
        assert_eq!(settings.engine, Some(EngineKind::Memory));
        assert_eq!(settings.hand_over_delay, Some("0".parse().expect("valid")));
        assert_eq!(settings.resume_window, Some("60s".parse().expect("valid")));
        let Settings { abstract_socket: Some(_), policy: Some(_), log: Some(_), log_format: Some(_), .. } =
            settings
        else {
            panic!("{settings:?}");
        };
    }

    #[test]
    fn a_fault_in_the_file_is_told_with_line_and_column() {
        for (text, expected) in [
            ("engine = 'memory'\n\ncolour = 1", "sessiond.toml:3:1: unknown field `colour`"),
            ("  engine = 'paper'", "sessiond.toml:1:12: unknown variant `paper`"),
            ("# é\nlog = 'é' x", "sessiond.toml:2:11: "),
            ("resume-window = '1h'", "sessiond.toml:1:17: 3600s is not between 100ms and 600s"),
            ("hand-over-delay = -1", "sessiond.toml:1:19: \"-1\" is not a span of time"),
            ("abstract-socket = ''", "sessiond.toml:1:19: the name of an abstract socket has 1 to 107 bytes"),
            ("listen = '7443'", "sessiond.toml:1:10: invalid socket address syntax"),
            ("seal = 'paper'", "sessiond.toml:1:8: it is none, file:PATH or credential"),
            ("log = 'a=b=c'", "sessiond.toml:1:7: "),
            ("rebuild = true", "sessiond.toml:1:1: unknown field `rebuild`"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains('\n'), "{error:?}");
        }
    }

    #[test]
    fn the_first_that_says_something_is_heard() {
        let flags = parse("resume-window = 1").expect("valid");
        let file = parse("resume-window = 2\nengine = 'memory'").expect("valid");
        let settings = flags.or(file);
        assert_eq!(settings.resume_window, Some("1s".parse().expect("valid")));
        assert_eq!(settings.engine, Some(EngineKind::Memory));

        let all = || parse(EVERY_KEY).expect("valid");
        assert_eq!(format!("{:?}", Settings::default().or(all())), format!("{:?}", all()));
    }

    #[test]
    fn only_the_file_that_was_asked_for_has_to_be_there() {
        let missing = Path::new("/nonexistent/sessiond.toml");
        assert!(matches!(Settings::read(missing), Err(Error::UnreadableFile { .. })));
        assert!(Settings::read_if_there(missing).is_ok());
    }
}
