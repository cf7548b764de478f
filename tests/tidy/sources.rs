//! Source files, and the rules that hold for each of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::TokenStream;

use crate::code;

/// Folders that are not the project's own.
const FOREIGN: [&str; 2] = ["target", "node_modules"];

/// A Rust source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path from the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) lines: usize,
    pub(crate) code: TokenStream,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = text.parse().unwrap_or_else(|e| panic!("{path} is not Rust: {e}"));
        Self { path: path.to_owned(), lines: text.lines().count(), code }
    }

    /// The code without its tests, which may do and know more.
    pub(crate) fn shipped(&self) -> TokenStream {
        code::without_tests(self.code.clone())
    }
}

/// The source files in some folders (or single files) of the repository, in the order of their paths.
pub(crate) fn under<'a>(root: &Path, folders: impl IntoIterator<Item = &'a str>) -> Vec<Source> {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in folders {
        list(&root.join(folder), &mut files);
    }
    files.sort();
    files.iter().map(|file| Source::new(&relative(root, file), &read(file))).collect()
}

/// A file as text.
pub(crate) fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

pub(crate) fn too_long(source: &Source, most: usize) -> Option<String> {
    let Source { path, lines, .. } = source;
    (*lines > most).then(|| {
        format!("{path} has {lines} lines, and {most} is the most: make it two modules, each named after its main type")
    })
}

pub(crate) fn unfinished(source: &Source) -> Vec<String> {
    let path = &source.path;
    let skipped = code::attributes(source.code.clone(), "ignore").into_iter().map(|line| {
        format!(
            "{path}:{line}: a test is ignored: mend it, or take it out and say in the commit what is lost"
        )
    });
    let missing = ["todo", "unimplemented"].into_iter().flat_map(|name| {
        code::macro_calls(source.code.clone(), name)
            .into_iter()
            .map(move |line| format!("{path}:{line}: {name}!: write it, or leave it out of the interface"))
    });
    skipped.chain(missing).collect()
}

pub(crate) fn environment_read(source: &Source, allowed: &[&str]) -> Vec<String> {
    let path = &source.path;
    if allowed.iter().any(|place| path.starts_with(place)) {
        return Vec::new();
    }
    code::mentions(source.shipped())
        .into_iter()
        .filter(|mention| {
            mention.path.iter().rev().nth(1).is_some_and(|module| module == "env")
                && mention.path.last().is_some_and(|name| {
                    ["var", "var_os", "vars", "vars_os", "args", "args_os"].contains(&name.as_str())
                })
        })
        .map(|mention| {
            let line = mention.line;
            format!(
                "{path}:{line}: reads the environment or the arguments: that is the work of {}; take the value as a \
                 parameter",
                allowed.join(", ")
            )
        })
        .collect()
}

fn list(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())) {
            let entry = entry.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with('.') && !FOREIGN.contains(&name.as_ref()) {
                list(&entry.path(), files);
            }
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        files.push(path.to_owned());
    }
}

fn relative(root: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(root).expect("files are listed under the root");
    inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::{Source, environment_read, too_long, unfinished};

    #[test]
    fn a_file_past_the_limit_is_found() {
        let source = Source::new("a.rs", "struct A;\nstruct B;\n");
        assert_eq!(too_long(&source, 2), None);
        assert!(too_long(&source, 1).expect("found").starts_with("a.rs has 2 lines"));
    }

    #[test]
    fn an_ignored_test_is_found() {
        for text in [
            "#[test]\n#[ignore]\nfn f() {}",
            "\n#[ignore = \"slow\"] fn f() {}",
            "\n#[cfg_attr(x, ignore)] fn f() {}",
        ] {
            let found = unfinished(&Source::new("a.rs", text));
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].starts_with("a.rs:2: "), "{found:?}");
        }
    }

    #[test]
    fn code_that_is_to_be_written_is_found() {
        let found = unfinished(&Source::new("a.rs", "fn f() { g(todo!()); unimplemented!(\"later\") }"));
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_read_of_the_environment_is_found() {
        for text in [
            "fn f() { std::env::var(\"A\"); }",
            "use std::env::{self, args};",
            "fn f() { env::var_os(\"A\") }",
        ] {
            assert_eq!(environment_read(&Source::new("a.rs", text), &[]).len(), 1, "{text}");
            assert!(environment_read(&Source::new("a.rs", text), &["a.rs"]).is_empty(), "{text}");
        }
        let test = "#[cfg(test)] mod tests { fn f() { std::env::args() } }";
        assert!(environment_read(&Source::new("a.rs", test), &[]).is_empty());
        assert!(environment_read(&Source::new("a.rs", "fn f() { env!(\"A\"); }"), &[]).is_empty());
    }
}
