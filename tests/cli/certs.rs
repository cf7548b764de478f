//! `sessiond certs`. That the certificates are good, the tests of TCP show.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::run::{run, text};
use crate::harness::Daemon;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("there");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_authority_a_server_and_clients_are_made_for_this_user_alone() {
    let home = Daemon::builder().prepare();
    let dir = home.home().join("tls");
    let args =
        ["certs", text(&dir), "--server=localhost", "--server=::1", "--client=worker-1", "--client=worker-2"];
    let told = run(&home, &args).await.text();
    assert!(told.contains("https://localhost:7443"), "{told}");
    assert_eq!(names(&dir), ["authority", "clients", "server"]);
    assert_eq!(names(&dir.join("authority")), ["ca.pem", "key.pem"]);
    for identity in ["server", "clients/worker-1", "clients/worker-2"] {
        let identity = dir.join(identity);
        assert_eq!(names(&identity), ["ca.pem", "cert.pem", "key.pem"]);
        assert_eq!(mode(&identity), 0o700);
        for file in names(&identity) {
            assert_eq!(mode(&identity.join(file)), 0o600);
        }
    }
}

#[tokio::test]
async fn what_is_there_is_never_overwritten_and_clients_are_added_to_it() {
    let home = Daemon::builder().prepare();
    let dir = home.home().join("tls");
    run(&home, &["certs", text(&dir), "--server=localhost", "--client=worker-1"]).await.text();
    let authority = fs::read(dir.join("authority/ca.pem")).expect("made");

    let refused =
        run(&home, &["certs", text(&dir), "--client=worker-2", "--client=worker-1"]).await.refusal(73);
    assert!(refused.contains("clients/worker-1 is there already"), "{refused}");
    assert!(!dir.join("clients/worker-2").exists(), "all or nothing");

    let added = run(&home, &["certs", "--json", text(&dir), "--client=worker-2"]).await.object();
    assert_eq!(added["names"], serde_json::json!(["worker-2"]));
    assert_eq!(fs::read(dir.join("clients/worker-2/ca.pem")).expect("made"), authority);
}

#[tokio::test]
async fn what_cannot_be_the_name_of_a_host_or_a_client_is_refused() {
    let home = Daemon::builder().prepare();
    let dir = home.home().join("tls");
    for args in [
        &["--client=../worker"][..],
        &["--client=10.0.0.1"],
        &["--server=localhost:7443"],
        &["--server=https://localhost"],
        &[],
    ] {
        let ran = run(&home, &[&["certs", text(&dir)], args].concat()).await;
        assert_eq!(ran.status.code(), Some(64), "{args:?}: {ran:?}");
    }
    assert!(!dir.exists());
}
