//! What docs/stubs.md shows are the files that `make stubs` runs, as they are.

const PAGE: &str = include_str!("../docs/stubs.md");

#[test]
fn the_page_of_stubs_shows_what_is_run() {
    for (name, code) in [
        ("shell/example.sh", include_str!("../examples/shell/example.sh")),
        ("java/Example.java", include_str!("../examples/java/src/main/java/example/Example.java")),
        ("java/Refusal.java", include_str!("../examples/java/src/main/java/example/Refusal.java")),
        ("java/Hold.java", include_str!("../examples/java/src/main/java/example/Hold.java")),
        ("kotlin/Example.kt", include_str!("../examples/kotlin/src/main/kotlin/example/Example.kt")),
        ("kotlin/Refusal.kt", include_str!("../examples/kotlin/src/main/kotlin/example/Refusal.kt")),
        ("kotlin/Hold.kt", include_str!("../examples/kotlin/src/main/kotlin/example/Hold.kt")),
    ] {
        assert!(PAGE.contains(code), "docs/stubs.md has examples/{name} as it stands");
    }
}
