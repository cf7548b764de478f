use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// How long certificates are good for. The authority's replacement touches every host; another certificate touches one.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// Certificates begin to be good so long before they are made, for hosts whose clock is behind.
const BEFORE: Duration = Duration::from_hours(1);

/// What certificates call the authority; a digest of its key follows, so that no two are taken for one.
const NAME: &str = "sessiond authority";

/// Who signs the certificates of a daemon and its clients.
pub(super) struct Authority {
    certificate: String,
    key: KeyPair,
}

/// Which end of a connection a certificate is for. It serves at no other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Server,
    Client,
}

impl Authority {
    /// A new one.
    pub(super) fn new() -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let certificate = authority_params(&key)?.self_signed(&key)?.pem();
        Ok(Self { certificate, key })
    }

    /// One that was made before.
    ///
    /// # Errors
    /// Where the key is none.
    pub(super) fn read(certificate: String, key: &str) -> Result<Self, Error> {
        Ok(Self { certificate, key: KeyPair::from_pem(key)? })
    }

    /// Its certificate, in PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its key, in PEM.
    pub(super) fn key(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    /// A certificate for these names, and its key, both in PEM. `title` is for people.
    pub(super) fn issue(
        &self,
        title: &str,
        names: &[String],
        purpose: Purpose,
    ) -> Result<(String, Zeroizing<String>), Error> {
        let mut params = lasting(CertificateParams::new(names)?, LIFETIME);
        params.distinguished_name = called(title);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        // What signs goes by the name and the key alone, and those of the authority do not change.
        let issuer = Issuer::new(authority_params(&self.key)?, &self.key);
        let certificate = params.signed_by(&key, &issuer)?.pem();
        Ok((certificate, Zeroizing::new(key.serialize_pem())))
    }
}

fn authority_params(key: &KeyPair) -> Result<CertificateParams, Error> {
    let mut params = lasting(CertificateParams::new(Vec::new())?, AUTHORITY_LIFETIME);
    params.distinguished_name = called(&format!("{NAME} {}", short_digest(key.public_key_raw())));
    // It signs certificates, and no other authority's.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn short_digest(key: &[u8]) -> String {
    Sha256::digest(key).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn lasting(mut params: CertificateParams, lifetime: Duration) -> CertificateParams {
    let now = SystemTime::now();
    params.not_before = (now - BEFORE).into();
    params.not_after = (now + lifetime).into();
    params
}

fn called(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}
