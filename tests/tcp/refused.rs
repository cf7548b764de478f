//! Who does not get in, and with what a daemon does not start.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::version::{TLS12, TLS13};

use super::place::{Place, config, make_certificates};
use crate::{cli::run::Ran, harness::Daemon};

/// An authority of the test's own.
fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("signed").pem();
    (certificate, Issuer::new(params, key))
}

/// A certificate for a client that is good until then.
fn write_certificate(directory: &Path, authority: &Issuer<'_, KeyPair>, until: SystemTime) {
    let mut params = CertificateParams::new(vec!["worker-1".to_owned()]).expect("a name");
    params.not_after = until.into();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority).expect("signed");
    fs::create_dir(directory).expect("made");
    fs::write(directory.join("cert.pem"), certificate.pem()).expect("written");
    fs::write(directory.join("key.pem"), key.serialize_pem()).expect("written");
}

#[tokio::test]
async fn who_cannot_show_a_certificate_that_is_good_now_is_refused() {
    let (authority, issuer) = authority();
    let place = Place::trusting(&authority, Daemon::builder()).await;
    let (home, trusted) = (place.daemon.home(), place.trusted());
    let [expired, good] = ["expired", "good"].map(|name| home.join(name));
    write_certificate(&expired, &issuer, SystemTime::now() - Duration::from_secs(60));
    write_certificate(&good, &issuer, SystemTime::now() + Duration::from_secs(600));
    let others = Daemon::builder().prepare();
    make_certificates(&others).await;
    let foreign = others.home().join("tls/clients/worker-1");
    let server = home.join("tls/server");
    for (told, identity, version) in [
        ("CertificateRequired", None, &TLS13),
        ("UnknownCA", Some(foreign.as_path()), &TLS13),
        ("CertificateExpired", Some(&*expired), &TLS13),
        ("ProtocolVersion", Some(&*good), &TLS12),
        // It is for servers alone.
        ("UnsupportedCertificate", Some(&*server), &TLS13),
    ] {
        let refused = place.handshake_with(config(identity, &trusted, version)).await.expect_err("refused");
        assert!(format!("{refused:?}").contains(told), "{told}: {refused:?}");
    }
    place.handshake_with(config(Some(&good), &trusted, &TLS13)).await.expect("let in");
}

#[tokio::test]
async fn a_client_does_not_talk_to_a_daemon_of_another_authority() {
    let place = Place::without_policy(Daemon::builder()).await;
    let others = Daemon::builder().prepare();
    make_certificates(&others).await;
    let foreign = others.home().join("tls/clients/worker-1");
    let mut command = place.command("worker-1", &["--deadline=0.5", "ls"]);
    let refused = Ran::of(command.env("SESSIOND_TLS", foreign)).await.refusal(69);
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

#[tokio::test]
async fn tcp_without_tls_is_served_on_loopback_addresses_alone_and_when_it_is_asked_for() {
    for (args, told) in [
        (&["--listen=0.0.0.0:0", "--insecure-plaintext-tcp"][..], "other hosts can reach 0.0.0.0:0"),
        (&["--listen=[::]:0", "--insecure-plaintext-tcp"], "other hosts can reach [::]:0"),
        (&["--listen=192.0.2.1:0", "--insecure-plaintext-tcp"], "other hosts can reach 192.0.2.1:0"),
        (&["--listen=127.0.0.1:0"], "needs TLS"),
        (&["--listen=127.0.0.1:0", "--tls=/nonexistent", "--insecure-plaintext-tcp"], "not both"),
    ] {
        let mut builder = Daemon::builder();
        for arg in args {
            builder = builder.arg(*arg);
        }
        let daemon = builder.prepare();
        let (status, said) = daemon.fail_to_start().await;
        assert_eq!(status.code(), Some(64), "{said}");
        assert!(said.contains(told), "{said}");
        assert!(!daemon.socket().exists(), "nothing is left behind");
    }
}

#[tokio::test]
async fn a_daemon_starts_only_with_an_identity_that_is_its_own() {
    let mut daemon = Daemon::builder().prepare();
    make_certificates(&daemon).await;
    let home = daemon.home().to_owned();
    let server = home.join("tls/server");
    let args = ["--listen=127.0.0.1:0".to_owned(), format!("--tls={}", server.display())];
    daemon.add_args(&args);

    let key = server.join("key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("ours");
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(77), "{said}");
    assert!(said.contains(&format!("chmod 600 {}", key.display())), "{said}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("ours");

    let certificate = server.join("cert.pem");
    let own = fs::read(&certificate).expect("made");
    fs::write(&certificate, "no certificate").expect("written");
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(78), "{said}");
    assert!(said.contains("no certificate in PEM"), "{said}");

    fs::copy(home.join("tls/clients/worker-1/cert.pem"), &certificate).expect("copied");
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(78), "of another key: {said}");
    fs::write(&certificate, own).expect("written");

    fs::remove_file(server.join("ca.pem")).expect("ours");
    let (status, said) = daemon.fail_to_start().await;
    assert_eq!(status.code(), Some(66), "{said}");
    assert!(said.contains("sessiond certs"), "{said}");
}
