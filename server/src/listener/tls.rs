use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier},
    version::TLS13,
};
use webpki::EndEntityCert;

use crate::exit::Exit;

/// Files of an identity: the certificates of the authority that is trusted, and one's own certificate and its key. That is how
/// `sessiond certs` writes them, for servers and clients alike.
const AUTHORITY_FILE: &str = "ca.pem";
const CERTIFICATE_FILE: &str = "cert.pem";
const KEY_FILE: &str = "key.pem";

/// Longest name of a client, in bytes: that of a host.
const MAX_NAME_LEN: usize = 255;

/// An identity that the daemon cannot use for TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file is missing or cannot be read.
    #[error("{}, a file of --tls; `sessiond certs` makes them", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others could be the daemon.
    #[error("other users may read the key {0}, or write it: `chmod 600 {0}`", file.display())]
    ExposedKey {
        /// Which.
        file: PathBuf,
    },
    /// A file is not what it is taken for.
    #[error("{} has no {what} in PEM", file.display())]
    NotPem {
        /// Which.
        file: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The authority's certificates cannot be trusted.
    #[error("{} cannot be an authority", file.display())]
    Authority {
        /// Which.
        file: PathBuf,
        /// Why not.
        source: VerifierBuilderError,
    },
    /// Certificate and key do not go together.
    #[error("the certificate and the key in {} cannot be used", dir.display())]
    Identity {
        /// Which.
        dir: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
}

/// TLS 1.3 alone, and only for clients with a certificate of the authority. `dir` has the daemon's identity.
///
/// No session is resumed: every connection shows its certificate, and one that has expired meanwhile is refused.
///
/// # Errors
/// Where a file is missing, is not what it should be, or is a key that others could read.
pub(super) fn config(dir: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let certificates = certificates(dir.join(CERTIFICATE_FILE))?;
    let key = key(dir.join(KEY_FILE))?;
    let provider = Arc::new(ring::default_provider());
    let authority = dir.join(AUTHORITY_FILE);
    let roots = Arc::new(roots(&authority)?);
    let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|source| TlsError::Authority { file: authority, source })?;
    let identity = |source| TlsError::Identity { dir: dir.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(identity)?
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates, key)
        .map_err(identity)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Whom a certificate is of: its first DNS name, in lower case, else its first URI (as SPIFFE's ids are). A common name is for
/// people, and counts for nothing (RFC 9525, 2). None: it names nobody.
pub(super) fn name(certificate: &CertificateDer<'_>) -> Option<Arc<str>> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let host = certificate.valid_dns_names().find(|name| !name.contains('*')).map(str::to_ascii_lowercase);
    let name =
        host.or_else(|| certificate.valid_uri_names().find(|uri| uri.contains(':')).map(str::to_owned))?;
    let printable =
        name.len() <= MAX_NAME_LEN && !name.contains(|c: char| c.is_control() || c.is_whitespace());
    printable.then(|| name.into())
}

fn certificates(file: PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(&file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    certificates.ok().filter(|all| !all.is_empty()).ok_or(TlsError::NotPem { file, what: "certificate" })
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file.to_owned())? {
        roots.add(certificate).map_err(|_| TlsError::NotPem { file: file.to_owned(), what: "authority" })?;
    }
    Ok(roots)
}

fn key(file: PathBuf) -> Result<PrivateKeyDer<'static>, TlsError> {
    let metadata = fs::metadata(&file);
    if metadata.is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        return Err(TlsError::ExposedKey { file });
    }
    let text = zeroize::Zeroizing::new(read(&file)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| TlsError::NotPem { file, what: "private key" })
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|source| TlsError::Unreadable { file: file.to_owned(), source })
}

impl TlsError {
    /// The code to exit with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { source, .. } => Exit::of_io(source),
            Self::ExposedKey { .. } => Exit::Permission,
            Self::NotPem { .. } | Self::Authority { .. } | Self::Identity { .. } => Exit::Config,
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::name;

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().expect("ASCII"))
    }

    fn uri(uri: &str) -> SanType {
        SanType::URI(uri.try_into().expect("ASCII"))
    }

    fn name_of(names: Vec<SanType>) -> Option<String> {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.subject_alt_names = names;
        params.distinguished_name.push(DnType::CommonName, "for people");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed");
        name(certificate.der()).map(|name| name.to_string())
    }

    #[test]
    fn a_client_is_called_by_its_first_dns_name_else_by_its_first_uri_never_by_its_common_name() {
        let spiffe = "spiffe://example.net/worker";
        for (names, expected) in [
            (vec![dns("Worker-1"), dns("worker-2")], Some("worker-1")),
            (vec![uri(spiffe), dns("worker-1")], Some("worker-1")),
            (vec![uri(spiffe), uri("spiffe://example.net/other")], Some(spiffe)),
            (vec![dns("*.example.net"), dns("worker.example.net")], Some("worker.example.net")),
            (vec![SanType::IpAddress([192, 0, 2, 1].into())], None),
            (vec![dns("*.example.net")], None),
            (vec![], None),
        ] {
            assert_eq!(name_of(names.clone()).as_deref(), expected, "{names:?}");
        }
    }

    #[test]
    fn a_name_that_could_be_taken_for_something_else_is_none() {
        let long = format!("spiffe://{}", "x".repeat(300));
        for text in ["spiffe://a\nb", "spiffe://a b", "spiffe://\u{1b}[2J", "worker", "", &long] {
            assert_eq!(name_of(vec![uri(text)]), None, "{text:?}");
        }
    }
}
