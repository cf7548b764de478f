//! Whether a secret shows in a text.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};

/// How many of a secret's first bytes are looked for.
const SEEN: usize = 6;

/// As what a secret is told by a text: by its bytes in any form in which languages print them, or as text.
pub(super) fn told(text: &str, secret: &str) -> Option<String> {
    let mut forms = vec![secret.to_owned()];
    if let Ok(bytes) = BASE64_STANDARD.decode(secret)
        && let Some(bytes) = bytes.first_chunk::<SEEN>()
    {
        let decimal = |between: &str| bytes.map(|byte| byte.to_string()).join(between);
        let hex = |between: &str| bytes.map(|byte| format!("{byte:02x}")).join(between);
        forms.extend([BASE64_STANDARD.encode(bytes), decimal(", "), decimal(" "), decimal(",\n")]);
        forms.extend([hex(""), hex(" "), hex("").to_uppercase(), python(bytes)]);
    }
    forms.into_iter().find(|form| text.contains(form.as_str()))
}

/// Bytes as Python prints them.
fn python(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let written = match byte {
            b'\\' => write!(text, "\\\\"),
            b'\t' => write!(text, "\\t"),
            b'\n' => write!(text, "\\n"),
            b'\r' => write!(text, "\\r"),
            b' '..=b'~' => write!(text, "{}", char::from(*byte)),
            _ => write!(text, "\\x{byte:02x}"),
        };
        written.expect("a string takes everything");
        text
    })
}

#[test]
fn a_secret_shows_in_many_forms() {
    let secret = BASE64_STANDARD.encode([171, 1, 65, 10, 255, 0, 9, 9, 9]);
    for text in [
        secret.as_str(),
        "<Buffer ab 01 41 0a ff 00 ...>",
        "[171 1 65 10 255 0 9]",
        "Uint8Array(9) [171, 1, 65, 10, 255, 0]",
        "AB01410AFF00",
        r"b'\xab\x01A\n\xff\x00\t'",
    ] {
        assert!(told(text, &secret).is_some(), "{text}");
    }
    assert_eq!(told("AuthKey(..)", &secret), None);
    assert!(told("phone=4912345", "4912345").is_some());
}
