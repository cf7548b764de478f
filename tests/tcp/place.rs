use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    version::TLS13,
};
use tokio::{io::AsyncReadExt as _, net::TcpStream, process::Command};
use tokio_rustls::TlsConnector;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::{
    cli::run::Running,
    harness::{Builder, Client, DEADLINE, Daemon, within},
};

/// What `worker-1` and `worker-2` may do, a `viewer`, a client that shows no certificate, and everybody on this host.
const POLICY: &str = r#"
[[rule]]
user = "self"
sessions = "*"
allow = ["list", "watch", "hold", "peers", "admin"]

[[rule]]
certificate = ["worker-*", ""]
sessions = "*"
allow = ["list", "watch", "hold", "peers"]

[[rule]]
certificate = "viewer"
sessions = "*"
allow = ["list", "watch"]
"#;

/// The clients that have a certificate of the daemon's authority.
const CLIENTS: [&str; 4] = ["worker-1", "worker-2", "viewer", "stranger"];

/// A daemon that serves TCP on a loopback address, with certificates for clients.
pub(super) struct Place {
    pub(super) daemon: Daemon,
    scheme: &'static str,
    address: SocketAddr,
}

impl Place {
    /// With the policy above.
    pub(super) async fn start(builder: Builder) -> Self {
        let daemon = builder.prepare();
        let policy = with_policy(&daemon);
        Self::serve(daemon, "https", &[&policy], "").await
    }

    pub(super) async fn without_policy(builder: Builder) -> Self {
        Self::trusting("", builder).await
    }

    /// Without a policy; clients may have certificates of this authority, in PEM, too.
    pub(super) async fn trusting(authority: &str, builder: Builder) -> Self {
        Self::serve(builder.prepare(), "https", &[], authority).await
    }

    pub(super) async fn plaintext(builder: Builder) -> Self {
        let daemon = builder.prepare();
        let policy = with_policy(&daemon);
        Self::serve(daemon, "http", &[&policy], "").await
    }

    async fn serve(mut daemon: Daemon, scheme: &'static str, args: &[&str], authority: &str) -> Self {
        make_certificates(&daemon).await;
        let trusted = daemon.home().join("tls/server/ca.pem");
        let both = fs::read_to_string(&trusted).expect("made") + authority;
        fs::write(&trusted, both).expect("written");
        let protection = match scheme {
            "https" => format!("--tls={}", daemon.home().join("tls/server").display()),
            _ => "--insecure-plaintext-tcp".to_owned(),
        };
        daemon.add_args(["--listen=127.0.0.1:0", &protection]);
        daemon.add_args(args);
        daemon.start_again().await;
        let address = address_of(&daemon);
        Self { daemon, scheme, address }
    }

    /// Stops it and starts it again, at another port.
    pub(super) async fn restart(&mut self) {
        self.daemon.restart().await;
        self.address = address_of(&self.daemon);
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The directory with a client's certificate.
    pub(super) fn identity(&self, name: &str) -> PathBuf {
        self.daemon.home().join("tls/clients").join(name)
    }

    /// A client of its own connection, with this certificate.
    pub(super) async fn client(&self, name: &str) -> Client {
        let identity = self.identity(name);
        let read = |file: &str| fs::read(identity.join(file)).expect("made");
        let config = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")))
            .identity(Identity::from_pem(read("cert.pem"), read("key.pem")));
        let endpoint = Endpoint::from_shared(self.url()).expect("an address").timeout(DEADLINE);
        let endpoint = endpoint.tls_config(config).expect("an identity");
        Client::over(within(endpoint.connect()).await.expect("the daemon serves"))
    }

    /// The same without any.
    pub(super) async fn plaintext_client(&self) -> Client {
        let endpoint = Endpoint::from_shared(self.url()).expect("an address").timeout(DEADLINE);
        Client::over(within(endpoint.connect()).await.expect("the daemon serves"))
    }

    /// A client as Rust programs have it.
    pub(super) async fn sessiond_client(&self, name: &str) -> sessiond_client::Client {
        let builder = sessiond_client::Client::builder().socket(self.url()).tls(self.identity(name));
        builder.connect().await.expect("an identity")
    }

    /// The program with these arguments, as on the host of a client.
    pub(super) fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = self.daemon.command(args);
        command.env("SESSIOND_SOCKET", self.url()).env("SESSIOND_TLS", self.identity(name));
        command
    }

    pub(super) fn start_command(&self, name: &str, args: &[&str]) -> Running {
        Running::start(&mut self.command(name, args))
    }

    /// Makes a client's handshake, with the certificate in a directory.
    pub(super) async fn handshake(&self, name: &str) -> io::Result<()> {
        self.handshake_with(config(Some(&self.identity(name)), &self.trusted(), &TLS13)).await
    }

    /// The authority that the daemon's certificate is of.
    pub(super) fn trusted(&self) -> PathBuf {
        self.daemon.home().join("tls/authority/ca.pem")
    }

    /// Makes a handshake, and hears what the daemon says to it. Ok: it says what HTTP/2 begins with.
    pub(super) async fn handshake_with(&self, config: ClientConfig) -> io::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        let host = ServerName::IpAddress(self.address.ip().into());
        let handshake = async {
            let mut stream = TlsConnector::from(Arc::new(config)).connect(host, stream).await?;
            // With TLS 1.3 a client is through before the server has seen its certificate.
            stream.read_u8().await.map(drop)
        };
        within(handshake).await
    }
}

/// What a client brings to a handshake: the certificate in a directory, or none.
pub(super) fn config(
    identity: Option<&Path>,
    trusted: &Path,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).expect("made")).expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("known")
        .with_root_certificates(roots);
    let Some(directory) = identity else { return builder.with_no_client_auth() };
    let certificate = CertificateDer::from_pem_file(directory.join("cert.pem")).expect("made");
    let key = PrivateKeyDer::from_pem_file(directory.join("key.pem")).expect("made");
    builder.with_client_auth_cert(vec![certificate], key).expect("a pair")
}

/// Makes an authority and certificates in the daemon's home.
pub(super) async fn make_certificates(daemon: &Daemon) {
    let directory = daemon.home().join("tls");
    let mut command = daemon.command(&["certs"]);
    command.arg(directory).args(["--server=127.0.0.1", "--server=localhost"]);
    command.args(CLIENTS.map(|client| format!("--client={client}")));
    assert!(within(command.output()).await.expect("started").status.success());
}

fn with_policy(daemon: &Daemon) -> String {
    let file = daemon.home().join("policy.toml");
    fs::write(&file, POLICY).expect("written");
    format!("--policy={}", file.display())
}

/// Where a daemon says that it serves TCP, since it was started last.
fn address_of(daemon: &Daemon) -> SocketAddr {
    let log = daemon.log();
    let line = log.lines().rfind(|line| line.contains("listening on TCP")).expect("it says so");
    let (_, rest) = line.split_once("address=").expect("it says where");
    rest.split_whitespace().next().expect("not empty").parse().expect("an address")
}
