//! Code as tokens: comments and strings say what they like.

use std::iter::Peekable;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree, token_stream::IntoIter};

/// A path that code mentions, in full: `use crate::engine::{Error, Hold}` mentions `crate::engine::Error` and
/// `crate::engine::Hold`. A name that stands alone is a path of one segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
}

/// Everything that code mentions, in attributes and macros too.
pub(crate) fn mentions(code: TokenStream) -> Vec<Mention> {
    let mut found = Vec::new();
    collect(code, &[], &mut found);
    found
}

/// Code without the items under `#[cfg(test)]`.
pub(crate) fn without_tests(code: TokenStream) -> TokenStream {
    let mut kept = Vec::new();
    let mut tokens = code.into_iter();
    while let Some(token) = tokens.next() {
        let is_test = matches!(&token, TokenTree::Group(group) if group.stream().to_string() == "cfg (test)");
        if is_test && is_punct(kept.last(), '#') {
            kept.pop();
            // An item ends with its body, or with a semicolon where it has none.
            tokens.find(|token| is_punct(Some(token), ';') || has_delimiter(token, Delimiter::Brace));
        } else {
            kept.push(token);
        }
    }
    kept.into_iter().collect()
}

/// The lines on which a macro of that name is called.
pub(crate) fn macro_calls(code: TokenStream, name: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => lines.extend(macro_calls(group.stream(), name)),
            TokenTree::Ident(ident) if ident == name && is_punct(tokens.peek(), '!') => {
                lines.push(ident.span().start().line);
            }
            _ => {}
        }
    }
    lines
}

/// The lines of attributes that mention a word: `#[ignore]`, `#[cfg_attr(miri, ignore)]`.
pub(crate) fn attributes(code: TokenStream, word: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut after_hash = false;
    for token in code {
        if let TokenTree::Group(group) = &token {
            let attribute = after_hash && has_delimiter(&token, Delimiter::Bracket);
            if attribute && mentions(group.stream()).iter().any(|mention| mention.path == [word]) {
                lines.push(group.span_open().start().line);
            }
            lines.extend(attributes(group.stream(), word));
        }
        after_hash = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
    }
    lines
}

/// Reads paths out of tokens. `prefix` is what stands before a `{` of a `use`.
fn collect(code: TokenStream, prefix: &[String], found: &mut Vec<Mention>) {
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => collect(group.stream(), &[], found),
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                let mut path = prefix.to_vec();
                path.push(ident.to_string());
                match rest_of_path(&mut tokens, &mut path) {
                    Some(group) => collect(group.stream(), &path, found),
                    None => found.push(Mention { line, path }),
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Takes `::name` as often as it comes. A `::{` ends it with the group, in which the path goes on.
fn rest_of_path(tokens: &mut Peekable<IntoIter>, path: &mut Vec<String>) -> Option<Group> {
    while is_punct(tokens.peek(), ':') {
        tokens.next();
        // A type's single colon, as in `name: String`.
        if !is_punct(tokens.peek(), ':') {
            return None;
        }
        tokens.next();
        match tokens.peek()? {
            TokenTree::Ident(ident) => path.push(ident.to_string()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let group = group.clone();
                tokens.next();
                return Some(group);
            }
            _ => return None,
        }
        tokens.next();
    }
    None
}

fn has_delimiter(token: &TokenTree, wanted: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == wanted)
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;

    use super::{attributes, macro_calls, mentions, without_tests};

    fn tokens(text: &str) -> TokenStream {
        text.parse().expect("Rust")
    }

    fn paths(text: &str) -> Vec<String> {
        mentions(tokens(text)).into_iter().map(|mention| mention.path.join("::")).collect()
    }

    #[test]
    fn a_nested_use_is_read_in_full() {
        let text = "use crate::{engine::{Error, sqlite::Store}, watch};";
        assert_eq!(
            paths(text),
            ["use", "crate::engine::Error", "crate::engine::sqlite::Store", "crate::watch"]
        );
    }

    #[test]
    fn a_path_in_an_expression_or_a_macro_is_read() {
        assert_eq!(paths("f(a::b::<C>(d), x!(e::f))"), ["f", "a::b", "C", "d", "x", "e::f"]);
    }

    #[test]
    fn a_types_colon_is_not_a_paths() {
        assert_eq!(paths("name: String"), ["name", "String"]);
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(paths("// a::b\n/* c */ \"d::e\" r#\"f\"#"), Vec::<String>::new());
        assert_eq!(macro_calls(tokens("// todo!()\n\"todo!()\""), "todo"), Vec::<usize>::new());
    }

    #[test]
    fn tests_are_left_out_and_nothing_else() {
        let text = "fn a() {} #[cfg(test)] #[path = \"x\"] mod tests { fn b() {} } #[cfg(test)] mod c; #[cfg(unix)] fn d() {}";
        let kept = without_tests(tokens(text)).to_string();
        assert_eq!(kept, tokens("fn a() {} #[cfg(unix)] fn d() {}").to_string());
    }

    #[test]
    fn lines_count_from_one() {
        let text = "fn f() {}\n#[ignore]\nfn g() { todo!() }";
        assert_eq!(attributes(tokens(text), "ignore"), [2]);
        assert_eq!(macro_calls(tokens(text), "todo"), [3]);
        assert_eq!(mentions(tokens("a::b;\nc")).last().map(|mention| mention.line), Some(2));
    }
}
