mod authority;

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use anyhow::Context as _;
use serde_json::json;

use self::authority::{Authority, Purpose};
use super::{failure::Failure, output::Output, render::printable};
use crate::exit::Exit;

/// Names in the directory: of the authority, of the server's identity, and of what has the clients'.
const AUTHORITY: &str = "authority";
const SERVER: &str = "server";
const CLIENTS: &str = "clients";

/// Files of an identity, as both ends of TLS read them.
const CERTIFICATE_FILE: &str = "cert.pem";
const KEY_FILE: &str = "key.pem";
const TRUSTED_FILE: &str = "ca.pem";

/// Make certificates for a daemon that serves over TCP, and for its clients
///
/// In the directory: authority/, which signs all others and is needed here alone; server/, which is `--tls` of `sessiond
/// serve`; and clients/NAME/, each of which goes to one client and is its `--tls`. What is there already is not touched: with
/// the same directory, later calls add clients. The authority is good for ten years, a certificate for one; to renew it,
/// remove its directory and make it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sessiond certs ./tls --server sessions.example.net --client worker-1 --client worker-2
  sessiond serve --listen 0.0.0.0:7443 --tls ./tls/server
  sessiond --socket https://sessions.example.net:7443 --tls ./worker-1 ls")]
pub(crate) struct Certs {
    /// Directory to make them in
    dir: PathBuf,
    /// What clients call the daemon's host: a DNS name or an IP address. May be given several times
    #[arg(long, value_name = "HOST")]
    server: Vec<Host>,
    /// A client: the name by which the policy knows it, in letters, digits, hyphens and dots. May be given several times
    #[arg(long, value_name = "NAME")]
    client: Vec<ClientName>,
}

/// What a client calls a host.
#[derive(Debug, Clone)]
struct Host(String);

/// Name of a client: a DNS name, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ClientName(String);

/// Something that is to be made: a directory, and what is to be in it.
struct Wanted<'a> {
    directory: PathBuf,
    names: Vec<String>,
    purpose: Purpose,
    title: &'a str,
}

impl Certs {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        if self.server.is_empty() && self.client.is_empty() {
            let message = "nothing to make: name the daemon's host with --server, and clients with --client";
            return Err(Failure::new(Exit::Usage, message).into());
        }
        let wanted = self.wanted();
        // Before anything is made, so that a refusal leaves nothing behind.
        if let Some(Wanted { directory, .. }) = wanted.iter().find(|wanted| wanted.directory.exists()) {
            let message = format!(
                "{0} is there already, and is not touched: remove it to make another",
                printable(&directory.to_string_lossy())
            );
            return Err(Failure::new(Exit::CannotCreate, message).into());
        }
        let authority = self.authority()?;
        for Wanted { directory, names, purpose, title } in &wanted {
            let (certificate, key) = authority.issue(title, names, *purpose)?;
            let trusted = authority.certificate();
            write(directory, &[(TRUSTED_FILE, trusted), (CERTIFICATE_FILE, &certificate), (KEY_FILE, &key)])?;
        }
        self.tell(&wanted, output)?;
        Ok(ExitCode::SUCCESS)
    }

    fn wanted(&self) -> Vec<Wanted<'_>> {
        let hosts: Vec<_> = self.server.iter().map(|Host(host)| host.clone()).collect();
        let server = (!hosts.is_empty()).then(|| Wanted {
            directory: self.dir.join(SERVER),
            names: hosts,
            purpose: Purpose::Server,
            title: "sessiond",
        });
        let mut clients: Vec<&ClientName> = Vec::new();
        for client in &self.client {
            if !clients.contains(&client) {
                clients.push(client);
            }
        }
        let clients = clients.into_iter().map(|ClientName(name)| Wanted {
            directory: self.dir.join(CLIENTS).join(name),
            names: vec![name.clone()],
            purpose: Purpose::Client,
            title: name,
        });
        server.into_iter().chain(clients).collect()
    }

    /// The authority in the directory, made if there is none.
    fn authority(&self) -> anyhow::Result<Authority> {
        let directory = self.dir.join(AUTHORITY);
        if !directory.exists() {
            let authority = Authority::new()?;
            let files = [(TRUSTED_FILE, authority.certificate()), (KEY_FILE, &authority.key())];
            write(&directory, &files)?;
            return Ok(authority);
        }
        let read = |name: &str| {
            let file = directory.join(name);
            fs::read_to_string(&file).with_context(|| printable(&file.to_string_lossy()))
        };
        let key = zeroize::Zeroizing::new(read(KEY_FILE)?);
        Authority::read(read(TRUSTED_FILE)?, &key).with_context(|| printable(&directory.to_string_lossy()))
    }

    fn tell(&self, wanted: &[Wanted<'_>], output: Output) -> io::Result<()> {
        for Wanted { directory, names, .. } in wanted {
            let directory = directory.to_string_lossy();
            output.result(
                || json!({ "directory": directory, "names": names }),
                || format!("{}: for {}", printable(&directory), names.join(", ")),
            )?;
        }
        if !output.is_json() {
            output.line("")?;
            for line in self.next_steps() {
                output.line(&line)?;
            }
        }
        Ok(())
    }

    fn next_steps(&self) -> Vec<String> {
        let dir = printable(&self.dir.to_string_lossy());
        let host = self.server.first().map_or("HOST", |Host(host)| host);
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let client = self.client.first().map_or("NAME", |ClientName(name)| name);
        vec![
            format!("1. Serve:  sessiond serve --listen 0.0.0.0:7443 --tls {dir}/{SERVER}"),
            format!("2. Permit: a rule of the policy file for the certificate {client:?} (docs/policy.md)"),
            format!("3. Bring {dir}/{CLIENTS}/{client} to that client alone, and there:"),
            format!("           sessiond --socket https://{host}:7443 --tls {client} ls"),
            format!("4. Keep {dir}/{AUTHORITY} where neither the daemon nor a client is."),
        ]
    }
}

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = text.parse::<IpAddr>().is_ok() || is_dns_name(text);
        known.then(|| Self(text.to_owned())).ok_or("it is a DNS name or an IP address, without a port")
    }
}

impl FromStr for ClientName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = text.parse::<IpAddr>().is_err() && is_dns_name(text);
        known
            .then(|| Self(text.to_ascii_lowercase()))
            .ok_or("it is letters, digits, hyphens and dots, as a host's name is")
    }
}

/// Whether it is a name of labels as RFC 1123 has them. None of them is a way out of a directory.
fn is_dns_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Makes a directory with files, for this user alone. Whatever is there is not touched.
fn write(directory: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    if let Some(parent) = directory.parent() {
        create(DirBuilder::new().recursive(true), parent)?;
    }
    create(&mut DirBuilder::new(), directory)?;
    for (name, text) in files {
        let path = directory.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.with_context(|| format!("cannot write {}", printable(&path.to_string_lossy())))?;
    }
    Ok(())
}

fn create(builder: &mut DirBuilder, directory: &Path) -> anyhow::Result<()> {
    let created = builder.mode(0o700).create(directory);
    created.with_context(|| format!("cannot create {}", printable(&directory.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::{ClientName, Host};

    #[test]
    fn a_client_has_a_name_that_is_no_path_and_no_address() {
        for text in ["worker-1", "a", "worker.example.net", "Worker"] {
            assert!(text.parse::<ClientName>().is_ok(), "{text}");
        }
        assert_eq!("Worker".parse(), Ok(ClientName("worker".into())));
        for text in ["", ".", "..", "a/b", "a b", "-a", "a-", "10.0.0.1", "*.example.net", "é", "a\n"] {
            assert!(text.parse::<ClientName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_without_a_port() {
        for text in ["localhost", "sessions.example.net", "10.0.0.1", "::1"] {
            assert!(text.parse::<Host>().is_ok(), "{text}");
        }
        for text in ["", "localhost:7443", "https://localhost", "[::1]"] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }
}
