use std::path::PathBuf;

use sessiond_client::{SOCKET_VARIABLE, Socket, TLS_VARIABLE};

/// Heading of what every command understands, in the help.
pub(crate) const GLOBAL_OPTIONS: &str = "Options of every command";

/// Where the daemon serves, and whom this end is there over TLS: told to the daemon and its clients alike.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Place {
    /// Where the daemon serves: a path or unix:PATH, and for its clients unix-abstract:NAME and https://HOST:PORT too. Default:
    /// $XDG_RUNTIME_DIR/sessiond/sessiond.sock, else /tmp/sessiond-UID/sessiond.sock; as root /run/sessiond/sessiond.sock
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "SOCKET", env = SOCKET_VARIABLE)]
    pub(crate) socket: Option<Socket>,

    /// For TCP: directory with the certificate of this end, cert.pem, its key, key.pem, and the authority that both ends
    /// trust, ca.pem. `sessiond certs` makes them
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "DIR", env = TLS_VARIABLE)]
    pub(crate) tls: Option<PathBuf>,
}

impl Place {
    /// This socket, or without it the default.
    pub(crate) fn of_socket(socket: Option<Socket>) -> Self {
        Self { socket, ..Self::default() }
    }
}
