use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, geteuid};

/// Environment variable that says where the daemon serves.
pub const SOCKET_VARIABLE: &str = "SESSIOND_SOCKET";

/// Environment variable that says which directory has this client's identity over https: see `ClientBuilder::tls`.
pub const TLS_VARIABLE: &str = "SESSIOND_TLS";

/// Where a daemon serves: a Unix socket in the file system, or one in the abstract namespace; on another host, a URL.
///
/// As text a path is itself or `unix:PATH`, an abstract name is `unix-abstract:NAME`, and a URL begins with `https://` or
/// `http://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Socket {
    /// A socket in the file system.
    Path(PathBuf),
    /// A socket in the abstract namespace, as `sessiond serve --abstract-socket` makes it.
    Abstract(String),
    /// TCP, as `sessiond serve --listen` serves it: `https://HOST:PORT`. `http://` is for a daemon on this host that was told
    /// to do without encryption.
    Url(String),
}

/// Where a daemon serves unless it is told otherwise: as root `/run/sessiond/sessiond.sock`, else
/// `$XDG_RUNTIME_DIR/sessiond/sessiond.sock`, and without that variable `/tmp/sessiond-UID/sessiond.sock`.
pub fn default_socket() -> PathBuf {
    socket_of(geteuid(), env::var_os("XDG_RUNTIME_DIR"))
}

/// The directory that `SESSIOND_TLS` names.
pub(crate) fn tls_from_environment() -> Option<PathBuf> {
    env::var_os(TLS_VARIABLE).filter(|directory| !directory.is_empty()).map(PathBuf::from)
}

impl Socket {
    /// What `SESSIOND_SOCKET` names, else [`default_socket`].
    pub fn from_environment() -> Self {
        match env::var_os(SOCKET_VARIABLE).filter(|text| !text.is_empty()) {
            Some(text) => text.as_os_str().into(),
            None => Self::Path(default_socket()),
        }
    }

    /// The path that connects to it: of an abstract name, with the NUL byte that the kernel knows it by. None: it is a URL.
    pub(crate) fn connect_path(&self) -> Option<PathBuf> {
        match self {
            Self::Path(path) => Some(path.clone()),
            Self::Abstract(name) => Some(PathBuf::from(format!("\0{name}"))),
            Self::Url(_) => None,
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Abstract(name) => write!(f, "unix-abstract:{name}"),
            Self::Url(url) => f.write_str(url),
        }
    }
}

impl From<&OsStr> for Socket {
    fn from(text: &OsStr) -> Self {
        let bytes = text.as_bytes();
        if let Some(name) = bytes.strip_prefix(b"unix-abstract:") {
            return Self::Abstract(String::from_utf8_lossy(name).into_owned());
        }
        if bytes.starts_with(b"https://") || bytes.starts_with(b"http://") {
            return Self::Url(text.to_string_lossy().into_owned());
        }
        let path = bytes.strip_prefix(b"unix:").unwrap_or(bytes);
        // gRPC writes an absolute path as unix:///path too.
        let path = if path.starts_with(b"///") { &path[2..] } else { path };
        Self::Path(PathBuf::from(OsStr::from_bytes(path)))
    }
}

impl From<&str> for Socket {
    fn from(text: &str) -> Self {
        OsStr::new(text).into()
    }
}

impl From<String> for Socket {
    fn from(text: String) -> Self {
        OsStr::new(&text).into()
    }
}

impl From<PathBuf> for Socket {
    fn from(path: PathBuf) -> Self {
        path.as_os_str().into()
    }
}

impl From<&Path> for Socket {
    fn from(path: &Path) -> Self {
        path.as_os_str().into()
    }
}

fn socket_of(user: Uid, runtime_dir: Option<OsString>) -> PathBuf {
    let directory = if user.is_root() {
        PathBuf::from("/run/sessiond")
    } else if let Some(directory) = runtime_dir.filter(|directory| !directory.is_empty()) {
        PathBuf::from(directory).join("sessiond")
    } else {
        PathBuf::from(format!("/tmp/sessiond-{user}"))
    };
    directory.join("sessiond.sock")
}

#[cfg(test)]
mod tests {
    use nix::unistd::Uid;

    use super::{Socket, socket_of};

    #[test]
    fn a_socket_is_a_path_an_abstract_name_or_a_url() {
        let path = |text: &str| Socket::Path(text.into());
        assert_eq!(Socket::from("/run/x.sock"), path("/run/x.sock"));
        assert_eq!(Socket::from("unix:/run/x.sock"), path("/run/x.sock"));
        assert_eq!(Socket::from("unix:///run/x.sock"), path("/run/x.sock"));
        assert_eq!(Socket::from("unix:x.sock"), path("x.sock"));
        assert_eq!(Socket::from("unix-abstract:sessiond"), Socket::Abstract("sessiond".into()));
        assert_eq!(Socket::from("https://host:7443"), Socket::Url("https://host:7443".into()));
    }

    #[test]
    fn a_socket_reads_back_as_it_is_written() {
        for text in ["/run/x.sock", "unix-abstract:sessiond", "http://127.0.0.1:7443"] {
            assert_eq!(Socket::from(text).to_string(), text);
        }
    }

    #[test]
    fn the_default_socket_is_the_users_own() {
        let user = Uid::from_raw(1000);
        let of = |user, runtime_dir: Option<&str>| {
            socket_of(user, runtime_dir.map(Into::into)).display().to_string()
        };
        assert_eq!(of(user, Some("/run/user/1000")), "/run/user/1000/sessiond/sessiond.sock");
        assert_eq!(of(user, Some("")), "/tmp/sessiond-1000/sessiond.sock");
        assert_eq!(of(user, None), "/tmp/sessiond-1000/sessiond.sock");
        assert_eq!(of(Uid::from_raw(0), Some("/run/user/0")), "/run/sessiond/sessiond.sock");
    }
}
