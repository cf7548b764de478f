//! How the daemon is reached.

use std::{path::Path, time::Duration};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::{Error, Socket};

/// With tonic's own windows a few watches that nobody reads fill the connection's, and every other call on it waits for
/// ever. Small windows for streams and a large one for the connection leave room for hundreds of them.
const STREAM_WINDOW: u32 = 65_535;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// How long another host has to take a connection in.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// After how long without a word a daemon on another host is asked whether it is there, and how long it has to answer. On a
/// Unix socket the kernel tells.
const ASK_AFTER: Duration = Duration::from_secs(15);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// What connects to a daemon, when there is something to say. `tls` has this client's identity, for a daemon on another host.
///
/// # Errors
/// [`Error::InvalidEndpoint`].
pub(crate) fn endpoint(socket: &Socket, tls: Option<&Path>) -> Result<Endpoint, Error> {
    let endpoint = match socket {
        Socket::Url(url) => over_tcp(url, tls)?,
        // The address is for the authority of the requests alone; the connector knows where to go.
        Socket::Path(_) | Socket::Abstract(_) => Endpoint::from_static("http://localhost"),
    };
    Ok(endpoint.initial_stream_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW))
}

/// A connection of its own.
pub(crate) fn channel(endpoint: &Endpoint, socket: &Socket) -> Channel {
    let Some(path) = socket.connect_path() else { return endpoint.connect_lazy() };
    endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    }))
}

fn over_tcp(url: &str, tls: Option<&Path>) -> Result<Endpoint, Error> {
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|_| invalid(format!("{url} is no URL: write https://HOST:PORT")))?
        .connect_timeout(CONNECT_WITHIN)
        .http2_keep_alive_interval(ASK_AFTER)
        .keep_alive_timeout(ANSWER_WITHIN)
        .keep_alive_while_idle(true);
    if url.starts_with("https:") { encrypted(endpoint, tls) } else { Ok(endpoint) }
}

#[cfg(feature = "tls")]
fn encrypted(endpoint: Endpoint, tls: Option<&Path>) -> Result<Endpoint, Error> {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use tonic::transport::{Certificate, ClientTlsConfig, Identity};

    let directory = tls.ok_or_else(|| {
        invalid(
            "over https a client shows a certificate: name the directory that it is in in SESSIOND_TLS"
                .into(),
        )
    })?;
    let read = |name: &str| {
        let file = directory.join(name);
        let bytes = fs::read(&file).map_err(|error| invalid(format!("{}: {error}", file.display())))?;
        Ok::<_, Error>((file, bytes))
    };
    let (key_file, key) = read("key.pem")?;
    if fs::metadata(&key_file).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        return Err(invalid(format!(
            "other users may read the key {0}: `chmod 600 {0}`",
            key_file.display()
        )));
    }
    let config = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read("ca.pem")?.1))
        .identity(Identity::from_pem(read("cert.pem")?.1, key));
    let unusable = |error: tonic::transport::Error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        invalid(format!("the certificates in {} cannot be used: {cause}", directory.display()))
    };
    endpoint.tls_config(config).map_err(unusable)
}

#[cfg(not(feature = "tls"))]
fn encrypted(_: Endpoint, _: Option<&Path>) -> Result<Endpoint, Error> {
    Err(invalid("this program's sessiond-client was built without its feature `tls`".into()))
}

fn invalid(message: String) -> Error {
    Error::InvalidEndpoint { message }
}
