//! Documents: what they name has to be there.

use std::path::Path;

/// The project's top folders. A word in backticks that begins with one of them is taken for a path.
const FOLDERS: [&str; 11] = [
    ".ci/",
    "benches/",
    "client/",
    "contrib/",
    "docs/",
    "proto/",
    "server/",
    "session/",
    "tests/",
    "tools/",
    "examples/",
];

/// The documents that are checked, as far as they exist.
const DOCUMENTS: [&str; 13] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "STYLE.md",
    "docs/attributes.md",
    "docs/audit.md",
    "docs/formats.md",
    "docs/libraries.md",
    "docs/operate-securely.md",
    "docs/performance.md",
    "docs/tcp.md",
];

pub(crate) fn missing_paths(root: &Path) -> Vec<String> {
    DOCUMENTS
        .iter()
        .filter_map(|document| Some((document, std::fs::read_to_string(root.join(document)).ok()?)))
        .flat_map(|(document, text)| missing(document, &text, |path| root.join(path).exists()))
        .collect()
}

fn missing(document: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    paths(text)
        .filter(|(_, path)| !exists(path))
        .map(|(line, path)| {
            format!(
                "{document}:{line}: names {path}, which does not exist: name where it went, or take it out"
            )
        })
        .collect()
}

/// The paths in a document, with their lines. Blocks of code are left out: they show commands and output.
fn paths(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    text.lines()
        .enumerate()
        .filter(move |(_, line)| {
            let fence = line.trim_start().starts_with("```");
            in_block ^= fence;
            !fence && !in_block
        })
        .flat_map(|(index, line)| line.split('`').skip(1).step_by(2).map(move |word| (index + 1, word)))
        .filter(|(_, word)| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .filter(|(_, word)| !word.contains([' ', '*', '{']))
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn a_path_that_is_not_there_is_found() {
        let text = "See `server/src/gone.rs`,\n`server/src/here.rs`, `other/x.rs`, `gone`.\n```\n`tests/block.rs`\n```\n`tests/gone`";
        let found = missing("A.md", text, |path| path == "server/src/here.rs");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("A.md:1: names server/src/gone.rs"), "{found:?}");
        assert!(found[1].starts_with("A.md:6: names tests/gone"), "{found:?}");
    }
}
