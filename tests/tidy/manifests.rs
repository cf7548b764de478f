//! The packages' manifests: which package imports which, and why it has its dependencies.

use std::{collections::HashSet, path::Path};

use toml::{Table, Value};

use crate::{
    code,
    sources::{self, Source},
};

/// Our packages, the folder of each, and which of ours it may import.
const PACKAGES: [(&str, &str, &[&str]); 5] = [
    ("sessiond-proto", "", &[]),
    ("sessiond-session", "session", &["sessiond-proto"]),
    ("sessiond-client", "client/rust", &["sessiond-proto", "sessiond-session"]),
    ("sessiond", "server", &["sessiond-proto", "sessiond-session", "sessiond-client"]),
    // It measures the daemon as a program, and does not know its code.
    ("sessiond-bench", "benches", &["sessiond-proto", "sessiond-session", "sessiond-client"]),
];

/// Dependencies that only generated code mentions.
const GENERATED: [(&str, &str); 3] =
    [("sessiond-proto", "prost"), ("sessiond-proto", "prost-types"), ("sessiond-proto", "tonic-prost")];

/// A package of ours.
#[derive(Debug)]
pub(crate) struct Package {
    name: &'static str,
    folder: &'static str,
    may_import: &'static [&'static str],
    manifest: Table,
}

impl Package {
    /// The folders and files with its code, tests included.
    pub(crate) fn folders(&self) -> Vec<&'static str> {
        match self.name {
            "sessiond-proto" => vec!["build.rs", "proto", "tests/tidy"],
            // The integration tests are a target of this package.
            "sessiond" => vec!["server", "tests"],
            _ => vec![self.folder],
        }
    }

    /// Its dependencies of all kinds.
    fn dependencies(&self) -> impl Iterator<Item = (&String, &Value)> {
        ["dependencies", "dev-dependencies", "build-dependencies"]
            .into_iter()
            .filter_map(|kind| self.manifest.get(kind)?.as_table())
            .flatten()
    }

    fn path(&self) -> String {
        Path::new(self.folder).join("Cargo.toml").display().to_string()
    }
}

/// Our packages, as their manifests have them.
pub(crate) fn packages(root: &Path) -> Vec<Package> {
    PACKAGES
        .iter()
        .map(|(name, folder, may_import)| {
            let file = root.join(folder).join("Cargo.toml");
            let manifest = sources::read(&file).parse().unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            Package { name, folder, may_import, manifest }
        })
        .collect()
}

pub(crate) fn imports_to_the_left(package: &Package) -> Vec<String> {
    let ours = |name: &str| PACKAGES.iter().any(|(package, ..)| *package == name);
    package
        .dependencies()
        .filter(|(name, _)| ours(name) && !package.may_import.contains(&name.as_str()))
        .map(|(name, _)| {
            let (path, importer) = (package.path(), package.name);
            format!(
                "{path}: {importer} imports {name}, and imports go one way: sessiond-proto < sessiond-session < \
                 {{sessiond-client, sessiond}}. Move what both need to the left"
            )
        })
        .collect()
}

pub(crate) fn versions_elsewhere(package: &Package) -> Vec<String> {
    package
        .dependencies()
        .filter(|(_, value)| value.get("workspace").and_then(Value::as_bool) != Some(true))
        .map(|(name, _)| {
            let path = package.path();
            format!("{path}: {name} is not `{name}.workspace = true`: put its version, and why it is there, in the root's Cargo.toml")
        })
        .collect()
}

pub(crate) fn unused(package: &Package, sources: &[Source]) -> Vec<String> {
    let mentioned: HashSet<String> = sources
        .iter()
        .flat_map(|source| code::mentions(source.code.clone()))
        .filter_map(|mention| mention.path.into_iter().next())
        .collect();
    package
        .dependencies()
        .filter(|(name, _)| !mentioned.contains(&name.replace('-', "_")))
        .filter(|(name, _)| !GENERATED.contains(&(package.name, name)))
        .map(|(name, _)| {
            format!("{}: nothing in {} mentions {name}: take it out", package.path(), package.name)
        })
        .collect()
}

/// What the root's manifest offers and no package takes.
pub(crate) fn untaken(manifest: &str, packages: &[Package]) -> Vec<String> {
    let manifest: Table = manifest.parse().unwrap_or_else(|e| panic!("Cargo.toml: {e}"));
    let offered = manifest["workspace"]["dependencies"].as_table().expect("a table");
    offered
        .keys()
        .filter(|offer| !packages.iter().flat_map(Package::dependencies).any(|(name, _)| name == *offer))
        .map(|offer| format!("Cargo.toml: no package takes {offer}: take it out"))
        .collect()
}

/// `manifest` is the root's, as text: comments are no part of its value.
pub(crate) fn dependencies_without_reason(manifest: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .filter(|line| line.split_once('#').is_none_or(|(_, reason)| reason.trim().is_empty()))
        .map(|line| {
            format!(
                "Cargo.toml: `{line}` has no reason: say on the same line, after a #, what it is there for"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        Package, dependencies_without_reason, imports_to_the_left, untaken, unused, versions_elsewhere,
    };
    use crate::sources::Source;

    fn package(manifest: &str) -> Package {
        let manifest = manifest.parse().expect("TOML");
        Package { name: "sessiond-session", folder: "session", may_import: &["sessiond-proto"], manifest }
    }

    #[test]
    fn an_import_from_a_higher_package_is_found() {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let package = package(&format!("[{kind}]\nsessiond-proto = 1\nsessiond-client = 1\nserde = 1"));
            let found = imports_to_the_left(&package);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains("imports sessiond-client"), "{found:?}");
        }
    }

    #[test]
    fn a_version_in_a_packages_manifest_is_found() {
        let found = versions_elsewhere(&package(
            "[dependencies]\na = \"1\"\nb.workspace = true\nc = { version = \"1\" }\nd = { workspace = true, features = [] }",
        ));
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_dependency_that_nothing_mentions_is_found() {
        let package = package("[dependencies]\nasync-trait = 1\nserde = 1");
        let found = unused(&package, &[Source::new("a.rs", "use async_trait::async_trait; // serde")]);
        assert_eq!(found, ["session/Cargo.toml: nothing in sessiond-session mentions serde: take it out"]);
    }

    #[test]
    fn a_dependency_that_no_package_takes_is_found() {
        let packages = [package("[dependencies]\na = 1"), package("[dev-dependencies]\nb = 1")];
        let found = untaken("[workspace.dependencies]\na = 1\nb = 1\nc = 1", &packages);
        assert_eq!(found, ["Cargo.toml: no package takes c: take it out"]);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[workspace]\na = 1\n[workspace.dependencies]\n# All of them.\nb = 1 # why\nc = 1\n\nd = 1 #\n[package]\ne = 1\n";
        let found = dependencies_without_reason(manifest);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`c = 1`") && found[1].contains("`d = 1 #`"), "{found:?}");
    }
}
