//! The layers of the server (ARCHITECTURE.md): which module may import which, and what each may not know.

use crate::{code, code::Mention, sources::Source};

/// The server's modules, from the command line down. A module imports from the rows below its own, and nothing else.
const LAYERS: [&[&str]; 10] = [
    &["cli"],
    &["daemon"],
    &["readiness"],
    &["config", "listener"],
    &["service"],
    &["holds", "policy", "transfer", "watch"],
    &["audit"],
    &["caller", "directory", "engine"],
    &["allowance", "seal", "shutdown"],
    // What knows nothing of sessions.
    &["exit", "filesystem", "hardening", "logging", "pattern", "principal", "process", "signal", "toml_file"],
];

/// Crates that the engine does not know: it could as well be driven by something that is no gRPC.
const GRPC: [&str; 6] = ["http", "tonic", "tonic_health", "tonic_reflection", "tonic_types", "tower"];

/// The only place where a status is made.
const STATUS_FILE: &str = "server/src/service/status.rs";

/// What makes a `tonic::Status`.
const CONSTRUCTORS: [&str; 22] = [
    "aborted",
    "already_exists",
    "cancelled",
    "data_loss",
    "deadline_exceeded",
    "failed_precondition",
    "from_error",
    "internal",
    "invalid_argument",
    "new",
    "not_found",
    "ok",
    "out_of_range",
    "permission_denied",
    "resource_exhausted",
    "unauthenticated",
    "unavailable",
    "unimplemented",
    "unknown",
    "with_details",
    "with_details_and_metadata",
    "with_metadata",
];

pub(crate) fn imports_to_the_left(source: &Source) -> Vec<String> {
    let Some(module) = module(&source.path) else { return Vec::new() };
    let Some(row) = row(&module[0]) else {
        let (path, name) = (&source.path, &module[0]);
        return vec![format!(
            "{path}: module `{name}` has no layer: give it one in LAYERS of tests/tidy/layers.rs and in ARCHITECTURE.md"
        )];
    };
    code::mentions(source.shipped())
        .into_iter()
        .filter_map(|mention| {
            let imported = imported(&module, &mention)?;
            let wrong = imported != module[0] && self::row(&imported)? <= row;
            wrong.then(|| {
                let (path, line, name) = (&source.path, mention.line, &module[0]);
                format!(
                    "{path}:{line}: `{name}` imports `{imported}`, and imports go one way (LAYERS of \
                     tests/tidy/layers.rs): move what both need down, or hand it in as a parameter"
                )
            })
        })
        .collect()
}

pub(crate) fn foreign_words(source: &Source) -> Vec<String> {
    let in_engine = module(&source.path).is_some_and(|module| module[0] == "engine");
    code::mentions(source.shipped())
        .into_iter()
        .filter_map(|Mention { line, path }| {
            let (file, name) = (&source.path, &path[0]);
            if in_engine && GRPC.contains(&name.as_str()) {
                Some(format!("{file}:{line}: the engine mentions `{name}`, and it knows no gRPC: that belongs to `service`"))
            } else if !in_engine && name == "rusqlite" {
                Some(format!("{file}:{line}: `rusqlite` is mentioned, and only the engine knows SQLite: add what is needed to `Engine`"))
            } else {
                None
            }
        })
        .collect()
}

pub(crate) fn statuses_elsewhere(source: &Source) -> Vec<String> {
    if source.path == STATUS_FILE {
        return Vec::new();
    }
    code::mentions(source.shipped())
        .into_iter()
        .filter(|Mention { path, .. }| {
            matches!(&path[..], [.., kind, name] if kind == "Status" && CONSTRUCTORS.contains(&name.as_str()))
        })
        .map(|Mention { line, path }| {
            let (file, call) = (&source.path, path.join("::"));
            format!("{file}:{line}: `{call}` makes a status: return an error, and say in {STATUS_FILE} what status it is")
        })
        .collect()
}

/// A file's module, from the root of the crate: of `server/src/engine/sqlite/log.rs` engine, sqlite, log. None: the root
/// itself, which may import everything.
fn module(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix("server/src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    (!["main", "lib"].contains(&path)).then(|| path.split('/').map(str::to_owned).collect())
}

/// The layer that a mention comes from: the module below the crate's root. None: not of this crate.
fn imported(module: &[String], mention: &Mention) -> Option<String> {
    let ups = mention.path.iter().take_while(|segment| *segment == "super").count();
    match mention.path.first()?.as_str() {
        "crate" => mention.path.get(1).cloned(),
        "super" if ups >= module.len() => mention.path.get(ups).cloned(),
        _ => None,
    }
}

/// The module's row. None: no such module.
fn row(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

#[cfg(test)]
mod tests {
    use super::{foreign_words, imports_to_the_left, statuses_elsewhere};
    use crate::sources::Source;

    #[test]
    fn an_import_from_a_higher_module_is_found() {
        for (path, text) in [
            ("server/src/engine/sqlite/log.rs", "use crate::service::Caller;"),
            ("server/src/engine/sqlite/log.rs", "fn f() { crate::watch::Watcher::new() }"),
            ("server/src/engine.rs", "use super::holds;"),
            ("server/src/engine/line.rs", "use super::super::holds;"),
            ("server/src/holds.rs", "use crate::{engine::Engine, watch::Watcher};"),
            ("server/src/service/hold.rs", "use crate::listener::{Listener};"),
        ] {
            assert_eq!(imports_to_the_left(&Source::new(path, text)).len(), 1, "{path} {text}");
        }
    }

    #[test]
    fn an_import_from_a_lower_module_is_allowed() {
        for (path, text) in [
            ("server/src/main.rs", "use crate::engine::Engine;"),
            ("server/src/service/mod.rs", "use crate::{engine::Engine, watch::Watcher};"),
            (
                "server/src/engine/sqlite/log.rs",
                "use super::{store, super::Commit}; use crate::engine::Batch;",
            ),
            ("server/src/engine/line.rs", "mod inner { use super::watch; }"),
            ("server/src/engine/line.rs", "#[cfg(test)] mod tests { use crate::watch::Watcher; }"),
        ] {
            assert_eq!(imports_to_the_left(&Source::new(path, text)), Vec::<String>::new(), "{path} {text}");
        }
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        let found = imports_to_the_left(&Source::new("server/src/helpers.rs", ""));
        assert!(found[0].contains("`helpers` has no layer"), "{found:?}");
    }

    #[test]
    fn grpc_in_the_engine_and_sql_outside_of_it_are_found() {
        for (path, text) in [
            ("server/src/engine/error.rs", "use tonic::Status;"),
            ("server/src/engine/error.rs", "fn f() -> tonic_types::ErrorDetails {}"),
            ("server/src/service/load.rs", "use rusqlite::Connection;"),
            ("server/src/main.rs", "fn f() { rusqlite::version() }"),
        ] {
            assert_eq!(foreign_words(&Source::new(path, text)).len(), 1, "{path} {text}");
        }
        assert!(
            foreign_words(&Source::new("server/src/engine/sqlite.rs", "use rusqlite::Connection;"))
                .is_empty()
        );
        assert!(foreign_words(&Source::new("server/src/service/load.rs", "use tonic::Status;")).is_empty());
    }

    #[test]
    fn a_status_made_elsewhere_is_found() {
        let text = "fn f() { g(Status::internal(\"x\")); tonic::Status::new(code, \"x\") }";
        assert_eq!(statuses_elsewhere(&Source::new("server/src/service/load.rs", text)).len(), 2);
        assert!(statuses_elsewhere(&Source::new("server/src/service/status.rs", text)).is_empty());
        let named = "use tonic::Status; fn f() -> Result<(), Status> { status.code() }";
        assert!(statuses_elsewhere(&Source::new("server/src/service/load.rs", named)).is_empty());
    }
}
