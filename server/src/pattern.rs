use std::sync::Arc;

/// A text in which `*` stands for any text, also none, and `?` for any one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: Box<str>,
    /// What neither `*` nor `?` stands for.
    separator: Option<u8>,
}

/// Names that a caller may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Visible {
    /// All that there are.
    #[default]
    All,
    /// Those that match one of these.
    Matching(Arc<[Pattern]>),
}

impl Pattern {
    /// A pattern of any texts.
    pub(crate) fn of_text(text: &str) -> Self {
        Self { text: text.into(), separator: None }
    }

    /// A pattern of paths: what stands for something, stands for something between two slashes.
    pub(crate) fn of_path(text: &str) -> Self {
        Self { text: text.into(), separator: Some(b'/') }
    }

    /// The pattern as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a text is one that this stands for. Takes time by the product of both lengths, at the most.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.text.as_bytes(), text.as_bytes());
        // What to go back to: the pattern after the last star, and the text that this star may take more of.
        let mut star: Option<(&[u8], &[u8])> = None;
        loop {
            match (pattern.split_first(), rest.split_first()) {
                (Some((b'*', after)), _) => {
                    pattern = after;
                    star = Some((after, rest));
                    continue;
                }
                (Some((b'?', after)), Some((first, _))) if Some(*first) != self.separator => {
                    (pattern, rest) = (after, &rest[character_len(rest)..]);
                    continue;
                }
                (Some((expected, after)), Some((first, others)))
                    if expected == first && *expected != b'?' =>
                {
                    (pattern, rest) = (after, others);
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((after, taken)) = star else { return false };
            match taken.first() {
                Some(first) if Some(*first) != self.separator => {
                    rest = &taken[character_len(taken)..];
                    (pattern, star) = (after, Some((after, rest)));
                }
                _ => return false,
            }
        }
    }
}

impl Visible {
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Matching(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
        }
    }
}

impl FromIterator<Pattern> for Visible {
    fn from_iter<I: IntoIterator<Item = Pattern>>(patterns: I) -> Self {
        let patterns: Arc<[_]> = patterns.into_iter().collect();
        let all = patterns.iter().any(|pattern| &*pattern.text == "*");
        if all { Self::All } else { Self::Matching(patterns) }
    }
}

/// How many bytes the first character of a text has.
fn character_len(text: &[u8]) -> usize {
    let continued = text.iter().skip(1).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000);
    1 + continued.count()
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Visible};

    #[test]
    fn a_star_stands_for_any_text_and_a_question_mark_for_one_character() {
        for (pattern, matching, others) in [
            ("alice", &["alice"][..], &["", "alic", "alicex", "Alice", "xalice"][..]),
            ("*", &["", "a", "a/b"], &[]),
            ("", &[""], &["a"]),
            ("bot-*", &["bot-", "bot-1", "bot-*"], &["bot", "abot-1"]),
            ("*-bot", &["-bot", "a-bot", "a-bot-bot"], &["a-bots", "bot"]),
            ("a*b*c", &["abc", "aXbYc", "abbcc", "abcbc"], &["ab", "acb", "abcd"]),
            ("?", &["a", "é", "?", "*", "/"], &["", "ab"]),
            ("b?t", &["bot", "b日t"], &["bt", "boot"]),
            ("*?*", &["a", "abc"], &[""]),
            ("**a", &["a", "ba"], &["b"]),
            ("é*", &["é", "éa"], &["e"]),
        ] {
            let pattern = Pattern::of_text(pattern);
            for text in matching {
                assert!(pattern.matches(text), "{pattern:?} {text:?}");
            }
            for text in others {
                assert!(!pattern.matches(text), "{pattern:?} {text:?}");
            }
        }
    }

    #[test]
    fn in_a_path_neither_stands_for_a_slash() {
        let pattern = Pattern::of_path("/opt/*/bin/w?rker");
        assert!(pattern.matches("/opt/app/bin/worker"));
        assert!(pattern.matches("/opt//bin/worker"));
        assert!(!pattern.matches("/opt/app/eve/bin/worker"));
        assert!(!pattern.matches("/opt/app/bin/w/rker"));
        assert!(!pattern.matches("/opt/app/bin/worker/x"));
        assert!(!Pattern::of_path("/opt/*").matches("/opt/app/eve"));
        assert!(Pattern::of_path("*/*").matches("/app"));
    }

    #[test]
    fn a_hostile_text_takes_no_longer_than_the_product_of_both_lengths() {
        let (pattern, text) = (Pattern::of_text(&"a*".repeat(60)), "a".repeat(4_000) + "b");
        assert!(pattern.matches(&text));
        assert!(!Pattern::of_text(&("a*".repeat(60) + "c")).matches(&text));
    }

    #[test]
    fn where_one_pattern_is_a_star_all_names_are_visible() {
        let visible =
            |patterns: &[&str]| patterns.iter().map(|text| Pattern::of_text(text)).collect::<Visible>();
        assert!(matches!(visible(&["a", "*"]), Visible::All));
        assert!(visible(&["a", "b*"]).has("bot") && !visible(&["a", "b*"]).has("cat"));
        assert!(!visible(&[]).has("a"));
    }
}
