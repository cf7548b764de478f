//! The house's rules, as tests: what neither rustc nor clippy nor buf can see. Each failure says what to do.

mod code;
mod documents;
mod layers;
mod manifests;
mod sources;

use std::path::Path;

use sources::Source;

/// Most lines of a shipped source file. STYLE.md asks for two files from 400 on; this is where it stops being a question.
const MAX_LINES: usize = 500;

/// Folders of what is shipped.
const SHIPPED: [&str; 5] = ["benches/src/", "client/rust/src/", "proto/src/", "server/src/", "session/src/"];

/// The only places that read the environment or the arguments.
const READS_THE_ENVIRONMENT: [&str; 2] = ["client/rust/src/socket.rs", "server/src/config/"];

#[test]
fn imports_of_packages_go_one_way() {
    none(manifests::packages(root()).iter().flat_map(manifests::imports_to_the_left));
}

#[test]
fn imports_of_the_servers_modules_go_one_way() {
    none(server().iter().flat_map(layers::imports_to_the_left));
}

#[test]
fn only_the_engine_knows_sqlite_and_it_knows_no_grpc() {
    none(server().iter().flat_map(layers::foreign_words));
}

#[test]
fn an_error_becomes_a_status_in_one_file() {
    none(server().iter().flat_map(layers::statuses_elsewhere));
}

#[test]
fn every_dependency_has_its_reason() {
    none(manifests::dependencies_without_reason(&sources::read(&root().join("Cargo.toml"))));
}

#[test]
fn a_dependencys_version_stands_in_one_place() {
    none(manifests::packages(root()).iter().flat_map(manifests::versions_elsewhere));
}

#[test]
fn every_dependency_is_used() {
    let packages = manifests::packages(root());
    let unused = packages
        .iter()
        .flat_map(|package| manifests::unused(package, &sources::under(root(), package.folders())));
    let untaken = manifests::untaken(&sources::read(&root().join("Cargo.toml")), &packages);
    none(unused.chain(untaken));
}

#[test]
fn a_shipped_file_is_short() {
    none(shipped().iter().flat_map(|source| sources::too_long(source, MAX_LINES)));
}

#[test]
fn nothing_is_skipped_or_left_to_be_done() {
    none(sources::under(root(), ["."]).iter().flat_map(sources::unfinished));
}

#[test]
fn the_environment_is_read_in_few_places() {
    none(shipped().iter().flat_map(|source| sources::environment_read(source, &READS_THE_ENVIRONMENT)));
}

#[test]
fn what_documents_name_is_there() {
    none(documents::missing_paths(root()));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn server() -> Vec<Source> {
    sources::under(root(), ["server/src"])
}

fn shipped() -> Vec<Source> {
    sources::under(root(), SHIPPED)
}

/// Fails with all faults at once, one a line.
#[track_caller]
fn none(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<_> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
